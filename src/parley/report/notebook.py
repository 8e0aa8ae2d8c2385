"""Tables for notebooks."""

from collections.abc import Sequence
from html import escape

from parley.core.text import inert
from parley.report.summary import Summary


def summaries_html(rows: Sequence[tuple[str, Summary]]) -> str:
    """The table of some runs as HTML, for notebooks; what it shows is escaped."""
    heads = ("run", "planner, explorer", "status", "runs", "episodes", "regret", "mean return", "explored")
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(inert(str(cell)))}</td>" for cell in _cells(path, one)) + "</tr>"
        for path, one in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(path: str, one: Summary) -> tuple[object, ...]:
    shares = f"{one.mean_return:.3f}", f"{one.explored:.1%}"
    return (path, one.label, one.status, one.runs, one.episodes, _text(one), *shares)


def _text(one: Summary) -> str:
    return f"unknown; {one.measure} {one.scores.text}" if one.scores else one.regret_text
