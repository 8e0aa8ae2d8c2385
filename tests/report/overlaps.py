"""Which texts of a figure lie on each other, beyond its edge, or on data."""

from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

TOUCH = 1.0  # pixels by which boxes may touch


def overlaps(figure: Figure) -> list[str]:
    """One line for each pair of texts that overlap, each text that is cut off, and each legend on a panel."""
    FigureCanvasAgg(figure).draw()
    left_out = _undrawn(figure)
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if id(text) not in left_out]
    found = [f"{a!r} on {b!r}" for (a, one), (b, other) in combinations(boxes, 2) if _lie_on(one, other)]
    edge = figure.bbox
    for name, box in boxes:
        if box.x0 < -TOUCH or box.y0 < -TOUCH or box.x1 > edge.x1 + TOUCH or box.y1 > edge.y1 + TOUCH:
            found.append(f"{name!r} is cut off")
    for ax in figure.axes:
        if (legend := ax.get_legend()) is not None and _lie_on(legend.get_window_extent(), ax.get_window_extent()):
            found.append("a legend on its panel")
    return found


def _undrawn(figure: Figure) -> set[int]:
    """Labels of ticks beyond the limits of their axis, or without an axis: they exist, and are not drawn."""
    found = {id(text) for ax in figure.axes if not ax.axison for text in (*ax.get_xticklabels(), *ax.get_yticklabels())}
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        drawn = {id(tick) for tick in axis._update_ticks()}
        for tick in (*axis.majorTicks, *axis.minorTicks):
            if id(tick) not in drawn or not low <= tick.get_loc() <= high:
                found |= {id(tick.label1), id(tick.label2)}
    return found


def _lie_on(one: Bbox, other: Bbox) -> bool:
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return wide > TOUCH and high > TOUCH
