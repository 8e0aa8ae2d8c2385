"""What a world model foretells of runs that it did not make: log-loss above the entropy floor, and calibration."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from parley import assemble
from parley.assemble.scene import Scene, beliefs_of
from parley.bench.logs import Log
from parley.core.roles import WorldModel
from parley.data.documents import Documents
from parley.evaluation.foresight import Foresight, foresight
from parley.planners.prediction import ExactWorldModel
from parley.planners.world_model import WorldModelPlanner

MOST_NATS = 0.5  # of an excess, which has to be bounded


def excess(planner: str, world: str, depth: int, logs: Sequence[Log]) -> Float[np.ndarray, " R"]:
    """Log-loss at a depth, above the exact world model's, in nats an observation; cut to -0.5 and 0.5 in every run."""
    return np.clip(_foreseen(logs[0], planner, world)[depth - 1].excess_nats.mean(axis=1), -MOST_NATS, MOST_NATS)


def miscalibration(planner: str, world: str, logs: Sequence[Log]) -> Float[np.ndarray, " R"]:
    """How far its probability of the next observation that it finds likeliest is from the exact probability.

    At least the expected calibration error, in which errors of a bin cancel (`evaluation.foresight`).
    """
    first = _foreseen(logs[0], planner, world)[0]
    found: Float[np.ndarray, " R"] = np.abs(first.confidence - first.truth).mean(axis=1)
    return found


def model_of(planner: str, world: str, num_episodes: int = 1, latents: ArrayLike = (0,)) -> WorldModel:
    """What the planner of a spec predicts by; raises `BadInput` where it does not fit the world."""
    made = assemble.world(world, trust=True)
    found = assemble.planner(planner, Scene(world, made, np.array(latents), num_episodes))
    assert isinstance(found, WorldModelPlanner)  # the suite asks no other
    return found.model


@lru_cache(maxsize=32)
def _foreseen(log: Log, planner: str, world: str) -> list[Foresight]:
    """Both models hear the runs of a log. Beyond depth 1 they predict in episodes 1, 2, 4, 8, ... of them."""
    model = model_of(planner, world, len(log.told), log.latents)
    deep = [2**k - 1 for k in range(len(log.told).bit_length())]
    return foresight(model, ExactWorldModel(beliefs_of(log.tables)), documents_of(log), log.tables, deep)


def documents_of(log: Log) -> Documents:
    """The runs as pretraining documents, without the expert's labels."""
    tables, told = log.tables, log.told
    words = tables.menu_words[0]
    seen = {text: i for i, text in enumerate(tables.observations)}
    asked = {text: i for i, text in enumerate(tables.instructions)}

    def indices(texts: np.ndarray, of: dict[str, int]) -> np.ndarray:
        return np.array([of[str(text)] for text in texts])

    heard = [
        [episode.opening.observations, *(log.heard(step.next_observations) for step in episode.steps)]
        for episode in told
    ]
    return Documents(
        log.latents,
        np.stack([indices(episode.opening.instructions, asked) for episode in told], axis=1),
        np.stack([np.stack([indices(texts, seen) for texts in each], axis=1) for each in heard], axis=1),
        np.stack(
            [np.stack([words.encode(s.subgoals[:, 0]) for s in episode.steps], axis=1) for episode in told], axis=1
        ),
        np.empty((log.runs, 0, 0, 0)),
    )
