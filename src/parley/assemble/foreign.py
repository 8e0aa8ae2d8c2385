"""Somebody else's planners, explorers and memories: what they give is checked, what they raise is one sentence."""

import json
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from parley.core.answered import plain
from parley.core.checks import check_choice, check_proposal, check_recalled, check_state, check_tilt
from parley.core.draws import Draws
from parley.core.errors import FAULTS, BadInput, ParleyError
from parley.core.roles import Snapshots, State
from parley.core.said import Choice, Menu, Moment, Opening, Outcome, Proposal, read_only
from parley.core.tables import Sentences
from parley.core.text import raised, shown
from parley.core.told import Fits, Recalled, Tilt, Told, Writer

METHODS = {
    "planner": ("start", "hear", "propose"),
    "explorer": ("start", "hear", "choose"),
    "memory": ("recall",),
}
HALVES = ("snapshot", "restore")
OURS = str(Path(__file__).parents[1])


class PartFailed(ParleyError):
    """Somebody else's part raised."""


def require(made: Any, what: str) -> Any:
    """The part, or `BadInput` naming the first method that it lacks."""
    with raised_by(f"{what} {type(made).__name__}", "getattr"):
        missing = [name for name in METHODS[what] if not callable(getattr(made, name, None))]
        half = [name for name in HALVES if callable(getattr(made, name, None))]
        if missing:
            raise BadInput(f"{what}={shown(made)} has no method {missing[0]!r}: expected a {what} (docs/plugins.md)")
        if len(half) == 1:
            lacks = next(name for name in HALVES if name not in half)
            raise BadInput(f"{what}={shown(made)} has `{half[0]}` and no `{lacks}`: give it both, or none")
    return made


@contextmanager
def raised_by(who: str, doing: str) -> Iterator[None]:
    """Say in one sentence who raised, in which line; our own errors pass as they are."""
    try:
        yield
    except ParleyError:
        raise
    except FAULTS as wrong:
        frames = [f for f in traceback.extract_tb(wrong.__traceback__) if not f.filename.startswith(OURS)]
        where = f" ({frames[-1].filename.rpartition('/')[2]}, line {frames[-1].lineno})" if frames else ""
        said = raised(wrong)
        said += ": change a copy of what you are given" if "read-only" in said else ""
        raise PartFailed(f"{who} raised in `{doing}`{where}: {said}") from wrong


class Foreign:
    """What foreign parts have in common. What they give is copied, since they may go on to use it."""

    def __init__(self, part: Any, who: str) -> None:
        self.part, self.who = part, who

    def hear(self, said: Opening | Outcome) -> None:
        self._ask("hear", read_only(said))

    def _ask(self, method: str, *given: Any, taken: Callable[[Any], Any] = lambda answer: answer) -> Any:
        """What a method answers, as `taken` checks and copies it: to look at an answer may be somebody's code too."""
        with raised_by(self.who, method):
            return taken(plain(getattr(self.part, method)(*given)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.part, name)


class Keeping(Foreign):
    """What keeps its state besides."""

    def snapshot(self) -> State:
        return dict(self._ask("snapshot", taken=self._kept))

    def _kept(self, state: Any) -> State:
        check_state(state, self.who)
        return {name: np.array(array) for name, array in state.items()}  # as the log gives it back

    def restore(self, state: State) -> None:
        self._ask("restore", {name: array.copy() for name, array in state.items()})


class ForeignPlanner(Foreign):
    """A planner of a plugin or a caller."""

    @property
    def decode(self) -> str:
        """How its proposals become subgoals; raises `BadInput` for a way that there is not."""
        with raised_by(self.who, "decode"):
            how = getattr(self.part, "decode", "sample")
            if not isinstance(how, str) or how not in ("sample", "greedy"):
                raise BadInput(f"{self.who}: decode={shown(how)}: expected 'sample' or 'greedy'")
            return str(how)

    def start(self, draws: Draws) -> None:
        self._runs = draws.num_runs
        self._ask("start", draws)

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        def taken(proposal: Any) -> Proposal:
            check_proposal(proposal, menu, self._runs, self.who)
            left_out = None if proposal.left_out is None else np.array(proposal.left_out)
            valid = None if proposal.valid is None else np.array(proposal.valid)
            return replace(proposal, probs=np.array(proposal.probs, dtype=float), valid=valid, left_out=left_out)

        return cast(Proposal, self._ask("propose", read_only(menu), read_only(parts), taken=taken))


class ForeignExplorer(Foreign):
    """An explorer of a plugin or a caller."""

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None:
        self._runs = draws.num_runs
        self._ask("start", draws, num_episodes, horizon)

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        def taken(choice: Any) -> Choice:
            check_choice(choice, menu, self._runs, self.who)
            index, explored = np.array(choice.index, dtype=int), np.array(choice.explored)
            return Choice(index, explored, np.array(choice.law, dtype=float))

        return cast(Choice, self._ask("choose", read_only(proposal), how, read_only(menu), moment, taken=taken))


class KeptForeignPlanner(ForeignPlanner, Keeping):
    """A planner of a plugin or a caller that keeps its state."""


class KeptForeignExplorer(ForeignExplorer, Keeping):
    """An explorer of a plugin or a caller that keeps its state."""


def foreign_planner(part: Any, who: str) -> ForeignPlanner:
    """The planner as the loop takes it; raises `BadInput` where it lacks a method, or says a wrong thing of itself."""
    kept = isinstance(require(part, "planner"), Snapshots)
    made = KeptForeignPlanner(part, who) if kept else ForeignPlanner(part, who)
    _ = made.decode
    with raised_by(who, "about"):
        about = getattr(part, "about", None)
        try:
            json.dumps(about, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as wrong:
            raise BadInput(f"{who}: about={shown(about)}: expected a dictionary that JSON can hold ({wrong})") from None
        if not isinstance(about, dict | None):
            raise BadInput(f"{who}: about={shown(about)}: expected a dictionary, or None")
    return made


def foreign_explorer(part: Any, who: str) -> ForeignExplorer:
    """The explorer as the loop takes it; raises `BadInput` where it lacks a method."""
    kept = isinstance(require(part, "explorer"), Snapshots)
    return KeptForeignExplorer(part, who) if kept else ForeignExplorer(part, who)


@dataclass(frozen=True)
class ForeignWriter:
    """What a plugin's or a caller's memory has a model write by: its questions are checked."""

    writer: Writer
    who: str

    def note(self, note: str, number: int, words: int) -> str:
        return self.writer.note(self._text("note", note), self._count("number", number), self._count("words", words))

    def ask(self, prompt: str, number: int, words: int, material: str = "") -> str:
        number, words = self._count("number", number), self._count("words", words)
        return self.writer.ask(self._text("prompt", prompt), number, words, self._text("material", material))

    def _text(self, name: str, given: Any) -> str:
        if not isinstance(given, str):
            raise BadInput(f"{self.who} asked with {name}={shown(given)}: expected a text")
        return given

    def _count(self, name: str, given: Any) -> int:
        least = 1 if name == "words" else 0
        if not isinstance(given, int | np.integer) or given < least:
            raise BadInput(f"{self.who} asked with {name}={shown(given)}: expected a whole number of at least {least}")
        return int(given)


class ForeignMemory(Foreign):
    """A memory of a plugin or a caller."""

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        def taken(recalled: Any) -> Recalled:
            check_recalled(recalled, earlier, self.who)
            return replace(recalled, tilt=partial(self._tilt, recalled.tilt)) if recalled.tilt else recalled

        return cast(Recalled, self._ask("recall", [*earlier], now, fits, taken=taken))

    def _tilt(self, tilt: Tilt, now: Told, parts: Sequence[str], menu: Sequence[str]) -> Sequence[float]:
        with raised_by(self.who, "tilt"):
            return check_tilt(plain(tilt(now, parts, menu)), menu, self.who).tolist()
