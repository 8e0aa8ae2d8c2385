"""The part of `continuous-control` at lengths T at which the theory's epsilon is below 0.3: on tables, then in physics.

In the whole house that takes T of 2 million. Here the house has two latents: the door from hall to study is locked, or
open. Uniform subgoals tell them apart with eta 0.47. The door is open, with prior 0.1, or with 0.00001: then it is
rarer than 1 / T. Epsilon is the theory's for T, and constant in a run, so what bends is regret as a function of T.

On tables the exact planner runs for T0, 2 T0 and 6 T0 episodes. In physics the transformer of the whole house runs for
T0, and on tables beside it with the same random numbers. It believes that the door is open with probability 0.36, as it
was trained. T is far beyond its documents, so there the theory does not speak about it: physics tests the order only.

Criterion, written before the first run of these cells. Each holds, or the claim is refuted (95% intervals).

1. Prior 0.1: over T0 to 6 T0 the log-log slope of regret in T is at most 0.9 with epsilon-greedy, and at least 0.99
   decoded greedily without exploration. At 6 T0 epsilon-greedy loses less than greedy decoding.
2. Prior 0.1: sampled decoding without exploration loses less than epsilon-greedy at every T.
3. Prior 0.00001: sampled decoding loses more than epsilon-greedy at 6 T0.
4. Physics, T0: sampled decoding loses less than epsilon-greedy. The regret of neither is further than a tenth of the
   tables' regret from what the same line loses on tables.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.execute import RunConfig
from parley.experiments.base import above, at_least, at_most, saved_share
from parley.experiments.slopes import within
from parley.theory.curves import MARGIN, loglog_slope

SMALL, STUDY = "house:locks=2,draughts=1", "fixed:0"
OPEN = "1"  # the latent in which the door from hall to study is open
PRIORS = {0.1: "usual=0.9", 0.00001: "usual=0.99999"}
SHORTEST = 1280  # T0: the theory's epsilon is 0.29 there with prior 0.1
GREEDY, SAMPLED, THEORY = "exact:decode=greedy", "exact", "epsilon-greedy"
LINES = ((GREEDY, "none"), (SAMPLED, "none"), (GREEDY, THEORY))
LEARNED = tuple((planner.replace("exact", "transformer"), explore) for planner, explore in LINES[1:])
NEAR = 0.1  # of the tables' regret
LINEAR = 0.99
FEW = 2  # runs in physics, of 1,280 episodes each
Totals = Mapping[tuple[str, str, str, int], Float[np.ndarray, " R"]]


@dataclass(frozen=True)
class Longer(RunConfig):
    """A cell of this part."""


def world(prior: float, physics: bool = False) -> str:
    """The house of two latents, on tables or in physics."""
    return f"{SMALL},{PRIORS[prior]}" + ("" if physics else ",low_level=false")


def cells(quick: bool) -> list[Longer]:
    """The exact planner's lines at every T; in full, also those of the rare door, and the transformer's."""
    common, rare = PRIORS
    runs, lengths = (16, (SHORTEST, 2 * SHORTEST)) if quick else (32, (SHORTEST, 2 * SHORTEST, 6 * SHORTEST))
    found = [
        _cell(world(prior), line, episodes, runs)
        for prior, mine in ((common, lengths), (rare, () if quick else lengths[-1:]))
        for episodes in mine
        for line in LINES
    ]
    places = () if quick else (world(common), world(common, physics=True))
    return found + [_cell(place, line, SHORTEST, FEW) for place in places for line in LEARNED]


def _cell(place: str, line: tuple[str, str], episodes: int, runs: int) -> Longer:
    return Longer(place, *line, episodes=episodes, runs=runs, latent=OPEN, instructions=STUDY, seed=1)


def judged(configs: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> list[dict[str, Any]]:
    """A row for each statement of the criterion that these cells can decide, with its verdict."""
    totals = {(c.world, c.planner, c.explore, c.episodes): r.sum(axis=1) for c, r in zip(configs, regrets, strict=True)}
    common, rare = (world(prior) for prior in PRIORS)
    lengths = sorted({t for place, planner, _, t in totals if (place, planner) == (common, GREEDY)})
    found = [_slope(totals, common, line, lengths) for line in (LINES[2], LINES[0])]
    found.append(_more(totals, common, LINES[0], LINES[2], lengths[-1]))
    found += [_more(totals, common, LINES[2], LINES[1], t) for t in lengths]
    if any(place == rare for place, *_ in totals):
        found.append(_more(totals, rare, LINES[1], LINES[2], lengths[-1]))
    return [*found, *_physics(totals)]


def _physics(totals: Totals) -> Iterator[dict[str, Any]]:
    """The transformer in physics: its lines against each other, and against the same on tables."""
    tables, physics = (world(next(iter(PRIORS)), physical) for physical in (False, True))
    if not any(place == physics for place, *_ in totals):
        return
    yield _more(totals, physics, LEARNED[1], LEARNED[0], SHORTEST)
    for line in LEARNED:
        pair = totals[physics, *line, SHORTEST], totals[tables, *line, SHORTEST]
        share, (low, high) = _gap(*pair, float(pair[1].mean()))
        row = {"statement": f"{_name(line)}: physics less tables, a share", "world": physics, "T": SHORTEST}
        yield {**row, "found": share, "interval": [low, high], "verdict": within(low, high, NEAR)}


def _slope(totals: Totals, place: str, line: tuple[str, str], lengths: Sequence[int]) -> dict[str, Any]:
    found = loglog_slope(np.array(lengths, dtype=float), [totals[place, *line, t] for t in lengths])
    exploring = line == LINES[2]
    verdict = at_most(found.low, found.high, 1 - MARGIN) if exploring else at_least(found.low, found.high, LINEAR)
    row = {"statement": f"{_name(line)}: slope of regret in T", "world": place, "T": lengths[-1], "found": found.value}
    return {**row, "interval": [found.low, found.high], "verdict": verdict}


def _more(totals: Totals, place: str, more: tuple[str, str], less: tuple[str, str], episodes: int) -> dict[str, Any]:
    gap, (low, high) = _gap(totals[place, *more, episodes], totals[place, *less, episodes])
    row = {"statement": f"{_name(more)} loses more than {_name(less)}", "world": place, "T": episodes, "found": gap}
    return {**row, "interval": [low, high], "verdict": above(low, high, 0.0)}


def _gap(
    more: Float[np.ndarray, " R"], less: Float[np.ndarray, " R"], scale: float = 1.0
) -> tuple[float, tuple[float, float]]:
    """Run by run, with Student's interval: a few runs are enough for no other."""
    return saved_share([(more[:, None], less[:, None])], [scale])


def _name(line: tuple[str, str]) -> str:
    """What a line does, in a word."""
    return "epsilon-greedy" if line[1] != "none" else "greedy" if "greedy" in line[0] else "sampled"
