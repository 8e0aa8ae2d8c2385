"""The messages of a run, batch-first: openings, outcomes, menus, proposals and choices of B runs in lockstep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.errors import BadInput
from parley.core.rows import row_max
from parley.core.tables import Sentences
from parley.core.text import whole

NOTHING = "(no answer)"  # said where any words can be, and no usable answer came
INVALID = "invalid"  # what the log gives as the source of a proposal that rests on no usable answer
TIE = 1e-9  # proposals (and optimal values) that differ by less count as equal


@dataclass(frozen=True)
class Opening:
    """An episode begins: its instruction and the first observation, o_1."""

    episode: int
    instructions: Sentences  # (B,)
    observations: Sentences  # (B,)


@dataclass(frozen=True)
class Outcome:
    """A step has been taken: the subgoal g_h that was executed, and what the Reporter said afterwards, o_{h+1}.

    `active` is False for runs whose episode had ended before this step: nothing was said in them.
    """

    episode: int
    step: int
    subgoals: Sentences  # (B, K)
    observations: Sentences  # (B,)
    rewards: Float[np.ndarray, " B"]
    active: Bool[np.ndarray, " B"]


@dataclass(frozen=True)
class Menu:
    """What one Actor may be told at one step. Leading dimension 1 where all runs share the menu, else B (padded).

    `asked` is False for runs whose episode is over: proposals and choices there are ignored. A `free` menu has no
    entries: any words may be said, and the proposal brings the sentences that it is over (`Proposal.menu`).
    """

    sentences: Sentences  # (1 or B, M)
    legal: Bool[np.ndarray, "rows M"]  # False on padding and on forbidden entries
    asked: Bool[np.ndarray, " B"] | None = None  # None: all runs are
    free: bool = False

    @classmethod
    def shared(cls, sentences: tuple[str, ...]) -> "Menu":
        """The menu that all runs see at all steps."""
        return cls(np.array([sentences], dtype=object), np.ones((1, len(sentences)), dtype=bool))

    @classmethod
    def of_each(cls, menus: Sequence[Sequence[str]]) -> "Menu":
        """A menu for each run, padded to the longest; one for all of them where they are equal."""
        if all(menu is menus[0] or menu == menus[0] for menu in menus):
            return cls.shared(tuple(menus[0]))
        longest = max(map(len, menus))
        sentences = np.array([[*menu, *[""] * (longest - len(menu))] for menu in menus], dtype=object)
        legal = np.zeros(sentences.shape, dtype=bool)
        for row, menu in zip(legal, menus, strict=True):
            row[: len(menu)] = True
        return cls(sentences, legal)

    @classmethod
    def anything(cls) -> "Menu":
        """Any words may be said."""
        return cls(np.empty((1, 0), dtype=object), np.zeros((1, 0), dtype=bool), free=True)

    def row(self, run: int) -> tuple[str, ...]:
        """The entries of one run that are legal."""
        said, legal = (rows[run if len(rows) > 1 else 0] for rows in (self.sentences, self.legal))
        return tuple(said[legal].tolist())

    def given(self, parts: Sentences, forbidden: tuple[tuple[str, str], ...]) -> "Menu":
        """The same menu without the parts that are forbidden beside the parts (B, k) of earlier Actors."""
        if self.free:
            return self
        legal = self.legal
        for pair in forbidden:
            for one, other in {pair, pair[::-1]}:
                legal = legal & ~((parts == one).any(axis=1)[:, None] & (self.sentences == other))
        if not legal.any(axis=1).all():
            why = "earlier Actors forbid it all: mend `forbidden`" if forbidden else "it has no legal entry"
            raise BadInput(f"menu: a run is left with nothing that could be told: {why}")
        return self if legal is self.legal else replace(self, legal=legal)

    def say(self, index: Int[np.ndarray, " B"]) -> Sentences:
        """The sentences at `index`, one a run."""
        if len(self.sentences) == 1:
            return self.sentences[0, index]
        return self.sentences[np.arange(len(index)), index]


@dataclass(frozen=True)
class Moment:
    """Where a decision stands: episode from 0, step from 1, Actor from 0."""

    episode: int
    step: int
    actor: int = 0


@dataclass(frozen=True)
class Proposal:
    """A Planner's distribution over the menu, zero off the legal entries, rows summing to one.

    `source` is empty if the backend gave a distribution. Otherwise it says what it gave instead (for instance "parsed
    from one answer") and the log holds no distribution. `valid` is False where no usable answer came. `left_out` says
    how many earlier episodes the prompt does not show as they were, cut by rule or by its memory. `menu` holds the
    sampled sentences that it is a distribution over, where any words could be said.
    """

    probs: Float[np.ndarray, "B M"]
    source: str = ""
    valid: Bool[np.ndarray, " B"] | None = None
    left_out: Int[np.ndarray, " B"] | None = None
    menu: Menu | None = None


def in_words(said: Sequence[Mapping[str, float]]) -> tuple[Menu, Float[np.ndarray, "B M"]]:
    """A proposal where any words may be said: the menu that it brings and its rows, from the words of each run.

    >>> menu, probs = in_words([{"go on": 1.0}, {"look": 3.0, "wait": 1.0}])
    >>> menu.row(0), probs.tolist()
    (('go on',), [[1.0, 0.0], [0.75, 0.25]])
    """
    menu = Menu.of_each([tuple(map(whole, law)) for law in said])
    probs = np.zeros((len(said), menu.sentences.shape[1]))
    for row, law in zip(probs, said, strict=True):
        row[: len(law)] = list(law.values())
    return menu, probs / probs.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Choice:
    """An Explorer's decision: menu index, whether it explored, and the probability distribution that the index was
    drawn from.

    `law` is the distribution given everything said so far, the explorer's own coin averaged out: what expected
    regret is computed from.
    """

    index: Int[np.ndarray, " B"]
    explored: Bool[np.ndarray, " B"]
    law: Float[np.ndarray, "B M"]


@dataclass(frozen=True)
class Prediction:
    """What a world model expects after each subgoal, P(o' given history, g), and its own proposal where it has one."""

    observations: Float[np.ndarray, "n G O"]
    proposals: Float[np.ndarray, "n G"] | None = None


def decode(probs: Float[np.ndarray, "B M"], how: str) -> Float[np.ndarray, "B M"]:
    """The distribution from which a proposal's subgoal is drawn: as it is (`sample`) or uniform on its modes."""
    if how == "sample":
        return probs
    modes = probs >= row_max(probs, keepdims=True) - TIE
    return modes / modes.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class LowLevel:
    """What went on below the sentences of one lockstep: for the log only, no planner is told."""

    actions: Int[np.ndarray, " B"]  # low-level actions that the subgoal took
    events: list[str]  # what went wrong, one a run; empty where nothing did


@dataclass
class StepRecord:
    """One lockstep as it goes to the log; arrays over the B runs of a cohort."""

    episode: int
    step: int
    observations: Sentences
    subgoals: Sentences  # (B, K)
    explored: Bool[np.ndarray, " B"]
    proposals: list[Proposal]  # one an Actor
    laws: list[Float[np.ndarray, "B M"]]
    next_observations: Sentences
    rewards: Float[np.ndarray, " B"]
    active: Bool[np.ndarray, " B"]
    menus: list[Menu]
    low_level: LowLevel | None = None  # where there is a low level


@dataclass
class EpisodeRecord:
    """One finished episode of every run of a cohort; values are NaN where the world has no exact tables."""

    episode: int
    instructions: Sentences
    explored: Bool[np.ndarray, " B"]
    returns: Float[np.ndarray, " B"]
    optimal_value: Float[np.ndarray, " B"]
    expected_regret: Float[np.ndarray, " B"]
    wall_s: float
    extra: dict[str, object] = field(default_factory=dict)
    scores: Float[np.ndarray, " B"] | None = None  # return / highest return where that is known, else NaN


def read_only(told: Any) -> Any:
    """The same message for somebody else's code: what it holds cannot be written to."""
    if isinstance(told, np.ndarray):
        shown = told.view()
        shown.flags.writeable = False
        return shown
    if is_dataclass(told) and not isinstance(told, type):
        held = {f.name: getattr(told, f.name) for f in fields(told)}
        return replace(told, **{name: read_only(one) for name, one in held.items() if not isinstance(one, str | int)})
    if isinstance(told, list | dict):
        return [*map(read_only, told)] if isinstance(told, list) else {k: read_only(v) for k, v in told.items()}
    return told
