"""What planners and explorers are made from: the scene of a cohort."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from jaxtyping import Int

from parley.core.calls import Forgetful, Ledger
from parley.core.errors import BadInput
from parley.core.roles import Planner, World
from parley.core.tables import Tables
from parley.core.told import Memory, Writer
from parley.theory.beliefs import Beliefs


@dataclass
class Scene:
    """What planners and explorers of one cohort may be built from."""

    spec: str
    world: World
    latents: Int[np.ndarray, " B"]
    num_episodes: int
    planner: Planner | None = None  # once it is made: explorers may listen to its predictions
    memory: Callable[[Writer | None], Memory] | None = None  # of the run's configuration; else the planner's own
    trust: bool = False  # whether parts that are `module:Name` may be imported
    ledger: Ledger = field(default_factory=Forgetful)  # of the run's calls
    shared: dict[str, Any] = field(default_factory=dict)  # what all cohorts of a run have one of
    closing: ExitStack = field(default_factory=ExitStack)  # closes it at the run's end
    was: dict[str, Any] = field(default_factory=dict)  # what the manifest says of the planner of a run that goes on

    @cached_property
    def beliefs(self) -> Beliefs:
        if self.world.tables is None:
            raise BadInput(f"world {self.spec!r} has no exact tables: exact planners and oracles need them")
        return beliefs_of(self.world.tables)


@lru_cache(maxsize=8)
def beliefs_of(tables: Tables) -> Beliefs:
    """Beliefs are dear to build and never change: shared by the planners, explorers and meters of a process."""
    return Beliefs(tables)
