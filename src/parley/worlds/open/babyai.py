"""BabyAI's levels (extra `minigrid`): missions in words, and its bot's subgoals as skills (Chevalier-Boisvert 2019)."""

import contextlib
import io
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from parley.core.errors import BadInput, MissingExtra
from parley.core.spec import suggestion
from parley.worlds.kit.describe import COLOURS, OBJECTS, grid
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.wrap import wrap
from parley.worlds.open.seeds import variations

LEFT, RIGHT, AHEAD, PICK_UP, DROP, TOGGLE = range(6)
MOVES = {
    "turn left": LEFT,
    "turn right": RIGHT,
    "go ahead": AHEAD,
    "pick up what is ahead": PICK_UP,
    "drop what you carry": DROP,
    "open or close what is ahead": TOGGLE,
}
THINGS = ("key", "ball", "box")
LONGEST_PLAN, MOST_PLANNED = 40, 2000  # of what the bot still has to do, and of all that it planned, in one subgoal
_seeds = variations


def babyai(
    level: str, variations: int = 10_000, first: int = 0, horizon: int = 0, skills: str = "bot", patience: int = 60
) -> PhysicalWorld:
    """BabyAI (extra minigrid): babyai:GoToLocal; hidden: what the level's seed puts where. skills=bot|moves."""
    if skills not in ("bot", "moves"):
        raise BadInput(f"skills={skills!r}: expected bot (go to, pick up, open) or moves (single actions)")
    ids = _levels()
    name = f"BabyAI-{level}-v0"
    if name not in ids:
        known = [one.removeprefix("BabyAI-").removesuffix("-v0") for one in ids]
        raise BadInput(f"level={level!r}: there is no such level{suggestion(level, known)}")
    bot = skills == "bot"
    return wrap(
        lambda seed: Level(name),
        variations=_seeds(first, variations),
        seeded_by="variation",
        horizon=horizon or (16 if bot else 64),
        skills=Walker if bot else MOVES,
        menu=_menu if bot else None,
        describe=grid,
        max_actions=patience,
        max_score=1.0,
        success_at=0.05,  # of a success at least a tenth is paid
        deterministic=True,
        name=f"babyai:{level}",
    )


def _levels() -> list[str]:
    try:
        import minigrid  # noqa: F401
    except ImportError:
        raise MissingExtra("world 'babyai'", "minigrid") from None
    return sorted(one for one in gym.registry if one.startswith("BabyAI-"))


class Level(gym.Env[dict[str, Any], int]):
    """A level whose raw states hold, besides what MiniGrid's have, the environment itself for the bot that acts."""

    def __init__(self, name: str) -> None:
        self._env = gym.make(name, disable_env_checker=True).unwrapped
        self._env.max_steps = 10_000  # an episode is as long as the world says
        self.action_space, self.observation_space = self._env.action_space, self._env.observation_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The level of a seed."""
        super().reset(seed=seed)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints how often it had to try
            raw, _ = self._env.reset(seed=seed)
        return self._seen(raw), {}

    def step(self, action: int) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """One action of the agent."""
        raw, paid, done, cut, _ = self._env.step(action)
        return self._seen(raw), float(paid), bool(done), bool(cut), {}

    def close(self) -> None:
        self._env.close()

    def _seen(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        return {**raw, "env": self._env}


def _menu(state: Mapping[str, Any], info: Any) -> list[str]:
    """What the bot can be told: of each thing in view, to go there, to pick it up or to open it; and single moves."""
    told = list(MOVES)
    for kind, colour, _ in np.asarray(state["image"]).reshape(-1, 3).tolist():
        name, thing = OBJECTS[kind], f"{COLOURS[colour]} {OBJECTS[kind]}"
        if name in THINGS:
            told += [f"go to the {thing}", f"pick up the {thing}"]
        if name == "door":
            told += [f"go to the {thing}", f"open the {thing}"]
    return told


class Plan(list[Any]):
    """The bot's stack of what to do next, which it makes longer for ever where two things stand in each other's way."""

    added = 0

    def append(self, one: Any) -> None:
        """One thing more; raises `RuntimeError` where the plan no longer leads anywhere."""
        self.added += 1
        if len(self) >= LONGEST_PLAN or self.added > MOST_PLANNED:
            raise RuntimeError("the bot finds no end of planning")
        super().append(one)


class Walker:
    """Does single moves, or what BabyAI's bot does for a subgoal of its own language."""

    def begin(self, subgoal: str) -> None:
        """Take up a subgoal of the menu."""
        self._subgoal, self._moves = subgoal, [MOVES[subgoal]] if subgoal in MOVES else []
        self._bot: Any = None

    def act(self, state: Mapping[str, Any]) -> int | None:
        """The next action, None at the end."""
        if self._subgoal in MOVES:
            return self._moves.pop() if self._moves else None
        try:
            if self._bot is None:
                self._bot, self._last = self._told(state["env"]), None
            elif self._instruction.verify(self._last) == "success":
                return None
            action = self._bot.replan(self._last)
        except Exception:  # the bot asserts where it finds no way: the subgoal is given up
            return None
        if action is None or int(action) > TOGGLE:
            return None
        self._last = action
        return int(action)

    def _told(self, env: Any) -> Any:
        """A bot that has been told the subgoal instead of the mission."""
        from minigrid.envs.babyai.core.verifier import GoToInstr, ObjDesc, OpenInstr, PickupInstr
        from minigrid.utils.baby_ai_bot import BabyAIBot

        verb = next(v for v in ("go to", "pick up", "open") if self._subgoal.startswith(v))
        colour, kind = self._subgoal.split()[-2:]
        made = {"go to": GoToInstr, "pick up": PickupInstr, "open": OpenInstr}[verb]
        self._instruction = made(ObjDesc(kind, colour))
        self._instruction.reset_verifier(env)
        mission = env.instrs
        env.instrs = self._instruction
        try:
            bot = BabyAIBot(env)
            bot.stack = Plan(bot.stack)
            return bot
        finally:
            env.instrs = mission
