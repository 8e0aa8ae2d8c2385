"""What a card is measured from: arms, each of them runs of one planner in one world, in batches with common seeds."""

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from parley import assemble
from parley.bench.altered import redrawn, rotated
from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.execute import RunConfig
from parley.runs.directory import write_whole
from parley.worlds.kit.tabular.world_file import dump_world

UNIFORM = "epsilon-greedy:epsilon=1"  # choices that depend on nothing: the log keeps the proposals beside them
SEEDS = 1000  # batches of one card, at most: each has a seed of its own


@dataclass(frozen=True)
class Arm:
    """Who plans where: `rotation` turns the menu by so many places, `redraw` draws the latent anew each episode."""

    world: str
    planner: str
    explore: str = "none"
    memory: str | None = None
    rotation: int = 0
    redraw: bool = False

    @property
    def name(self) -> str:
        """The name of its run directories, which depends on nothing but the arm."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    @property
    def altered(self) -> bool:
        """Whether its world is made from another one."""
        return bool(self.rotation or self.redraw)

    def of(self, planner: str) -> "Arm":
        """The same of another planner, which remembers in its own way."""
        return replace(self, planner=planner, memory=None)


@dataclass(frozen=True)
class Sizes:
    """How much is measured at once: `runs` runs of `episodes` episodes are a batch, and `batches` of them the most."""

    episodes: int = 12
    runs: int = 8
    batches: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (
            ("episodes", 4, 10**4),
            ("runs", 2, 10**4),
            ("batches", 1, SEEDS),
            ("seed", 0, 2**64),
        ):
            if not least <= getattr(self, name) <= most:
                raise BadInput(f"{name}={getattr(self, name)}: expected a number from {least} to {most}")


@lru_cache(maxsize=64)
def tables_of(world: str, rotation: int, redraw: bool) -> Tables:
    """The tables of an arm's world; raises `BadInput` where it has none, or several Actors."""
    tables = assemble.world(world, trust=True).tables
    if tables is None or tables.num_actors > 1:
        raise BadInput(f"world {world!r}: a card is measured where there are exact tables and one Actor")
    tables = redrawn(tables) if redraw else tables
    return rotated(tables, rotation) if rotation else tables


def config_of(arm: Arm, sizes: Sizes, batch: int, out: Path) -> RunConfig:
    """The run of one batch. A world that was altered is written to `out` as a world file, which the run names."""
    tables = tables_of(arm.world, arm.rotation, arm.redraw)
    world = arm.world
    if arm.altered:
        about = repr((arm.world, arm.rotation, arm.redraw)).encode()
        path = out / "worlds" / f"{hashlib.sha256(about).hexdigest()[:16]}.json"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, dump_world(tables).encode())
        world = str(path)
    return RunConfig(
        world=world,
        planner=arm.planner,
        explore=arm.explore,
        memory=arm.memory,
        episodes=sizes.episodes,
        runs=sizes.runs,
        seed=sizes.seed * SEEDS + batch,
        instructions="random" if len(tables.instructions) > 1 else "cyclic",
        record="steps",
    )


def folder_of(arm: Arm, sizes: Sizes, batch: int, out: Path) -> Path:
    """Where the run of a batch is kept."""
    return out / "runs" / arm.name / f"{batch:03d}"
