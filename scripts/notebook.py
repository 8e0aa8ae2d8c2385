"""Make a page a notebook, executed: `python scripts/notebook.py docs/tutorials/PAGE.md` writes PAGE.ipynb beside it."""

import os
import re
import sys
import tempfile
import textwrap
from pathlib import Path
from unittest.mock import patch

import nbclient
import nbformat

# Python is fenced; commands stand after an empty line, indented by four spaces. Servers do not end, and stay prose.
CODE = re.compile(r"^```python\n(.*?)^```\n|(?<=\n\n)((?:    (?!parley (?:view|serve) )[^\n]+\n)+)", re.M | re.S)
LONG = "\0"  # before commands that take long: they stay prose too
TAKES = re.compile(r" +# about \d+ (?:s|min)$", re.M)


def cells(text: str) -> list[nbformat.NotebookNode]:
    """Prose, Python and commands of a page in turn; comments that readers do not see are left out."""
    text = re.sub(r"<!--.*?-->\n*", "", re.sub(r"<!-- run: slow -->\n+(?=    )", LONG, text), flags=re.S)
    made, at = [], 0
    for found in [*CODE.finditer(text), None]:
        if prose := text[at : found.start() if found else None].replace(LONG, "").strip("\n"):
            made.append(nbformat.v4.new_markdown_cell(prose))
        if found:
            commands = "%%bash\n" + TAKES.sub("", textwrap.dedent(found[2])) if found[2] else ""
            made.append(nbformat.v4.new_code_cell((commands or found[1]).strip()))
            at = found.end()
    for number, cell in enumerate(made):
        cell["id"] = f"cell-{number}"  # the same in every making
    return made


def execute(text: str) -> nbformat.NotebookNode:
    """The page as a notebook with its outputs, executed in an empty directory."""
    notebook = nbformat.v4.new_notebook(cells=cells(text))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # there is `parley`
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, PATH=path, COLUMNS="100"):
        nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = _kept(cell.outputs)
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return notebook


def _kept(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Without standard error (bars, and temporary paths); standard output whole, without colours."""
    said = "".join(one.text for one in outputs if one.get("name") == "stdout")
    plain = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", said).split("\n"))
    others = [one for one in outputs if one.output_type != "stream"]
    return [*([nbformat.v4.new_output("stream", name="stdout", text=plain)] if plain else []), *others]


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        nbformat.write(execute(page.read_text(encoding="utf-8")), page.with_suffix(".ipynb"))
