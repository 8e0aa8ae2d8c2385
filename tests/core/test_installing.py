"""The hint of a missing extra is a command that works for this installation."""

import ast
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from parley.core import installing
from parley.core.errors import MissingExtra

ROOT = Path(__file__).parents[2]
GIT = {"url": "https://example.org/p.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ({}, ["parley-rl[torch]"]),
        ({"url": "file:///a b", "dir_info": {"editable": True}}, ["-e", "/a b[torch]"]),
        ({"url": "file:///a", "dir_info": {}}, ["parley-rl[torch] @ file:///a"]),
        (GIT, ["parley-rl[torch] @ git+https://example.org/p.git@abc"]),
    ],
)
def test_the_command_names_where_the_package_came_from(monkeypatch, origin, expected):
    monkeypatch.setattr(installing, "_origin", lambda: origin)
    said = str(MissingExtra("a part", "torch"))
    assert said.startswith("a part needs the extra 'torch': install it with  ")
    words = shlex.split(said.partition("install it with  ")[2])
    assert words == [sys.executable, "-m", "pip", "install", *expected]


def test_without_pip_the_command_is_uvs(monkeypatch):
    monkeypatch.setattr(installing, "find_spec", lambda name: None)
    assert installing.install_command("view").startswith("uv pip install --python ")


def test_this_checkout_is_named():
    words = shlex.split(installing.install_command("data", "view"))
    where = Path(words[-1].removesuffix("[data,view]"))
    assert words[-2] == "-e" and (where / "pyproject.toml").is_file()


def test_every_extra_that_is_asked_for_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = set()
    for path in (ROOT / "src" / "parley").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "MissingExtra":
                if isinstance(node.args[1], ast.Constant):
                    asked.add(node.args[1].value)
    assert len(asked) > 10 and asked <= set(extras)
