"""Does a world reveal itself? Escape times and costs of BAIL without exploration, for every latent (theory.md 4)."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs
from parley.theory.chains import PAYS, chain, fate
from parley.theory.distinguishability import Classes
from parley.theory.simulate import simulate
from parley.theory.tree import EpisodeTree

DECODINGS = ("greedy", "sample")
MAX_NODES = 20_000  # of the tree from which exact chains are built
RUNS, EPISODES = 32, 200  # of a simulation, at most; a latent


@dataclass(frozen=True)
class Escape:
    """What acting on beliefs costs under one true latent, from the prior, without exploration.

    `escape`: expected number of the first `episodes` episodes that cost more than 0.01; inf where there is no end to
    them. `cost`: expected regret of the first `episodes` episodes, its `interval` 95 per cent where it was simulated;
    `late`: of one episode, over the last tenth of them. `stuck`: probability of paying for ever (simulated: share of
    runs that still pay at the end). `believing`: the latents held likely where most is lost in the end.
    """

    latent: str
    decoding: str
    instruction: str | None  # None: all in random order
    method: str  # "exact" or "simulated"
    episodes: int
    escape: float
    cost: float
    interval: tuple[float, float]
    late: float
    stuck: float
    believing: tuple[str, ...]
    spread: float  # standard deviation of a run's cost


@dataclass(frozen=True)
class Traps:
    """All escapes of a world, the most costly first, and what they say in a sentence."""

    escapes: tuple[Escape, ...]
    verdict: str

    def reveals(self, decoding: str) -> bool:
        """Whether a planner that decodes so stops paying within the episodes, whatever the latent."""
        return all(found.late <= PAYS for found in self.escapes if found.decoding == decoding)

    def as_json(self) -> dict[str, Any]:
        """Plain numbers and strings; infinite escape times become None."""
        rows = [
            {
                **asdict(e),
                "escape": e.escape if np.isfinite(e.escape) else None,
                "interval": list(e.interval),
                "believing": list(e.believing),
            }
            for e in self.escapes
        ]
        reveals = {how: self.reveals(how) for how in DECODINGS}
        return {"verdict": self.verdict, "reveals_itself": reveals, "escapes": rows}


def traps(beliefs: Beliefs, classes: Classes, episodes: int = 1000, seed: int = 0) -> Traps:
    """Follow BAIL from the prior for every latent, both decodings, each instruction alone and all in random order.

    Exact where the beliefs at the starts of episodes are at most `chains.MAX_BELIEFS`, else simulated from `seed`.
    """
    if episodes < 1:
        raise BadInput(f"episodes={episodes}: expected at least 1")
    num = len(beliefs.tables.instructions)
    asked = [(w,) for w in range(num)] + ([tuple(range(num))] if num > 1 else [])
    try:
        tree = EpisodeTree(beliefs, tuple(group[0] for group in classes.members), True, MAX_NODES)
    except BadInput:  # too large
        tree = None
    found: list[Escape] = []
    for how in DECODINGS:
        for instructions in asked:
            exact = chain(tree, classes, how, instructions) if tree else None
            if exact is not None:
                fates = [fate(exact, c, episodes) for c in range(len(classes.members))]
                numbers = [(f.escape, f.cost, (f.cost, f.cost), f.late, f.stuck, f.belief, f.spread) for f in fates]
                found += _escapes(beliefs, classes, how, instructions, "exact", episodes, numbers)
            else:
                few = min(episodes, EPISODES)
                numbers = _measure(beliefs, classes, how, instructions, few, seed)
                found += _escapes(beliefs, classes, how, instructions, "simulated", few, numbers)
    found = sorted(found, key=lambda e: (-e.late if e.late > PAYS else 0.0, -e.cost))
    return Traps(tuple(found), verdict(beliefs, tuple(found)))


def _measure(
    beliefs: Beliefs, classes: Classes, how: str, instructions: tuple[int, ...], episodes: int, seed: int
) -> list[tuple[Any, ...]]:
    done = simulate(beliefs, classes, how, instructions, RUNS, episodes, seed)
    last = max(1, episodes // 10)
    rows = []
    for loss, belief in zip(done.loss, done.belief, strict=True):
        cost, late = loss.sum(axis=1), loss[:, -last:].mean(axis=1)
        half = 1.96 * cost.std(ddof=1) / np.sqrt(len(cost))
        paying = late > PAYS
        held = belief[paying].mean(axis=0) if paying.any() else belief.mean(axis=0)
        interval = (max(0.0, cost.mean() - half), cost.mean() + half)
        pays = (loss > PAYS).sum(axis=1).mean()
        rows.append((pays, cost.mean(), interval, late.mean(), paying.mean(), held, cost.std(ddof=1)))
    return rows


def _escapes(
    beliefs: Beliefs,
    classes: Classes,
    how: str,
    instructions: tuple[int, ...],
    method: str,
    episodes: int,
    numbers: list[tuple[Any, ...]],
) -> list[Escape]:
    t = beliefs.tables
    asked = t.instructions[instructions[0]] if len(instructions) == 1 else None
    names = [t.latents[group[0]] for group in classes.members]
    rows = []
    for name, prior, of in zip(names, classes.prior, numbers, strict=True):
        escape, cost, interval, late, stuck, belief, spread = of
        if prior > 0:
            order = np.argsort(-belief, kind="stable")
            likely = tuple(names[c] for c in order[: 1 if belief[order[0]] >= 0.5 else 2])
            between = (float(interval[0]), float(interval[1]))
            rest = (float(escape), float(cost), between, float(late), float(stuck), likely, float(spread))
            rows.append(Escape(name, how, asked, method, episodes, *rest))
    return rows


def verdict(beliefs: Beliefs, escapes: tuple[Escape, ...]) -> str:
    """One sentence: whether the world reveals itself, and the worst trap in its own words."""
    name, several = beliefs.tables.name, len(beliefs.tables.instructions) > 1
    greedy, sample = (_worst(escapes, how) for how in DECODINGS)
    if max(greedy.late, sample.late) <= PAYS:
        most = max(greedy, sample, key=lambda e: e.cost)
        return (
            f"{name} reveals itself: whatever the latent, acting on beliefs costs at most {_say(greedy.cost)} deciding "
            f'greedily and {_say(sample.cost)} sampling, in {greedy.episodes} episodes (most where "{most.latent}")'
        )
    if greedy.late > PAYS:
        alike = (e for e in escapes if (e.latent, e.instruction) == (greedy.latent, greedy.instruction))
        return f"{name} does not reveal itself: {_tell(greedy, several)}; {_also(_worst(tuple(alike), 'sample'))}"
    return (
        f"{name} does not reveal itself to a planner that samples: {_tell(sample, several)}; deciding greedily it does"
    )


def _worst(escapes: tuple[Escape, ...], how: str) -> Escape:
    return max((e for e in escapes if e.decoding == how), key=lambda e: (e.late > PAYS, e.cost))


def _tell(e: Escape, several: bool) -> str:
    held = " or ".join(f'"{name}"' for name in e.believing)
    asked = f' asked to "{e.instruction}",' if several and e.instruction is not None else ""
    kind = "greedy" if e.decoding == "greedy" else "sampling"
    if e.method == "exact" and e.stuck > 0.999:
        return (
            f'believing {held},{asked} a {kind} planner never learns "{e.latent}": {_say(e.late)} an episode, for ever'
        )
    return (
        f'believing {held},{asked} a {kind} planner pays {_say(e.late)} an episode for not knowing "{e.latent}" '
        f"after {e.episodes} episodes ({e.stuck:.0%} of runs {'will for ever' if e.method == 'exact' else 'do'})"
    )


def _also(e: Escape) -> str:
    if e.late > PAYS:
        return f"a sampling one has lost {_say(e.cost)} after {e.episodes} episodes and still pays"
    return f"a sampling one learns it at a cost of {_say(e.cost)}, in {_say(e.escape)} episodes"


def _say(x: float) -> str:
    return f"{x:.2g}" if x < 10 else f"{x:,.0f}"
