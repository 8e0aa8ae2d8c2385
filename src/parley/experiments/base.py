"""What an experiment is: a claim, a sweep of cells, an analysis, and a verdict from an interval, never from a point."""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from parley import assemble
from parley.assemble.cohorts import cohort_of
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.roles import Explorer, Planner
from parley.core.said import EpisodeRecord
from parley.core.tables import Tables
from parley.execute import RunConfig
from parley.loop import Cohort, run_cohort
from parley.runs.directory import process, write_whole
from parley.theory.curves import student
from parley.theory.regret import regret_meter
from parley.worlds.kit.physical import PhysicalWorld

SUPPORTED, NOT_SUPPORTED, UNDECIDED = "supported", "not supported", "undecided"


@dataclass(frozen=True)
class Finding:
    """What an experiment found: the quantity its claim is about, with a 95% interval, and what follows."""

    claim: str
    verdict: str
    estimate: float
    interval: tuple[float, float]
    quantity: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    cells: list[dict[str, Any]] = field(default_factory=list)  # the configurations of the runs that it is from

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Experiment(Protocol):
    """One file each.

    `measure(config, bar)`, if given, stands for `expected_regret` and keeps less of it, or more.
    `further(cells, regrets)` asks for more cells once it has seen the first. `keep(cells, kept, out)` adds files, such
    as a film. Its picture is `drawn(rows)` of the finding's rows, or `figure(cells, regrets)`.
    """

    NAME: str
    CLAIM: str

    def cells(self, quick: bool) -> Sequence[RunConfig]:
        """The runs that it needs."""

    def analyse(self, cells: Sequence[RunConfig], regrets: Sequence[Float[np.ndarray, "R T"]]) -> Finding:
        """The finding, from the expected regret of each cell's runs and episodes."""


def shipped() -> list[Path]:
    """The checkpoints that ship for tabular worlds of one Actor, by name.

    Those of physical worlds are `continuous-control`'s, those of several Actors `multi-agent`'s.
    """
    worlds = {assemble.shipped(name): assemble.world(name) for name in assemble.shipped_names()}
    return [path for path, w in worlds.items() if w.num_actors == 1 and not isinstance(w, PhysicalWorld)]


def at_most(low: float, high: float, bound: float) -> str:
    """The verdict on "the quantity is at most `bound`" from its interval."""
    return SUPPORTED if high <= bound else NOT_SUPPORTED if low > bound else UNDECIDED


def at_least(low: float, high: float, bound: float) -> str:
    """The verdict on "the quantity is at least `bound`" from its interval."""
    return SUPPORTED if low >= bound else NOT_SUPPORTED if high < bound else UNDECIDED


def all_hold(verdicts: Collection[str]) -> str:
    """The verdict on a claim that is several: one refuted refutes it, all must be supported."""
    return NOT_SUPPORTED if NOT_SUPPORTED in verdicts else UNDECIDED if UNDECIDED in verdicts else SUPPORTED


def difference(
    more: Float[np.ndarray, "R T"], less: Float[np.ndarray, "R T"], level: float = 0.95
) -> tuple[float, tuple[float, float]]:
    """Mean difference of two cells' totals with its interval; run by run, as they share their random numbers."""
    gap = more.sum(axis=1) - less.sum(axis=1)
    half = NormalDist().inv_cdf((1 + level) / 2) * float(gap.std(ddof=1)) / np.sqrt(len(gap))
    return float(gap.mean()), (float(gap.mean() - half), float(gap.mean() + half))


def saved_share(
    pairs: Sequence[tuple[Float[np.ndarray, "R T"], Float[np.ndarray, "R T"]]],
    scales: Sequence[float],
    level: float = 0.95,
) -> tuple[float, tuple[float, float]]:
    """What the second cell of a pair loses less than the first, in units of the pair's scale: mean over pairs.

    The interval is Student's, run by run, with the degrees of freedom of the cell that has the fewest runs.
    """
    gaps = [(more - less).sum(axis=1) / scale for (more, less), scale in zip(pairs, scales, strict=True)]
    mean = float(np.mean([gap.mean() for gap in gaps]))
    error = float(np.sqrt(sum(gap.var(ddof=1) / len(gap) for gap in gaps))) / len(gaps)
    half = student(level, min(map(len, gaps)) - 1) * error
    return mean, (mean - half, mean + half)


def above(low: float, high: float, bound: float) -> str:
    """The verdict on "the quantity is larger than `bound`" from its interval."""
    return SUPPORTED if low > bound else NOT_SUPPORTED if high <= bound else UNDECIDED


def wilson(count: int, total: int) -> tuple[float, float, float]:
    """A share between its 95% limits (Wilson 1927)."""
    z, p = 1.96, count / total
    middle, half = p + z**2 / (2 * total), z * (p * (1 - p) / total + z**2 / (4 * total**2)) ** 0.5
    low, high = (middle - half) / (1 + z**2 / total), (middle + half) / (1 + z**2 / total)
    return max(0.0, min(p, low)), p, min(1.0, max(p, high))


class InMemory:
    """A recorder that keeps expected regret, or what was realised where there is no expected one.

    It is shown the planner, for those that keep something of it.
    """

    def __init__(self) -> None:
        self.regret: list[np.ndarray] = []
        self.planner: Planner | None = None

    def step(self, record: object) -> None: ...

    def episode(self, record: EpisodeRecord, snapshot: object = None) -> None:
        realised = record.optimal_value - record.returns
        self.regret.append(np.where(np.isnan(record.expected_regret), realised, record.expected_regret))

    def wants_snapshot(self) -> bool:
        return False


Begin = Callable[[str, int], Callable[[EpisodeRecord, int], None]]
Ahead = Callable[[Experiment, Sequence[RunConfig], Path], None]


Early = Callable[[Cohort, EpisodeRecord], Float[np.ndarray, " R"] | None]


class _Known(Exception):
    """What remains of every run is known."""


def expected_regret(
    config: RunConfig,
    bar: Callable[[EpisodeRecord, int], None],
    early: Early | None = None,
    turns: Int[np.ndarray, " Z"] | None = None,
    kept: InMemory | None = None,
    around: Callable[[Explorer], Explorer] | None = None,
    believed: Tables | None = None,
) -> Float[np.ndarray, "R T"]:
    """Expected regret of every run and episode of one cell, all runs in one cohort; latents `turns` in turn, if given.

    The explorer is wrapped in `around`, if given. Planner and explorer take `believed`, if given, for the world's
    tables; what counts as regret is by the world's own.

    `early` says after an episode how much each run will lose in all that remain, or None while that is not known. Once
    it is known, the cell ends, and this is its last column.
    """
    world, draws, kept = assemble.world(config.world), Draws(config.seed, config.runs), kept or InMemory()
    if world.tables is None:
        raise BadInput(f"world {config.world!r} has no exact tables: this experiment needs them")
    latents = assemble.draw_latents(world, draws, config.latent) if turns is None else np.resize(turns, config.runs)
    scene = assemble.Scene(config.world, world, latents, config.episodes)
    meter = regret_meter(scene.beliefs, latents, world, draws)
    if believed:
        scene.beliefs = assemble.beliefs_of(believed)
    planner = kept.planner = assemble.planner(config.planner, scene)
    explorer = assemble.explorer(config.explore, scene)

    def after(record: EpisodeRecord) -> None:
        bar(record, config.runs)
        if early and (rest := early(cohort, record)) is not None:
            kept.regret.append(rest)
            raise _Known

    explorer = around(explorer) if around else explorer
    told = dict[str, Any](instructions=config.instructions, meter=meter, on_episode=after)
    cohort = cohort_of(scene, draws, planner, explorer, kept, **told)
    with suppress(_Known):
        run_cohort(cohort)
    cohort.envs.close()
    return np.array(kept.regret).T


def conduct(
    experiment: Experiment, out: Path, quick: bool, begin: Begin, ahead: Ahead | None = None
) -> tuple[Finding, Figure]:
    """Run the cells that `out` does not hold yet, then analyse; interrupted, it goes on at the next cell.

    An experiment that has `further(cells, regrets)` says what else it needs, until that is nothing. `ahead` may measure
    cells elsewhere, and leave their files in `out`.
    """
    cells, regrets = list(experiment.cells(quick)), list[np.ndarray]()
    out.mkdir(parents=True, exist_ok=True)
    _plan(experiment, out, quick, cells, working=True)
    more: Callable[..., Sequence[RunConfig]] = getattr(experiment, "further", lambda cells, regrets: [])
    while len(regrets) < len(cells):
        if ahead:
            ahead(experiment, cells[len(regrets) :], out)
        regrets += [_measured(experiment, config, out, begin) for config in cells[len(regrets) :]]
        cells += more(cells, regrets)
        _plan(experiment, out, quick, cells, working=len(regrets) < len(cells))
    if keep := getattr(experiment, "keep", None):
        keep(cells, regrets, out)
    finding = replace(experiment.analyse(cells, regrets), cells=[asdict(config) for config in cells])
    draws: Callable[..., Figure] | None = getattr(experiment, "figure", None)
    return finding, draws(cells, regrets) if draws else experiment.drawn(finding.rows)  # type: ignore[attr-defined]


def _plan(experiment: Experiment, out: Path, quick: bool, cells: Sequence[RunConfig], working: bool) -> None:
    """Say in `cells.json` which cells are computed, and by which process, for those who look on."""
    planned = [{**asdict(config), "file": cell_name(config)} for config in cells]
    about = {"experiment": experiment.NAME, "claim": experiment.CLAIM, "quick": quick, "cells": planned}
    text = json.dumps({**about, **({"process": process()} if working else {})}, indent=1)
    write_whole(out / "cells.json", (text + "\n").encode())


def _measured(experiment: Experiment, config: RunConfig, out: Path, begin: Begin) -> np.ndarray:
    """A cell's result, from its file where there is one."""
    stored = stored_cell(out / cell_name(config), config)
    if stored is None:
        bar = begin(f"{config.world}: {config.planner}, {config.explore}", config.episodes * config.runs)
        stored = keep_cell(experiment, config, out, bar)
    return stored


def keep_cell(
    experiment: Experiment, config: RunConfig, out: Path, bar: Callable[[EpisodeRecord, int], None]
) -> np.ndarray:
    """Measure a cell with its number of threads, on which digits may depend, and keep it in its file.

    The result is read from that file: an array laid out otherwise in memory has sums with other last digits.
    """
    with threadpool_limits(config.threads):
        found: np.ndarray = getattr(experiment, "measure", expected_regret)(config, bar)
    content = io.BytesIO()
    np.savez_compressed(content, config=np.array(repr(config)), regret=found)
    write_whole(out / cell_name(config), content.getvalue())
    content.seek(0)
    with np.load(content, allow_pickle=False) as archive:
        kept: np.ndarray = archive["regret"]
    return kept


def cell_name(config: RunConfig) -> str:
    """The file of a cell: its own whatever the order in which cells are run."""
    return f"cell-{hashlib.sha256(repr(config).encode()).hexdigest()[:16]}.npz"


def stored_cell(path: Path, config: RunConfig) -> np.ndarray | None:
    """A cell's result, if the file holds that very cell, whole."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            return archive["regret"] if str(archive["config"]) == repr(config) else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError):
        return None
