"""Holds an abstract model against the physics: random subgoals for every latent, counted by declared mechanism.

A mechanism pools all (z, s, g) in which the same cause decides ("an open door is passed"). Its outcomes are pooled by
their rank: the likeliest by the tables, the second, and those that the tables rule out. The observed shares p^ are
compared with the tables' probabilities p for exactly the cells that were visited,

    TV = max over sets A of ranks of  p^(A) - p(A).

Its limits put the exact limits of Clopper and Pearson (1934) on every such share, shared out over the sets
(Bonferroni). That treats visits as independent draws given their cells.

What follows an outcome that hardly ever comes would take a thousand tries a visit. A world may bring such an outcome
about, by noise drawn given that it comes (`Abstraction.unlikely`). Some subgoals are carried out so. Such a forced
subgoal is not counted. The next one is: given the state before it, its outcome has the same distribution.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput, MissingExtra
from parley.core.roles import World
from parley.worlds.kit.driver import BEGINNING, Driver
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.text_env import TextEnv

IMPOSSIBLE = -1  # the outcome that the tables rule out
SPEECH = "the Reporter says: "  # mechanisms of the emission table, one for each kind of state


@dataclass
class Cell:
    """What was counted of one mechanism: visits, how often each outcome came, and how often the tables expected it.

    Outcomes are numbered by how likely the tables hold them in the cell that was visited, 0 the likeliest.
    """

    visits: int = 0
    seen: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    expected: dict[int, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, law: Float[np.ndarray, " n"], outcome: int) -> None:
        """One visit of a cell with these probabilities; `outcome` is an index into them, or -1 for an outcome without a
        name.
        """
        order = [int(i) for i in np.argsort(-law, kind="stable") if law[i] > 0]
        self.visits += 1
        self.seen[order.index(outcome) if outcome in order else IMPOSSIBLE] += 1
        for rank, i in enumerate(order):
            self.expected[rank] += float(law[i])


@dataclass(frozen=True)
class Verdict:
    """One mechanism's total variation between physics and tables, with its upper limit."""

    mechanism: str
    before: str  # the mechanism of the subgoal before; empty where all are pooled
    visits: int
    tv: float
    lower: float
    upper: float
    worst: str  # the outcome whose share differs most, with both shares

    def verdict(self, within: float) -> str:
        """holds; differs; or undecided, for which there are too few visits."""
        return "holds" if self.upper <= within else "differs" if self.lower > within else "undecided"


def verify(
    world: World,
    episodes: int,
    seed: int = 0,
    level: float = 0.99,
    progress: Callable[[int], None] | None = None,
) -> list[Verdict]:
    """Run `episodes` of random subgoals for each latent; pooled verdicts first, then those given the subgoal before.

    Subgoals are drawn, or chosen so that every mechanism is met often after every other (`driver.py`).
    Raises `BadInput` for a world without tables or without declared mechanisms.
    """
    if not isinstance(world, PhysicalWorld) or world.tables is None or world.abstraction is None:
        raise BadInput(f"world {world.name!r} declares no abstract model to verify (`Abstraction`, docs/worlds.md)")
    if episodes < 1:
        raise BadInput(f"episodes={episodes}: expected at least 1")
    cells: dict[tuple[str, str], Cell] = defaultdict(Cell)
    driver = Driver(world.tables, world.abstraction)
    for z in range(len(world.latents)):
        env = world.text_env(z)
        for episode in range(episodes):
            _count(world, env, z, (seed, z, episode), cells, driver)
            if progress:
                progress(z * episodes + episode + 1)
        env.close()
    pooled: dict[tuple[str, str], Cell] = defaultdict(Cell)
    for (mechanism, _), cell in cells.items():
        _merge(pooled[mechanism, ""], cell)
    return [_verdict(*key, cell, level) for key, cell in (*sorted(pooled.items()), *sorted(cells.items()))]


def _count(
    world: PhysicalWorld,
    env: TextEnv,
    z: int,
    seed: tuple[int, int, int],
    cells: dict[tuple[str, str], Cell],
    driver: Driver,
) -> None:
    """One episode of random subgoals."""
    t, a = world.tables, world.abstraction
    assert t is not None and a is not None
    rng, states = np.random.default_rng(seed), {name: i for i, name in enumerate(t.states)}
    env.reset(seed=int(rng.integers(2**31)))
    driver.begin(z, rng)
    now, before = a.state(env.raw), BEGINNING
    for left in range(world.horizon, 0, -1):
        if now not in states:
            raise BadInput(f"world {world.name!r}: its tables have no state {now!r}")
        g, mechanism, provoked = driver.choose(states[now], before, left, rng)
        with a.unlikely[mechanism](env.low) if provoked else nullcontext():
            said, *_ = env.step(t.subgoals[g])
        then = a.state(env.raw)
        if then not in states:
            raise BadInput(f"world {world.name!r}: its tables have no state {then!r}")
        if not provoked:
            cells[mechanism, before].add(t.transition[z, states[now], g], states[then])
        law = t.emission[z, states[then]]
        shape = " / ".join(f"{p:.3g}" for p in sorted(law[law > 0], reverse=True))
        heard = t.observations.index(said) if said in t.observations else -1
        cells[f"{SPEECH}{shape}", "in any state"].add(law, heard)
        now, before = then, mechanism


def _merge(into: Cell, cell: Cell) -> None:
    into.visits += cell.visits
    for name, count in cell.seen.items():
        into.seen[name] += count
    for name, p in cell.expected.items():
        into.expected[name] += p


def _verdict(mechanism: str, before: str, cell: Cell, level: float) -> Verdict:
    n = cell.visits
    shares = {r: (cell.seen.get(r, 0) / n, cell.expected.get(r, 0.0) / n) for r in {*cell.seen, *cell.expected}}
    tv = sum(abs(seen - table) for seen, table in shares.values()) / 2
    worst, (seen, table) = max(shares.items(), key=lambda item: abs(item[1][0] - item[1][1]))
    name = "what the tables rule out" if worst == IMPOSSIBLE else f"their outcome {worst + 1}"
    return Verdict(mechanism, before, n, tv, *limits(cell, level), f"{name}: {seen:.4f}, in the tables {table:.4f}")


def limits(cell: Cell, level: float) -> tuple[float, float]:
    """The least and the largest excess p(A) - table(A) that the counts leave possible, maximal over sets A."""
    groups = _few(cell)
    sets = [chosen for k in range(1, len(groups)) for chosen in combinations(groups, k)] or [tuple(groups)]
    n, lower, upper = cell.visits, 0.0, 0.0
    for chosen in sets:
        seen = int(sum(_total(cell.seen, group) for group in chosen))
        table = sum(_total(cell.expected, group) for group in chosen) / n
        alpha = (1 - level) / len(sets)
        upper = max(upper, _share_at_most(seen, n, alpha) - table)
        lower = max(lower, 1 - _share_at_most(n - seen, n, alpha) - table)
    return lower, min(upper, 1.0)


def _few(cell: Cell) -> list[tuple[int, ...]]:
    """Outcomes in at most 6 groups: the unlikeliest are one, and the impossible ones are one."""
    possible = sorted(cell.expected)
    groups: list[tuple[int, ...]] = [(rank,) for rank in possible[:4]]
    groups += [tuple(possible[4:])] if possible[4:] else []
    return [*groups, (IMPOSSIBLE,)]


def _total(counts: Mapping[int, float], group: tuple[int, ...]) -> float:
    return sum(counts.get(rank, 0) for rank in group)


def _share_at_most(seen: int, visits: int, alpha: float) -> float:
    """Clopper and Pearson's upper limit of a share."""
    try:
        from scipy.stats import beta
    except ImportError:
        raise MissingExtra("verifying a world", "theory") from None
    return 1.0 if seen >= visits else float(beta.ppf(1 - alpha, seen + 1, visits - seen))
