"""`published-bandits`: textbook explorers on bandits that others published, beside their numbers.

The hard setting of Krishnamurthy et al. 2024 ("Can large language models explore in-context?") has 5 arms, gap 0.2 and
100 pulls. The largest Bernoulli bandits of BanditBench (Nie et al. 2024) have 20 arms, gap 0.2 and 1,000 pulls. Its
Gaussian ones have as many arms; of them no number is given.

`greedy` pulls every arm once. Then it pulls the arm that has paid most on average. `ts` is Thompson sampling, from
Beta(1, 1) for pays of 0 and 1, else Gaussian of known spread. To an average of n pulls `ucb` adds 2 spread / sqrt(n),
as in the hard setting. `ucb-log` adds spread sqrt(2 log t / n), as in BanditBench.

None of them knows that exactly one arm is better, as exact planners on these worlds do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from parley import assemble
from parley.core.errors import BadInput
from parley.core.said import EpisodeRecord
from parley.core.tables import Tables
from parley.execute import RunConfig
from parley.experiments.base import Finding, all_hold, at_least
from parley.report.plots import dots_figure
from parley.report.summary import mean_band

NAME = "published-bandits"
CLAIM = (
    "In the hard setting of Krishnamurthy et al. 2024 Thompson sampling, UCB and greedy have the published median "
    "reward within 0.1. Suffix failures, least pulled arm and greedy share are within 0.07. In BanditBench with 20 "
    "arms, gap 0.2 and 1,000 pulls they have the published regret within 10%, and greedy loses less than both. UCB "
    "with the bonus of the hard setting loses less than greedy"
)
HARD, LARGE, GAUSSIAN = "bandit:arms=5,gap=0.2", "bandit:arms=20,gap=0.2,scenario=clothes", "gaussian-bandit:arms=20"
RULES = ("ts", "ucb", "greedy")  # of the hard setting
MORE = ("ts", "ucb-log", "ucb", "greedy")  # of the others
MEASURES = ("median_reward", "suffix_failures", "least_pulled", "greedy_share")
PUBLISHED = {"ts": (0.45, 0.007, 0.29, 0.58), "ucb": (0.55, 0.023, 0.18, 0.74), "greedy": (0.45, 0.473, 0.05, 1.0)}
REGRET = {"ts": 123.0, "ucb-log": 142.0, "greedy": 112.0}
NEAR, SHARE = 0.07, 0.1
NOT_JUDGED = "not judged"
MEDIAN = 0.1  # two pays of a hundred
REPLICATES = {HARD: 10_000, LARGE: 8000, GAUSSIAN: 2000}
REWARD, FAILED, LEAST, GREEDY, LOST = range(5)
BOOTSTRAPS = 2000

Pays = Float[np.ndarray, "R 5"]  # of each replicate: reward, and what else is measured


@dataclass(frozen=True)
class Pulling(RunConfig):
    """A cell: `runs` replicates of a textbook explorer for `episodes` pulls."""

    rule: str = "greedy"


def cells(quick: bool) -> Sequence[Pulling]:
    """Fewer replicates where it is to be quick."""
    found = []
    for world, episodes, rules in ((HARD, 100, RULES), (LARGE, 1000, MORE), (GAUSSIAN, 1000, MORE)):
        runs = REPLICATES[world] // (10 if quick else 1)
        found += [Pulling(world, "random", episodes=episodes, runs=runs, rule=rule) for rule in rules]
    return [cell for cell in found if not quick or cell.world != GAUSSIAN]


def measure(config: Pulling, bar: Callable[[EpisodeRecord, int], None]) -> Pays:
    """Pull for so many times, all replicates at once; the best arm is drawn from the world's prior."""
    tables = assemble.world(config.world).tables
    if tables is None or tables.horizon > 1:
        raise BadInput(f"world {config.world!r} is no bandit with tables: its horizon must be 1")
    rng = np.random.Generator(np.random.Philox(key=config.seed))
    return Machine(tables, rng, config).play()


class Machine:
    """Replicates of one bandit, side by side."""

    def __init__(self, tables: Tables, rng: np.random.Generator, config: Pulling) -> None:
        self.rng, self.config, num = rng, config, config.runs
        start = np.flatnonzero(tables.initial[0])[0]
        law, self.pays = tables.transition[:, start], tables.reward[:, 0]  # Z K S, S
        latent = rng.choice(len(tables.prior), size=num, p=tables.prior)
        self.cumulative: Float[np.ndarray, "R K S"] = law[latent].cumsum(axis=2)
        self.means: Float[np.ndarray, "R K"] = law[latent] @ self.pays
        self.binary = set(self.pays.tolist()) == {0.0, 1.0}
        self.spread = 0.5 if self.binary else 1 / 8  # of `gaussian-bandit`: its bins reach 4 spreads to either side
        self.rows = np.arange(num)
        self.pulls: Float[np.ndarray, "R K"] = np.zeros(self.means.shape)
        self.paid: Float[np.ndarray, "R K"] = np.zeros(self.means.shape)

    def play(self) -> Pays:
        found = np.zeros((self.config.runs, 5))
        best, last = self.means.argmax(axis=1), self.config.episodes
        found[:, FAILED] = 1.0
        for t in range(last):
            averages = np.where(self.pulls > 0, self.paid / np.maximum(self.pulls, 1), np.inf)
            arm = self._arm(averages, t)
            found[:, GREEDY] += averages[self.rows, arm] >= averages.max(axis=1)  # also what was never pulled
            law = self.cumulative[self.rows, arm]
            pay = self.pays[(law < self.rng.random((len(arm), 1)) * law[:, -1:]).sum(axis=1)]
            self.pulls[self.rows, arm] += 1
            self.paid[self.rows, arm] += pay
            found[:, REWARD] += pay
            found[:, LOST] += self.means.max(axis=1) - self.means[self.rows, arm]
            found[:, FAILED] *= (arm != best) | (2 * t < last)
        found[:, LEAST] = len(self.pulls[0]) * self.pulls.min(axis=1)
        found[:, [REWARD, LEAST, GREEDY]] /= last
        return found

    def _arm(self, averages: Float[np.ndarray, "R K"], t: int) -> Int[np.ndarray, " R"]:
        """The arm that the rule pulls; ties are broken at random."""
        number, rule = np.maximum(self.pulls, 1), self.config.rule
        index = averages
        if rule == "ts" and self.binary:
            index = self.rng.beta(1 + self.paid, 1 + self.pulls - self.paid)
        elif rule == "ts":
            index = averages + self.rng.normal(size=averages.shape) * self.spread / np.sqrt(number)
        elif rule != "greedy":
            wide = np.sqrt(2 * np.log(t + 1)) if rule == "ucb-log" else 2.0
            index = averages + self.spread * wide / np.sqrt(number)
        ties = index >= index.max(axis=1, keepdims=True)
        return np.asarray((ties * self.rng.random(ties.shape)).argmax(axis=1))


def analyse(configs: Sequence[Pulling], kept: Sequence[Pays]) -> Finding:
    """The smallest margin below a limit decides; intervals hold together with 95% (Bonferroni)."""
    found = {(c.world, c.rule): one for c, one in zip(configs, kept, strict=True)}
    rows = [row for rule in RULES for row in _hard(found[HARD, rule], rule)]
    for world in dict.fromkeys(c.world for c in configs if c.world != HARD):
        lost = {rule: found[world, rule][:, LOST] for rule in MORE}
        rows += [_lost(world, rule, lost[rule]) for rule in MORE]
        rows += [_pays(world, rule, lost[rule], lost["greedy"]) for rule in MORE[:3]]
    judged = [row for row in rows if row["verdict"] != NOT_JUDGED]
    worst = min(judged, key=lambda row: row["interval"][0])
    verdict = all_hold([row["verdict"] for row in judged])
    return Finding(CLAIM, verdict, worst["margin"], tuple(worst["interval"]), "smallest margin below a limit", rows)


WIDE, TAIL = 3.0, 0.00135  # standard errors and share beyond: 19 intervals hold together with 95%


def _hard(one: Pays, rule: str) -> list[dict[str, Any]]:
    """The four measures of the hard setting; rewards in units of the gap above the other arms' mean."""
    reward = (one[:, REWARD] - 0.4) / 0.2
    rng = np.random.default_rng(0)
    medians = [float(np.median(rng.choice(reward, len(reward)))) for _ in range(BOOTSTRAPS)]
    theirs = PUBLISHED[rule]
    away = np.abs(np.quantile(medians, (TAIL, 0.5, 1 - TAIL)) - theirs[0])  # pays are whole, so medians leap
    median = _row(HARD, rule, MEASURES[0], float(np.median(reward)), theirs[0], MEDIAN - away[1], 0.0)
    low, high = float(MEDIAN - away.max()), float(MEDIAN - away.min())
    rows = [{**median, "interval": [low, high], "verdict": at_least(low, high, 0.0)}]
    for name, m, published in zip(MEASURES[1:], (FAILED, LEAST, GREEDY), theirs[1:], strict=True):
        value, error = float(one[:, m].mean()), float(one[:, m].std() / len(one) ** 0.5)
        rows.append(_row(HARD, rule, name, value, published, NEAR - abs(value - published), error))
    return rows


def _lost(world: str, rule: str, lost: Float[np.ndarray, " R"]) -> dict[str, Any]:
    mean, error = float(lost.mean()), float(lost.std() / len(lost) ** 0.5)
    if world != LARGE or rule not in REGRET:
        return {**_row(world, rule, "regret", mean, None, 0.0, error), "verdict": NOT_JUDGED}
    margin = SHARE - abs(mean / REGRET[rule] - 1)
    return _row(world, rule, "regret", mean, REGRET[rule], margin, error / REGRET[rule])


def _pays(world: str, rule: str, lost: Float[np.ndarray, " R"], greedy: Float[np.ndarray, " R"]) -> dict[str, Any]:
    """What the explorer loses more than greedy, of what it loses; less, where its bonus is small."""
    mean, more = float(lost.mean()), float(lost.mean() - greedy.mean())
    error = float((lost.var() / len(lost) + greedy.var() / len(greedy)) ** 0.5)
    margin = -more / mean if rule == "ucb" else more / mean
    row = _row(world, rule, "more than greedy", more, None, margin, error / mean)
    return row if world == LARGE else {**row, "verdict": NOT_JUDGED}


def _row(
    world: str, rule: str, measured: str, value: float, published: float | None, margin: float, error: float
) -> dict[str, Any]:
    low, high = margin - WIDE * error, margin + WIDE * error
    return {
        "world": world,
        "rule": rule,
        "measured": measured,
        "value": value,
        "published": published,
        "margin": margin,
        "interval": [low, high],
        "verdict": at_least(low, high, 0.0),
    }


def figure(configs: Sequence[Pulling], kept: Sequence[Pays]) -> Figure:
    """Regret of a pull by world and rule, where all rules were pulled."""
    found = [
        (c, mean_band(one[:, [LOST]] / c.episodes)) for c, one in zip(configs, kept, strict=True) if c.world != HARD
    ]
    columns, halves = (
        {rule: [float(lost[i][0]) for c, lost in found if c.rule == rule] for rule in MORE} for i in (0, 1)
    )
    names = list(dict.fromkeys(config.world.partition(",")[0] for config, _ in found))
    drawn = dots_figure(f"{NAME}, T = 1,000", "regret of a pull, in units of the pay", names, columns, halves)
    drawn.axes[0].set(xscale="linear", xlim=(0, None))
    return drawn
