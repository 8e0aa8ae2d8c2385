"""What BAIL without exploration costs under every latent: exactly by its chain of beliefs, or from simulated runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.theory.beliefs import Beliefs
from parley.theory.chains import PAYS, Chain, fate
from parley.theory.distinguishability import Classes
from parley.theory.limits import lower_limit, upper_limit
from parley.theory.simulate import Simulated, most_lost, simulate

EPISODES = 200  # of a simulation, at most
BATCH, RUNS = 256, 4_096  # runs a latent: drawn at once, at most
WORK = 250_000_000  # steps simulated for a world, times its latents, at most: about a minute
LEVEL = 0.025  # to either side of an interval


@dataclass(frozen=True)
class Escape:
    """What acting on beliefs costs under one true latent, from the prior, without exploration.

    `paying` is the expected number of the first `episodes` episodes that cost more than 0.01. `escape` is the same, but
    inf if such episodes never end. `cost` is the expected regret of the first `episodes` episodes, with its 95 per cent
    `interval` if it was simulated. `late` is the expected regret of one episode, over the last tenth of them.

    `late_interval` has a lower limit that holds for all latents and instructions of a decoding at once. Its upper limit
    holds for each of them. It then holds for the largest as well, which is all that a verdict needs. Each limit holds
    with 97.5 per cent.

    `stuck` is the probability of paying for ever (simulated: share of runs that still pay at the end). `believing` are
    the latents held likely where most is lost in the end.
    """

    latent: str
    decoding: str
    instruction: str | None  # None: all in random order
    method: str  # "exact" or "simulated"
    episodes: int
    runs: int  # that were simulated; 0 where it is exact
    escape: float
    paying: float
    paying_spread: float  # standard deviation of a run's number of them
    cost: float
    interval: tuple[float, float]
    spread: float  # standard deviation of a run's cost
    late: float
    late_interval: tuple[float, float]
    stuck: float
    believing: tuple[str, ...]

    @property
    def pays(self) -> bool | None:
        """Whether it still costs more than 0.01 an episode at the end; None where the runs cannot tell."""
        low, high = self.late_interval
        return True if low > PAYS else False if high <= PAYS else None


def exact(
    beliefs: Beliefs, classes: Classes, how: str, instructions: tuple[int, ...], found: Chain, episodes: int
) -> Iterator[Escape]:
    """The escapes that a chain says, one for each class of latents that is possible."""
    for c in _possible(classes):
        f = fate(found, c, episodes)
        yield Escape(
            **_about(beliefs, classes, how, instructions, c, f.belief),
            method="exact",
            episodes=episodes,
            runs=0,
            escape=f.escape,
            paying=f.paying,
            paying_spread=f.paying_spread,
            cost=f.cost,
            interval=(f.cost, f.cost),
            spread=f.spread,
            late=f.late,
            late_interval=(f.late, f.late),
            stuck=f.stuck,
        )


def simulated(
    beliefs: Beliefs,
    classes: Classes,
    how: str,
    instructions: tuple[int, ...],
    episodes: int,
    seed: int,
    share: int,
) -> Iterator[Escape]:
    """The escapes that runs say, as many runs as it takes to tell that a latent goes on paying, or that all stop.

    `share`: this is one of so many simulations of a decoding, which share the work and the level of certainty.
    """
    episodes, possible = min(episodes, EPISODES), _possible(classes)
    most = np.maximum(most_lost(beliefs, classes, instructions), PAYS)
    last = max(1, episodes // 10)
    done: list[Simulated] = []
    while True:
        done.append(simulate(beliefs, classes, how, instructions, BATCH, episodes, seed, len(done)))
        loss = np.concatenate([one.loss for one in done], axis=1)
        late = loss[:, :, -last:].mean(axis=2)
        limits = {c: _limits(late[c], most[c], LEVEL / (share * len(possible))) for c in possible}
        told = any(low > PAYS for low, _ in limits.values()) or all(high <= PAYS for _, high in limits.values())
        if told or late.shape[1] + BATCH > RUNS or sum(one.work for one in done) > WORK / (2 * share):
            break
    belief = np.concatenate([one.belief for one in done], axis=1)
    for c in possible:
        cost, paying = loss[c].sum(axis=1), (loss[c] > PAYS).sum(axis=1)
        half, still = 1.96 * float(cost.std(ddof=1)) / np.sqrt(len(cost)), late[c] > PAYS
        held = belief[c][still] if still.any() else belief[c]
        yield Escape(
            **_about(beliefs, classes, how, instructions, c, held.mean(axis=0)),
            method="simulated",
            episodes=episodes,
            runs=len(cost),
            escape=float(paying.mean()),
            paying=float(paying.mean()),
            paying_spread=float(paying.std(ddof=1)),
            cost=float(cost.mean()),
            interval=(max(0.0, float(cost.mean()) - half), float(cost.mean()) + half),
            spread=float(cost.std(ddof=1)),
            late=float(late[c].mean()),
            late_interval=limits[c],
            stuck=float(still.mean()),
        )


def _possible(classes: Classes) -> list[int]:
    return [c for c, prior in enumerate(classes.prior) if prior > 0]


def _limits(late: Float[np.ndarray, " R"], most: float, level: float) -> tuple[float, float]:
    share = np.clip(late / most, 0.0, 1.0)
    return float(most * lower_limit(share, level)), float(most * upper_limit(share, LEVEL))


def _about(
    beliefs: Beliefs, classes: Classes, how: str, instructions: Sequence[int], c: int, belief: Float[np.ndarray, " C"]
) -> dict[str, Any]:
    t = beliefs.tables
    names = [t.latents[group[0]] for group in classes.members]
    order = np.argsort(-belief, kind="stable")
    return {
        "latent": names[c],
        "decoding": how,
        "instruction": t.instructions[instructions[0]] if len(instructions) == 1 else None,
        "believing": tuple(names[i] for i in order[: 1 if belief[order[0]] >= 0.5 else 2]),
    }
