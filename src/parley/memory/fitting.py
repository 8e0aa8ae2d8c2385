"""Leaves parts out where not everything fits: the older half of the episodes at a time."""

from dataclasses import replace

from parley.core.errors import BadInput
from parley.core.told import Fits, Recalled


def shortened(recalled: Recalled, fits: Fits) -> Recalled:
    """Drop the older half of the episodes until it fits, then the later half of the notes' lines."""
    while not fits(recalled):
        lines = recalled.notes.splitlines(keepends=True)
        if recalled.episodes:
            recalled = replace(recalled, episodes=recalled.episodes[(len(recalled.episodes) + 1) // 2 :])
        elif lines:
            recalled = replace(recalled, notes="".join(lines[: len(lines) // 2]))
        else:
            raise BadInput("one episode does not fit the token budget: give the planner a larger one (budget=...)")
    return recalled
