"""Statistics of a run's choices that need no tables: does it stop trying, never commit, or leave what did better?

All are about first decisions. A *place* is an instruction and a first observation, and an *arm* is a subgoal of its
menu. An arm is worth the return of the episode that began with it. Suffix failure, MinFrac and GreedyFrac are those of
Krishnamurthy, Harris, Foster, Zhang and Slivkins (2024, section 3). Here the log says which arm is best, not the truth.
Coverage and repetition follow Schmied, Bornschein, Grau-Moya, Wulfmeier and Pascanu (2025).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from parley.runs.log import LoggedEpisode

TRIES = 4  # of an arm, before its mean return counts as known
OFTEN = 4  # times that a place is met in the second half, before it is judged


@dataclass
class Place:
    """What one run did at one place: the episodes, the arms' numbers in `menu`, returns, and what was explored."""

    menu: tuple[str, ...]
    episodes: list[int] = field(default_factory=list)
    arms: list[int] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    explored: list[bool] = field(default_factory=list)

    def worth(self, upto: int | None = None) -> dict[int, list[float]]:
        """Returns by arm, of all episodes or the first `upto`."""
        found: dict[int, list[float]] = {}
        for arm, value in zip(self.arms[:upto], self.returns[:upto], strict=True):
            found.setdefault(arm, []).append(value)
        return found


Places = list[dict[tuple[str, ...], Place]]


def places_of(told: Sequence[LoggedEpisode], num: int) -> Places:
    """What every run did at every place. A place whose menu is another one is another place."""
    found: Places = [{} for _ in range(num)]
    for t, episode in enumerate(told):
        explored = np.any([step.explored for step in episode.steps], axis=0)
        returns = np.sum([np.where(step.active, step.rewards, 0.0) for step in episode.steps], axis=0)
        first = episode.steps[0]
        for run in np.flatnonzero(first.active).tolist():
            menu, chosen = first.menus[0].row(run), str(first.subgoals[run, 0])
            if chosen not in menu:
                continue
            heard = (str(episode.opening.instructions[run]), str(episode.opening.observations[run]))
            place = found[run].setdefault((*heard, *menu), Place(tuple(menu)))
            place.episodes.append(t)
            place.arms.append(menu.index(chosen))
            place.returns.append(float(returns[run]))
            place.explored.append(bool(explored[run]))
    return found


def statistics(places: Places, episodes: int) -> dict[str, float]:
    """The five, means over the places of all runs that can be judged; one that cannot be is left out.

    *suffix failure*: the arm with the best mean return is not chosen again in the second half. *MinFrac*: the share of
    the arm that is chosen least, times the number of arms: 1 for one who tries all alike to the end. *GreedyFrac*: the
    share of choices of the arm that was best so far. *coverage*: the share of the menu that was ever chosen.
    *repetition*: the share of choices that repeat the one before at that place.
    """
    all_places = [place for run in places for place in run.values() if len(place.menu) > 1]
    found: dict[str, list[float]] = {name: [] for name in ("suffix failure", "MinFrac", "GreedyFrac", "coverage")}
    found["repetition"] = []
    for place in all_places:
        count = np.bincount(place.arms, minlength=len(place.menu))
        if count.sum() >= len(place.menu):
            found["MinFrac"].append(float(len(place.menu) * count.min() / count.sum()))
            found["coverage"].append(float((count > 0).mean()))
        if len(place.arms) > 1:
            found["repetition"].append(float(np.mean(np.diff(place.arms) == 0)))
            found["GreedyFrac"].append(_greedy(place))
        left = left_behind(place, episodes)
        if left is not None:
            found["suffix failure"].append(float(left))
    return {name: float(np.mean(values)) for name, values in found.items() if values}


def left_behind(place: Place, episodes: int) -> bool | None:
    """Whether the best arm is not chosen in the second half; None where the place is not met often enough there."""
    late = [arm for arm, t in zip(place.arms, place.episodes, strict=True) if t >= episodes / 2]
    means = {arm: float(np.mean(values)) for arm, values in place.worth().items() if len(values) >= TRIES}
    if len(late) < OFTEN or len(means) < 2:
        return None
    return max(means, key=lambda arm: means[arm]) not in late


def _greedy(place: Place) -> float:
    """The share of choices, from the second on, of an arm whose mean return was highest so far."""
    total, count, greedy = np.zeros(len(place.menu)), np.zeros(len(place.menu)), []
    for arm, value in zip(place.arms, place.returns, strict=True):
        if count.any():
            means = np.where(count > 0, total / np.maximum(count, 1), -np.inf)
            greedy.append(means[arm] >= means.max() - 1e-12)
        total[arm], count[arm] = total[arm] + value, count[arm] + 1
    return float(np.mean(greedy))


@dataclass(frozen=True)
class Chance:
    """Late returns against those of choosing first arms at random, by the log; `explored` is a share of episodes."""

    late: float
    random: float
    error: float  # standard error of their difference
    explored: float

    @property
    def worse(self) -> bool:
        """Whether late episodes return less than random first choices do."""
        return self.late < self.random - self.error

    @property
    def no_better(self) -> bool:
        """Whether late episodes do not return more than random first choices, by two standard errors."""
        return self.late < self.random + 2 * self.error

    @property
    def as_dict(self) -> dict[str, float]:
        return {"late return": self.late, "return of choosing at random": self.random}


def against_chance(places: Places, episodes: int, late: float) -> Chance | None:
    """How late episodes (the last share `late`) compare with random first choices at the same places, by the log.

    None where no place has two arms tried often enough to tell: an arm that nobody tried has no known return.
    """
    gaps, returns, explored = [], [], []
    for place in (place for run in places for place in run.values()):
        means = [float(np.mean(values)) for values in place.worth().values() if len(values) >= TRIES]
        if len(means) < 2:
            continue
        for t, value, tried in zip(place.episodes, place.returns, place.explored, strict=True):
            if t >= episodes * (1 - late):
                gaps.append(value - float(np.mean(means)))
                returns.append(value)
                explored.append(tried)
    if len(gaps) < 2:
        return None
    mean, gap = float(np.mean(returns)), float(np.mean(gaps))
    error = float(np.std(gaps, ddof=1) / np.sqrt(len(gaps)))
    return Chance(mean, mean - gap, error, float(np.mean(explored)))
