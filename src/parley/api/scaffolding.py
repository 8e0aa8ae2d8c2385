"""`parley new`: a package with one part of somebody's own, and a test that holds it to its contract."""

import keyword
import re
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template

from parley import assemble
from parley.core.errors import BadInput
from parley.runs.directory import storage, write_whole

OBJECTS = {"world": "world", "planner": "Planner", "explorer": "Explorer", "memory": "Memory"}
REGISTRIES = {
    "world": assemble.WORLDS,
    "planner": assemble.PLANNERS,
    "explorer": assemble.EXPLORERS,
    "memory": assemble.MEMORIES,
}


def scaffold(kind: str, name: str, into: Path) -> list[Path]:
    """Write the package `name` into the new directory `into / name`; returns its files.

    Raises `BadInput` for a kind that has no scaffold, a name that is no name of a module, or a directory that exists.
    """
    if kind not in OBJECTS:
        raise BadInput(f"kind={kind!r}: expected {', '.join(OBJECTS)}")
    module = name.replace("-", "_")
    if not re.fullmatch(r"[a-z]([a-z0-9_]{0,98}[a-z0-9])?", module) or keyword.iskeyword(module):
        raise BadInput(
            f"name={name!r:.80}: expected lower-case letters, digits and hyphens, a letter first, as in my-{kind}"
        )
    if name in REGISTRIES[kind] or module in ("tests", "conftest") or find_spec(module) or _installed(name):
        raise BadInput(f"name={name!r}: a part, module or package has that name already: take another, as in my-{kind}")
    folder = into / name
    if folder.exists():
        raise BadInput(f"{str(folder)!r} exists already: take another name, or another --into")
    words = {"name": name, "module": module, "kind": kind, "group": REGISTRIES[kind].group, "object": OBJECTS[kind]}
    texts = {f"{module}.py": f"{kind}.txt", "pyproject.toml": "pyproject.txt", f"tests/test_{module}.py": "test.txt"}
    with storage(folder):
        for path, template in texts.items():
            text = Template(files("parley.api").joinpath(f"scaffold/{template}").read_text("utf-8"))
            write_whole(folder / path, text.substitute(words).encode())
    return [folder / path for path in texts]


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False
