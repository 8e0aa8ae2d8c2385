"""docs/results.md from findings: new ones replace what was said before, the rest stays."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from scripts.redraw import rows

from parley.core.errors import BadInput
from parley.experiments.known import EXPERIMENTS
from parley.experiments.results import MOST_ROWS, read_findings, write_results

DOCS = Path(__file__).parents[2] / "docs"


def finding(under, name, estimate, quick=False, claim="it | holds <b>"):
    cells = [{"episodes": 1000, "runs": 8, "seed": 0}]
    rows = [{"world": "shortcut", "regret": estimate}, {"compared": "a", "low": None}]
    out = under / (name + ("-quick" if quick else ""))
    out.mkdir(parents=True)
    about = {"claim": claim, "verdict": "supported", "estimate": estimate, "interval": [0.5, 1.5], "quantity": "regret"}
    (out / "finding.json").write_text(
        json.dumps({"experiment": name, "quick": quick, **about, "rows": rows, "cells": cells})
    )
    (out / "figure.png").write_bytes(name.encode())


def test_experiments_without_a_new_finding_stay(tmp_path):
    page, order = tmp_path / "docs" / "results.md", ["bail", "jump", "traps"]
    page.parent.mkdir()
    finding(tmp_path / "first", "traps", 1.25)
    finding(tmp_path / "first", "bail", 0.75)
    (tmp_path / "first" / "bail" / "arm.png").write_bytes(b"of the arm")
    (tmp_path / "first" / "bail" / "film" / "films").mkdir(parents=True)
    (tmp_path / "first" / "bail" / "film" / "films" / "run0-episode2.gif").write_bytes(b"moves")
    write_results(read_findings(tmp_path / "first"), order, page)
    index, bail = page.read_text(), (page.parent / "results" / "bail.md").read_text()
    traps = (page.parent / "results" / "traps.md").read_text()
    assert index.index("[bail](results/bail.md)") < index.index("[traps](results/traps.md)")
    assert "it \\| holds &lt;b>" in bail and "| shortcut | 0.75 |" in bail and "1,000" in bail
    assert "    parley experiment run bail\n" in bail
    assert (page.parent / "figures" / "results" / "bail.png").read_bytes() == b"bail"
    assert (page.parent / "figures" / "results" / "bail-arm.png").read_bytes() == b"of the arm"
    assert (page.parent / "figures" / "results" / "bail-film-run0-episode2.gif").read_bytes() == b"moves"
    assert bail.index("(../figures/results/bail.png)") < bail.index("(../figures/results/bail-arm.png)")
    write_results(read_findings(tmp_path / "first"), order, page)
    assert page.read_text() == index
    shutil.rmtree(tmp_path / "first")
    before = {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}
    write_results(read_findings(page.parent / "results" / "findings"), order, page)
    assert before == {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}

    finding(tmp_path / "second", "jump", 0.625)
    finding(tmp_path / "second", "bail", 0.875)
    write_results(read_findings(tmp_path / "second"), order, page)
    now = page.read_text()
    assert [now.index(f"[{name}]") for name in order] == sorted(now.index(f"[{name}]") for name in order)
    assert "0.875" in now and "0.75 |" not in now and now.count("[bail]") == 1
    assert (page.parent / "results" / "traps.md").read_text() == traps


def test_a_page_is_one_screen_and_all_rows_are_beside_it(tmp_path):
    page = tmp_path / "docs" / "results.md"
    page.parent.mkdir()
    finding(tmp_path / "all", "bail", 0.75)
    path = tmp_path / "all" / "bail" / "finding.json"
    whole = json.loads(path.read_text())
    texts = {0: "=1+1", 1: "+a", 2: "-a", 3: "@a", 4: 'a, "b"', 5: "a\nb", 6: "a=b", 7: "long " * 200}
    whole["rows"] = [{"world": texts.get(i, "w"), "regret": -i / 3, "interval": [i, 1]} for i in range(70)]
    whole["rows"] += [{"compared": "b", "regret": None}, {"third": 1}, {f"column{i}": i for i in range(20)}]
    whole["cells"] = [{"episodes": 1000, "runs": 8, "seed": seed} for seed in range(9)]
    path.write_text(json.dumps(whole))
    write_results(read_findings(tmp_path / "all"), ["bail"], page)
    text = (page.parent / "results" / "bail.md").read_text()
    assert len(re.findall("^\\|", text, re.M)) == 2 + MOST_ROWS and "seed 0 to 8" in text
    assert "[All 73 rows and every column](../figures/results/bail.csv)" in text
    with (page.parent / "figures" / "results" / "bail.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 73 and list(rows[0])[:4] == ["world", "regret", "interval", "compared"]
    assert [row["world"] for row in rows[:9]] == [
        *("'=1+1", "'+a", "'-a", "'@a", 'a, "b"', "a\\nb", "a=b", "long " * 200, "w")
    ]
    assert [float(row["regret"]) for row in rows[:70]] == [-i / 3 for i in range(70)]  # numbers stay numbers, in full
    assert rows[69]["interval"] == "[69, 1]"
    assert {key: value for key, value in rows[70].items() if value} == {"compared": "b"}


def test_a_full_run_goes_before_a_quick_one(tmp_path):
    finding(tmp_path, "bail", 0.75)
    finding(tmp_path, "bail", 0.25, quick=True)
    finding(tmp_path, "jump", 0.125, quick=True)
    found = read_findings(tmp_path)
    assert found["bail"]["estimate"] == 0.75 and found["jump"]["quick"]


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_what_is_no_finding(tmp_path, text):
    with pytest.raises(BadInput, match="there is no finding"):
        read_findings(tmp_path)
    (tmp_path / "bail").mkdir()
    (tmp_path / "bail" / "finding.json").write_text(text)
    with pytest.raises(BadInput, match="is no finding"):
        read_findings(tmp_path)


def test_a_page_says_the_claim_of_its_experiment():
    pages = {path.stem: path.read_text() for path in (DOCS / "results").glob("*.md")}
    assert len(pages) >= 25
    for name, page in pages.items():
        claim = EXPERIMENTS[name].CLAIM.replace("|", "\\|").replace("<", "&lt;")
        assert page.startswith(f"# {name}\n\n{claim}.\n\n**"), name


@pytest.mark.parametrize("name", ["adaptive-exploration", "demo-ratio", "epsilon-greedy", "unseen-worlds"])
def test_a_published_table_is_judged_as_its_page_says(name):
    finding = EXPERIMENTS[name].from_rows(rows(name))
    assert f"**{finding.verdict}**: {finding.quantity}" in (DOCS / "results" / f"{name}.md").read_text()


def test_a_finding_without_its_cells_keeps_the_count_of_its_page(tmp_path):
    page = tmp_path / "docs" / "results.md"
    page.parent.mkdir()
    finding(tmp_path / "first", "bail", 0.75)
    found = read_findings(tmp_path / "first")["bail"]
    write_results({"bail": found}, ["bail"], page)
    before = (page.parent / "results" / "bail.md").read_text()
    write_results({"bail": {**found, "cells": []}}, ["bail"], page)
    assert (page.parent / "results" / "bail.md").read_text() == before
    with pytest.raises(BadInput, match="no page says how many"):
        write_results({"traps": {**found, "cells": []}}, ["traps"], page)
