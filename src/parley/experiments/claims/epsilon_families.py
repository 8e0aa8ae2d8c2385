"""How regret at the theory's rate depends on eta alone and on |Z| alone, with and without the exploration episodes.

Each family is run at one T. In `treasure` the exploration policy opens the first chest with probability q, and any
other chest else. As all latents without gold are one class, eta is q, and nothing but q changes. In `signs` the sign
never errs, and reading it is the designed policy. So eta is 1, and |Z| alone changes. An empty house is a little more
probable there than any full box. Greedy BAIL then takes from the shelf until a sign was read.

The planner decodes greedily, as deployed ones do: exploration must find everything. The latent is the worst for it.

The bound has an exponent in 1/eta, 1/2, and one in |Z|, the slope of a root of a logarithm. Measured exponents are held
against those. One is that of all episodes, the other of the episodes without exploration. Regret is charged by the
probabilities executed given the coin.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from parley import assemble
from parley.core.roles import Explorer
from parley.core.said import Choice, EpisodeRecord, Menu, Moment, Proposal, decode
from parley.execute import RunConfig
from parley.experiments.base import InMemory, at_most, expected_regret
from parley.exploration.explorers import EpsilonGreedy, weighted_policy
from parley.theory.bounds import least_episodes, regret_bound, theory_epsilon
from parley.theory.curves import loglog_slope
from parley.theory.design import design
from parley.theory.distinguishability import classes_of, uniform, weighted

SMALL = 0.3  # the largest epsilon of the lengths that count
SLACK = 0.05  # by which a measured exponent may exceed the bound's
Q = (1 / 16, 1 / 32, 1 / 64, 1 / 128)
BOXES = (3, 7, 15, 31)
MEMBERS = {  # world, policy, and the weight of the first subgoal in it
    "1 / eta": [("treasure:n=4,p=0.05", "uniform", q) for q in Q],
    "|Z|": [(f"signs:n={n},right=1.0,nowhere={1.1 / (n + 1.1):.6f}", "designed", 0.0) for n in BOXES],
}
FAMILIES = {"1 / eta": ("0", 1), "|Z|": ("1", 10)}  # the worst latent, T over the least T
QUICK = slice(0, 3, 2)  # of a family, in the quick form
RUNS = 512


@dataclass(frozen=True)
class Alone(RunConfig):
    """A cell of a family in which the quantity `against` alone changes.

    `first` is the weight of the first subgoal in the exploration policy; with 0 the explorer has the designed policy.
    """

    against: str = ""
    first: float = 0.0


@lru_cache(maxsize=32)
def sizes(world: str, policy: str = "uniform", first: float = 0.0) -> tuple[int, float, int, float]:
    """H, eta of a policy, |Z| and c_Z of a world, over merged classes."""
    tables = assemble.world(world).tables
    assert tables is not None
    beliefs = assemble.beliefs_of(tables)
    classes = classes_of(beliefs)
    if first:
        eta = assemble.eta_of(beliefs, weighted(beliefs, _weights(tables.menus[0], first)))
    else:
        eta = assemble.eta_of(beliefs, uniform(beliefs)) if policy == "uniform" else design(beliefs, classes).eta
    return tables.horizon, eta, len(classes.members), classes.c_z


def _weights(menu: Sequence[str], first: float) -> dict[str, float]:
    return {subgoal: first if i == 0 else (1 - first) / (len(menu) - 1) for i, subgoal in enumerate(menu)}


def least(*asked: Any) -> int:
    """The least T whose epsilon is below 0.3, of the arguments of `sizes`."""
    length = least_episodes(*sizes(*asked))
    while theory_epsilon(length, *sizes(*asked)) >= SMALL:
        length = int(1.01 * length) + 1
    return length


def cells(quick: bool) -> list[Alone]:
    """Every member of every family, at one T for the family."""
    found = []
    for against, (latent, factor) in FAMILIES.items():
        members = MEMBERS[against][QUICK if quick else slice(None)]
        episodes = factor * max(least(*member) for member in members)
        for spec, policy, first in members:
            rate = theory_epsilon(episodes, *sizes(spec, policy, first))
            explore = f"epsilon-greedy:epsilon={rate:.6f}" + (",policy=designed" if policy == "designed" else "")
            config = RunConfig(spec, "exact:decode=greedy", explore, episodes=episodes, runs=RUNS, latent=latent)
            found.append(Alone(**vars(config), against=against, first=first))
    return found


def _sizes(config: Alone) -> tuple[int, float, int, float]:
    return sizes(config.world, "uniform" if config.first else "designed", config.first)


class CoinKnown:
    """Epsilon-greedy whose choices report their distribution given that an episode is exploration, or is not."""

    def __init__(self, inner: EpsilonGreedy) -> None:
        self.inner = inner
        self.start, self.hear = inner.start, inner.hear

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        own, explore = decode(proposal.probs, how), self.inner.policy(menu, moment, len(proposal.probs))
        choice = self.inner.choose(proposal, how, menu, moment)
        return Choice(choice.index, choice.explored, np.where(choice.explored[:, None], explore, own))


class _Apart(InMemory):
    """Keeps the regret of all episodes and that of exploitation episodes, summed."""

    def __init__(self) -> None:
        super().__init__()
        self.exploited: np.ndarray | float = 0.0

    def episode(self, record: EpisodeRecord, snapshot: object = None) -> None:
        super().episode(record, snapshot)
        self.exploited = self.exploited + np.where(record.explored, 0.0, self.regret[-1])


def measure(config: Alone, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R 2"]:
    """Expected regret of a run given its coins: of all its episodes, and of those that were no exploration."""
    apart = _Apart()

    def around(explorer: Explorer) -> Explorer:
        assert isinstance(explorer, EpsilonGreedy)
        if config.first:
            tables = assemble.world(config.world).tables
            assert tables is not None
            explorer = EpsilonGreedy(explorer.epsilon, policy=weighted_policy(_weights(tables.menus[0], config.first)))
        return CoinKnown(explorer)

    expected_regret(config, bar, kept=apart, around=around)
    return np.stack([np.sum(apart.regret, axis=0), np.asarray(apart.exploited)], axis=1)


def rows(configs: Sequence[RunConfig], kept: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """A row for each family and each of the two regrets: the measured exponent against the bound's."""
    found = []
    for against in FAMILIES:
        of_family = [
            (c, k) for c, k in zip(configs, kept, strict=True) if isinstance(c, Alone) and c.against == against
        ]
        if of_family:
            found += [_row(against, part, of_family) for part in range(2)]
    return found


def _row(against: str, part: int, cells: list[tuple[Alone, Float[np.ndarray, "R 2"]]]) -> dict[str, Any]:
    of = [_sizes(c) for c, _ in cells]
    x = np.array([1 / eta if against == "1 / eta" else float(number) for _, eta, number, _ in of])
    bound = np.array([regret_bound(c.episodes, *size) for (c, _), size in zip(cells, of, strict=True)])
    centred = np.log(x) - np.log(x).mean()
    predicted = float(centred @ np.log(bound) / (centred @ centred))
    slope = loglog_slope(x, [k[:, part] for _, k in cells])
    return {
        "against": against,
        "regret of": ("all episodes", "episodes without exploration")[part],
        "values": x.tolist(),
        "regret": [float(k[:, part].mean()) for _, k in cells],
        "predicted": predicted,
        "slope": slope.value,
        "interval": [slope.low, slope.high],
        "verdict": at_most(slope.low, slope.high, predicted + SLACK),
        "T": cells[0][0].episodes,
        "runs": RUNS,
    }
