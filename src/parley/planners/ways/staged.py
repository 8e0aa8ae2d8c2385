"""Long menus: first a group of entries is chosen, then one of the group, by whatever way a model is asked."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

ENOUGH = 0.9  # probability of the groups that are looked into
MOST_GROUPS = 3  # that are looked into at each stage

Ask = Callable[[tuple[str, ...]], Float[np.ndarray, " M"] | None]


def staged(ask: Ask, menu: Sequence[str], most: int) -> Float[np.ndarray, " M"] | None:
    """A distribution over a long menu from questions of at most `most` choices; None where no usable answer came.

    Of the groups the likeliest are looked into, until they have `ENOUGH` of the probability; within the others all
    entries are alike.
    """
    if len(menu) <= most:
        return ask(tuple(menu))
    groups = grouped(menu, most)
    shares = ask(tuple(label for label, _ in groups))
    if shares is None:
        return None
    probs, seen = np.zeros(len(menu)), 0.0
    for looked, group in enumerate(np.argsort(-shares, kind="stable").tolist()):
        entries = groups[group][1]
        within = None
        if len(entries) > 1 and seen < ENOUGH and looked < MOST_GROUPS and shares[group] > 0:
            within = staged(ask, [menu[i] for i in entries], most)
        probs[entries] = shares[group] * (np.full(len(entries), 1 / len(entries)) if within is None else within)
        seen += shares[group]
    return probs / probs.sum()


def grouped(menu: Sequence[str], most: int) -> list[tuple[str, list[int]]]:
    """At most so many groups of entries that begin alike, each with what stands for it; a group of one is the entry.

    >>> grouped(["go east", "go west", "take key", "wait"], 3)
    [('go ... (2: go east; go west)', [0, 1]), ('take key', [2]), ('wait', [3])]
    """
    found: dict[str, list[int]] = {}
    for words in range(1, max(len(entry.split()) for entry in menu) + 1):
        found = {}
        for i, entry in enumerate(menu):
            found.setdefault(" ".join(entry.split()[:words]), []).append(i)
        if len(found) > 1:
            break
    groups = list(found.items())
    if len(groups) == 1 or len(groups) > most:  # by where they stand in the list
        order = [i for _, entries in groups for i in entries]
        return [(_span([menu[i] for i in part]), part.tolist()) for part in np.array_split(order, most) if len(part)]
    return [(_label(begin, [menu[i] for i in entries]), entries) for begin, entries in groups]


def _label(begin: str, entries: Sequence[str]) -> str:
    if len(entries) == 1:
        return entries[0]
    return f"{begin} ... ({len(entries)}: {'; '.join(entries[:3])}{'; ...' if len(entries) > 3 else ''})"


def _span(entries: Sequence[str]) -> str:
    return entries[0] if len(entries) == 1 else f"one of {len(entries)}, from {entries[0]!r} to {entries[-1]!r}"
