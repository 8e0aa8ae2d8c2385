"""Judge experiments again from the rows that are published, without a run: `python -m scripts.rejudge DIR NAME ...`.

For experiments that have `from_rows`. It leaves DIR/NAME/finding.json and the figure of the rows; `parley experiment
report --under DIR --out docs/results.md` writes the pages. With `--measure`, rows of `epsilon-greedy` along eta and |Z|
are measured where the table does not have them (some minutes); else that part is undecided.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parley.experiments.base import cell_name, keep_cell, stored_cell
from parley.experiments.claims import epsilon_families, epsilon_greedy
from parley.experiments.known import EXPERIMENTS
from parley.report.plots import save_png
from scripts.redraw import DRAWN, FOLDER, rows


def measured(out: Path) -> list[dict[str, Any]]:
    """The rows of the families of `epsilon-greedy`; cells that `out` holds are not measured again."""
    cells = epsilon_families.cells(False)
    kept = []
    for config in cells:
        found = stored_cell(out / cell_name(config), config)
        kept.append(keep_cell(epsilon_greedy, config, out, lambda record, runs: None) if found is None else found)
    return epsilon_families.rows(cells, kept)


def _counted(value: Any) -> Any:
    """A count as the whole number that it was."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def rejudge(name: str, out: Path, measures: bool) -> None:
    experiment, found = EXPERIMENTS[name], [{key: _counted(value) for key, value in row.items()} for row in rows(name)]
    out.mkdir(parents=True, exist_ok=True)
    found = [row for row in found if "planner's part" not in row]  # of earlier findings of `actor-error`
    if name == epsilon_greedy.NAME and not any("predicted" in row for row in found):
        found = [row for row in found if "against" not in row] + (measured(out) if measures else [])
    finding = asdict(experiment.from_rows(found))  # type: ignore[attr-defined]
    text = json.dumps({"experiment": name, "quick": False, **finding}, indent=1)
    (out / "finding.json").write_text(text + "\n", encoding="utf-8")
    if name in DRAWN:
        save_png(DRAWN[name](finding["rows"]), out / "figure.png")
    else:
        (out / "figure.png").write_bytes((FOLDER / f"{name}.png").read_bytes())


if __name__ == "__main__":
    folder, *names = [argument for argument in sys.argv[1:] if argument != "--measure"]
    for name in names:
        rejudge(name, Path(folder) / name, "--measure" in sys.argv)
