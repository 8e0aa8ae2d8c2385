"""Failure signatures by a run's own outcomes, for worlds without tables: what it could have known from them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from parley.core.said import decode
from parley.report.signatures import (
    BELIEF,
    DOUBT,
    EXPLORE,
    FEWEST,
    HEALTHY,
    LATE,
    PAYS,
    PRETRAINING,
    UNKNOWN,
    Diagnosis,
    Evidence,
    over_runs,
)
from parley.report.statistics import OFTEN
from parley.runs.log import LoggedEpisode

SEEN = 0.2  # share of late decisions at places that were met before, from which anything is said
SETTLED = 2  # tries of an arm that leave no doubt
_Seen = dict[tuple[str, str, str], list[float]]  # returns by instruction, first observation and first subgoal


def without_tables(told: list[LoggedEpisode], num: int, how: str, secrets: bool, unit: float = 1.0) -> Diagnosis:
    """What a run's own returns, in units of the highest one, show by instruction, first observation and first subgoal.

    A run *ignores* its log where late, unexplored episodes give up more than `PAYS` each against another first subgoal.
    The run's own log shows what they give up. It is *in doubt* where late proposals keep `DOUBT` for a first subgoal
    tried once at most. The planner itself thinks that this subgoal may be better, and nobody finds out. A belief that
    feeds on itself leaves no doubt. `_unfounded` sees it where each run has a secret of its own (`secrets`). A planner
    of noisy labels keeps some share for every subgoal (`_noise`): that much is no doubt.
    """
    seen, late = _decisions(told, num, how, unit)
    noise = _noise(seen, late)
    judged = [_own(*one, noise) for one in zip(seen, late, strict=True)]
    ignored, doubt, kept = np.array([rows.mean(axis=0) if len(rows) else np.zeros(3) for rows in judged]).T
    ignores, doubts = ignored > PAYS, doubt > 0.5
    statistics = {"ignoring": float(ignores.mean()), "in doubt": float(doubts.mean()), "kept for worse": noise}
    look = [(int(run), late[run][-1].episode) for run in np.flatnonzero(ignores | doubts)[:5] if late[run]]
    by_episode = np.full((2, num, len(told)), np.nan)
    for run in range(num):
        by_episode[:, run, [one.episode for one in late[run]]] = judged[run][:, :2].T
    if ignores.sum() >= max(min(FEWEST, num), doubts.sum()):
        share = float(kept[ignores].mean())
        name = PRETRAINING if share > 0.1 else BELIEF
        said = f"{int(ignores.sum())} of {num} runs choose what their own log shows to be worse"
        evidence = _given_up(by_episode[0], ignores)
        return Diagnosis(name, said, statistics | {"for the better one": share}, look, evidence)
    if (met := _met(seen, late)) < SEEN:
        said = f"{1 - met:.0%} of late unexplored first decisions are at places that were hardly met before"
        return Diagnosis(UNKNOWN, said, statistics, [], _given_up(by_episode[0], np.ones(num, dtype=bool)))
    if doubts.sum() >= min(FEWEST, num):
        said = f"{int(doubts.sum())} of {num} runs keep thinking that something may be better, and do not try it"
        curves = {"of these runs": over_runs(by_episode[1], doubts)}
        return Diagnosis(EXPLORE, said, statistics, look, Evidence("share of runs in doubt", curves, 0.5))
    if secrets and (found := _unfounded(told, num)).runs.mean() > 0.5:
        said = f"{int(found.runs.sum())} of {num} runs grow sure in episodes that sounded alike in every run"
        return Diagnosis(
            BELIEF, said, statistics | {"unfounded": float(found.runs.mean())}, found.look(), found.evidence()
        )
    said = "no run chooses what it has seen to be worse, or leaves its doubts alone"
    return Diagnosis(HEALTHY, said, statistics, [], _given_up(by_episode[0], np.ones(num, dtype=bool)))


def _given_up(lost: Float[np.ndarray, "B T"], runs: Bool[np.ndarray, " B"]) -> Evidence:
    curves = {"of these runs": over_runs(lost, runs)}
    return Evidence("given up against the first subgoal that was best so far", curves, PAYS)


@dataclass
class _Decision:
    """The first decision of a late, unexplored episode: proposals as they were logged, and decoded."""

    episode: int
    place: tuple[str, str]
    menu: tuple[str, ...]
    probs: Float[np.ndarray, " M"]
    law: Float[np.ndarray, " M"]


def _decisions(told: list[LoggedEpisode], num: int, how: str, unit: float) -> tuple[list[_Seen], list[list[_Decision]]]:
    """Of every run: the returns that it saw, and its late, unexplored first decisions.

    What an explorer chose at a later step says nothing of the first subgoal: such a return does not count.
    """
    first = int(len(told) * (1 - LATE))
    seen: list[_Seen] = [{} for _ in range(num)]
    late: list[list[_Decision]] = [[] for _ in range(num)]
    for t, episode in enumerate(told):
        explored = np.any([step.explored for step in episode.steps], axis=0)
        returns = np.sum([np.where(step.active, step.rewards, 0.0) for step in episode.steps], axis=0) / unit
        opening = episode.steps[0]
        probs = opening.proposals[0].probs
        law = decode(probs, how)
        later = explored & ~opening.explored
        for run in range(num):
            place = (str(episode.opening.instructions[run]), str(episode.opening.observations[run]))
            if not later[run]:
                seen[run].setdefault((*place, str(opening.subgoals[run, 0])), []).append(float(returns[run]))
            if t >= first and not explored[run]:
                menu = opening.menus[0].row(run)  # without what pads it
                size = len(menu)
                late[run].append(_Decision(t, place, menu, probs[run, :size], law[run, :size]))
    return seen, late


def _met(seen: list[_Seen], late: list[list[_Decision]]) -> float:
    """The share of late decisions at places that the run met `OFTEN` times at least; 0 where there is no decision."""
    met = [
        sum(len(returns) for (*place, _), returns in own.items() if tuple(place) == one.place) >= OFTEN
        for own, decisions in zip(seen, late, strict=True)
        for one in decisions
    ]
    return float(np.mean(met)) if met else 0.0


def _noise(seen: list[_Seen], late: list[list[_Decision]]) -> float:
    """The least share that late proposals of any run keep for an arm that did worse in it, tried `SETTLED` times.

    All runs have the same planner. Without noise some run has found out enough to keep nothing.
    """
    kept = [1.0]
    for own, decisions in zip(seen, late, strict=True):
        for one in decisions:
            means = {g: float(np.mean(v)) for g in one.menu if len(v := own.get((*one.place, g), [])) >= SETTLED}
            best = max(means.values(), default=0.0)
            kept += [float(p) for g, p in zip(one.menu, one.probs, strict=True) if means.get(g, best) < best]
    return min(kept) if len(kept) > 1 else 0.0


def _own(seen: _Seen, late: list[_Decision], noise: float) -> Float[np.ndarray, "n 3"]:
    """Of each decision: what it gives up, whether it leaves doubt (0 or 1), its probability of the best known arm."""
    found = np.zeros((len(late), 3))
    for row, one in zip(found, late, strict=True):
        tried = {g: seen.get((*one.place, g), []) for g in one.menu}
        known = {g: values for g, values in tried.items() if len(values) >= 4}
        if known:
            mean = {g: float(np.mean(values)) for g, values in known.items()}
            top = max(mean, key=lambda g: mean[g])
            error = max(float(np.std(values)) / np.sqrt(len(values)) for values in known.values())
            value = sum(p * mean.get(g, mean[top]) for g, p in zip(one.menu, one.law, strict=True))
            row[0] = max(0.0, mean[top] - value - error)
            row[2] = one.law[one.menu.index(top)]
        row[1] = any(p > DOUBT + noise and len(tried[g]) < SETTLED for g, p in zip(one.menu, one.probs, strict=True))
    return found


@dataclass
class _Moved:
    """How far first proposals moved, at a place, in episodes that told nothing."""

    by_episode: Float[np.ndarray, "B T"]  # total variation, so far
    limit: Float[np.ndarray, " B"]

    @property
    def runs(self) -> Bool[np.ndarray, " B"]:
        return self.by_episode[:, -1] > self.limit

    def look(self) -> list[tuple[int, int]]:
        """Where the first five of these runs moved most."""
        steps = np.diff(self.by_episode, axis=1, prepend=0.0)
        return [(int(run), int(steps[run].argmax())) for run in np.flatnonzero(self.runs)[:5]]

    def evidence(self) -> Evidence:
        curves = {"of these runs": over_runs(self.by_episode, self.runs)}
        quantity = "proposals' movement in episodes that told nothing"
        return Evidence(quantity, curves, float(self.limit[self.runs].mean()))


def _unfounded(told: list[LoggedEpisode], num: int) -> _Moved:
    """What first proposals made of episodes in which, at every step, all runs that got so far heard one and the same.

    Suppose that m runs with secrets of their own all hear the same. Then the chance of anything else was at most about
    3 / m (95%). Hearing the same moves a posterior by no more than that chance, in total variation. A belief that moves
    further does not come from the log.
    """
    ways = [[_way(episode, run) for run in range(num)] for episode in told]
    heard: dict[tuple[str, ...], tuple[set[str], set[int]]] = {}  # sentences that followed, and in which runs
    for run, way in ((run, way) for row in ways for run, way in enumerate(row)):
        for after, said in way:
            sentences, runs = heard.setdefault(after, (set(), set()))
            sentences.add(said)
            runs.add(run)
    by_episode, fewest = np.zeros((num, len(told))), np.full(num, num)
    for run in range(num):
        last: dict[tuple[str, ...], np.ndarray] = {}  # proposals since which nothing was told, by place and menu
        moved: dict[tuple[str, ...], np.ndarray] = {}
        for t, episode in enumerate(told):
            first = episode.steps[0]
            menu = first.menus[0].row(run)
            place = (str(episode.opening.instructions[run]), str(episode.opening.observations[run]), *menu)
            probs = first.proposals[0].probs[run, : len(menu)]
            moved[place] = moved.get(place, np.zeros_like(probs)) + probs - last.get(place, probs)
            last[place] = probs
            by_episode[run, t] = max(0.5 * float(np.abs(m).sum()) for m in moved.values())
            passed = [heard[after] for after, _ in ways[t][run]]
            if any(len(sentences) > 1 for sentences, _ in passed):
                last.clear()
            else:
                fewest[run] = min(fewest[run], *(len(runs) for _, runs in passed))
    return _Moved(by_episode, 3 / fewest)


def _way(episode: LoggedEpisode, run: int) -> list[tuple[tuple[str, ...], str]]:
    """What was heard at each step of one run's episode, with all that was said in the episode before it."""
    said: tuple[str, ...] = (str(episode.opening.instructions[run]), str(episode.opening.observations[run]))
    found: list[tuple[tuple[str, ...], str]] = []
    for step in episode.steps:
        if step.active[run]:
            after = (*said, str(step.subgoals[run, 0]))
            found.append((after, str(step.next_observations[run])))
            said = (*after, str(step.next_observations[run]))
    return found
