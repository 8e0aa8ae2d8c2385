"""Somebody else's planners, explorers and memories: what they give is checked, what they raise is one sentence."""

import json
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parley.core.answered import plain
from parley.core.checks import check_choice, check_proposal, check_recalled, check_state, check_tilt
from parley.core.draws import Draws
from parley.core.errors import FAULTS, BadInput, ParleyError
from parley.core.roles import Snapshots, State
from parley.core.said import Choice, Menu, Moment, Opening, Outcome, Proposal, read_only
from parley.core.tables import Sentences
from parley.core.text import inert
from parley.core.told import Fits, Recalled, Tilt, Told

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
        raise BadInput(f"{what}={made!r:.80} has no method {missing[0]!r}: expected a {what} (docs/plugins.md)")
    return made


@contextmanager
def raised_by(who: str, doing: str) -> Iterator[None]:
    """Say in one sentence who raised, in which line; our own errors pass as they are."""
    try:
        yield
    except ParleyError:
        raise
    except FAULTS as wrong:
        frames = [f for f in traceback.extract_tb(wrong.__traceback__) if f.filename != __file__]
        where = f" ({frames[-1].filename.rpartition('/')[2]}, line {frames[-1].lineno})" if frames else ""
        said = inert(f"{type(wrong).__name__}: {wrong}", 300)
        said += ": change a copy of what you are given" if "read-only" in said else ""
        raise PartFailed(f"{who} raised in `{doing}`{where}: {said}") from wrong


class Foreign:
    """What foreign parts have in common. What they give is copied, since they may go on to use it."""

    def __init__(self, part: Any, who: str) -> None:
        self.part, self.who = part, who

    def hear(self, said: Opening | Outcome) -> None:
        self._ask("hear", read_only(said))

    def _ask(self, method: str, *given: Any) -> Any:
        with raised_by(self.who, method):
            return plain(getattr(self.part, method)(*given))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.part, name)


class Keeping(Foreign):
    """What keeps its state besides."""

    def snapshot(self) -> State:
        state: State = self._ask("snapshot")
        check_state(state, self.who)
        return {name: array.copy() for name, array in state.items()}

    def restore(self, state: State) -> None:
        self._ask("restore", {name: array.copy() for name, array in state.items()})


class ForeignPlanner(Foreign):
    """A planner of a plugin or a caller."""

    @property
    def decode(self) -> str:
        """How its proposals become subgoals; raises `BadInput` for a way that there is not."""
        how = getattr(self.part, "decode", "sample")
        if how not in ("sample", "greedy"):
            raise BadInput(f"{self.who}: decode={how!r:.80}: expected 'sample' or 'greedy'")
        return str(how)

    def start(self, draws: Draws) -> None:
        self._runs = draws.num_runs
        self._ask("start", draws)

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        proposal: Proposal = self._ask("propose", read_only(menu), read_only(parts))
        check_proposal(proposal, menu, self._runs, self.who)
        left_out = None if proposal.left_out is None else np.array(proposal.left_out)
        valid = None if proposal.valid is None else np.array(proposal.valid)
        return replace(proposal, probs=np.array(proposal.probs, dtype=float), valid=valid, left_out=left_out)


class ForeignExplorer(Foreign):
    """An explorer of a plugin or a caller."""

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        self._runs = draws.num_runs
        self._ask("start", draws, num_episodes, horizon)

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        choice: Choice = self._ask("choose", read_only(proposal), how, read_only(menu), moment)
        check_choice(choice, menu, self._runs, self.who)
        return Choice(np.array(choice.index, dtype=int), np.array(choice.explored), np.array(choice.law, dtype=float))


class KeptForeignPlanner(ForeignPlanner, Keeping):
    """A planner of a plugin or a caller that keeps its state."""


class KeptForeignExplorer(ForeignExplorer, Keeping):
    """An explorer of a plugin or a caller that keeps its state."""


def foreign_planner(part: Any, who: str) -> ForeignPlanner:
    """The planner as the loop takes it; raises `BadInput` where it lacks a method, or says a wrong thing of itself."""
    kept = isinstance(require(part, "planner"), Snapshots)
    made = KeptForeignPlanner(part, who) if kept else ForeignPlanner(part, who)
    _ = made.decode
    try:
        json.dumps(about := getattr(part, "about", None))
    except (TypeError, ValueError) as wrong:
        raise BadInput(f"{who}: about={part.about!r:.80}: expected a dictionary that JSON can hold ({wrong})") from None
    if not isinstance(about, dict | None):
        raise BadInput(f"{who}: about={about!r:.80}: expected a dictionary, or None")
    return made


def foreign_explorer(part: Any, who: str) -> ForeignExplorer:
    """The explorer as the loop takes it; raises `BadInput` where it lacks a method."""
    kept = isinstance(require(part, "explorer"), Snapshots)
    return KeptForeignExplorer(part, who) if kept else ForeignExplorer(part, who)


class ForeignMemory(Foreign):
    """A memory of a plugin or a caller."""

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        recalled: Recalled = self._ask("recall", earlier, now, fits)
        check_recalled(recalled, earlier, self.who)
        return replace(recalled, tilt=partial(self._tilt, recalled.tilt)) if recalled.tilt else recalled

    def _tilt(self, tilt: Tilt, now: Told, parts: Sequence[str], menu: Sequence[str]) -> Sequence[float]:
        with raised_by(self.who, "tilt"):
            given = tilt(now, parts, menu)
        return check_tilt(given, menu, self.who).tolist()
