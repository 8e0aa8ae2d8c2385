"""Make a page a notebook, executed: `python scripts/notebook.py docs/tutorials/PAGE.md` writes PAGE.ipynb beside it."""

import re
import sys
import tempfile
from pathlib import Path

import nbclient
import nbformat

FENCE = re.compile(r"^```python\n(.*?)^```\n", re.M | re.S)


def cells(text: str) -> list[nbformat.NotebookNode]:
    """Prose and code of a page in turn; comments that readers do not see are left out."""
    text = re.sub(r"<!--.*?-->\n*", "", text, flags=re.S)
    parts = FENCE.split(text)
    made = []
    for number, part in enumerate(parts):
        if part.strip():
            new = nbformat.v4.new_code_cell if number % 2 else nbformat.v4.new_markdown_cell
            made.append(new(part.strip()))
    for number, cell in enumerate(made):
        cell["id"] = f"cell-{number}"  # the same in every making
    return made


def execute(text: str) -> nbformat.NotebookNode:
    """The page as a notebook with its outputs, executed in an empty directory."""
    notebook = nbformat.v4.new_notebook(cells=cells(text))
    with tempfile.TemporaryDirectory() as folder:
        nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]  # bars, and temporary paths
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return notebook


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        nbformat.write(execute(page.read_text(encoding="utf-8")), page.with_suffix(".ipynb"))
