"""Planners with planted faults, for `parley bench tests.bench.planted:NAME`."""

from typing import Any

import numpy as np

from parley.core.draws import Draws
from parley.core.said import Menu, Opening, Outcome, Proposal
from parley.planners.exact import ExactPlanner
from parley.theory.posterior import Evidence


class Forgets(ExactPlanner):
    """Exact within an episode, and begins each with the prior."""

    def __init__(self, scene: Any) -> None:
        super().__init__(scene.beliefs)

    def _past(self) -> np.ndarray:
        return np.log(np.tile(self.tables.prior, (self.num_runs, 1)))


class Copies(ExactPlanner):
    """Exact, but nine times in ten it does again what was done last."""

    def __init__(self, scene: Any) -> None:
        super().__init__(scene.beliefs)

    def start(self, draws: Draws) -> None:
        super().start(draws)
        self.last: np.ndarray | None = None

    def hear(self, said: Opening | Outcome) -> None:
        super().hear(said)
        if isinstance(said, Outcome):
            self.last = self.tables.joint(said.subgoals)

    def propose(self, menu: Menu, parts: np.ndarray) -> Proposal:
        probs = super().propose(menu, parts).probs
        if self.last is None:
            return Proposal(probs)
        return Proposal(0.1 * probs + 0.9 * np.eye(probs.shape[1])[self.last])


class Deluded(ExactPlanner):
    """Counts its own choices as if an expert had made half of them (Ortega et al. 2021)."""

    def __init__(self, scene: Any) -> None:
        super().__init__(scene.beliefs, Evidence("environment+demonstrator", 0.5))


class Letter(ExactPlanner):
    """Exact, but every other time it takes the second entry of the menu."""

    def __init__(self, scene: Any, place: int = 1) -> None:
        super().__init__(scene.beliefs)
        self.favourite = place

    def propose(self, menu: Menu, parts: np.ndarray) -> Proposal:
        probs = super().propose(menu, parts).probs
        return Proposal(0.5 * probs + 0.5 * np.eye(probs.shape[1])[self.favourite])


class Foreign(ExactPlanner):
    """Exact, but of the history of the next run of its cohort."""

    def __init__(self, scene: Any) -> None:
        super().__init__(scene.beliefs)

    def propose(self, menu: Menu, parts: np.ndarray) -> Proposal:
        return Proposal(np.roll(super().propose(menu, parts).probs, 1, axis=0))


class Lost(ExactPlanner):
    """Exact, but in each episode of the history of some other run of its cohort."""

    def __init__(self, scene: Any) -> None:
        super().__init__(scene.beliefs)

    def propose(self, menu: Menu, parts: np.ndarray) -> Proposal:
        probs = super().propose(menu, parts).probs
        self.turn = getattr(self, "turn", 0) + 1
        return Proposal(np.roll(probs, 1 + self.turn % (self.num_runs - 1), axis=0))


class Shared(ExactPlanner):
    """Exact, but of the history of the first run, for all."""

    def __init__(self, scene: Any) -> None:
        super().__init__(scene.beliefs)

    def propose(self, menu: Menu, parts: np.ndarray) -> Proposal:
        probs = super().propose(menu, parts).probs
        return Proposal(np.tile(probs[:1], (self.num_runs, 1)))


FAULTS = {
    "Forgets": "forgets",
    "Copies": "copies",
    "Deluded": "deluded",
    "Letter": "position",
    "Foreign": "another's memory",
    "Lost": "another's memory",
    "Shared": "another's memory",
}
