"""What a run amounts to, in a few numbers with intervals over runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.errors import RunDamaged
from parley.runs.directory import agreeing, read_manifest, storage
from parley.runs.reader import RunReader
from parley.theory.curves import loglog_slope

Z95 = 1.96
OWN = ("score", "return")  # measures of a world without an optimal value
SLOPE_POINTS = 64  # of the last half of a curve, for its slope


@contextmanager
def reading(out: Path) -> Iterator[RunReader]:
    """The log of a run directory, closed at the end; raises `RunDamaged` where it is not what a run writes."""
    with storage(out), agreeing(out):
        reader = RunReader(out)
        try:
            yield reader
        finally:
            reader.close()


def readable_manifest(out: Path) -> dict[str, Any]:
    """The manifest, whose configuration has what tables and pages need; raises `RunDamaged` naming what it has not."""
    manifest = read_manifest(out)
    for name, kind in CONFIG.items():
        value = manifest["config"].get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise RunDamaged(f"{str(out / 'manifest.json')!r} is damaged: its configuration has {name}={value!r:.80}")
    stated = manifest.get("scores", {})
    if not isinstance(stated, dict) or not all(isinstance(value, int | float) for value in stated.values()):
        raise RunDamaged(f"{str(out / 'manifest.json')!r} is damaged: its scores are {stated!r:.80}")
    manifest.setdefault("menus", None)
    return manifest


CONFIG: dict[str, Any] = {  # what tables and pages take from a configuration
    **dict.fromkeys(("world", "planner", "explore", "record", "instructions"), str),
    **dict.fromkeys(("runs", "episodes", "seed"), int),
    "latent": str | None,
}


@dataclass(frozen=True)
class Summary:
    """Numbers of one run directory; `regret` is a run's total: expected regret, where the world has exact tables.

    Elsewhere it is what an optimal planner, or the world's expert, reaches, less the return. Where neither is known,
    `scores` say how well the run did by the world's own measure.
    """

    label: str
    status: str
    runs: int
    episodes: int
    regret: float
    regret_half_width: float | None  # 95%, over runs; None where there is one run
    measure: str  # "expected regret", "regret", or where there is no optimal value "score", or else "return"
    mean_return: float
    explored: float  # share of episodes
    slope: float | None  # of log regret against log t over the last half
    slope_low: float | None
    slope_high: float | None
    scores: "Scores | None" = None

    @property
    def regret_text(self) -> str:
        """The regret with its interval, as tables show it."""
        if self.measure in OWN:
            return "unknown"
        return f"{self.regret:.2f}" + ("" if self.regret_half_width is None else f" ± {self.regret_half_width:.2f}")

    @property
    def slope_text(self) -> str:
        """The slope with its interval; a dash without a slope."""
        if self.slope is None:
            return "-"
        interval = "" if self.slope_low is None else f" [{self.slope_low:.2f}, {self.slope_high:.2f}]"
        return f"{self.slope:.2f}{interval}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Scores:
    """How well a run did by its world's own measure: the score of an episode, or its return where no highest is known.

    `mean`, over all episodes, is the area under the learning curve. `first` and `last` are means over the first and the
    last quarter of the episodes. `success` is the share of episodes that reach the world's `success_at`.
    `episodes_to_success` is the number of episodes until half of the runs have succeeded once; None where they never
    do. `references` are what others reach.
    """

    mean: float
    half_width: float | None  # 95%, over runs
    first: float
    last: float
    gain: float  # last less first
    gain_half_width: float | None
    success: float | None
    episodes_to_success: float | None
    references: dict[str, float]

    @classmethod
    def of(cls, values: Float[np.ndarray, "R T"], stated: dict[str, float], scored: bool) -> "Scores":
        """The numbers of scores (`scored`) or returns by run and episode."""
        quarter = max(1, values.shape[1] // 4)
        by_run = values.mean(axis=1, keepdims=True)
        gains = (values[:, -quarter:].mean(axis=1) - values[:, :quarter].mean(axis=1))[:, None]
        (mean, half), (gain, gain_half) = ((float(m[0]), float(h[0])) for m, h in (mean_band(by_run), mean_band(gains)))
        stated = dict(stated)
        won = values >= stated.pop("success_at", 1.0) - 1e-9
        begin = np.where(won.any(axis=1), won.argmax(axis=1) + 1.0, np.inf)
        median = float(np.sort(begin)[(len(begin) - 1) // 2])
        several = len(values) > 1
        return cls(
            mean, half if several else None, float(values[:, :quarter].mean()), float(values[:, -quarter:].mean()),
            gain, gain_half if several else None, float(won.mean()) if scored else None,
            median if scored and np.isfinite(median) else None, stated,
        )  # fmt: skip

    def __str__(self) -> str:
        found = f"{self.text} on average; {self.gain_text} from the first quarter to the last"
        if self.success is None:
            return found
        return f"{found}; success {self.success_text} of the episodes, half of the runs by episode {self.speed_text}"

    @property
    def text(self) -> str:
        """The mean with its interval."""
        return f"{self.mean:.3f}" + ("" if self.half_width is None else f" ± {self.half_width:.3f}")

    @property
    def gain_text(self) -> str:
        """What was learnt: the last quarter less the first."""
        return f"{self.gain:+.3f}" + ("" if self.gain_half_width is None else f" ± {self.gain_half_width:.3f}")

    @property
    def success_text(self) -> str:
        """The share of episodes that succeed."""
        return "-" if self.success is None else f"{self.success:.1%}"

    @property
    def speed_text(self) -> str:
        """How many episodes it takes half of the runs to succeed."""
        return "-" if self.episodes_to_success is None else f"{self.episodes_to_success:.0f}"


@dataclass(frozen=True)
class Curves:
    """A run directory as curves: `values` per run and episode, of `measure`."""

    label: str
    manifest: dict[str, Any]
    measure: str
    values: Float[np.ndarray, "R T"]
    returns: Float[np.ndarray, "R T"]
    explored: Float[np.ndarray, "R T"]
    doubt: Float[np.ndarray, " T"] | float = 0.0  # standard error of the cumulative optimal value

    @classmethod
    def read(cls, out: Path, label: str | None = None) -> "Curves":
        """Read the episodes that all runs have finished."""
        manifest = readable_manifest(out)
        with reading(out) as reader:
            returns, explored, values = reader.columns("return", "explored", "expected_regret")
            measure = "expected regret"
            if not _known(values):
                measure, values = "regret", reader.episodes("regret")
            if not _known(values):
                measure, values = "score", reader.episodes("score")
            if not _known(values):
                measure, values = "return", returns
            doubt = expert_doubt(manifest, reader.episodes("instruction")) if "expert" in manifest else 0.0
        label = label or f"{manifest['config']['planner']}, {manifest['config']['explore']}"
        return cls(label, manifest, measure, values, returns, explored, doubt)

    def band(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean curve over runs, and half the width of its pointwise 95% interval: of regret, the total so far.

        Of scores and returns it is the mean so far.
        """
        mean, half = mean_band(self.totals())
        return mean, np.hypot(half, Z95 * self.doubt)

    def totals(self) -> Float[np.ndarray, "R T"]:
        """Regret so far, or the mean score or return so far."""
        total = np.cumsum(self.values, axis=1)
        return total / np.arange(1, total.shape[1] + 1) if self.measure in OWN else total

    def summary(self) -> Summary:
        runs, episodes = self.values.shape
        mean, half = self.band() if episodes else (np.zeros(1), np.zeros(1))
        slope, low, high = late_slope(self.values) if self.measure not in OWN else (None, None, None)
        stated = self.manifest.get("scores", {})
        scores = Scores.of(self.values, stated, self.measure == "score") if self.measure in OWN and episodes else None
        return Summary(
            self.label, self.manifest["status"], runs, episodes, float(mean[-1]),
            float(half[-1]) if runs > 1 else None, self.measure,
            float(self.returns.mean()) if episodes else 0.0, float(self.explored.mean()) if episodes else 0.0, slope,
            low, high, scores,
        )  # fmt: skip


def _known(values: Float[np.ndarray, "R T"]) -> bool:
    return values.size > 0 and not np.isnan(values).any()


def expert_doubt(manifest: dict[str, Any], instructions: np.ndarray) -> Float[np.ndarray, " T"]:
    """Standard error of the mean cumulative value of the expert, at most: errors of different means are added up."""
    try:
        values = [manifest["expert"]["values"][latent] for latent in manifest["latents"]]
        errors = [[values[i][name][1] for name in row] for i, row in enumerate(instructions.tolist())]
    except (KeyError, TypeError, IndexError) as wrong:
        raise RunDamaged(f"the manifest's values of the expert are damaged: {wrong!r}") from wrong
    return np.cumsum(np.array(errors).reshape(instructions.shape), axis=1).mean(axis=0)


def mean_band(total: Float[np.ndarray, "R T"]) -> tuple[Float[np.ndarray, " T"], Float[np.ndarray, " T"]]:
    """Mean over runs, and half the width of its pointwise 95% interval."""
    none = np.zeros(total.shape[1])
    spread = total.std(axis=0, ddof=1) if len(total) > 1 else none
    return total.mean(axis=0) if len(total) else none, Z95 * spread / np.sqrt(max(1, len(total)))


def late_slope(regret: Float[np.ndarray, "R T"]) -> tuple[float | None, ...]:
    """Slope of log cumulative regret against log t over the last half, with a bootstrap 95% interval over runs.

    None where there are fewer than 8 episodes or no regret to take the logarithm of; of one run there is no interval.
    """
    runs, episodes = regret.shape
    marks = np.unique(np.linspace(episodes // 2, episodes - 1, SLOPE_POINTS).astype(int))
    total = np.cumsum(regret, axis=1)[:, marks] if episodes else regret
    if episodes < 8 or total.mean(axis=0).min() <= 1e-12:
        return None, None, None
    found = loglog_slope(marks + 1, np.maximum(total if runs > 1 else np.repeat(total, 2, axis=0), 1e-12))
    slope, low, high = (float(round(value, 6) + 0.0) for value in (found.value, found.low, found.high))  # no minus zero
    return (slope, low, high) if runs > 1 else (slope, None, None)
