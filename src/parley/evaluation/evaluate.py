"""The pretraining error, measured: a checkpoint's distance to the exact BAIL oracle (theory.md 2 and 5).

Checkpoint and oracle read the same held-out documents side by side, by the code that plans at run time. Beyond the
episodes that a training document had, the planner's rule for cutting the prompt is at work. The oracle, by contrast,
still remembers everything.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Menu, Opening, Outcome
from parley.core.tables import Sentences
from parley.data.documents import Documents
from parley.data.held_out import held_out
from parley.evaluation.implied import implied_posterior
from parley.planners.exact import ExactPlanner
from parley.planners.transformer import TransformerPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.posterior import DEMONSTRATOR, Evidence, bail, normalised

LEAST = 1e-300  # a probability that underflowed


@dataclass(frozen=True)
class PretrainingError:
    """Distances to the oracle by document and episode position, means over steps; NaN where there is nothing to say.

    `total_variation`     Between the distributions over subgoals.
    `kl_nats`             KL divergence of the oracle's distribution over subgoals from the model's.
    `prediction_kl_nats`  KL divergence of the oracle's distribution of the next observation from the model's.
    `log_loss_nats`       Of the model on the observations that came; the oracle's own is the floor.
    `floor_nats`          That floor.
    `implied_posterior`   Total variation between implied and exact posterior at the episode's start.
    `identified`          Share of the posterior's dimensions that the episode's distributions say anything about.
    """

    total_variation: Float[np.ndarray, "N T"]
    kl_nats: Float[np.ndarray, "N T"]
    prediction_kl_nats: Float[np.ndarray, "N T"]
    log_loss_nats: Float[np.ndarray, "N T"]
    floor_nats: Float[np.ndarray, "N T"]
    implied_posterior: Float[np.ndarray, "N T"]
    identified: Float[np.ndarray, "N T"]
    latents: Int[np.ndarray, " N"]
    window: int  # episodes of a training document

    @property
    def by_position(self) -> Float[np.ndarray, " T"]:
        return self.total_variation.mean(axis=0)

    @property
    def mean(self) -> float:
        return float(self.total_variation.mean())

    @property
    def half_width(self) -> float:
        """Of the 95% confidence interval of the mean, documents being independent."""
        means = self.total_variation.mean(axis=1)
        return float(1.96 * means.std(ddof=1) / np.sqrt(len(means)))


PROPOSALS = ("total_variation", "kl_nats")
PREDICTIONS = ("prediction_kl_nats", "log_loss_nats", "floor_nats")
POSTERIORS = ("implied_posterior", "identified")
MEASURES = (*PROPOSALS, *PREDICTIONS, *POSTERIORS)


class Reader(TransformerPlanner):
    """The planner, which also says what it expects to hear."""

    def predict(self, subgoals: Sentences, observations: Sentences) -> Float[np.ndarray, "B O"]:
        """Probability distribution over the world's `observations` after the joint `subgoals` (B, K); its history stays
        as is.
        """
        tokens = self._subgoal(subgoals)
        self._tell(tokens[:, :-1])
        logits = self.cache.append(tokens[:, -1:], np.ones(self.num_runs, dtype=np.intp))
        self.cache.length = self.cache.length - 1  # `hear` will say it again
        logits = logits[:, self._observation(observations)].astype(np.float64)
        return normalised(logits)


def pretraining_error(
    path: Path,
    beliefs: Beliefs,
    num_documents: int = 256,
    num_episodes: int | None = None,
    seed: int = 0,
    behaviour: str = "uniform",
    implied: bool = False,
    evidence: Evidence | None = None,
    label_error: float = 0.0,
) -> PretrainingError:
    """Measure a checkpoint on held-out documents of a `behaviour` (see `held_out`); `implied` posteriors need scipy.

    With several Actors the errors of their conditionals add up, weighted by the oracle's probabilities of the earlier
    parts. For documents whose `behaviour` is uniform, this bounds the total variation of the joint subgoal. The oracle
    counts the evidence that matches the checkpoint's training, unless told which. It imitates experts who err with
    probability `label_error`, as labels in training may have done. Raises `BadInput` if the checkpoint is of another
    world.
    """
    if num_documents < 2 or (num_episodes is not None and num_episodes < 1):
        raise BadInput(f"documents={num_documents}, episodes={num_episodes}: expected at least 2 documents, 1 episode")
    planner = Reader(path)
    planner.require(beliefs.tables)
    rho = float(planner.checkpoint.about["recipe"]["rho"])
    oracle = ExactPlanner(beliefs, evidence or matching(rho), label_error=label_error)
    shape = (num_documents, num_episodes or planner.window)
    documents = held_out(beliefs, planner, behaviour, *shape, seed, rho)
    side = _SideBySide(planner, oracle, documents, implied)
    side.start(Draws(seed, num_documents))
    for e in range(shape[1]):
        side.read(e)
    return PretrainingError(**side.found, latents=documents.latents, window=planner.window)


def matching(rho: float) -> Evidence:
    """What a model counts as evidence that was trained on a share rho of expert trajectories (theory.md 2)."""
    return Evidence(DEMONSTRATOR, rho) if rho else Evidence()


class _SideBySide:
    """Planner and oracle as they read the same documents, and what was found so far."""

    def __init__(self, planner: Reader, oracle: ExactPlanner, documents: Documents, implied: bool) -> None:
        self.planner, self.oracle, self.documents = planner, oracle, documents
        self.tables = t = oracle.tables
        self.predicts = bool(planner.checkpoint.about["recipe"]["observation_weight"])  # else it never learned to
        self.implied = implied and not oracle.evidence.demonstrator and t.num_actors == 1 and t.num_latents > 1
        silent = (*(() if self.predicts else PREDICTIONS), *(() if self.implied else POSTERIORS))
        shape = documents.instructions.shape
        self.found = {name: np.full(shape, np.nan if name in silent else 0.0) for name in MEASURES}
        self.instructions, self.observations = (
            np.array(names, dtype=object) for names in (t.instructions, t.observations)
        )
        self.parts = [np.array(menu, dtype=object) for menu in t.menus]
        self.always, self.nothing = np.ones(shape[0], dtype=bool), np.zeros(shape[0])

    def start(self, draws: Draws) -> None:
        for reader in (self.planner, self.oracle):
            reader.start(draws)

    def hear(self, said: Opening | Outcome) -> None:
        for reader in (self.planner, self.oracle):
            reader.hear(said)

    def read(self, e: int) -> None:
        """One episode of every document."""
        documents, horizon = self.documents, self.tables.horizon
        instructions = self.instructions[documents.instructions[:, e]]
        self.hear(Opening(e, instructions, self.observations[documents.observations[:, e, 0]]))
        start, log_start = self.oracle.posterior, self.oracle.log_environment
        rows: list[np.ndarray] = []  # equations for the posterior at the episode's start
        for h in range(horizon):
            index = np.unravel_index(documents.subgoals[:, e, h], [len(part) for part in self.parts])
            joint = np.stack([part[i] for part, i in zip(self.parts, index, strict=True)], axis=1)
            seen = documents.observations[:, e, h + 1]
            with np.errstate(invalid="ignore"):  # a latent that o_1 excludes has the weight 0
                likely = np.nan_to_num(np.exp(self.oracle.log_environment - log_start))
            likely /= (likely * start).sum(axis=1, keepdims=True)
            unlike = [self._proposals(e, joint)]
            if self.predicts:
                unlike.append(self._predictions(e, h, joint, seen))
            if self.implied:
                rows += [(likely[:, :, None] * one).transpose(0, 2, 1) for one in unlike]
            self.hear(Outcome(e, h + 1, joint, self.observations[seen], self.nothing, self.always))
        for name in (*PROPOSALS, *PREDICTIONS):
            self.found[name][:, e] /= horizon
        if self.implied:
            distance, identified = implied_posterior(np.concatenate(rows, axis=1), start)
            self.found["implied_posterior"][:, e], self.found["identified"][:, e] = distance, identified

    def _proposals(self, e: int, joint: Sentences) -> Float[np.ndarray, "N Z M"]:
        """Compare the distributions over subgoals; returns each expert's distribution of the first part less the
        planner's.
        """
        oracle, rows = self.oracle, np.arange(len(joint))
        likely = np.ones(len(joint))  # how much likelier the oracle plays the earlier parts than the behaviour
        for k, words in enumerate(self.tables.menus):
            menu = Menu.shared(words)
            ours, theirs = (reader.propose(menu, joint[:, :k]).probs for reader in (self.planner, oracle))
            self.found["total_variation"][:, e] += likely * 0.5 * np.abs(ours - theirs).sum(axis=1)
            self.found["kl_nats"][:, e] += likely * kl(theirs, ours)
            likely = likely * len(words) * theirs[rows, self.tables.menu_words[k].encode(joint[:, k])]
        if not self.implied:
            return np.empty((len(joint), self.tables.num_latents, 0))
        return oracle.beliefs.policy(oracle.step, oracle.place, oracle.latent, oracle.instruction) - ours[:, None]

    def _predictions(self, e: int, h: int, joint: Sentences, seen: Int[np.ndarray, " N"]) -> Float[np.ndarray, "N Z O"]:
        """Compare the distributions of the next observation; returns each latent's less the planner's."""
        oracle, rows = self.oracle, np.arange(len(seen))
        subgoal = self.tables.joint(joint)[:, None]
        expected = oracle.beliefs.predict(h + 1, oracle.place, oracle.latent, subgoal)
        ours, theirs = self.planner.predict(joint, self.observations), bail(oracle.posterior, expected)
        self.found["prediction_kl_nats"][:, e] += kl(theirs, ours)
        self.found["log_loss_nats"][:, e] -= np.log(np.maximum(ours[rows, seen], LEAST))
        self.found["floor_nats"][:, e] -= np.log(np.maximum(theirs[rows, seen], LEAST))
        return expected - ours[:, None]


def kl(p: Float[np.ndarray, "N G"], q: Float[np.ndarray, "N G"]) -> Float[np.ndarray, " N"]:
    """KL(p || q) of each row, in nats."""
    return (p * (np.log(np.maximum(p, LEAST)) - np.log(np.maximum(q, LEAST)))).sum(axis=1)
