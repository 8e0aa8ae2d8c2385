"""`continuous-control`: transformers pretrained on abstract models, run in MuJoCo physics (He et al. 2024, 5).

In this house the door that is usually locked, hall to study, is open, and the task is always "come to the study". An
imitating planner walks round by the kitchen. The theory's epsilon with its constant is 1 up to T = 10^5 here. The
reason is that uniform subgoals tell the 30 classes of latents apart very slowly (the rows say how slowly). So
epsilon-greedy has its rate only, epsilon_t = t^(-1/2). `control_lengths` has a house of two latents, where the theory's
epsilon is below 0.3, and what would refute the claim there.

Sampled decoding without exploration is judged beside both: each must lose more. Its planner believes that the door is
open with probability 0.36, so it finds out by itself. These regrets (T = 96) were known before the claim named them,
those of the long runs (seed 1) were not.

In `sorter` a trial says at once whether a block belongs on a mat, whatever the planner believes. There imitation finds
out without exploring, and exploring only costs. It is shown beside the house; the claim is about the house.

The flat baseline is the same planner over subgoals of one low-level action (`cap=1`), in `house` and in `household`,
with as many calls. It gets nowhere; the calls and tokens it would need for the very same movements are one a low-level
action.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from parley import assemble
from parley.core.said import EpisodeRecord, StepRecord
from parley.execute import RunConfig, run
from parley.experiments.base import (
    NOT_SUPPORTED,
    SUPPORTED,
    UNDECIDED,
    Finding,
    InMemory,
    above,
    all_hold,
    at_most,
    difference,
    expected_regret,
)
from parley.experiments.claims import control_lengths
from parley.experiments.claims.control_lengths import Longer
from parley.report.films import render
from parley.report.plots import rows_figure
from parley.report.summary import reading
from parley.theory.bounds import regret_bound, theory_epsilon
from parley.theory.curves import MARGIN, growth
from parley.theory.distinguishability import classes_of, uniform

NAME = "continuous-control"
CLAIM = (
    "In MuJoCo physics the usually locked door is open, and a transformer pretrained on the abstract model plans. Its "
    "regret is linear if decoded greedily, and sublinear with epsilon-greedy exploration at t^(-1/2). Both lose less "
    "than as many calls over subgoals of one low-level action, and more than sampled decoding without exploration. On "
    "tables, the theory's epsilon below 0.3, epsilon-greedy is sublinear in T. It loses more than sampling, "
    "unless the open door's prior is below 1 / T"
)
GREEDY = "transformer:decode=greedy"
EPSILON = "epsilon-greedy:epsilon=1,power=0.5"
LINES = (
    (GREEDY, "none"),
    ("transformer", "none"),
    (GREEDY, EPSILON),
    (GREEDY, "adaptive-proposals"),
    ("exact", "none"),
)
SORTING = (*LINES[:4], ("exact:decode=greedy", "none"))
OPEN_DOOR, STUDY = "4", "fixed:0"  # the latent in which lounge|cellar alone is locked; "come to the study"
PAIRS = (("house", "house:cap=1"), ("household:low_level=true", "household:low_level=true,cap=1"))
FILMED = 4  # runs that are carried out again for the film
SETTLED = -10.0  # the exponent that is written where nothing is lost any more
Kept = Float[np.ndarray, "2 R T"]  # expected regret, and low-level actions


def cells(quick: bool) -> Sequence[RunConfig]:
    """The lines in the house; flat ones in house and household; in full also the arm, every latent once; long runs."""
    episodes, runs = (32, 32) if quick else (96, 64)
    house = RunConfig("house", episodes=episodes, runs=runs, latent=OPEN_DOOR, instructions=STUDY)
    found = [replace(house, planner=planner, explore=explore) for planner, explore in LINES]
    found.append(replace(house, world=PAIRS[0][1], planner=GREEDY))
    found += [RunConfig(world, GREEDY, episodes=24, runs=18, latent="each") for world in PAIRS[1]]
    if not quick:
        arm = RunConfig("sorter", episodes=8, runs=24, latent="each")
        found += [replace(arm, planner=planner, explore=explore) for planner, explore in SORTING]
    return found + control_lengths.cells(quick)


class Counting(InMemory):
    """Keeps the number of low-level actions of every run and episode as well."""

    def __init__(self) -> None:
        super().__init__()
        self.actions: list[np.ndarray] = []

    def step(self, record: object) -> None:
        assert isinstance(record, StepRecord)
        if record.episode == len(self.actions):
            self.actions.append(np.zeros(len(record.active)))
        done = record.low_level.actions if record.low_level else np.nan  # tables have none
        self.actions[-1] += np.where(record.active, done, 0)


def measure(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Kept:
    """Regret (of a capped world: optimal value less return) and low-level actions."""
    counting = Counting()
    regret = expected_regret(config, bar, kept=counting)
    return np.stack([regret, np.array(counting.actions).T])


def analyse(configs: Sequence[RunConfig], kept: Sequence[Kept]) -> Finding:
    """Greedy is linear, epsilon-greedy is not, the flat planner loses more and sampling less; then the long runs."""
    regrets = [(c, one[0]) for c, one in zip(configs, kept, strict=True)]
    longer = [pair for pair in regrets if isinstance(pair[0], Longer)]
    lines = {(c.world, c.planner, c.explore): r for c, r in regrets if not isinstance(c, Longer)}
    greedy, exploring = lines["house", GREEDY, "none"], lines["house", GREEDY, EPSILON]
    flat, sampled = lines[PAIRS[0][1], GREEDY, "none"], lines["house", "transformer", "none"]
    pairs = {
        "flat loses more than greedy": (flat, greedy),
        "flat loses more than epsilon-greedy": (flat, exploring),
        "greedy loses more than sampled": (greedy, sampled),
        "epsilon-greedy loses more than sampled": (exploring, sampled),
    }
    judged = [_more(statement, greedy.shape[1], *difference(*pair)) for statement, pair in pairs.items()]
    judged += control_lengths.judged([c for c, _ in longer], [regret for _, regret in longer])
    rows = [_row(config, one) for config, one in zip(configs, kept, strict=True)] + judged
    whole = {(c.world, c.episodes): c for c in configs if "cap=" not in c.world and c.world != PAIRS[1][0]}
    return from_rows(rows + [_theory(config) for config in whole.values()])


def from_rows(rows: Sequence[Mapping[str, Any]]) -> Finding:
    """The finding from its rows: how two lines grow in the house, and every statement with a verdict of its own."""
    house = {(row["planner"], row["explore"]): row for row in rows if row["world"] == "house" and "planner" in row}
    imitating, found = house[GREEDY, "none"], house[GREEDY, EPSILON]
    low, high = found["exponent_interval"]
    linear = {"linear": SUPPORTED, "sublinear": NOT_SUPPORTED}.get(imitating["growth"], UNDECIDED)
    verdicts = [linear, at_most(low, high, 1 - MARGIN), *(row["verdict"] for row in rows if "statement" in row)]
    quantity = "exponent of the regret of epsilon-greedy over doublings"
    return Finding(CLAIM, all_hold(verdicts), found["exponent"], (low, high), quantity, [dict(row) for row in rows])


def _more(statement: str, episodes: int, gap: float, interval: tuple[float, float]) -> dict[str, Any]:
    row = {"statement": statement, "world": "house", "T": episodes, "found": gap, "interval": list(interval)}
    return {**row, "verdict": above(*interval, 0.0)}


def _growth(regret: Float[np.ndarray, "R T"]) -> dict[str, Any]:
    found = growth(np.cumsum(regret, axis=1))
    value, low, high = (max(e, SETTLED) for e in (found.exponent.value, found.exponent.low, found.exponent.high))
    return {"growth": found.verdict, "exponent": value, "exponent_interval": [low, high]}


def _row(config: RunConfig, kept: Kept) -> dict[str, Any]:
    """Regret of a run with its interval, its growth, and what an episode took: calls, tokens, actions.

    A token is a line: the task and the first observation, then a subgoal and an observation a call. `flat_calls` and
    `flat_tokens` are those of a planner that is asked at every low-level action of the same movements.
    """
    regret, actions = kept
    total, mean = regret.sum(axis=1), float(actions.mean())
    horizon = assemble.world(config.world).horizon
    long = isinstance(config, Longer)  # an epsilon for T is constant in a run: judged over several T
    grown = {} if "cap=" in config.world or long else _growth(regret)
    return {
        "world": config.world,
        "planner": config.planner,
        "explore": config.explore,
        "runs": config.runs,
        "episodes": config.episodes,
        "regret": float(total.mean()),
        "half_width": 1.96 * float(total.std(ddof=1)) / len(total) ** 0.5,
        **grown,
        "calls": horizon,
        "tokens": 2 + 2 * horizon,
        **({"actions": mean, "flat_calls": mean, "flat_tokens": 2 + 2 * mean} if np.isfinite(mean) else {}),
    }


def _theory(config: RunConfig) -> dict[str, Any]:
    """The theory's epsilon and bound for these runs (constant 1), with uniform exploration."""
    tables = assemble.world(config.world).tables
    assert tables is not None
    beliefs = assemble.beliefs_of(tables)
    classes, eta = classes_of(beliefs), assemble.eta_of(beliefs, uniform(beliefs))
    sizes = (tables.horizon, eta, len(classes.members), classes.c_z)
    epsilon, bound = theory_epsilon(config.episodes, *sizes), regret_bound(config.episodes, *sizes)
    return {
        "world": config.world,
        "episodes": config.episodes,
        "theory_epsilon": epsilon,
        "bound": bound,
        "eta": eta,
        "classes": sizes[2],
        "c_z": sizes[3],
    }


def drawn(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Regret of a run in the house, at the arm and in the small house; the theory's bound is far above the frame."""
    told = []
    for one in rows:
        world, _, altered = str(one.get("world")).partition(":")
        if "planner" in one and world in ("house", "sorter"):
            capped, small = altered.startswith("cap"), altered.startswith("locks")
            line = f"{'one action a subgoal: ' if capped else ''}{one['planner']}, {one['explore']}"
            where = (
                f"{world}, {altered.split(',')[2]}{', tables' if 'low_level' in altered else ''}" if small else world
            )
            told.append({**one, "line": line, "cell": f"{where}, T = {one['episodes']:g}"})
    return rows_figure(NAME, "regret of a run", told, "line", "cell", "regret", "half_width")


def keep(configs: Sequence[RunConfig], kept: Sequence[Kept], out: Path) -> None:
    """Films, with words, of the first episode and the first that loses nothing.

    In the house (`film/`) the latter is where a run that explores takes the short way. At the arm (`film-sorter/`) it
    is where one that imitates knows where the blocks belong. A few of the runs are carried out once more, with all
    their messages.
    """
    for folder, world, explore in (("film", "house", EPSILON), ("film-sorter", "sorter", "none")):
        config = next((c for c in configs if (c.world, c.planner, c.explore) == (world, GREEDY, explore)), None)
        directory = out / folder
        if config is None or directory.exists():
            continue
        run(replace(config, runs=FILMED, record="steps"), directory)
        with reading(directory) as reader:
            lost = reader.episodes("regret")
        if found := first_short_way(lost):
            index, episode = found
            list(render(directory, assemble.world(config.world), [(index, 0), (index, episode)], "gif", every=8))


def first_short_way(lost: Float[np.ndarray, "R T"]) -> tuple[int, int] | None:
    """The run and episode that first lost nothing after the run had lost something; None where none did."""
    before = np.cumsum(lost, axis=1) > 1e-9
    at = np.argwhere(((np.abs(lost) < 1e-9) & before).T)
    return (int(at[0][1]), int(at[0][0])) if len(at) else None
