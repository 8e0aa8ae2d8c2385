"""Families that are held out from training: their specs, whether they have traps, and whether they were seen."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from parley import assemble
from parley.core.tables import Tables
from parley.data.dataset import world_digest
from parley.theory.distinguishability import classes_of
from parley.theory.traps import traps
from parley.training.families import family
from parley.training.generalist import about_of
from parley.training.recipe import Recipe
from parley.worlds.generated.world import EVALUATED


def family_spec(world: str, number: int) -> str:
    """The spec of a family of a set."""
    _, _, kind = world.partition(":")
    return f"generated:seed={EVALUATED + number}" + (f",{kind}" if kind else "")


def trapped(spec: str, episodes: int) -> bool:
    """Whether a trap is certain; where simulated runs cannot tell, a family counts with those that have none."""
    beliefs = assemble.beliefs_of(tables_of(spec))
    return traps(beliefs, classes_of(beliefs), episodes, decodings=("greedy",)).reveals("greedy") is False


def tables_of(spec: str) -> Any:
    """The tables of a family."""
    return assemble.world(spec).tables


def was_trained_on(tables: Tables) -> bool:
    """Whether a family is among those of the checkpoint's training: alike in a fingerprint, and then to the digest."""
    again = trained_on().get(fingerprint(tables))
    return again is not None and world_digest(again()) == world_digest(tables)


@cache
def trained_on() -> dict[int, Callable[[], Tables]]:
    """The families of all stages of the checkpoint's training, by fingerprint; made again from their seeds."""
    found: dict[int, Callable[[], Tables]] = {}
    stage = about_of(assemble.shipped(assemble.GENERALIST))
    while stage:
        make = partial(family, Recipe(**stage["recipe"]), stage["families"], plain=bool(stage.get("plain")))
        for number in range(stage["families_seen"]):
            again = partial(make, number)
            found[fingerprint(again())] = again
        stage = stage["start"]
    return found


def fingerprint(tables: Tables) -> int:
    """Alike for equal families; a digest of the whole world file takes twice as long as to make the family."""
    numbers = (tables.initial, tables.transition, tables.emission, tables.reward)
    return hash((tables.observations, *(array.tobytes() for array in numbers)))
