"""Figures: cumulative regret curves with pointwise 95% bands over runs."""

import io
import re
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, SymmetricalLogLocator

from parley.core.text import inert
from parley.report.signatures import Evidence
from parley.report.style import GREY, figure, legend_below, looks, name_lines, styled, tall
from parley.report.summary import OWN, Curves, mean_band
from parley.runs.directory import write_whole

LONGEST_LABEL = 72  # characters: longer ones leave no room for the curves
MOST_ROWS = 40  # of a figure of dots: more cannot be read
MOST_LINEAR, MOST_FINE = 3.0, 100.0  # values up to which a scale is linear, and has ticks within a decade
TITLE, ROW = 48, 40  # characters of a line of a title, and of the label of an axis
HALF_A_LINE = 36  # characters of a legend with two columns


def regret_figure(panels: Sequence[tuple[str, Sequence[Curves]]]) -> Figure:
    """One panel a world: titles and the curves in it."""
    with styled():
        made, axes = figure(len(panels), tall(max((len(curves) for _, curves in panels), default=0)), 1.3)
        for ax, (title, curves) in zip(axes, panels, strict=True):
            _panel(ax, title, curves)
    return made


def by_world(curves: Sequence[Curves]) -> list[tuple[str, list[Curves]]]:
    """The panels of a figure that compares runs: one a world."""
    panels: dict[str, list[Curves]] = {}
    for curve in curves:
        panels.setdefault(curve.manifest["config"]["world"], []).append(curve)
    return list(panels.items())


def curves_figure(title: str, x: str, y: str, curves: Sequence[tuple[str, Float[np.ndarray, "R T"]]]) -> Figure:
    """Means over runs of cumulative curves, with their bands, in one panel."""
    return curves_panels(x, [(title, y, curves)])


def curves_panels(x: str, panels: Sequence[tuple[str, str, Sequence[tuple[str, Float[np.ndarray, "R T"]]]]]) -> Figure:
    """The same, each panel with its title and the name of its quantity."""
    with styled():
        made, axes = figure(len(panels), tall(max(len(curves) for *_, curves in panels)), 1.3)
        for ax, (title, y, curves) in zip(axes, panels, strict=True):
            _draw(ax, title, x, y, [(label, *mean_band(total)) for label, total in curves])
    return made


def evidence_figure(panels: Sequence[tuple[str, Evidence]]) -> Figure:
    """What diagnoses were decided by, one panel a run directory; dotted: the limit beyond which something is wrong."""
    with styled():
        made, axes = figure(len(panels), tall(1 + max(len(evidence.curves) for _, evidence in panels)), 1.3)
        for ax, (title, evidence) in zip(axes, panels, strict=True):
            for (colour, _, marker), (label, curve) in zip(
                looks(len(evidence.curves)), evidence.curves.items(), strict=True
            ):
                ax.plot(range(len(curve)), curve, marker + "-", ms=3, lw=1, color=colour, label=_literal(label))
            ax.axhline(evidence.limit, ls=":", color=GREY, label="limit")
            named(ax, title, "episode, counted from 0", evidence.quantity)
            legend_below(ax)
    return made


def dots_figure(
    title: str,
    x: str,
    names: Sequence[str],
    columns: Mapping[str, Sequence[float]],
    halves: Mapping[str, Sequence[float] | np.ndarray] | None = None,
) -> Figure:
    """One row a name, one dot a column; values beyond `MOST_LINEAR` are on a logarithmic scale from 1 on.

    `halves` are half the widths of the columns' 95% intervals, or (2, rows): below and above. Of more than `MOST_ROWS`
    names the rows with the largest values are drawn, and the title says so. A value may be NaN: it was not measured.
    """
    known = np.nan_to_num(np.array([list(values) for values in columns.values()]), nan=-np.inf)
    order = np.argsort(known.max(axis=0), kind="stable")[-MOST_ROWS:].tolist()
    if len(order) < len(names):
        title = f"{title}\n(the {len(order)} largest of {len(names)})"
    with styled():
        legend = 2 if max(map(len, columns)) <= HALF_A_LINE else 1  # columns
        made, (ax,) = figure(1, 1.1 + 0.16 * (len(order) + -(-len(columns) // legend)), 1.6)
        for (colour, _, marker), (label, values) in zip(looks(len(columns)), columns.items(), strict=True):
            drawn = [values[i] for i in order]
            half = None if halves is None else np.asarray(halves[label])[..., order]
            style = {"fmt": marker, "color": colour, "ms": 4, "elinewidth": 0.8, "alpha": 0.8}
            ax.errorbar(drawn, range(len(order)), xerr=half, label=_literal(label), **style)  # type: ignore[arg-type]
        if known.max() > MOST_LINEAR:
            ax.set_xscale("symlog", linthresh=1)
            subs = (1.0, 2.0, 5.0) if known.max() <= MOST_FINE else (1.0,)
            ax.xaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=1, subs=subs))
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.set_yticks(range(len(order)), [_literal(names[i]) for i in order], fontsize=6)
        named(ax, "", x, "")
        made.suptitle(_titled(title), x=0.01, ha="left", fontsize=9)  # the names leave its panel little room
        ax.grid(axis="y", lw=0.3)
        made.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=legend)
    return made


def by_column(
    rows: Sequence[Mapping[str, Any]], name: str, column: str, value: str, half: str
) -> tuple[dict[str, list[float]], dict[str, np.ndarray]]:
    """A finding's rows as the columns of a figure of dots, and how far their intervals reach below and above.

    `half` names half the width of an interval, or its two ends. NaN where there is no such row.
    """
    of = {(str(row[column]), str(row[name])): row for row in rows}
    names, columns = list(dict.fromkeys(str(row[name]) for row in rows)), list(dict.fromkeys(key for key, _ in of))
    values = {key: [float(of.get((key, one), {}).get(value, np.nan)) for one in names] for key in columns}
    reach = {key: np.array([_reach(of.get((key, one), {}), value, half) for one in names]).T for key in columns}
    return values, reach


def _reach(row: Mapping[str, Any], value: str, half: str) -> tuple[float, float]:
    found = row.get(half, np.nan)
    return (row[value] - found[0], found[1] - row[value]) if isinstance(found, list) else (found, found)


def rows_figure(
    title: str, x: str, rows: Sequence[Mapping[str, Any]], name: str, column: str, value: str, half: str
) -> Figure:
    """The rows of a finding as dots with their intervals: a line each `name`, a look each `column` (`by_column`)."""
    values, reach = by_column(rows, name, column, value, half)
    return dots_figure(title, x, list(dict.fromkeys(str(row[name]) for row in rows)), values, reach)


def loglog_figure(
    title: str, x: str, y: str, series: Mapping[str, Sequence[tuple[float, ...]]], exponent: float | None = None
) -> Figure:
    """Points on logarithmic scales, one colour a series; a dotted line of the given slope through their middle.

    A point is (x, y), or (x, y, half the width of y's 95% interval).
    """
    return loglog_panels(x, y, {title: series}, exponent)


def loglog_panels(
    x: str,
    y: str,
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, ...]]]],
    exponent: float | None = None,
) -> Figure:
    """The same, one panel a title."""
    with styled():
        made, axes = figure(len(panels), tall(max(map(len, panels.values()))), 1.3)
        for ax, (title, series) in zip(axes, panels.items(), strict=True):
            _loglog(ax, series, exponent)
            named(ax, title, x, y)
            legend_below(ax)
    return made


def _loglog(ax: Axes, series: Mapping[str, Sequence[tuple[float, ...]]], exponent: float | None) -> None:
    for (colour, _, marker), (label, points) in zip(looks(len(series)), series.items(), strict=True):
        style = {"fmt": marker, "color": colour, "ms": 4, "elinewidth": 0.8, "alpha": 0.7}
        ax.errorbar(*np.array(points).T, label=_literal(label), **style)  # type: ignore[arg-type]
    every = np.array([point[:2] for points in series.values() for point in points])
    if exponent is not None and len(every):
        ends = np.array([every[:, 0].min(), every[:, 0].max()])
        middle = np.exp(np.log(every).mean(axis=0))
        ax.plot(ends, middle[1] * (ends / middle[0]) ** exponent, ":", color=GREY, label=f"slope {exponent:g}")
    for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        getattr(ax, f"set_{name}scale")("log")
        axis.set_minor_formatter(NullFormatter())
    _few_decades(ax, every)


def reliability_figure(panels: Sequence[tuple[str, Sequence[tuple[str, Float[np.ndarray, "bins 3"]]]]]) -> Figure:
    """Mean confidence of each bin against its observed frequency; the area of a dot is its share of the predictions."""
    with styled():
        made, axes = figure(len(panels), tall(max(len(rows) for _, rows in panels)), 1.3)
        for ax, (title, rows) in zip(axes, panels, strict=True):
            ax.plot([0, 1], [0, 1], ":", color=GREY, lw=1)
            for (colour, _, marker), (label, bins) in zip(looks(len(rows)), rows, strict=True):
                share, confidence, truth = bins[bins[:, 0] > 0].T
                area = 10 + 300 * share
                ax.scatter(confidence, truth, area, color=colour, marker=marker, alpha=0.6, label=_literal(label), lw=0)
            named(ax, title, "confidence of the most probable observation", "its exact probability")
            legend_below(ax)
            for handle in getattr(ax.get_legend(), "legend_handles", ()):
                handle.set_sizes([20])
    return made


def named(ax: Axes, title: str, x: str, y: str) -> None:
    """Titles and labels in as many lines as they need."""
    ax.set_title(_titled(title), loc="left")
    ax.set_xlabel("\n".join(_rows(x, ROW)))
    ax.set_ylabel("\n".join(_rows(y, ROW)))


def _titled(title: str) -> str:
    return "\n".join(row for line in title.split("\n") for row in _rows(_literal(line), TITLE))


def _rows(text: str, longest: int) -> list[str]:
    """The text in lines that are not too long; names of worlds and planners break after their commas."""
    whole = text if len(text) <= longest else re.sub(r",(?=\S)", ", ", text)
    return textwrap.wrap(whole, longest, break_on_hyphens=False) or [""]


def _few_decades(ax: Axes, points: np.ndarray) -> None:
    """Where an axis spans less than a decade its one power of ten says too little: plain numbers at its ends."""
    for axis, values in zip((ax.xaxis, ax.yaxis), points.T if len(points) else (), strict=False):
        low, high = float(values.min()), float(values.max())
        if 0 < low < high < 10 * low:
            axis.set_major_locator(FixedLocator([low, (low * high) ** 0.5, high]))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))


def _panel(ax: Axes, title: str, curves: Sequence[Curves]) -> None:
    measure = curves[0].measure if curves else "regret"
    own = measure in OWN
    said = f"{measure} of an episode, mean so far" if own else f"cumulative {measure}"
    told = (
        [one for c in curves for one in c.manifest.get("scores", {}).items() if one[0] != "success_at"] if own else []
    )
    _draw(ax, title, "episode", said, [(curve.label, *curve.band()) for curve in curves], dict(told))
    if own:
        least = min((float((mean - half).min()) for mean, half in (c.band() for c in curves) if len(mean)), default=0.0)
        ax.set_ylim(bottom=min(0.0, least))


def _draw(
    ax: Axes,
    title: str,
    x: str,
    y: str,
    curves: Sequence[tuple[str, np.ndarray, np.ndarray]],
    stated: Mapping[str, float] | None = None,
) -> None:
    """Curves with their bands, and dotted lines at `stated` heights, named at their ends or below the panel."""
    ends = []
    for (colour, dashes, _), (label, mean, half) in zip(looks(len(curves)), curves, strict=True):
        t = range(1, len(mean) + 1)
        ax.plot(t, mean, color=colour, ls=dashes, label=_literal(label))
        ax.fill_between(t, mean - half, mean + half, color=colour, alpha=0.18, lw=0)
        ends.append((float(mean[-1]) if len(mean) else 0.0, _literal(label), colour))
    for name, value in (stated or {}).items():
        ax.axhline(value, ls=":", color=GREY, lw=1, label=_literal(name))
        ends.append((value, _literal(name), GREY))
    named(ax, title, x, y)
    ax.margins(x=0)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_ylim(bottom=0)
    name_lines(ax, ends)


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
