"""World models: what would be heard after a subgoal, exactly (BAWM) or from a pretrained model (theory.md 6)."""

from pathlib import Path

import numpy as np
from jaxtyping import Int

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Opening, Outcome, Prediction
from parley.core.tables import Tables
from parley.models.llama import Cache, Llama
from parley.planners.exact import ExactPlanner
from parley.planners.transformer import TransformerPlanner
from parley.prompting.transcript import observation_line, subgoal_line
from parley.theory.beliefs import Beliefs
from parley.theory.posterior import Evidence, bail, normalised


class ExactWorldModel:
    """Bayesian aggregated world modelling, P(o' given pt, g) = sum_z P(z given pt) P_z(o' given tau_h, g).

    He et al. (2024), section 6. Proposals are those of BAIL.
    """

    def __init__(self, beliefs: Beliefs, evidence: Evidence | None = None) -> None:
        self.filter = ExactPlanner(beliefs, evidence)
        self.start, self.hear = self.filter.start, self.filter.hear
        self.snapshot, self.restore = self.filter.snapshot, self.filter.restore

    def predict(
        self, rows: Int[np.ndarray, " n"], subgoals: Int[np.ndarray, "n d"], observations: Int[np.ndarray, "n d"]
    ) -> Prediction:
        said, beliefs = self.filter, self.filter.beliefs
        latent, place, instruction = said.latent[rows], said.place[rows], said.instruction[rows]
        weights = np.log(np.maximum(said.posterior[rows], np.finfo(float).tiny))
        for j in range(subgoals.shape[1]):
            place, prob = beliefs.advance(said.step + j, place, latent, subgoals[:, j, None], observations[:, j, None])
            with np.errstate(divide="ignore"):
                weights = weights + np.log(prob)
        step, posterior = said.step + subgoals.shape[1], normalised(weights)
        every = np.arange(beliefs.tables.num_subgoals)
        each = beliefs.predict(step, place[:, :, None], latent[:, :, None], every)  # n Z G O
        proposals = bail(posterior, beliefs.policy(step, place, latent, instruction))
        return Prediction(np.einsum("nz,nzgo->ngo", posterior, each), proposals)


class TransformerWorldModel:
    """The checkpoint that plans, asked for the next observation instead: softmax over the world's observations.

    One pass predicts for all subgoals at an imagined history: they stand side by side behind it, unseen by each other.
    """

    def __init__(self, path: Path, tables: Tables) -> None:
        self.reader = TransformerPlanner(path)
        self.reader.require(tables)
        if tables.num_actors > 1 or not isinstance(self.reader.model, Llama):
            raise BadInput(f"checkpoint={str(path)!r}: a world model takes a plain Llama of a world with one Actor")
        token = self.reader.checkpoint.encode
        self._subgoals = token([subgoal_line(g) for g in tables.subgoals])
        self._observations = token([observation_line(o) for o in tables.observations])
        recipe = self.reader.checkpoint.about.get("recipe", {})
        self._proposes = recipe.get("label_weight", 1.0) > 0  # else its subgoals were never trained
        self.snapshot, self.restore = self.reader.snapshot, self.reader.restore

    def start(self, draws: Draws) -> None:
        self.reader.start(draws)

    def hear(self, said: Opening | Outcome) -> None:
        self.reader.hear(said)

    def predict(
        self, rows: Int[np.ndarray, " n"], subgoals: Int[np.ndarray, "n d"], observations: Int[np.ndarray, "n d"]
    ) -> Prediction:
        n, d = subgoals.shape
        num = len(self._subgoals)
        path = np.stack([self._subgoals[subgoals], self._observations[observations]], axis=2).reshape(n, 2 * d)
        tokens = np.concatenate([path, np.broadcast_to(self._subgoals, (n, num))], axis=1)
        sees = np.tril(np.ones((2 * d + num, 2 * d + num), dtype=bool))
        sees[2 * d :, 2 * d :] = np.eye(num, dtype=bool)
        offset = np.concatenate([np.arange(2 * d), np.full(num, 2 * d)])
        assert isinstance(self.reader.cache, Cache)
        logits = self.reader.cache.peek(rows, tokens, sees, offset)
        heard = _softmax(logits[:, 2 * d :][:, :, self._observations])
        before = logits[:, 2 * d - 1] if d else self.reader.logits[rows]
        return Prediction(heard, _softmax(before[:, self._subgoals]) if self._proposes else None)


def _softmax(logits: np.ndarray) -> np.ndarray:
    probs = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return probs / probs.sum(axis=-1, keepdims=True)
