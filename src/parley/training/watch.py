"""The measurements during training: the distance to the exact oracle, the curve, and TensorBoard."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.draws import Draws
from parley.core.errors import MissingExtra
from parley.core.said import Opening, Outcome
from parley.data.documents import Documents, sample_documents
from parley.data.held_out import HELD_OUT
from parley.evaluation.evaluate import matching
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.training.columns import Columns
from parley.training.recipe import Recipe

NUM_DOCUMENTS = 32


@dataclass(frozen=True)
class Watch:
    """How a training is watched, kept and made fast; its weights depend on it in the last digits at most."""

    evaluate_every: int = 0  # steps; 0: not before the end
    keep_s: float = 60.0  # from one state on disk to the next
    tensorboard: Path | None = None  # a directory for its logs
    compiled: bool = False  # by torch.compile: a minute at first, then fewer and larger kernels on a GPU


class DistanceToOracle:
    """Total variation to the exact oracle's distribution over subgoals, mean over the steps of held-out documents."""

    def __init__(self, torch: Any, beliefs: Beliefs, columns: Columns, recipe: Recipe, device: str) -> None:
        seed = (recipe.seed, HELD_OUT, 1)
        drawn = sample_documents(beliefs, NUM_DOCUMENTS, recipe.episodes, seed, recipe.rho, recipe.behaviour)
        oracle = replace(drawn, labels=_oracle_laws(beliefs, drawn, recipe.rho))
        self._torch, self._columns = torch, columns
        self._batch = columns.prepare(torch, oracle, device)

    def __call__(self, model: Any) -> float:
        """Of several Actors the distances of their conditionals add up."""
        torch, was = self._torch, model.training
        model.eval()
        with torch.no_grad():
            log_probs = self._columns.log_law(torch, model, self._batch)
        model.train(was)
        total = 0.0
        for positions, menu, law in self._batch.laws:
            mine = torch.softmax(log_probs[:, :, positions][..., menu], dim=-1)
            mass = law.sum(dim=-1, keepdim=True)
            apart = 0.5 * (mine - law / mass.clamp(min=1e-30)).abs().sum(dim=-1)
            total += float((apart * (mass[..., 0] > 0)).mean())
        return total


def _oracle_laws(beliefs: Beliefs, documents: Documents, rho: float) -> np.ndarray:
    """The exact planner's distribution over joint subgoals at every step of the documents, shape (N, T, H, G)."""
    t, (n, num_episodes, horizon) = beliefs.tables, documents.subgoals.shape
    oracle = ExactPlanner(beliefs, matching(rho))
    words = [np.array(names, dtype=object) for names in (t.instructions, t.observations)]
    parts = [np.array(menu, dtype=object) for menu in t.menus]
    laws = np.empty((n, num_episodes, horizon, t.num_subgoals))
    oracle.start(Draws(0, n))
    for e in range(num_episodes):
        seen = words[1][documents.observations[:, e]]
        oracle.hear(Opening(e, words[0][documents.instructions[:, e]], seen[:, 0]))
        for h in range(horizon):
            laws[:, e, h] = oracle.joint_proposal()
            split = np.unravel_index(documents.subgoals[:, e, h], [len(menu) for menu in t.menus])
            said = np.stack([part[index] for part, index in zip(parts, split, strict=True)], axis=1)
            oracle.hear(Outcome(e, h + 1, said, seen[:, h + 1], np.zeros(n), np.ones(n, dtype=bool)))
    return laws


def tensorboard(folder: Path | None) -> Any:
    """A writer of TensorBoard logs, or None where none is asked for."""
    if folder is None:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MissingExtra("--tensorboard", "tensorboard") from None
    return SummaryWriter(str(folder))
