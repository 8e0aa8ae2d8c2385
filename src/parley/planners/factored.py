"""BAIL over joint subgoals Actor by Actor, without enumerating them (theory.md 7; `core.factored`)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.factored import FORBIDDEN, Factored
from parley.core.said import TIE, Menu, Outcome, Proposal
from parley.core.tables import Sentences, Vocabulary
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs


@dataclass(frozen=True)
class Completions:
    """By status before each Actor's part: the best value that can still be had, and in how many ways."""

    best: list[Float[np.ndarray, "... C"]]  # K + 1: before each Actor's part, and after the last
    ways: list[Float[np.ndarray, "... C"]]


def completions(factored: Factored, q: Float[np.ndarray, "... C"], latent: np.ndarray) -> Completions:
    """Dynamic programming over Actors, the last one first; `latent` broadcasts against all axes of q but the last."""
    best, ways = [q], [np.ones_like(q)]
    for k in range(len(factored.menus) - 1, -1, -1):
        then = factored.fold[latent, k]  # ... C M
        value = _after(best[0], then, -np.inf)
        most = value.max(axis=-1)
        number = np.where(value >= most[..., None] - TIE, _after(ways[0], then, 0.0), 0.0).sum(axis=-1)
        best.insert(0, most)
        ways.insert(0, number / max(1.0, float(number.max())))  # shares of ways are all that counts
    return Completions(best, ways)


def _after(values: np.ndarray, then: np.ndarray, forbidden: float) -> np.ndarray:
    """`values` (..., C) at the statuses `then` (..., C, M)."""
    flat = np.broadcast_to(then, (*values.shape[:-1], *then.shape[-2:])).reshape(*values.shape[:-1], -1)
    found = np.take_along_axis(values, np.maximum(flat, 0), axis=-1)
    return np.where(flat == FORBIDDEN, forbidden, found).reshape(*values.shape, then.shape[-1])


class FactoredPlanner(ExactPlanner):
    """The exact planner of a world that says how joint subgoals fold up: a step costs K |Z| C |M|, not |M|^K.

    pi*_z is uniform over the best joint subgoals that are allowed. Its conditional for an Actor counts, for each part,
    the best completions. The mixture is weighted by P(z given pt) times the probability under pi*_z of the parts
    already chosen.
    """

    _weight: np.ndarray  # (B, Z): P(z given pt) times what pi*_z gave the parts told so far
    _where: Any  # where the runs stand among the values found

    def __init__(self, factored: Factored, beliefs: Beliefs | None = None, decode: str = "sample") -> None:
        super().__init__(beliefs or Beliefs(factored.summary), decode=decode)
        self.factored = factored
        self.words = tuple(Vocabulary(menu, "subgoal") for menu in factored.menus)
        self._stored: dict[int, Completions] = {}
        self._told = 0  # Actors that have been told their part in this step

    def _advance(self, said: Outcome, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [words.encode(said.subgoals[:, k]) for k, words in enumerate(self.words)]
        status = self.factored.statuses(np.stack(parts, axis=1), self.all_latents)
        return self.beliefs.advance(said.step, self.place, self.latent, status, seen)

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        """One Actor's conditional distribution; in a step Actors come in turn, each given what was told before."""
        k = parts.shape[1]
        if k == 0:
            self._begin()
        elif k == self._told + 1:
            self._tell(k - 1, self.words[k - 1].encode(parts[:, k - 1]))
        self._told, self._law = k, self._conditional(k)
        weight = np.where(self._weight.sum(axis=1, keepdims=True) > 0, self._weight, self.posterior)
        mixed = (weight[:, :, None] * self._law).sum(axis=1)
        return Proposal(mixed / mixed.sum(axis=1, keepdims=True))

    def _begin(self) -> None:
        """No Actor has been told anything in this step."""
        self._told, self._status, self._weight = 0, np.zeros_like(self.latent), self.posterior
        if self.step <= len(self.beliefs.levels):  # found once for the nodes of a step, looked up where runs stand
            if self.step not in self._stored:
                level = self.beliefs.levels[self.step - 1]
                self._stored[self.step] = completions(self.factored, level.q, level.latent[:, None])
            self._found, self._where = self._stored[self.step], (self.place, self.instruction)
        else:
            q = self.beliefs.optimal(self.step, self.place, self.latent, self.instruction)
            self._found, self._where = completions(self.factored, q, self.latent), (slice(None), slice(None))

    def _conditional(self, k: int) -> Float[np.ndarray, "B Z M"]:
        """pi*_z(part given the parts before); by the best completions where no expert would have said those."""
        then = self.factored.fold[self.latent, k, self._status]  # B Z M
        best, ways = (values[k + 1][self._where] for values in (self._found.best, self._found.ways))
        best, ways = (np.take_along_axis(values, np.maximum(then, 0), axis=-1) for values in (best, ways))
        best = np.where(then == FORBIDDEN, -np.inf, best)
        ways = np.where(best >= best.max(axis=-1, keepdims=True) - TIE, ways, 0.0)
        return ways / ways.sum(axis=-1, keepdims=True)

    def _tell(self, k: int, part: np.ndarray) -> None:
        """Actor k is told its part: the experts that would have said it gain weight."""
        self._weight = self._weight * np.take_along_axis(self._law, part[:, None, None], axis=2)[:, :, 0]
        self._status = self.factored.after(k, self._status, part, self.all_latents)
