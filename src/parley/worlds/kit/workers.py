"""The text environments of a physical world spread over processes: each worker runs whole subgoals of its runs.

The reports are the same as in one process, since a run depends on no other. A worker that dies is started again and
repeats the episode of its runs from their seeds; the log says so.
"""

import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from jaxtyping import Int

from parley.core.answered import quietly
from parley.core.draws import Draws
from parley.core.errors import FAULTS, BadInput, EnvironmentFailed, ParleyError
from parley.core.roles import TextEnvs, World, forbidden_in
from parley.core.said import LowLevel, Menu
from parley.core.tables import Sentences, Tables
from parley.worlds.kit.physical import PhysicalWorld

SPAWN = multiprocessing.get_context("spawn")  # no forks of a process that has threads
Command = tuple[str, Any]


@dataclass(frozen=True, eq=False)
class WorkersWorld:
    """A physical world whose environments run in `workers` processes; each makes the world by `factory` (picklable)."""

    world: World
    factory: Callable[[], World]
    workers: int

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise BadInput(f"workers={self.workers}: expected at least 1")

    @property
    def name(self) -> str:
        return self.world.name

    @property
    def latents(self) -> Sequence[str]:
        return self.world.latents

    @property
    def prior(self) -> np.ndarray:
        return self.world.prior

    @property
    def script(self) -> Any:
        return getattr(self.world, "script", None)

    @property
    def deterministic(self) -> bool | None:
        found: bool | None = getattr(self.world, "deterministic", True)
        return found

    @property
    def instructions(self) -> tuple[str, ...]:
        return self.world.instructions

    @property
    def num_actors(self) -> int:
        return self.world.num_actors

    @property
    def forbidden(self) -> tuple[tuple[str, str], ...]:
        return forbidden_in(self.world)

    @property
    def horizon(self) -> int:
        return self.world.horizon

    @property
    def tables(self) -> Tables | None:
        return self.world.tables

    @property
    def altered(self) -> bool:
        return bool(getattr(self.world, "altered", False))

    def make(self, latents: Int[np.ndarray, " B"], draws: Draws) -> TextEnvs:
        """As `PhysicalWorld.make`; the runs in order, as evenly spread as they can be."""
        if isinstance(self.world, PhysicalWorld):
            probe = self.world.text_env(0)  # a missing part is reported here, and not by every worker
            with contextlib.suppress(*FAULTS):
                probe.close()
        return WorkersVectorEnv(self.factory, np.asarray(latents), draws, min(self.workers, len(latents)))


def each_process(world: World, runs: int) -> int:
    """Runs of each process: in cohorts of so many none waits for another after every subgoal."""
    return -(-runs // world.workers) if isinstance(world, WorkersWorld) else runs


def spread(world: World, cohorts: int) -> list[World]:
    """The world of each of so many cohorts, which share its processes between them; each has one at least."""
    if not isinstance(world, WorkersWorld):
        return [world] * cohorts
    each, more = divmod(world.workers, cohorts)
    return [replace(world, workers=max(each + (i < more), 1)) for i in range(cohorts)]


class Worker:
    """One process and the commands of its present episode, so that another can take its place."""

    def __init__(self, factory: Callable[[], World], latents: np.ndarray, draws: Draws) -> None:
        self._arguments = (factory, latents, draws)
        self.num_runs, self.first_run = len(latents), draws.first_run
        self._past: list[Command] = []
        self._told: list[int] = []  # what tells the answers to them from others
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=serve, args=(theirs, *self._arguments), daemon=True)
        self.process.start()
        theirs.close()

    def send(self, command: Command) -> None:
        """Have a command carried out; a process that is dead is noticed by `receive`."""
        if command[0] == "reset":
            self._past, self._told = [], []
        self._past.append(command)
        with contextlib.suppress(OSError):
            self._pipe.send(command)

    def receive(self) -> tuple[Any, str]:
        """The answer to the last command, and what went wrong on the way to it."""
        try:
            return self._kept(self._pipe.recv()), ""
        except (EOFError, OSError):
            self.process.join()
        code = self.process.exitcode
        runs = f"runs {self.first_run} to {self.first_run + self.num_runs - 1}"
        before, self._told = self._told, []
        try:
            self._start()
            for i, command in enumerate(self._past):
                self._pipe.send(command)
                answer = self._kept(self._pipe.recv())
                if i < len(before) and self._told[i] != before[i]:
                    raise EnvironmentFailed(
                        f"the worker process of {runs} died (exit code {code}), and a fresh one does not repeat "
                        "its episode. What was finished is saved: resume, and the episode is begun anew"
                    )
        except (EOFError, OSError):
            self.process.join()
            raise EnvironmentFailed(
                f"the worker process of {runs} died (exit code {code}), and so did a fresh one "
                f"({self.process.exitcode}). What was finished is saved; try workers=1 to see what kills it"
            ) from None
        return answer, f"the worker process died (exit code {code}); a fresh one repeated the episode"

    def _kept(self, reply: tuple[str, Any]) -> Any:
        """An answer; what tells it from others is noted."""
        answer = _answer(reply)
        *told, info = answer
        parts = (*told, *(menu.sentences for menu in info["menus"]))
        self._told.append(hash(tuple(tuple(np.ravel(part).tolist()) for part in parts)))
        return answer

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._pipe.send(("close", None))
        self._pipe.close()
        self.process.join(timeout=5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class WorkersVectorEnv(gym.vector.VectorEnv[Any, Any, Any]):
    """`core.roles.TextEnvs` of runs that are spread over processes."""

    metadata = {"autoreset_mode": AutoresetMode.DISABLED}

    def __init__(self, factory: Callable[[], World], latents: np.ndarray, draws: Draws, workers: int) -> None:
        self.num_envs = len(latents)
        self._rows = [
            slice(int(part[0]), int(part[-1]) + 1) for part in np.array_split(np.arange(len(latents)), workers)
        ]
        self.workers = [
            Worker(factory, latents[rows], Draws(draws.seed, rows.stop - rows.start, draws.first_run + rows.start))
            for rows in self._rows
        ]

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Sentences, dict[str, Any]]:
        """Begin episode `options["episode"]` under `options["instructions"]` (B,)."""
        options = dict(options or {})
        instructions = options.pop("instructions", None)
        for worker, rows in zip(self.workers, self._rows, strict=True):
            mine = options if instructions is None else {**options, "instructions": instructions[rows]}
            worker.send(("reset", (seed, mine)))
        answers = [worker.receive()[0] for worker in self.workers]
        info: dict[str, Any] = {"menus": self._menus([info["menus"] for _, info in answers])}
        told = [info for _, info in answers]
        if "instructions" in told[0]:
            info["instructions"] = np.concatenate([one["instructions"] for one in told])
        if any("max_scores" in one for one in told):
            unknown = [np.full(rows.stop - rows.start, np.nan) for rows in self._rows]
            info["max_scores"] = np.concatenate(
                [one.get("max_scores", none) for one, none in zip(told, unknown, strict=True)]
            )
        return np.concatenate([said for said, _ in answers]), info

    def step(self, actions: Sentences) -> tuple[Sentences, Any, Any, Any, dict[str, Any]]:
        """Carry out the subgoals (B, K), those of different workers at the same time."""
        for worker, rows in zip(self.workers, self._rows, strict=True):
            worker.send(("step", actions[rows]))
        answers, events, counts, menus = [], [], [], []
        for worker in self.workers:
            (*answer, info), event = worker.receive()
            answers.append(answer)
            menus.append(info["menus"])
            events += [event or told for told in info["low_level"].events]
            counts.append(info["low_level"].actions)
        said, rewards, terminated, truncated = (np.concatenate(parts) for parts in zip(*answers, strict=True))
        told = {"menus": self._menus(menus), "low_level": LowLevel(np.concatenate(counts), events)}
        return said, rewards, terminated, truncated, told

    def _menus(self, told: list[list[Menu]]) -> list[Menu]:
        """The menus of all runs from those that each worker tells; one for all where they are the same."""
        if told[0][0].free or all(_same(menus, told[0]) for menus in told):
            return told[0]
        sizes = [rows.stop - rows.start for rows in self._rows]
        return [
            Menu.of_each([menus[k].row(i) for menus, size in zip(told, sizes, strict=True) for i in range(size)])
            for k in range(len(told[0]))
        ]

    def close_extras(self, **kwargs: Any) -> None:
        for worker in self.workers:
            worker.close()


def _same(menus: list[Menu], others: list[Menu]) -> bool:
    """Whether two workers tell one menu for all of their runs, and it is the same."""
    return all(
        len(one.sentences) == len(other.sentences) == 1 and np.array_equal(one.sentences, other.sentences)
        for one, other in zip(menus, others, strict=True)
    )


def serve(pipe: Any, factory: Callable[[], World], latents: np.ndarray, draws: Draws) -> None:
    """What a worker process does: carry out commands until it is told to end, or nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    sys.stdout = sys.stderr  # what an environment prints is no answer of the program
    made: list[TextEnvs] = []

    def answer(name: str, argument: Any) -> Any:
        if not made:
            made.append(factory().make(latents, draws))
        return made[0].step(argument) if name == "step" else made[0].reset(seed=argument[0], options=argument[1])

    try:
        while (command := pipe.recv())[0] != "close":
            pipe.send(_said(partial(answer, *command), command[0]))
    except (EOFError, OSError):
        pass  # the parent was killed
    finally:
        for envs in made:
            with contextlib.suppress(*FAULTS):
                envs.close()


def _said(does: Callable[[], Any], name: str) -> tuple[str, Any]:
    """The answer to a command, or what went wrong, as the parent's `_answer` reads it."""
    try:
        return "answer", quietly(
            does, lambda said: EnvironmentFailed(f"the world's `{name}` raised {said}: what was finished is saved")
        )
    except ParleyError as wrong:
        return "wrong", (wrong.exit_code, str(wrong))


def _answer(reply: tuple[str, Any]) -> Any:
    kind, answer = reply
    if kind == "answer":
        return answer
    code, message = answer
    raise BadInput(message) if code == BadInput.exit_code else EnvironmentFailed(message)
