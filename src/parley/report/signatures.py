"""The failure signatures of theory.md section 8 and two more, what decides each, and what a diagnosis says."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from parley.core.said import Outcome, StepRecord

HEALTHY = "healthy"
EXPLORE = "too little exploration"
PRETRAINING = "pretraining error"
BELIEF = "wrong or deluded belief"
UNUSABLE = "unusable subgoals"
MODEL = "world-model error"
EXCESS_TRIALS = "too much exploration"
UNKNOWN = "cannot tell"
NEXT = {
    HEALTHY: "nothing: go on",
    EXPLORE: "explore: --explore adaptive (with tables), adaptive-proposals, or epsilon-greedy:epsilon=theory",
    PRETRAINING: "train the planner longer or on better labels (parley evaluate shows where it is off)",
    BELIEF: "check that the planner counts no subgoal of its own as evidence, and the model (parley world verify)",
    UNUSABLE: "change the prompt or the way answers are heard (parley prompt, way=...), or take another model",
    MODEL: "train the model on this world's observations (parley evaluate), or plan by imitation instead",
    EXCESS_TRIALS: "explore less: --explore epsilon-greedy:epsilon=theory, or one that stops by itself (adaptive)",
    UNKNOWN: "run longer, or with more runs (--episodes, --runs)",
}
TRIED = {  # what to say instead where the run has that explorer already
    EXPLORE: "this explorer does not find out enough: run longer, raise its share of trials, or take another explorer",
    EXCESS_TRIALS: "lower the explorer's share of trials, or end it: it costs more than it finds out",
}
PAYS = 0.03  # reward an unexplored late episode
LATE = 0.25  # share of the episodes, the last ones, that are judged
OWN = 0.5  # share of the loss that must be the planner's own doing for it to be blamed
ALIKE = 0.05  # total variation up to which two distributions are called the same
EXCESS = 0.05  # nats an observation that a world model may predict worse than the exact one
INVALID = 0.05  # share of unusable answers
DOUBT = 0.02  # probability of a subgoal that is hardly tried
FEWEST = 2  # runs that pay before anything is said


@dataclass(frozen=True)
class Evidence:
    """What a signature was decided by, episode by episode, NaN where an episode is not judged."""

    quantity: str
    curves: dict[str, Float[np.ndarray, " T"]]  # means over the judged runs
    limit: float

    def as_dict(self) -> dict[str, Any]:
        curves = {name: [None if np.isnan(x) else float(x) for x in curve] for name, curve in self.curves.items()}
        return {"quantity": self.quantity, "curves": curves, "limit": self.limit}


@dataclass(frozen=True)
class Diagnosis:
    """A signature, the numbers that decided it, the (run, episode)s to look at, and what to draw.

    `also` says what was seen beside it (`report.one_line`, `report.room`), empty where there is nothing to say.
    """

    signature: str
    because: str
    statistics: dict[str, float]
    look_at: list[tuple[int, int]]
    evidence: Evidence
    explorer: str = "none"  # of the run
    also: str = ""

    @property
    def try_next(self) -> str:
        """What to do about it; never what the run does already."""
        kind = self.explorer.partition(":")[0]
        return TRIED.get(self.signature, NEXT[self.signature]) if kind in NEXT[self.signature] else NEXT[self.signature]

    def as_dict(self) -> dict[str, Any]:
        steps = [list(pair) for pair in self.look_at]
        about = {"signature": self.signature, "because": self.because, "try_next": self.try_next}
        about |= {"also": self.also} if self.also else {}
        return {**about, "statistics": self.statistics, "look_at": steps, "evidence": self.evidence.as_dict()}


def outcome(t: int, step: StepRecord) -> Outcome:
    """What a planner hears of a logged step of episode t."""
    return Outcome(t, step.step, step.subgoals, step.next_observations, step.rewards, step.active)


def over_runs(values: Float[np.ndarray, "B T"], runs: Bool[np.ndarray, " B"]) -> Float[np.ndarray, " T"]:
    """Means over these runs, of the episodes that are judged in them (not NaN)."""
    return judged_mean(values[runs].T)


def judged_mean(values: Float[np.ndarray, "n m"]) -> Float[np.ndarray, " n"]:
    """Means of rows without their NaN; NaN where there is nothing else."""
    judged = ~np.isnan(values)
    count = judged.sum(axis=1)
    return np.where(count, np.where(judged, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
