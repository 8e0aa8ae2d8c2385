"""Draw the figures of the results again from their tables: `python -m scripts.redraw [NAME ...]`.

Only figures that show a finding's rows (`drawn` in the experiment's file). Curves need the runs themselves:
`parley experiment run NAME`.
"""

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

from parley.experiments.known import EXPERIMENTS
from parley.report.plots import save_png

FOLDER = Path(__file__).parents[1] / "docs" / "figures" / "results"
NUMBER = re.compile(r"-?[\d,]*\.?\d+(?:e[+-]?\d+)?")
DRAWN = {name: experiment.drawn for name, experiment in EXPERIMENTS.items() if hasattr(experiment, "drawn")}


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a finding, as its table has them; an empty cell is no entry."""
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as table:
        return [{key: _value(cell) for key, cell in row.items() if cell} for row in csv.DictReader(table)]


def _value(cell: str) -> Any:
    """A number, a list of numbers, or text. Earlier tables have commas between thousands."""
    plain = cell.removeprefix("'")
    if NUMBER.fullmatch(plain):
        return float(plain.replace(",", ""))
    if plain.startswith("[") and all(NUMBER.fullmatch(part) for part in plain[1:-1].split(", ")):
        return json.loads(f"[{', '.join(part.replace(',', '') for part in plain[1:-1].split(', '))}]")
    return plain


if __name__ == "__main__":
    for name in sys.argv[1:] or [name for name in DRAWN if (FOLDER / f"{name}.csv").exists()]:
        save_png(DRAWN[name](rows(name)), FOLDER / f"{name}.png")
