"""The Python of the documentation runs: as a script, in the order of the page, and as a notebook."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
SNIPPET = re.compile(r"^```python\n(.*?)^```", re.M | re.S)


def snippets(page: str) -> list[str]:
    return SNIPPET.findall((DOCS / page).read_text())


def test_the_api_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = snippets("api.md")
    assert len(found) >= 12
    said: dict[str, object] = {}
    for code in found:
        exec(compile(code, "docs/api.md", "exec"), said)


def test_no_snippet_needs_an_import_below_parley():
    for code in snippets("api.md"):
        assert not re.search(r"^\s*(from|import) parley\.(?!types\b)", code, re.M), code


def test_the_api_page_runs_in_a_notebook(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [nbformat.v4.new_code_cell(code) for code in snippets("api.md")[:12]]
    cells.append(nbformat.v4.new_code_cell("run"))
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    done = client.execute()
    shown = done.cells[-1]["outputs"][-1]["data"]["text/html"]
    assert shown.startswith("<table>") and "runs" in shown


def test_the_page_on_scale_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said: dict[str, object] = {}
    for code in snippets("scale.md"):
        exec(compile(code, "docs/scale.md", "exec"), said)
    assert said["frame"].column_names[0] == "source" and len(said["frame"]) == 40
