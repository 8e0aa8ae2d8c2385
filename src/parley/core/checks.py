"""What the parts of a run must give each other, checked where it is given: one sentence on the first thing wrong."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.core.said import Choice, Menu, Proposal
from parley.core.text import shown
from parley.core.told import Recalled, Told

SUM = 1e-6  # how far from 1 probabilities may sum
MOST_TILT = 10**6  # nats; far beyond what any probability can stand for


def check_proposal(proposal: Any, menu: Menu, num_runs: int, who: str) -> None:
    """Raise `BadInput` where a proposal is no distribution over the menu for each run; `who` made it."""
    if not isinstance(proposal, Proposal):
        raise BadInput(f"{who} proposed a {type(proposal).__name__}: expected a Proposal")
    if menu.free:
        if not isinstance(proposal.menu, Menu) or not proposal.menu.legal.any(axis=1).all():
            raise BadInput(f"{who} brought no menu: this world takes any words, and a proposal says what it is over")
        menu = proposal.menu
    _distribution(proposal.probs, menu, num_runs, f"{who} proposed")
    if not isinstance(proposal.source, str):
        raise BadInput(f"{who} proposed source={shown(proposal.source)}: expected a text, empty for a distribution")
    if proposal.valid is not None:
        _one_each(proposal.valid, "b", num_runs, f"{who} proposed valid")
    if proposal.left_out is not None:
        left_out = _one_each(proposal.left_out, "iu", num_runs, f"{who} proposed left_out")
        if strange := [count for count in left_out.tolist() if not 0 <= count < 2**31]:
            raise BadInput(f"{who} proposed left_out of {strange[0]}: expected numbers of earlier episodes")


def check_choice(choice: Any, menu: Menu, num_runs: int, who: str) -> None:
    """Raise `BadInput` if a choice is not on the menu, or if its `law` is not a probability distribution."""
    if not isinstance(choice, Choice):
        raise BadInput(f"{who} chose a {type(choice).__name__}: expected a Choice")
    index, size = _one_each(choice.index, "iu", num_runs, f"{who} chose indices"), menu.sentences.shape[1]
    if len(index) and not (0 <= index.min() and index.max() < size):
        raise BadInput(f"{who} chose entry {int(index[(index < 0) | (index >= size)][0])} of a menu of {size}")
    legal = np.broadcast_to(menu.legal, (num_runs, size))
    if not legal[np.arange(num_runs), index].all():
        run = int(np.argmin(legal[np.arange(num_runs), index]))
        raise BadInput(f"{who} chose {menu.say(index)[run]!r} in row {run}, which the menu forbids there")
    _one_each(choice.explored, "b", num_runs, f"{who} said explored")
    _distribution(choice.law, menu, num_runs, f"{who} drew from")
    weight = np.asarray(choice.law)[np.arange(num_runs), index]
    asked = np.ones(num_runs, dtype=bool) if menu.asked is None else menu.asked
    if (never := (weight <= 0) & asked).any():
        run = int(np.argmax(never))
        raise BadInput(f"{who} chose {menu.say(index)[run]!r} in row {run}, which has no weight in the `law` it gives")


def check_recalled(recalled: Any, earlier: Any, who: str) -> None:
    """Raise `BadInput` if a memory recalls something other than text, or episodes that do not exist."""
    if not isinstance(recalled, Recalled) or not isinstance(recalled.notes, str):
        raise BadInput(f"{who} recalled {shown(recalled)}: expected Recalled(notes, episodes), notes being a text")
    if recalled.tilt is not None and not callable(recalled.tilt):
        raise BadInput(f"{who} recalled a tilt of type {type(recalled.tilt).__name__}: expected a function, or None")
    if not isinstance(recalled.episodes, tuple | list):
        raise BadInput(f"{who} recalled episodes={shown(recalled.episodes)}: expected a tuple of earlier episodes")
    known = {id(told) for told in earlier}
    for told in recalled.episodes:
        if not isinstance(told, Told) or id(told) not in known:
            raise BadInput(f"{who} recalled an episode, but none of the earlier ones is this: {shown(told)}")


def check_tilt(given: Any, menu: Sequence[str], who: str) -> Float[np.ndarray, " M"]:
    """What a memory adds to log-probabilities; raises `BadInput` where it is no finite number for each entry."""
    added = array_of(given)
    if added.shape != (len(menu),) or added.dtype.kind not in "fiub" or not (abs(added) <= MOST_TILT).all():
        raise BadInput(
            f"{who}'s tilt is {shown(given)}: expected {len(menu)} finite numbers, one for each entry, "
            f"at most {MOST_TILT:,} nats"
        )
    return added.astype(np.float64)


def check_state(state: Any, who: str) -> None:
    """Raise `BadInput` where a snapshot is no dictionary of plain arrays."""
    if not isinstance(state, dict):
        raise BadInput(f"{who} gave a snapshot of type {type(state).__name__}: expected a dictionary of arrays")
    for name, array in state.items():
        if not isinstance(name, str) or not isinstance(array, np.ndarray) or array.dtype.hasobject:
            raise BadInput(f"{who} gave a snapshot whose {name!r} is a {type(array).__name__}: expected a plain array")
        if not name.isprintable():
            raise BadInput(f"{who} gave a snapshot with an entry {shown(name)}: expected one in plain letters")


def array_of(given: Any) -> np.ndarray:
    """What somebody gave as an array; one of no shape where its rows are ragged."""
    try:
        return np.asarray(given)
    except ValueError:
        return np.array(None)


KINDS = {"b": "truths", "iu": "whole numbers"}


def _one_each(given: Any, kinds: str, num_runs: int, what: str) -> np.ndarray:
    """One entry a run, as an array of these kinds."""
    array = array_of(given)
    if array.shape != (num_runs,) or array.dtype.kind not in kinds:
        raise BadInput(
            f"{what} of shape {array.shape}, {array.dtype}: expected ({num_runs},) {KINDS[kinds]}, one a run"
        )
    return array


def _distribution(law: Any, menu: Menu, num_runs: int, what: str) -> None:
    shape = (num_runs, menu.sentences.shape[1])
    if not isinstance(law, np.ndarray):
        raise BadInput(f"{what} probabilities in a {type(law).__name__}: expected an array of shape {shape}")
    law = np.asarray(law)  # a matrix multiplies otherwise, and a mask hides what a log would hold
    if law.shape != shape or law.dtype.kind not in "fiub":
        raise BadInput(
            f"{what} probabilities of shape {law.shape}, {law.dtype}: expected {shape}, runs by menu entries"
        )
    if not np.isfinite(law).all():
        raise BadInput(
            f"{what} {law[~np.isfinite(law)][0]} in row {int(np.argmin(np.isfinite(law).all(axis=1)))}: no number"
        )
    if (law < 0).any():
        raise BadInput(f"{what} a probability of {law.min():.3g}: expected none below 0")
    if (law * ~menu.legal).any():
        row, entry = map(int, np.argwhere((law > 0) & ~menu.legal)[0])
        sentence = menu.sentences[row if len(menu.sentences) > 1 else 0, entry]
        raise BadInput(f"{what} {sentence!r} in row {row}, which the menu forbids there")
    total = law.sum(axis=1)
    if (abs(total - 1) > SUM).any():
        row = int(np.argmax(abs(total - 1)))
        raise BadInput(f"{what} probabilities that sum to {total[row]:.6g} in row {row}: expected 1")
