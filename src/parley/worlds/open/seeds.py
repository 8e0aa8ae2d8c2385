"""What adapters have in common: which variations there are, and whether words are chosen or free."""

from parley.core.errors import BadInput
from parley.worlds.kit.script import FREE

ACTIONS = ("menu", "free")


def variations(first: int, count: int, known: int | None = None) -> range:
    """The variations `first`, `first + 1`, ...: `count` of them, of `known` that there are (0: all)."""
    if first < 0 or count < 0 or (known is None and count == 0):
        raise BadInput(f"first={first}, variations={count}: expected a first one from 0, and at least one of them")
    if known is None:
        return range(first, first + count)
    if first >= known or first + count > known:
        raise BadInput(f"first={first}, variations={count}: there are {known} variations, counted from 0")
    return range(first, first + count if count else known)


def some(first: int, count: int) -> range | None:
    """The same where a world has variations only if they are asked for."""
    if first and not count:
        raise BadInput(f"first={first}: variations=N is missing, how many there are from this one on")
    return variations(first, count) if count else None


def menu_of(actions: str) -> str | None:
    """The argument `menu` of `wrap` for an adapter's argument `actions`."""
    if actions not in ACTIONS:
        raise BadInput(f"actions={actions!r}: expected 'menu' (what can be done is listed) or 'free' (any words)")
    return FREE if actions == "free" else None
