"""Figures: cumulative regret curves with pointwise 95% bands over runs."""

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from parley.core.text import inert
from parley.report.signatures import Evidence
from parley.report.summary import OWN, Curves, mean_band
from parley.runs.directory import write_whole

LONGEST_LABEL = 72  # characters: longer ones leave no room for the curves
COLOURS = ("#c0392b", "#2471a3", "#1e8449", "#b9770e", "#6c3483", "#515a5a")
DASHES = ("-", "--", ":")


def regret_figure(panels: Sequence[tuple[str, Sequence[Curves]]]) -> Figure:
    """One panel a world: titles and the curves in it."""
    figure = Figure(figsize=(4.8 * len(panels), 3.4), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (title, curves) in zip(axes, panels, strict=True):
        _panel(ax, title, curves)
    return figure


def by_world(curves: Sequence[Curves]) -> list[tuple[str, list[Curves]]]:
    """The panels of a figure that compares runs: one a world."""
    panels: dict[str, list[Curves]] = {}
    for curve in curves:
        panels.setdefault(curve.manifest["config"]["world"], []).append(curve)
    return list(panels.items())


def curves_figure(title: str, x: str, y: str, curves: Sequence[tuple[str, Float[np.ndarray, "R T"]]]) -> Figure:
    """Means over runs of cumulative curves, with their bands, in one panel."""
    figure = Figure(figsize=(5.4 if len(curves) <= len(COLOURS) else 8.4, 3.6), layout="constrained")
    _draw(figure.subplots(), title, x, y, [(label, *mean_band(total)) for label, total in curves])
    return figure


def evidence_figure(panels: Sequence[tuple[str, Evidence]]) -> Figure:
    """What diagnoses were decided by, one panel a run directory; dotted: the limit beyond which something is wrong."""
    figure = Figure(figsize=(5.4 * len(panels), 3.4), layout="constrained")
    for ax, (title, evidence) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for colour, (label, curve) in zip(COLOURS, evidence.curves.items(), strict=False):
            ax.plot(range(len(curve)), curve, "o-", ms=3, lw=1, color=colour, label=_literal(label))
        ax.axhline(evidence.limit, ls=":", color="#515a5a", label="limit")
        ax.set_title(_literal(title), fontsize=10)
        ax.set_xlabel("episode, counted from 0")
        ax.set_ylabel(evidence.quantity, fontsize=8)
        ax.legend(fontsize=8, frameon=False)
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def dots_figure(title: str, x: str, names: Sequence[str], columns: Mapping[str, Sequence[float]]) -> Figure:
    """One row a name, one dot a column, on a scale that is linear up to 1 and logarithmic beyond."""
    figure = Figure(figsize=(6.4, 1.2 + 0.17 * len(names)), layout="constrained")
    ax = figure.subplots()
    for colour, marker, (label, values) in zip(COLOURS, "s^o", columns.items(), strict=False):
        ax.plot(values, range(len(names)), marker, color=colour, ms=4, label=_literal(label), alpha=0.8)
    ax.set_xscale("symlog", linthresh=1)
    ax.set_yticks(range(len(names)), [_literal(name) for name in names], fontsize=6)
    ax.set_title(_literal(title), fontsize=10)
    ax.set_xlabel(x)
    ax.legend(fontsize=8, frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", lw=0.3)
    return figure


def loglog_figure(
    title: str, x: str, y: str, series: Mapping[str, Sequence[tuple[float, float]]], exponent: float | None = None
) -> Figure:
    """Points on logarithmic scales, one colour a series; a dotted line of the given slope through their middle."""
    figure = Figure(figsize=(5.4, 3.8), layout="constrained")
    ax = figure.subplots()
    for colour, (label, points) in zip(COLOURS * len(series), series.items(), strict=False):
        ax.plot(*np.array(points).T, "o", color=colour, ms=4, alpha=0.7, label=_literal(label))
    every = np.array([point for points in series.values() for point in points])
    if exponent is not None and len(every):
        ends = np.array([every[:, 0].min(), every[:, 0].max()])
        middle = np.exp(np.log(every).mean(axis=0))
        ax.plot(ends, middle[1] * (ends / middle[0]) ** exponent, ":", color="#515a5a", label=f"slope {exponent:g}")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_title(_literal(title), fontsize=10)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.legend(fontsize=8, frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def reliability_figure(panels: Sequence[tuple[str, Sequence[tuple[str, Float[np.ndarray, "bins 3"]]]]]) -> Figure:
    """Mean confidence of each bin against what is true of it; the area of a dot is its share of the predictions."""
    figure = Figure(figsize=(4.2 * len(panels), 4.0), layout="constrained")
    for ax, (title, rows) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        ax.plot([0, 1], [0, 1], ":", color="#515a5a", lw=1)
        for colour, (label, bins) in zip(COLOURS * len(rows), rows, strict=False):
            share, confidence, truth = bins[bins[:, 0] > 0].T
            ax.scatter(confidence, truth, s=10 + 300 * share, color=colour, alpha=0.6, label=_literal(label), lw=0)
        ax.set_title(_literal(title), fontsize=10)
        ax.set_xlabel("confidence of the most probable observation")
        ax.set_ylabel("its exact probability")
        ax.legend(fontsize=8, frameon=False)
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def _panel(ax: Axes, title: str, curves: Sequence[Curves]) -> None:
    measure = curves[0].measure if curves else "regret"
    said = f"{measure} of an episode, mean so far" if measure in OWN else f"cumulative {measure}"
    _draw(ax, title, "episode", said, [(curve.label, *curve.band()) for curve in curves])
    if measure in OWN:
        stated = {name: x for c in curves for name, x in c.manifest.get("scores", {}).items() if name != "success_at"}
        for name, value in stated.items():
            ax.axhline(value, ls=":", color="#515a5a", lw=1)
            ax.text(1, value, _literal(name), fontsize=7, va="bottom")
        least = min((float((mean - half).min()) for mean, half in (c.band() for c in curves) if len(mean)), default=0.0)
        ax.set_ylim(bottom=min(0.0, least))


def _draw(ax: Axes, title: str, x: str, y: str, curves: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> None:
    """More curves than colours are told apart by their dashes, and named beside the panel instead of in it."""
    for i, (label, mean, half) in enumerate(curves):
        colour, dashes = COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]
        t = range(1, len(mean) + 1)
        ax.plot(t, mean, color=colour, ls=dashes, lw=1.8, label=_literal(label))
        ax.fill_between(t, mean - half, mean + half, color=colour, alpha=0.18, lw=0)
    ax.set_title(_literal(title), fontsize=10)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    beside = {"loc": "upper left", "bbox_to_anchor": (1, 1)} if len(curves) > len(COLOURS) else {}
    ax.legend(fontsize=8, frameon=False, **beside)
    ax.spines[["top", "right"]].set_visible(False)
    ax.margins(x=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(bottom=0)


def _literal(text: str) -> str:
    """matplotlib reads $...$ as mathematics."""
    return inert(text, LONGEST_LABEL).replace("$", r"\$")


def save_png(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    _save(figure, buffer, format="png", dpi=150, metadata={"Software": None})
    write_whole(path, buffer.getvalue())


def _save(figure: Figure, buffer: Any, **how: Any) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # names in any script; a box stands for them
        figure.savefig(buffer, **how)
