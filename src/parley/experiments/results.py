"""docs/results.md and docs/results/: what the experiments found, written from their findings on disk and nothing else.

The page is an index. Each experiment has a page of its own, one screen long; its whole tables are a CSV file. The
findings are kept beside the pages, in results/findings/: from there the pages are written again without a new run.
"""

import csv
import io
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput
from parley.core.text import inert
from parley.runs.directory import write_whole

HEAD = """# Results

For readers who want to know which claims hold. Each line is one experiment. Its page says the claim, the verdict, the
command, and shows the figure. All rows of its tables are in a CSV file.

`parley experiment report` writes these pages from the findings of `parley experiment run`. A verdict comes from a 95%
confidence interval. Runs with `--quick` are small, and may be undecided.

| experiment | verdict | estimate | interval | of |
|---|---|---|---|---|
"""
MOST_ROWS = 4  # of the table on a page: all pages together are at most 6,000 words
MOST_COLUMNS = 8
FORMULA = ("=", "+", "-", "@")  # with which a spreadsheet takes a text for a formula


def read_findings(under: Path) -> dict[str, dict[str, Any]]:
    """The findings below a directory by experiment; a full run goes before a quick one. `BadInput` where none is."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(under.glob("*/finding.json")):
        try:
            finding = json.loads(path.read_text(encoding="utf-8"))
            name, quick = finding["experiment"], finding["quick"]
        except (OSError, ValueError, KeyError, TypeError) as wrong:
            raise BadInput(f"{path} is no finding of `parley experiment run`: {wrong!r}") from None
        if name not in found or not quick:
            found[name] = {**finding, "pictures": _pictures(path.parent)}
    if not found:
        raise BadInput(
            f"--under {str(under)!r}: there is no finding below it; make one by `parley experiment run NAME`"
        )
    return found


def _pictures(out: Path) -> dict[str, Path]:
    """What an experiment drew, by what to add to its name: its figure, others, and films of its runs."""
    drawn = {f"-{path.stem}": path for path in sorted(out.glob("*.png"))}
    films = {f"-{path.parts[-3]}-{path.stem}": path for path in sorted(out.glob("*/films/*.gif"))}
    figure = {"": drawn.pop("-figure")} if "-figure" in drawn else {}
    return {**figure, **drawn, **films}


def write_results(findings: Mapping[str, Mapping[str, Any]], order: Sequence[str], page: Path) -> None:
    """The index, a page for each finding in results/ beside it, and in figures/results/ its figures and rows as CSV.

    What the index says of experiments without a finding stays: some take hours, and need not be carried out together.
    """
    for name, finding in findings.items():
        whole = {**finding, "drawn": _drawn(name, finding, page.parent / "figures" / "results")}
        whole.pop("pictures")
        own = page.parent / "results" / f"{name}.md"
        kept = own.parent / "findings" / name / "finding.json"
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(own, _section(name, whole, page).encode())
        write_whole(kept, (json.dumps(whole, indent=1) + "\n").encode())
    said = {**_kept(page), **{name: _line(name, finding) for name, finding in findings.items()}}
    write_whole(page, (HEAD + "".join(said[name] for name in order if name in said)).encode())


def _kept(page: Path) -> dict[str, str]:
    """The line of each experiment on an index that was written before."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    return dict(re.findall(r"^(?=\| \[(.+?)\]\(results/)(.*\n)", text, flags=re.M))


def _line(name: str, finding: Mapping[str, Any]) -> str:
    low, high = finding["interval"]
    link = f"[{name}](results/{name}.md)"
    cells = (link, finding["verdict"], _say(finding["estimate"]), f"[{_say(low)}, {_say(high)}]", finding["quantity"])
    return f"| {' | '.join(map(_cell, cells))} |\n"


def _section(name: str, finding: Mapping[str, Any], page: Path) -> str:
    low, high = finding["interval"]
    option = " --quick" if finding["quick"] else ""
    text = f"# {name}\n\n{_cell(finding['claim'])}.\n\n"
    text += f"**{finding['verdict']}**: {_cell(finding['quantity'])} {_say(finding['estimate'])} "
    text += f"[{_say(low)}, {_say(high)}].\n\n    parley experiment run {name}{option}\n\n"
    text += f"{_counts(finding['cells']) or _counted(page.parent / 'results' / f'{name}.md')}.\n\n"
    for drawn in finding["drawn"]:
        text += f"![{Path(drawn).stem}](../figures/results/{Path(drawn).name})\n\n"
    return text + _table(finding["rows"], page, f"figures/results/{name}.csv")


def _counts(cells: Sequence[Mapping[str, Any]]) -> str:
    """How many cells there are, and their sizes; the empty string where a finding does not have its cells."""
    counts = {key: sorted({cell[key] for cell in cells}) for key in ("episodes", "runs", "seed")}
    said = "; ".join(f"{key} {_range(values)}" for key, values in counts.items())
    return f"{len(cells):,} cells; {said}" if cells else ""


def _counted(own: Path) -> str:
    """What the page says of its cells: a finding that was judged again from its rows does not have them."""
    found = re.search(r"^([\d,]+ cells; .*)\.$", own.read_text(encoding="utf-8") if own.exists() else "", flags=re.M)
    if not found:
        raise BadInput(f"{own.stem}: the finding has no cells, and no page says how many there were: run it")
    return found[1]


def _drawn(name: str, finding: Mapping[str, Any], folder: Path) -> list[str]:
    """The names of a finding's pictures in the folder; a finding that was kept names them, and others are copied."""
    if not finding["pictures"]:
        return [drawn for drawn in finding.get("drawn", []) if (folder / Path(drawn).name).is_file()]
    folder.mkdir(parents=True, exist_ok=True)
    copied = {f"{name}{ending}{picture.suffix}": picture for ending, picture in finding["pictures"].items()}
    for drawn, picture in copied.items():
        shutil.copyfile(picture, folder / drawn)
    return list(copied)


def _range(values: Sequence[int]) -> str:
    shown = [f"{value:,}" for value in values]
    return ", ".join(shown) if len(shown) <= 4 else f"{shown[0]} to {shown[-1]}"


def _table(rows: Sequence[Mapping[str, Any]], page: Path, whole: str) -> str:
    """The first rows, with the columns of the first, as far as they fit on a screen; all rows go to `whole`."""
    alike = [row for row in rows if tuple(row) == tuple(rows[0])][:MOST_ROWS]
    columns = list(rows[0])[:MOST_COLUMNS] if rows else []
    text = f"| {' | '.join(map(_cell, columns))} |\n|{'---|' * len(columns)}\n" if rows else ""
    text += "".join(f"| {' | '.join(_cell(_say(row[c])) for c in columns)} |\n" for row in alike)
    (page.parent / whole).parent.mkdir(parents=True, exist_ok=True)
    write_whole(page.parent / whole, _as_csv(rows).encode())
    return text + f"\n[All {len(rows):,} rows and every column](../{whole}) (CSV).\n"


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """All rows of a finding in full precision, kinds one under another: what a kind has no column for stays empty."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(map(_entry, columns))
    table.writerows([_entry(row.get(column)) for column in columns] for row in rows)
    return written.getvalue()


def _entry(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return json.dumps(value)
    if not isinstance(value, str):
        return value
    shown = inert(value, len(value))
    return f"'{shown}" if shown.startswith(FORMULA) else shown


def _say(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_say, value))}]"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return "" if value is None else str(value)


def _cell(text: str) -> str:
    return inert(text).replace("|", "\\|").replace("<", "&lt;")
