"""How every figure looks: one style, colours that colour-blind readers tell apart, and names that cover no data."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

# Okabe and Ito (2008); yellow is left out, which is too pale for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", ":")
MARKERS = ("o", "s", "^", "D", "v", "P")
GREY = "#515a5a"
COLUMN = 3.4, 2.6  # inches: one column of a two-column page, and a panel's height
TICKS, LINE, NAME = 0.22, 0.14, 0.16  # inches below a panel: its ticks, a line of its label, a name in the legend
SHORT = 24  # characters of a name that stands at the end of its line; longer ones stand below the panel
STYLE = {
    "font.size": 8.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.0,
}


@contextmanager
def styled() -> Iterator[None]:
    """Everything that is made within has the style."""
    with rc_context(STYLE):
        yield


def figure(columns: int = 1, height: float = COLUMN[1], wide: float = 1.0) -> tuple[Figure, Sequence[Axes]]:
    """A row of panels, each `wide` columns of a page wide."""
    made = Figure(figsize=(COLUMN[0] * wide * columns, height), layout="constrained")
    return made, list(made.subplots(1, columns, squeeze=False)[0])


def looks(number: int) -> list[tuple[str, str, str]]:
    """Colour, dashes and marker for each of so many series.

    No two have the same colour and dashes up to 18, nor the same colour and marker up to 36.
    """
    rounds = [divmod(i, len(COLOURS)) for i in range(number)]
    return [(COLOURS[i], DASHES[turn % len(DASHES)], MARKERS[(i + turn) % len(MARKERS)]) for turn, i in rounds]


def name_lines(ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Names lines: height of the end, name and colour of each. Short names stand at the ends; else a legend below.

    Names at the ends keep a line's distance from each other. Nothing stands on the data.
    """
    if (
        len(ends) == 1
        or any(len(name) > SHORT for _, name, _ in ends)
        or len(ends) > len(COLOURS)
        or ax.get_yscale() != "linear"
    ):
        legend_below(ax)
        return
    low, high = ax.get_ylim()
    shares = spread([(height - low) / ((high - low) or 1.0) for height, _, _ in ends], 0.085)
    for share, (height, name, colour) in zip(shares, ends, strict=True):
        at: Any = ax.get_yaxis_transform()
        ax.plot([1.0, 1.03], [height, low + share * (high - low)], color=colour, lw=0.6, transform=at, clip_on=False)
        ax.text(1.04, low + share * (high - low), name, color=colour, transform=at, va="center", fontsize=7)


def legend_below(ax: Axes) -> None:
    """The legend under the panel and its label, one name a line."""
    if not ax.get_legend_handles_labels()[1]:
        return
    lines = len(ax.get_xlabel().split("\n")) if ax.get_xlabel() else 0
    under = ScaledTranslation(0, -(TICKS + LINE * lines), ax.figure.dpi_scale_trans)
    ax.legend(loc="upper left", bbox_to_anchor=(-0.12, 0), bbox_transform=ax.transAxes + under, borderaxespad=0.0)


def tall(names: int) -> float:
    """The height of a panel with so many names below it."""
    return 2.8 + NAME * names


def spread(places: Sequence[float], least: float) -> list[float]:
    """The places moved apart so that neighbours are at least `least` apart, in the same order.

    >>> [round(place, 2) for place in spread([0.5, 0.5, 0.9], 0.1)]
    [0.45, 0.55, 0.9]
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    groups: list[list[int]] = []
    centres: list[float] = []
    for i in order:
        groups.append([i])
        centres.append(places[i])
        while len(groups) > 1 and centres[-1] - centres[-2] < least * (len(groups[-1]) + len(groups[-2])) / 2:
            joined = groups[-2] + groups[-1]
            groups[-2:] = [joined]
            centres[-2:] = [sum(places[j] for j in joined) / len(joined)]
    placed = [0.0] * len(places)
    for members, centre in zip(groups, centres, strict=True):
        for rank, i in enumerate(members):
            placed[i] = centre + least * (rank - (len(members) - 1) / 2)
    return placed
