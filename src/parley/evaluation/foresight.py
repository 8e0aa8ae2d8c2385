"""How far a world model sees: its predictions at every depth beside the exact model's, on held-out documents.

Depth d is o_{h+d} given the history at step h and the d subgoals that followed. The steps between are imagined: the
model predicts on its own predictions. Log-loss is on the observations that came; the exact model's own is the floor.
Calibration is that of the most probable observation: confidence against its exact probability, in ten bins (Guo et al.
2017).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float, Int

from parley.core.draws import Draws
from parley.core.roles import WorldModel
from parley.core.said import Opening, Outcome
from parley.core.tables import Tables
from parley.data.documents import Documents

BINS = 10
CUT = 1e-3  # imagined histories less probable than this are left out
LEAST = 1e-12


@dataclass(frozen=True)
class Foresight:
    """Predictions at one depth; N documents, M predictions of each."""

    depth: int
    excess_nats: Float[np.ndarray, "N M"]  # log-loss above the exact model's
    floor_nats: Float[np.ndarray, "N M"]
    total_variation: Float[np.ndarray, "N M"]
    confidence: Float[np.ndarray, "N M"]  # probability of the most probable observation
    truth: Float[np.ndarray, "N M"]  # the exact probability of that observation
    correct: Float[np.ndarray, "N M"]  # whether it came
    episode: Int[np.ndarray, " M"]

    def of_episode(self, episode: int) -> "Foresight":
        """The predictions made in one episode of the documents, counted from 0."""
        here = self.episode == episode
        arrays = {f.name: getattr(self, f.name)[..., here] for f in fields(self) if f.name != "depth"}
        return Foresight(self.depth, **arrays)

    def reliability(self) -> Float[np.ndarray, "bins 3"]:
        """Of each bin of confidence: its share of the predictions, their mean confidence and mean exact probability."""
        flat = np.minimum((self.confidence.ravel() * BINS).astype(int), BINS - 1)
        count = np.bincount(flat, minlength=BINS)
        sums = [np.bincount(flat, part.ravel(), BINS) for part in (self.confidence, self.truth)]
        return np.stack([count / count.sum(), *(total / np.maximum(count, 1) for total in sums)], axis=1)

    @property
    def calibration_error(self) -> float:
        """Expected calibration error: the mean over predictions of their bin's |confidence - truth|."""
        share, confidence, truth = self.reliability().T
        return float(share @ np.abs(confidence - truth))


def ahead(model: WorldModel, subgoals: Int[np.ndarray, "B d"], cut: float = CUT) -> Float[np.ndarray, "B d O"]:
    """The marginal distributions of the next d observations, if these subgoals are given one after another."""
    rows, weight = np.arange(len(subgoals)), np.ones(len(subgoals))
    path = np.zeros((len(rows), 0), dtype=np.intp)
    laws = []
    for j in range(subgoals.shape[1]):
        given = model.predict(rows, subgoals[rows, :j], path).observations
        joint = weight[:, None] * given[np.arange(len(rows)), subgoals[rows, j]]
        law = np.zeros((len(subgoals), joint.shape[1]))
        np.add.at(law, rows, joint)
        laws.append(law / law.sum(axis=1, keepdims=True))
        likely = joint > cut
        likely[np.arange(len(rows)), joint.argmax(axis=1)] = True
        m, o = np.nonzero(likely)
        rows, weight, path = rows[m], joint[m, o], np.concatenate([path[m], o[:, None]], axis=1)
    return np.stack(laws, axis=1)


def foresight(
    model: WorldModel, exact: WorldModel, documents: Documents, tables: Tables, deep: Collection[int] | None = None
) -> list[Foresight]:
    """Both models hear the documents and predict all that is still to come in each episode; one entry a depth.

    Beyond depth 1 in the episodes `deep` alone, where they are named: imagined histories are many.
    """
    horizon = tables.horizon
    found: list[list[tuple[np.ndarray, ...]]] = [[] for _ in range(horizon)]
    episodes: list[list[int]] = [[] for _ in range(horizon)]
    for e, h in reading((model, exact), documents, tables):
        given, seen = documents.subgoals[:, e], documents.observations[:, e]
        last = horizon if deep is None or e in deep else h + 1
        mine, true = ahead(model, given[:, h:last]), ahead(exact, given[:, h:last], 0.0)
        for d in range(last - h):
            found[d].append(_compare(mine[:, d], true[:, d], seen[:, h + d + 1]))
            episodes[d].append(e)
    return [_one(d + 1, found[d], episodes[d]) for d in range(horizon)]


def reading(models: Collection[WorldModel], documents: Documents, tables: Tables) -> Iterator[tuple[int, int]]:
    """Have models hear the documents, one a run; before each subgoal: episode and step, both counted from 0."""
    n, num_episodes, horizon = documents.subgoals.shape
    words = [np.array(names, dtype=object) for names in (tables.instructions, tables.observations, tables.subgoals)]
    for one in models:
        one.start(Draws(0, n))
    for e in range(num_episodes):
        seen, given = documents.observations[:, e], documents.subgoals[:, e]
        for one in models:
            one.hear(Opening(e, words[0][documents.instructions[:, e]], words[1][seen[:, 0]]))
        for h in range(horizon):
            yield e, h
            said = words[2][given[:, h, None]], words[1][seen[:, h + 1]]
            for one in models:
                one.hear(Outcome(e, h + 1, *said, np.zeros(n), np.ones(n, dtype=bool)))


def _one(depth: int, found: list[tuple[np.ndarray, ...]], episodes: list[int]) -> Foresight:
    excess, floor, distance, confidence, truth, correct = (np.stack(p, axis=1) for p in zip(*found, strict=True))
    return Foresight(depth, excess, floor, distance, confidence, truth, correct, np.array(episodes))


def _compare(
    mine: Float[np.ndarray, "N O"], true: Float[np.ndarray, "N O"], seen: np.ndarray
) -> tuple[np.ndarray, ...]:
    at, top = np.arange(len(seen)), mine.argmax(axis=1)
    loss, floor = (-np.log(np.maximum(law[at, seen], LEAST)) for law in (mine, true))
    distance = 0.5 * np.abs(mine - true).sum(axis=1)
    return loss - floor, floor, distance, mine[at, top], true[at, top], (top == seen).astype(float)
