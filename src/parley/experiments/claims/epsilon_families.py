"""How regret at the theory's rate depends on eta alone and on |Z| alone, and what is left of it without exploration.

Two families of worlds, each run at one T. In `treasure` with one prior of gold nothing but eta of the uniform policy
changes with the number of chests: all latents without gold are one class. In `signs` the sign never errs, and reading
it is the designed policy. So eta is 1, and |Z| alone changes. The prior of an empty house is a little larger than that
of any box, so that greedy BAIL takes from the shelf until a sign was read. The planner decodes greedily, as deployed
ones do: what exploration does not find, it does not find. The latent is the worst for it.

The bound has an exponent in 1/eta and in |Z|: 1/2, and the slope of a root of a logarithm. Measured exponents are held
against those: of the regret of all episodes, and of those only that were not exploration. Their regret is charged by
the probabilities executed given the coin.
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
from parley.theory.bounds import least_episodes, regret_bound, theory_epsilon
from parley.theory.curves import loglog_slope
from parley.theory.design import design
from parley.theory.distinguishability import classes_of, uniform

SMALL = 0.3  # the largest epsilon of the lengths that count
SLACK = 0.05  # by which a measured exponent may exceed the bound's
FAMILIES = {  # what alone changes: the worlds, the exploration policy, the worst latent, T over the least T
    "1 / eta": (tuple(f"treasure:n={n},p=0.05" for n in (16, 32, 64, 128)), "uniform", "0", 2),
    "|Z|": (tuple(f"signs:n={n},right=1.0,nowhere={1.1 / (n + 1.1):.6f}" for n in (3, 7, 15, 31)), "designed", "1", 10),
}
QUICK = slice(0, 3, 2)  # of a family, in the quick form
RUNS = 1_024


@dataclass(frozen=True)
class Alone(RunConfig):
    """A cell of a family in which the quantity `against` alone changes."""

    against: str = ""


@lru_cache(maxsize=32)
def sizes(world: str, policy: str = "uniform") -> tuple[int, float, int, float]:
    """H, eta of a policy, |Z| and c_Z of a world, over merged classes."""
    tables = assemble.world(world).tables
    assert tables is not None
    beliefs = assemble.beliefs_of(tables)
    classes = classes_of(beliefs)
    eta = assemble.eta_of(beliefs, uniform(beliefs)) if policy == "uniform" else design(beliefs, classes).eta
    return tables.horizon, eta, len(classes.members), classes.c_z


def least(world: str, policy: str = "uniform") -> int:
    """The least T whose epsilon is below 0.3."""
    length = least_episodes(*sizes(world, policy))
    while theory_epsilon(length, *sizes(world, policy)) >= SMALL:
        length = int(1.01 * length) + 1
    return length


def cells(quick: bool) -> list[Alone]:
    """Every world of every family, at one T for the family."""
    found = []
    for against, (worlds, policy, latent, factor) in FAMILIES.items():
        chosen = worlds[QUICK] if quick else worlds
        explore = f"epsilon-greedy:epsilon=theory,policy={policy}"
        episodes = factor * max(least(world, policy) for world in chosen)
        shared = {"episodes": episodes, "runs": RUNS, "latent": latent, "against": against}
        found += [Alone(world, "exact:decode=greedy", explore, **shared) for world in chosen]  # type: ignore[arg-type]
    return found


class CoinKnown:
    """Another explorer, whose choices report their distribution given that an episode is exploration, or is not."""

    def __init__(self, inner: Explorer) -> None:
        self.inner = inner
        self.start, self.hear = inner.start, inner.hear

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        choice, own = self.inner.choose(proposal, how, menu, moment), decode(proposal.probs, how)
        return Choice(choice.index, choice.explored, np.where(choice.explored[:, None], choice.law, own))


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
    expected_regret(config, bar, kept=apart, around=CoinKnown)
    return np.stack([np.sum(apart.regret, axis=0), np.asarray(apart.exploited)], axis=1)


def _policy(config: Alone) -> str:
    return FAMILIES[config.against][1]


def rows(configs: Sequence[RunConfig], kept: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """A row for each family and each of the two regrets: the measured exponent against the bound's."""
    found = []
    for against in FAMILIES:
        of_family = [(c, k) for c, k in zip(configs, kept, strict=True) if isinstance(c, Alone) and c.against == against]
        if of_family:
            found += [_row(against, part, of_family) for part in range(2)]
    return found


def _row(against: str, part: int, cells: list[tuple[Alone, Float[np.ndarray, "R 2"]]]) -> dict[str, Any]:
    of = [sizes(c.world, _policy(c)) for c, _ in cells]
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
