"""The part of `continuous-control` at lengths T at which the theory's epsilon is below 0.3: on the house's tables.

In the whole house that takes T of 2 million. Here the house has two latents: the door from hall to study is locked, or
open. Uniform subgoals tell them apart with eta 0.47. The door is open, with prior 0.1, or with 0.00001: then it is
rarer than 1 / T. Epsilon is the theory's for T, and constant in a run, so what bends is regret as a function of T.

The exact planner runs for T0, 2 T0 and 6 T0 episodes, the transformer of the whole house for T0. It believes that the
door is open with probability 0.36, as it was trained. T is far beyond its documents, where the theory does not speak
about it. Physics of that length was in the criterion too: it was given up before any of it was seen, for its time.

Criterion, written before the first run of these cells. Each holds, or the claim is refuted (95% intervals).

1. Prior 0.1: over T0 to 6 T0 the log-log slope of regret in T is at most 0.9 with epsilon-greedy. It is at least 0.99
   decoded greedily without exploration. At 6 T0 epsilon-greedy loses less than greedy decoding.
2. Prior 0.1: sampled decoding without exploration loses less than epsilon-greedy at every T.
3. Prior 0.00001: sampled decoding loses more than epsilon-greedy at 6 T0.
4. The transformer, T0: sampled decoding loses less than epsilon-greedy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.execute import RunConfig
from parley.experiments.base import above, at_least, at_most, saved_share
from parley.theory.curves import MARGIN, loglog_slope

SMALL, STUDY = "house:locks=2,draughts=1", "fixed:0"
OPEN = "1"  # the latent in which the door from hall to study is open
PRIORS = {0.1: "usual=0.9", 0.00001: "usual=0.99999"}
SHORTEST = 1280  # T0: the theory's epsilon is 0.29 there with prior 0.1
GREEDY, SAMPLED, THEORY = "exact:decode=greedy", "exact", "epsilon-greedy"
LINES = ((GREEDY, "none"), (SAMPLED, "none"), (GREEDY, THEORY))
LEARNED = tuple((planner.replace("exact", "transformer"), explore) for planner, explore in LINES[1:])
LINEAR = 0.99
FEW = 2  # runs of the transformer
Totals = Mapping[tuple[str, str, str, int], Float[np.ndarray, " R"]]


@dataclass(frozen=True)
class Longer(RunConfig):
    """A cell of this part."""


def world(prior: float) -> str:
    """The house of two latents, on tables."""
    return f"{SMALL},{PRIORS[prior]},low_level=false"


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
    return found + [_cell(world(common), line, SHORTEST, FEW) for line in (() if quick else LEARNED)]


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
    if any(planner == LEARNED[0][0] for _, planner, *_ in totals):
        found.append({**_more(totals, common, LEARNED[1], LEARNED[0], SHORTEST), "by": "transformer"})
    return found


def _slope(totals: Totals, place: str, line: tuple[str, str], lengths: Sequence[int]) -> dict[str, Any]:
    found = loglog_slope(np.array(lengths, dtype=float), [totals[place, *line, t] for t in lengths])
    exploring = line == LINES[2]
    verdict = at_most(found.low, found.high, 1 - MARGIN) if exploring else at_least(found.low, found.high, LINEAR)
    row = {"statement": f"{_name(line)}: slope of regret in T", "world": place, "T": lengths[-1], "found": found.value}
    return {**row, "interval": [found.low, found.high], "verdict": verdict}


def _more(totals: Totals, place: str, more: tuple[str, str], less: tuple[str, str], episodes: int) -> dict[str, Any]:
    pair = totals[place, *more, episodes][:, None], totals[place, *less, episodes][:, None]
    gap, (low, high) = saved_share([pair], [1.0])  # run by run, with Student's interval
    row = {"statement": f"{_name(more)} loses more than {_name(less)}", "world": place, "T": episodes, "found": gap}
    return {**row, "interval": [low, high], "verdict": above(low, high, 0.0)}


def _name(line: tuple[str, str]) -> str:
    """What a line does, in a word."""
    return "epsilon-greedy" if line[1] != "none" else "greedy" if "greedy" in line[0] else "sampled"
