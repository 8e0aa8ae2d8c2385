"""Somebody else's planners, explorers and memories: what they give is checked, what they raise is one sentence."""

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from parley.core.checks import check_choice, check_proposal, check_recalled, check_state
from parley.core.draws import Draws
from parley.core.errors import BadInput, ParleyError
from parley.core.roles import Snapshots, State
from parley.core.said import Choice, Menu, Moment, Opening, Outcome, Proposal
from parley.core.tables import Sentences
from parley.core.text import inert
from parley.core.told import Fits, Memory, Recalled, Tilt, Told

METHODS = {
    "planner": ("start", "hear", "propose"),
    "explorer": ("start", "hear", "choose"),
    "memory": ("recall",),
}


class PartFailed(ParleyError):
    """Somebody else's part raised."""


def require(made: Any, what: str) -> Any:
    """The part, or `BadInput` naming the first method that it lacks."""
    missing = [name for name in METHODS[what] if not callable(getattr(made, name, None))]
    if missing:
        raise BadInput(
            f"{what}: a {type(made).__name__} is no {what}: it has no method {missing[0]!r} (docs/plugins.md)"
        )
    return made


@contextmanager
def raised_by(who: str, doing: str) -> Iterator[None]:
    """Say in one sentence who raised, in which line; our own errors pass as they are."""
    try:
        yield
    except ParleyError:
        raise
    except Exception as wrong:
        frames = [f for f in traceback.extract_tb(wrong.__traceback__) if f.filename != __file__]
        where = f" ({frames[-1].filename.rpartition('/')[2]}, line {frames[-1].lineno})" if frames else ""
        said = inert(f"{type(wrong).__name__}: {wrong}", 300)
        raise PartFailed(f"{who} raised in `{doing}`{where}: {said}") from wrong


class Foreign:
    """What foreign planners and explorers have in common."""

    def __init__(self, part: Any, who: str) -> None:
        self.part, self.who = part, who

    def hear(self, said: Opening | Outcome) -> None:
        with raised_by(self.who, "hear"):
            self.part.hear(said)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.part, name)


class Keeping(Foreign):
    """What keeps its state besides."""

    def snapshot(self) -> State:
        with raised_by(self.who, "snapshot"):
            state: State = self.part.snapshot()
        check_state(state, self.who)
        return state

    def restore(self, state: State) -> None:
        with raised_by(self.who, "restore"):
            self.part.restore(state)


class ForeignPlanner(Foreign):
    """A planner of a plugin or a caller."""

    def start(self, draws: Draws) -> None:
        self._runs = draws.num_runs
        with raised_by(self.who, "start"):
            self.part.start(draws)

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        with raised_by(self.who, "propose"):
            proposal: Proposal = self.part.propose(menu, parts)
        check_proposal(proposal, menu, self._runs, self.who)
        return proposal


class ForeignExplorer(Foreign):
    """An explorer of a plugin or a caller."""

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        self._runs = draws.num_runs
        with raised_by(self.who, "start"):
            self.part.start(draws, num_episodes, horizon)

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        with raised_by(self.who, "choose"):
            choice: Choice = self.part.choose(proposal, how, menu, moment)
        check_choice(choice, menu, self._runs, self.who)
        return choice


class KeptForeignPlanner(ForeignPlanner, Keeping):
    """A planner of a plugin or a caller that keeps its state."""


class KeptForeignExplorer(ForeignExplorer, Keeping):
    """An explorer of a plugin or a caller that keeps its state."""


def foreign_planner(part: Any, who: str) -> ForeignPlanner:
    """The planner as the loop takes it; raises `BadInput` where it lacks a method."""
    kept = isinstance(require(part, "planner"), Snapshots)
    return KeptForeignPlanner(part, who) if kept else ForeignPlanner(part, who)


def foreign_explorer(part: Any, who: str) -> ForeignExplorer:
    """The explorer as the loop takes it; raises `BadInput` where it lacks a method."""
    kept = isinstance(require(part, "explorer"), Snapshots)
    return KeptForeignExplorer(part, who) if kept else ForeignExplorer(part, who)


class ForeignMemory:
    """A memory of a plugin or a caller."""

    def __init__(self, memory: Memory, name: str) -> None:
        self.memory, self.who = memory, f"memory {name!r}"

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        with raised_by(self.who, "recall"):
            recalled = self.memory.recall(earlier, now, fits)
        check_recalled(recalled, earlier, self.who)
        return replace(recalled, tilt=partial(self._tilt, recalled.tilt)) if recalled.tilt else recalled

    def _tilt(self, tilt: Tilt, now: Told, parts: Sequence[str], menu: Sequence[str]) -> Sequence[float]:
        with raised_by(self.who, "tilt"):
            return tilt(now, parts, menu)
