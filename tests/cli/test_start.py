"""The first minute: what `parley --help` imports, defaults in every help, completion, versions."""

import argparse
import os
import re
import subprocess
import sys

import pytest

from parley.cli import COMMANDS, parser

HEAVY = {"numpy", "matplotlib", "gymnasium", "rich", "torch", "transformers", "jinja2", "orjson", "PIL", "safetensors"}
MOST_MODULES = 200  # with those of the interpreter's own start


def imported(*arguments: str) -> set[str]:
    """The modules that a command imports, by the interpreter's own account."""
    command = [sys.executable, "-X", "importtime", "-m", "parley", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_the_first_command_imports_nothing_heavy(arguments):
    found = imported(*arguments)
    assert not {name.partition(".")[0] for name in found} & HEAVY
    ours = {name for name in found if name.partition(".")[0] == "parley"}
    assert "parley.cli" in ours and len(ours) <= 9, sorted(ours)
    assert len(found) <= MOST_MODULES, f"{len(found)} modules"


def options() -> list[tuple[str, argparse.Action]]:
    def within(at: argparse.ArgumentParser) -> list[tuple[str, argparse.Action]]:
        found = []
        for action in at._actions:
            if isinstance(action, argparse._SubParsersAction):
                found += [one for below in action.choices.values() for one in within(below)]
            elif action.dest != "help":
                found.append((at.format_help(), action))
        return found

    return within(parser())


def test_every_option_says_what_it_is_and_its_default():
    for shown, action in options():
        name = action.option_strings[-1] if action.option_strings else action.dest
        assert action.help, f"{name} has no help:\n{shown}"
        if not action.option_strings or action.nargs == 0 or action.required:
            continue
        if action.default in (None, "", []):
            assert "default" in action.help or "required" in action.help, f"{name} does not say its default:\n{shown}"
        else:
            text = " ".join(shown[shown.rindex(f"  {name}") :].split()).replace("- ", "-")
            said = text.partition(action.help.split()[0])[2]
            assert "default" in said.partition("  --")[0], f"{name} does not say its default:\n{shown}"


def test_the_version_is_said():
    done = subprocess.run([sys.executable, "-m", "parley", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and re.fullmatch(r"parley \d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("parley ", set(COMMANDS)),
        ("parley res", {"resume "}),
        ("parley run --wor", {"--world "}),
        ("parley run --record ", {"steps", "episodes", "auto"}),
        ("parley world fi", {"film "}),
    ],
)
def test_a_shell_completes_commands_and_options(tmp_path, typed, expected):
    pytest.importorskip("argcomplete")
    out = tmp_path / "answer"
    told = {"_ARGCOMPLETE": "1", "COMP_LINE": typed, "COMP_POINT": str(len(typed)), "COMP_TYPE": "9"}
    told |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(out), "_ARGCOMPLETE_IFS": "\n"}
    subprocess.run([sys.executable, "-m", "parley"], env={**os.environ, **told}, check=True)
    assert expected <= set(out.read_text().split("\n"))
