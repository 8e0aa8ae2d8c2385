"""docs/results.md from findings: new ones replace what was said before, the rest stays."""

import json

import pytest

from parley.core.errors import BadInput
from parley.experiments.results import read_findings, write_results


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


def test_sections_without_a_new_finding_stay(tmp_path):
    page, order = tmp_path / "docs" / "results.md", ["bail", "jump", "traps"]
    page.parent.mkdir()
    finding(tmp_path / "first", "traps", 1.25)
    finding(tmp_path / "first", "bail", 0.75)
    (tmp_path / "first" / "bail" / "arm.png").write_bytes(b"of the arm")
    (tmp_path / "first" / "bail" / "film" / "films").mkdir(parents=True)
    (tmp_path / "first" / "bail" / "film" / "films" / "run0-episode2.gif").write_bytes(b"moves")
    write_results(read_findings(tmp_path / "first"), order, page)
    whole = page.read_text()
    assert whole.index("## bail") < whole.index("## traps") and "[bail](#bail)" in whole
    assert "it \\| holds &lt;b>" in whole and "| shortcut | 0.75 |" in whole and "1,000" in whole
    assert (page.parent / "figures" / "results" / "bail.png").read_bytes() == b"bail"
    assert (page.parent / "figures" / "results" / "bail-arm.png").read_bytes() == b"of the arm"
    assert (page.parent / "figures" / "results" / "bail-film-run0-episode2.gif").read_bytes() == b"moves"
    assert whole.index("(figures/results/bail.png)") < whole.index("(figures/results/bail-arm.png)")
    write_results(read_findings(tmp_path / "first"), order, page)
    assert page.read_text() == whole

    finding(tmp_path / "second", "jump", 0.625)
    finding(tmp_path / "second", "bail", 0.875)
    write_results(read_findings(tmp_path / "second"), order, page)
    now = page.read_text()
    assert [now.index(f"## {name}") for name in order] == sorted(now.index(f"## {name}") for name in order)
    assert "0.875" in now and "0.75 |" not in now and now.count("## bail") == 1 and now.count("[bail](#bail)") == 1
    assert now[now.index("## traps") :] == whole[whole.index("## traps") :]


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
