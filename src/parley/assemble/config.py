"""The configuration of a run: everything that it depends on, as it stands in its manifest."""

from dataclasses import dataclass, fields, replace
from operator import index
from typing import Any

from parley.assemble.parts import Parts, parts_of
from parley.core.errors import BadInput, RunDamaged
from parley.core.text import shown
from parley.worlds.kit.workers import each_process

MOST = 10**9  # episodes, runs, threads
MAX_STEPS_KEPT = 10**6  # `record=auto` keeps steps up to here, episodes beyond


@dataclass(frozen=True)
class RunConfig:
    """Everything that a run depends on, as it stands in its manifest."""

    world: str
    planner: str = "exact"
    explore: str = "none"
    episodes: int = 100
    runs: int = 64
    seed: int = 0
    latent: str | None = None
    instructions: str = "cyclic"
    record: str = "auto"
    cohort: int = 0  # runs that move together; 0: the planner's default
    threads: int = 1  # of the array library: the last digit of a model's arithmetic depends on them
    memory: str | None = None  # what prompts show of earlier episodes; None: as the planner's own arguments say

    def __post_init__(self) -> None:
        for name, least in (("episodes", 1), ("runs", 1), ("seed", 0), ("cohort", 0), ("threads", 1)):
            try:
                object.__setattr__(self, name, index(getattr(self, name)))  # of NumPy too
            except TypeError:
                raise BadInput(f"{name}={shown(getattr(self, name))}: expected a whole number") from None
            if getattr(self, name) < least:
                raise BadInput(f"{name}={getattr(self, name)}: expected at least {least}")
            if name != "seed" and getattr(self, name) > MOST:
                raise BadInput(f"{name}={shown(getattr(self, name), 40)}: expected at most {MOST:,}")
        if self.seed >= 2**128:
            raise BadInput(f"seed={self.seed}: expected a number below 2**128")
        if self.record not in ("steps", "episodes", "auto"):
            raise BadInput(f"record={self.record!r}: expected steps, episodes or auto")

    @classmethod
    def from_manifest(cls, stored: dict[str, Any]) -> "RunConfig":
        """The configuration of a manifest; raises `RunDamaged` where it is not one."""
        known = {f.name for f in fields(cls)}
        required = known - {"memory"}  # which runs of earlier versions do not have
        if not isinstance(stored, dict) or not required <= set(stored) <= known:
            raise RunDamaged(f"the manifest's configuration should have exactly the entries {', '.join(sorted(known))}")
        for f in fields(cls):
            value = stored.get(f.name)
            if f.name in stored and (not isinstance(value, f.type) or isinstance(value, bool)):  # type: ignore[arg-type]
                raise RunDamaged(f"the manifest's configuration has {f.name}={shown(value)}: no run writes that")
        return cls(**stored)

    def parts(self, trust: bool = False) -> Parts:
        """World, planner and explorer; `trust` allows parts that are `module:Name`."""
        return parts_of(self.world, self.planner, self.explore, self.memory, trust)

    def resolved(self, parts: Parts) -> "RunConfig":
        """The same with `auto` and defaults decided, so that the manifest says what was done."""
        kept = "steps" if self.runs * self.episodes * parts.world.horizon <= MAX_STEPS_KEPT else "episodes"
        together = min(parts.planner.kind.cohort, each_process(parts.world, self.runs))
        cohort = min(self.runs if parts.single else self.cohort or together, self.runs)
        return replace(self, record=kept if self.record == "auto" else self.record, cohort=cohort)
