"""The pretraining error: total variation of a checkpoint's proposals to the exact BAIL oracle (theory.md 5)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from parley.core.draws import Draws
from parley.core.said import Menu, Opening, Outcome
from parley.planners.exact import ExactPlanner
from parley.planners.transformer import TransformerPlanner
from parley.pretraining.documents import sample_documents
from parley.theory.beliefs import Beliefs
from parley.theory.posterior import DEMONSTRATOR, Evidence

HELD_OUT = 1  # the second number of a document's seed: 0 in training


@dataclass(frozen=True)
class PretrainingError:
    """Total variation to the oracle on held-out documents, by document and episode position (mean over steps)."""

    by_document: Float[np.ndarray, "N T"]

    @property
    def by_position(self) -> Float[np.ndarray, " T"]:
        return self.by_document.mean(axis=0)

    @property
    def mean(self) -> float:
        return float(self.by_document.mean())

    @property
    def half_width(self) -> float:
        """Of the 95% confidence interval of the mean, documents being independent."""
        means = self.by_document.mean(axis=1)
        return float(1.96 * means.std(ddof=1) / np.sqrt(len(means)))


def pretraining_error(
    path: Path,
    beliefs: Beliefs,
    num_documents: int = 256,
    num_episodes: int | None = None,
    seed: int = 0,
    behaviour: str = "uniform",
) -> PretrainingError:
    """Read held-out documents with the checkpoint and the oracle side by side, by the code that plans at run time.

    With several Actors the errors of their conditionals add up, weighted by the oracle's law of the earlier parts: a
    bound on the total variation of the joint subgoal (for documents whose `behaviour` is uniform).
    """
    planner = TransformerPlanner(path)
    recipe = planner.checkpoint.about["recipe"]
    rho = float(recipe["rho"])
    num_episodes = num_episodes or planner.window
    oracle = ExactPlanner(beliefs, Evidence(DEMONSTRATOR, rho) if rho else Evidence())
    documents = sample_documents(beliefs, num_documents, num_episodes, (seed, HELD_OUT), rho, behaviour)
    t = beliefs.tables
    instructions, observations = (np.array(names, dtype=object) for names in (t.instructions, t.observations))
    parts = [np.array(menu, dtype=object) for menu in t.menus]
    menus = [Menu.shared(menu) for menu in t.menus]
    shape = [len(menu) for menu in t.menus]
    always, nothing = np.ones(num_documents, dtype=bool), np.zeros(num_documents)
    error = np.zeros((num_documents, num_episodes))
    for reader in (planner, oracle):
        reader.start(Draws(seed, num_documents))
    for e in range(num_episodes):
        said: Opening | Outcome = Opening(
            e, instructions[documents.instructions[:, e]], observations[documents.observations[:, e, 0]]
        )
        for h in range(t.horizon):
            index = np.unravel_index(documents.subgoals[:, e, h], shape)
            joint = np.stack([part[i] for part, i in zip(parts, index, strict=True)], axis=1)
            for reader in (planner, oracle):
                reader.hear(said)
            likely = np.ones(num_documents)  # how much likelier the oracle plays the earlier parts than the behaviour
            for k, menu in enumerate(menus):
                ours, theirs = (reader.propose(menu, joint[:, :k]).probs for reader in (planner, oracle))
                error[:, e] += likely * 0.5 * np.abs(ours - theirs).sum(axis=1) / t.horizon
                likely = likely * shape[k] * theirs[np.arange(num_documents), index[k]]
            heard = observations[documents.observations[:, e, h + 1]]
            said = Outcome(e, h + 1, joint, heard, nothing, always)
        for reader in (planner, oracle):
            reader.hear(said)
    return PretrainingError(error)
