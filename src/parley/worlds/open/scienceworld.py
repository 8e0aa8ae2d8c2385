"""ScienceWorld (extra `scienceworld`, and Java): 30 tasks of school science in text (Wang et al. 2022)."""

import json
import os
import threading
from functools import cache
from typing import Any

import gymnasium as gym

from parley.core.errors import BadInput, MissingExtra
from parley.core.spec import suggestion
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.script import AnyText
from parley.worlds.kit.wrap import wrap
from parley.worlds.open.java import found, machine
from parley.worlds.open.seeds import menu_of, variations

BEST = 100.0  # points
_numbers = variations


def scienceworld(
    task: str,
    variations: int = 0,
    first: int = 0,
    easy: bool = False,
    horizon: int = 100,
    actions: str = "menu",
    java: str = "",
) -> PhysicalWorld:
    """ScienceWorld (extra scienceworld, and Java): scienceworld:find-living-thing; hidden: the task's variation."""
    menu = menu_of(actions)
    path = found(java, "world 'scienceworld'")
    server = _server(path)
    tasks = list(server.getTaskNames())
    if task not in tasks:
        raise BadInput(f"task={task!r}: there is no such task{suggestion(task, tasks)}")
    return wrap(
        lambda variation: Simulation(path, task, variation, "easy" if easy else ""),
        variations=_numbers(first, variations, int(server.getTaskMaxVariations(task))),
        menu=menu,
        max_score=BEST,
        horizon=horizon,
        deterministic=True,
        name=f"scienceworld:{task}",
    )


@cache
def _names() -> tuple[str, str]:
    try:
        from scienceworld.constants import BASEPATH, JAR_PATH
    except ImportError:
        raise MissingExtra("world 'scienceworld'", "scienceworld") from None
    return str(BASEPATH), str(JAR_PATH)


def _server(java: str) -> Any:
    """A simulator of its own in this process's Java machine."""
    folder, jar = _names()
    return machine(java, jar, folder, os.getpid()).jvm.scienceworld.runtime.pythonapi.PythonInterface()


DICE = threading.Lock()  # the simulators of a process draw from one generator


def _dice(java: str) -> Any:
    """The generator from which all simulators of this process's Java machine draw."""
    folder, jar = _names()
    of = machine(java, jar, folder, os.getpid()).jvm.java.lang.Class.forName("scala.util.Random$")
    return of.getField("MODULE$").get(None)


class Simulation(gym.Env[str, str]):
    """A task in one of its variations. A reward is the points gained, 100 in all; a wrong focus loses them all."""

    def __init__(self, java: str, task: str, variation: int, simplified: str) -> None:
        self.action_space, self.observation_space = AnyText(), AnyText()
        self._server, self._dice = _server(java), _dice(java)
        with DICE:
            self._dice.setSeed(0)
            self._server.load(task, variation, simplified, False)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin the task anew; where animals go and which of two things is meant is drawn from `seed`."""
        super().reset(seed=seed)
        self._points = 0
        with DICE:
            self._throw()
            self._server.reset()
            said = str(self._server.step("look around"))
        task = " ".join(str(self._server.freeActionTaskDesc()).removeprefix("Task Description:").split())
        return said, {**self._info(), "goal": task}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Do something; over when the task is done, or lost."""
        with DICE:
            self._throw()
            said = str(self._server.step(action))
        points = round(100 * self._server.getScore())
        paid, self._points = points - self._points, points
        over = bool(self._server.getCompleted()) or points < 0
        return said, float(paid), over, False, {} if over else self._info()

    def _throw(self) -> None:
        """Let what the simulator draws next be a function of the episode's seed and the steps so far."""
        self._dice.setSeed(int(self.np_random.integers(2**31)))

    def _info(self) -> dict[str, Any]:
        valid = json.loads(self._server.getValidActionObjectCombinationsJSON())["validActions"]
        return {"admissible_commands": sorted({one["action"] for one in valid})}
