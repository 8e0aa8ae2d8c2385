"""Held-out documents: trajectories that training never drew, from a behaviour or from the planner's own runs."""

import numpy as np

from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.errors import BadInput
from parley.core.roles import KeptPlanner
from parley.core.said import EpisodeRecord, StepRecord
from parley.data.behaviour import LOGS, parse_mix
from parley.data.documents import Documents, draw
from parley.exploration.explorers import NoExploration
from parley.loop import Cohort, run_cohort
from parley.theory.beliefs import Beliefs
from parley.worlds.kit.tabular.env import TabularWorld

HELD_OUT = 1  # the second number of a document's seed: 0 in training
OWN = {"own": "sample", "own-greedy": "greedy"}  # behaviours that are the planner's, and how they are decoded


def held_out(
    beliefs: Beliefs, planner: KeptPlanner, behaviour: str, num_documents: int, num_episodes: int, seed: int, rho: float
) -> Documents:
    """Documents of `behaviour`: a mix that does not look at z, or the planner's `own` runs (`own-greedy`: greedily).

    A share `rho` of the episodes is the expert's, as in training. Raises `BadInput` for behaviours whose subgoals are
    evidence that the oracle would not count.
    """
    if behaviour in OWN:
        return _own(beliefs, planner, OWN[behaviour], num_documents, num_episodes, seed)
    mix = parse_mix(behaviour)
    if any(part.knows or part.kind == LOGS for part in mix):
        raise BadInput(
            f"behaviour={behaviour!r}: a document must not look at z for the oracle to be exact; "
            f"expected uniform, imposter, mixed, a mix of these, or {' or '.join(OWN)}"
        )
    if rho and (behaviour != "uniform" or beliefs.tables.num_actors > 1):
        raise BadInput(
            f"behaviour={behaviour!r}: the checkpoint was trained with rho={rho}, whose oracle counts subgoals against "
            f"uniform ones: use uniform or {' or '.join(OWN)}"
        )
    rng = np.random.default_rng((seed, HELD_OUT))
    part = np.zeros(num_documents, dtype=np.intp)
    if len(mix) > 1:
        part = rng.choice(len(mix), size=num_documents, p=[one.share for one in mix])
    return draw(beliefs, mix, part, num_episodes, rng, rho)


class _Trajectories:
    """A recorder that keeps what was said, as indices."""

    def __init__(self, beliefs: Beliefs, latents: np.ndarray, num_episodes: int) -> None:
        self.tables = t = beliefs.tables
        n, shape = len(latents), (len(latents), num_episodes, t.horizon)
        self.documents = Documents(
            latents,
            np.zeros((n, num_episodes), dtype=np.intp),
            np.zeros((n, num_episodes, t.horizon + 1), dtype=np.intp),
            np.zeros(shape, dtype=np.intp),
            np.zeros((*shape, 0)),
        )

    def step(self, record: StepRecord) -> None:
        e, h, words = record.episode, record.step, self.tables.observation_words
        if h == 1:
            self.documents.observations[:, e, 0] = words.encode(record.observations)
        self.documents.observations[:, e, h] = words.encode(record.next_observations)
        self.documents.subgoals[:, e, h - 1] = self.tables.joint(record.subgoals)

    def episode(self, record: EpisodeRecord, snapshot: object = None) -> None:
        self.documents.instructions[:, record.episode] = self.tables.instruction_words.encode(record.instructions)

    def wants_snapshot(self) -> bool:
        return False


def _own(
    beliefs: Beliefs, planner: KeptPlanner, decode: str, num_documents: int, num_episodes: int, seed: int
) -> Documents:
    """Runs of the planner in the world of the tables, without labels, instructions in turn."""
    t, draws = beliefs.tables, Draws(seed, num_documents)
    latents = sample_rows(np.tile(t.prior, (num_documents, 1)), draws.uniform(Purpose.LATENT))
    kept, names = _Trajectories(beliefs, latents, num_episodes), np.array(t.instructions, dtype=object)
    planner.decode = decode
    run_cohort(
        Cohort(
            draws=draws,
            envs=TabularWorld(t).make(latents, draws),
            planner=planner,
            explorer=NoExploration(),
            recorder=kept,
            instructions=lambda e: np.full(num_documents, names[e % len(names)], dtype=object),
            num_episodes=num_episodes,
            horizon=t.horizon,
        )
    )
    return kept.documents
