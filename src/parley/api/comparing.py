"""`parley.compare`: the difference between two runs, with an interval, paired where they share random numbers."""

from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float

from parley.api.runs import Run
from parley.core.errors import BadInput
from parley.core.text import shown
from parley.report.summary import Curves, mean_band


@dataclass(frozen=True, eq=False)
class Comparison:
    """How much more of `measure` run a has than run b, over all episodes that both have. Regret counts in total. Scores
    and returns count on average over the episodes (the area between the learning curves).

    `difference` is the mean over runs of a's total less b's; `half_width` half of its 95% interval. It is NaN where a
    side has one run. The runs are paired. Runs with the same seed meet the same latents and the same luck. So run i of
    one is compared with run i of the other. `curve` and `band` are the difference and its half-width as episodes go on.
    """

    a: str
    b: str
    measure: str
    paired: bool
    runs: int
    episodes: int
    difference: float
    half_width: float
    curve: Float[np.ndarray, " T"]
    band: Float[np.ndarray, " T"]

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the difference."""
        return self.difference - self.half_width, self.difference + self.half_width

    @property
    def decided(self) -> bool:
        """Whether the interval excludes 0."""
        low, high = self.interval
        return low > 0 or high < 0

    def __str__(self) -> str:
        low, high = self.interval
        how = "paired" if self.paired else "not paired"
        more = "more" if self.difference >= 0 else "less"
        size, few, many = abs(self.difference), min(abs(low), abs(high)), max(abs(low), abs(high))
        interval = f" [{low:.3f}, {high:.3f}]" if not self.decided else f" [{few:.3f}, {many:.3f}]"
        which = "" if self.decided else "; the interval holds 0, so neither is shown to have more"
        if np.isnan(self.half_width):
            interval, which = "", "; of one run there is no interval"
        return (
            f"{self.a} has {size:.3f}{interval} {more} {self.measure} than {self.b} "
            f"({self.runs} run{'s' if self.runs > 1 else ''} of {self.episodes} episodes, {how}){which}"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"


def compare(run_a: Run, run_b: Run) -> Comparison:
    """Compare two runs of one world; raises `BadInput` where they have no measure or no episode in common."""
    for name, run in (("run_a", run_a), ("run_b", run_b)):
        if not isinstance(run, Run):
            raise BadInput(f"{name}={shown(run)}: expected a Run, as parley.run and parley.open give it")
    a, b = Curves.read(run_a.out), Curves.read(run_b.out)
    worlds = [_world(curve) for curve in (a, b)]
    if worlds[0] != worlds[1]:
        raise BadInput(f"run_a is of world {worlds[0]!r}, run_b of {worlds[1]!r}: compare runs of one world")
    if a.measure != b.measure:
        raise BadInput(f"run_a has {a.measure}, run_b {b.measure}: they cannot be subtracted")
    episodes = min(a.values.shape[1], b.values.shape[1])
    if not episodes or not len(a.values) or not len(b.values):
        raise BadInput("run_a and run_b have no finished episode in common")
    one, other = (curve.totals()[:, :episodes] for curve in (a, b))
    paired, runs = _paired(a, b), min(len(one), len(other))
    if paired:
        mean, band = mean_band(one[:runs] - other[:runs])
    else:
        means, bands = zip(mean_band(one), mean_band(other), strict=True)
        mean, band = means[0] - means[1], np.hypot(*bands)
    if min(len(one), len(other)) < 2:
        band = np.full(band.shape, np.nan)
    names = (a.label, b.label) if a.label != b.label else (run_a.out.name, run_b.out.name)
    return Comparison(
        names[0], names[1], a.measure, paired, runs, episodes, float(mean[-1]), float(band[-1]), mean, band
    )


def _world(curves: Curves) -> str:
    """What a run's world is called: an object by its own name, as its class says nothing."""
    given = "world" in curves.manifest.get("given", [])
    return str(curves.manifest.get("name" if given else "", curves.manifest["config"]["world"]))


def _paired(a: Curves, b: Curves) -> bool:
    """Whether run i of one met the same latent, instructions and random numbers as run i of the other."""
    same = all(a.manifest["config"][name] == b.manifest["config"][name] for name in ("seed", "instructions"))
    common = min(len(a.values), len(b.values))
    return same and a.manifest["latents"][:common] == b.manifest["latents"][:common]
