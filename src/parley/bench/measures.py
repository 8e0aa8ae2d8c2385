"""Numbers of runs, from batches of one or more arms: the entries of a card are their means.

Where an arm explores all the time, choices depend on no belief. Its proposals are held against those of the exact
planner, which heard the same. Most of these numbers are then differences, 0 for the exact planner.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from parley.bench.logs import Log, most_lost
from parley.report.statistics import statistics

Values = Float[np.ndarray, " R"]


def regret(logs: Sequence[Log]) -> Values:
    """Expected regret of an episode; at most that of the worst planner, so that it is bounded in every run."""
    return np.clip(logs[0].regret.mean(axis=1), 0.0, most_lost(logs[0].tables).max())


def saved(logs: Sequence[Log]) -> Values:
    """The same of the first arm, less that of the second."""
    return regret(logs[:1]) - regret(logs[1:])


def gained(logs: Sequence[Log]) -> Values:
    """Mean return of an episode of the second arm, less that of the first."""
    return (logs[1].returns - logs[0].returns).mean(axis=1)


def apart(logs: Sequence[Log]) -> Values:
    """Total variation between the proposals and Bayesian aggregated imitation of the same history."""
    return logs[0].apart


def overconfidence(logs: Sequence[Log]) -> Values:
    """The probability of the likeliest first subgoal, less what the expert who knows the latent gives it."""
    o = logs[0].openings
    best = o.proposed.argmax(axis=2)[:, :, None]
    return np.take_along_axis(o.proposed - o.expert, best, axis=2)[:, :, 0].mean(axis=0)


def evidence(logs: Sequence[Log]) -> Values:
    """Episodes heard until the expert's first subgoal gets half of the probability; all of them where it never does."""
    o = logs[0].openings
    knows = (o.proposed * (o.expert > 0)).sum(axis=2) >= 0.5
    return np.where(knows.any(axis=0), knows.argmax(axis=0), len(knows)).astype(float)


def moved(logs: Sequence[Log]) -> Values:
    """Total variation between a first proposal and that of the first episode that began alike."""
    return _mean(0.5 * np.abs(_since_first(logs[0])).sum(axis=2))


def own(logs: Sequence[Log]) -> Values:
    """How far proposals have moved in the direction of their own history, against the histories of the other runs.

    The exact planner moves with its history. One that reads another history, or none, does not.
    """
    exact = logs[0].openings.exact
    direction = exact - exact.mean(axis=1, keepdims=True)
    return np.clip(_mean((_since_first(logs[0]) * direction).sum(axis=2)), -0.5, 0.5)


def differs(logs: Sequence[Log]) -> Values:
    """Total variation between a first proposal and the mean of those in the runs of the batch that began alike."""
    o = logs[0].openings
    alike = (o.place[:, :, None] == o.place[:, None, :]).astype(float)
    mean = np.einsum("trs,tsm->trm", alike / alike.sum(axis=2, keepdims=True), o.proposed)
    apart = 0.5 * np.abs(o.proposed - mean).sum(axis=2)
    return _mean(np.where(alike.sum(axis=2) > 1, apart, np.nan)[1:])


def _since_first(log: Log) -> Float[np.ndarray, "T R M"]:
    """First proposals, less those of a run's first episode that began alike; NaN in that one."""
    o = log.openings
    found = np.full(o.proposed.shape, np.nan)
    for run in range(o.place.shape[1]):
        for place in np.unique(o.place[:, run]):
            at = np.flatnonzero(o.place[:, run] == place)
            found[at[1:], run] = o.proposed[at[1:], run] - o.proposed[at[0], run]
    return found


def _before(log: Log) -> tuple[np.ndarray, np.ndarray]:
    """At each episode: the first subgoal of the episode before, and how often each was chosen so far."""
    chosen, width = log.openings.chosen, log.openings.proposed.shape[2]
    counts = np.cumsum(np.eye(width)[chosen], axis=0)
    return chosen[:-1], counts[:-1]


def repeats(logs: Sequence[Log]) -> Values:
    """How much likelier than due the last choice is made again, where it is not the most frequent one."""
    o = logs[0].openings
    last, counts = _before(logs[0])
    excess = (o.proposed - o.exact)[1:]
    rare = np.take_along_axis(counts, last[:, :, None], axis=2)[:, :, 0] < counts.max(axis=2)
    again = np.take_along_axis(excess, last[:, :, None], axis=2)[:, :, 0]
    return _mean(np.where(rare, again, np.nan))


def delusion(logs: Sequence[Log]) -> Values:
    """How much likelier than due the choice is that was made most often, where it is not the last one.

    Choices were drawn blindly: how often each was made is no evidence of anything.
    """
    o = logs[0].openings
    last, counts = _before(logs[0])
    most = counts.argmax(axis=2)
    clear = (most != last) & ((counts == counts.max(axis=2, keepdims=True)).sum(axis=2) == 1)
    again = np.take_along_axis((o.proposed - o.exact)[1:], most[:, :, None], axis=2)[:, :, 0]
    return _mean(np.where(clear, again, np.nan))


def recency(logs: Sequence[Log]) -> Values:
    """How far proposals lean to what the later half of the history says, from the earlier half.

    Episodes may be swapped: the exact planner's proposals depend on no order. 1 is a whole swing between the halves.
    """
    log, o = logs[0], logs[0].openings
    found = np.full(o.place.shape, np.nan)
    for t in range(2, len(o.place)):
        middle = o.weights[t // 2]
        with np.errstate(invalid="ignore"):
            late = np.nan_to_num(o.weights[t] - middle, nan=0.0, neginf=-np.inf) + o.weights[0]
        usable = np.isfinite(late).any(axis=1)
        late = np.where(usable[:, None], late, o.weights[0])
        lean = log.exact_at(o.said[t], late) - log.exact_at(o.said[t], middle)
        size = np.abs(lean).sum(axis=1)
        gap = ((o.proposed[t] - o.exact[t]) * lean).sum(axis=1)
        found[t] = np.where(usable & (size > 0.2), gap / np.maximum((lean**2).sum(axis=1), 1e-9), np.nan)
    return np.clip(_mean(found), -1, 1)


def another(logs: Sequence[Log]) -> Values:
    """How much better proposals go with the history of some other run of the batch than with their own.

    The other run is chosen in the odd episodes and judged in the even ones. Only what a planner says differently in
    different runs counts: one that says the same in all of them goes with none.
    """
    o = logs[0].openings
    ours, theirs = (one - one.mean(axis=1, keepdims=True) for one in (o.proposed, o.exact))
    fits = np.einsum("trm,tsm->trs", ours, theirs)
    alike = o.place[:, :, None] == o.place[:, None, :]
    fits = np.where(alike, fits, np.nan)
    own = np.arange(fits.shape[1])
    odd, even = (np.nan_to_num(_mean(fits[at::2])) for at in (1, 0))
    odd[own, own] = -np.inf
    found: Values = np.clip(even[own, odd.argmax(axis=1)] - even[own, own], -0.5, 0.5)
    return found


def place_bias(logs: Sequence[Log]) -> Float[np.ndarray, "R M"]:
    """How much likelier than the exact planner each place of the menu is chosen, over all turns of the menu."""
    found: Float[np.ndarray, "R M"] = np.mean(
        [(log.openings.proposed - log.openings.exact).mean(axis=0) for log in logs], axis=0
    )
    return found


def statistic(name: str, logs: Sequence[Log]) -> Values:
    """One of the statistics of `report.statistics`, run by run; NaN where a run cannot be judged."""
    log = logs[0]
    each = [statistics([places], len(log.told)).get(name, np.nan) for places in log.places]
    return np.minimum(np.array(each), 1.0)


def invalid(logs: Sequence[Log]) -> Values:
    """The share of answers that chose nothing of the menu."""
    wrong, all_steps = np.zeros(logs[0].runs), np.zeros(logs[0].runs)
    for episode in logs[0].told:
        for step in episode.steps:
            valid = step.proposals[0].valid
            wrong += step.active & ~valid if valid is not None else 0
            all_steps += step.active
    return wrong / np.maximum(all_steps, 1)


def _mean(values: Float[np.ndarray, "T *R"]) -> np.ndarray:
    """Mean over episodes of the numbers that are there; NaN where none is."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        found: np.ndarray = np.where(there, values, 0.0).sum(axis=0) / np.where(
            there.any(axis=0), there.sum(axis=0), np.nan
        )
    return found
