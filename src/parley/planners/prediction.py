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
from parley.theory.posterior import bail, normalised

TINY = np.finfo(float).tiny


class ExactWorldModel:
    """Bayesian aggregated world modelling, P(o' given pt, g) = sum_z P(z given pt) P_z(o' given tau_h, g).

    He et al. (2024), section 6. Proposals are those of BAIL. `filter` may be a planner that forgets.
    """

    def __init__(self, beliefs: Beliefs, filter: ExactPlanner | None = None) -> None:
        self.filter = filter or ExactPlanner(beliefs)
        self.start, self.hear = self.filter.start, self.filter.hear
        self.snapshot, self.restore = self.filter.snapshot, self.filter.restore

    def predict(
        self, rows: Int[np.ndarray, " n"], subgoals: Int[np.ndarray, "n d"], observations: Int[np.ndarray, "n d"]
    ) -> Prediction:
        said, beliefs = self.filter, self.filter.beliefs
        latent, place, instruction = said.latent[rows], said.place[rows], said.instruction[rows]
        weights = np.log(np.maximum(said.posterior[rows], TINY))
        for j in range(subgoals.shape[1]):
            place, prob = beliefs.advance(said.step + j, place, latent, subgoals[:, j, None], observations[:, j, None])
            with np.errstate(divide="ignore"):
                weights = weights + np.log(prob)
        step, posterior = said.step + subgoals.shape[1], normalised(weights)
        every = np.arange(beliefs.tables.num_subgoals)
        each = beliefs.predict(step, place[:, :, None], latent[:, :, None], every)  # n Z G O
        proposals = bail(posterior, beliefs.policy(step, place, latent, instruction))
        return Prediction(np.einsum("nz,nzgo->ngo", posterior, each), proposals)


class ReadingWorldModel(ExactWorldModel):
    """What a model trained on a share of expert episodes predicts: the subgoal that it is told is evidence as well.

    P(o' given pt, g) = sum_z P(z given pt, g) P_z(o' given tau_h, g), by the evidence of `filter`, mixed by episodes. A
    document's reader predicts the observation after a subgoal that somebody chose, who may know z. It proposes nothing.
    If no expert would choose so, all of them count as about equally unlikely to.
    """

    def predict(
        self, rows: Int[np.ndarray, " n"], subgoals: Int[np.ndarray, "n d"], observations: Int[np.ndarray, "n d"]
    ) -> Prediction:
        said, beliefs = self.filter, self.filter.beliefs
        latent, place, instruction = said.latent[rows], said.place[rows], said.instruction[rows]
        weights, expert = (said.settled + said.log_environment)[rows], said.log_expert[rows]
        for j in range(subgoals.shape[1]):
            chosen = beliefs.policy(said.step + j, place, latent, instruction)[np.arange(len(rows)), :, subgoals[:, j]]
            place, prob = beliefs.advance(said.step + j, place, latent, subgoals[:, j, None], observations[:, j, None])
            weights, expert = weights + np.log(np.maximum(prob, TINY)), expert + np.log(np.maximum(chosen, TINY))
        step, every = said.step + subgoals.shape[1], np.arange(beliefs.tables.num_subgoals)
        policy = np.maximum(beliefs.policy(step, place, latent, instruction), TINY).swapaxes(1, 2)  # n G Z
        behaviour = said.log_behaviour[rows] - (subgoals.shape[1] + 1) * np.log(len(every))
        chosen = said.evidence.of_episode(expert[:, None] + np.log(policy), behaviour[:, None])
        each = beliefs.predict(step, place[:, :, None], latent[:, :, None], every)  # n Z G O
        return Prediction(np.einsum("ngz,nzgo->ngo", normalised(weights[:, None] + chosen), each), None)


class TransformerWorldModel:
    """The checkpoint that plans, asked for the next observation instead: softmax over the world's observations.

    One pass predicts for all subgoals at an imagined history. They stand side by side behind it, unseen by each other.
    With several Actors these are all joint subgoals, the parts of each one after another.
    """

    def __init__(self, path: Path, tables: Tables) -> None:
        self.reader = TransformerPlanner(path)
        self.reader.require(tables)
        if not isinstance(self.reader.model, Llama):
            raise BadInput(f"checkpoint={str(path)!r}: a world model takes a plain Llama")
        token = self.reader.checkpoint.encode
        self._menus = [token([subgoal_line(g) for g in menu]) for menu in tables.menus]
        index = np.unravel_index(np.arange(tables.num_subgoals), [len(menu) for menu in tables.menus])
        self._parts: Int[np.ndarray, "G K"] = np.stack(index, axis=1)
        self._subgoals = np.stack([menu[part] for menu, part in zip(self._menus, index, strict=True)], axis=1)
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
        num, actors = self._subgoals.shape
        told = np.concatenate([self._subgoals[subgoals], self._observations[observations][..., None]], axis=2)
        behind = d * (actors + 1)  # the tokens of the imagined history
        tokens = np.concatenate([told.reshape(n, behind), np.tile(self._subgoals.ravel(), (n, 1))], axis=1)
        sees = np.tril(np.ones((tokens.shape[1], tokens.shape[1]), dtype=bool))
        sees[behind:, behind:] = np.kron(np.eye(num), np.tri(actors))
        offset = np.concatenate([np.arange(behind), behind + np.tile(np.arange(actors), num)])
        assert isinstance(self.reader.cache, Cache)
        logits = self.reader.cache.peek(rows, tokens, sees, offset)
        after = logits[:, behind:].reshape(n, num, actors, -1)
        heard = normalised(after[:, :, -1][:, :, self._observations].astype(np.float64))
        if not self._proposes:
            return Prediction(heard, None)
        first = logits[:, behind - 1] if d else self.reader.logits[rows]
        before = np.concatenate([np.broadcast_to(first[:, None, None], (n, num, 1, first.shape[1])), after], axis=2)
        proposals = np.ones((n, num))
        for k, menu in enumerate(self._menus):
            law = normalised(before[:, :, k][:, :, menu].astype(np.float64))
            proposals *= law[:, np.arange(num), self._parts[:, k]]
        return Prediction(heard, proposals)
