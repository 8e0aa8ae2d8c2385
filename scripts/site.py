"""Build the documentation site: `python scripts/site.py` (or `make docs`); the pages come to site/.

The pages are those of docs/. In build/docs it adds the commands, the Python API and the files that pages link to.
Links to files outside docs/ then point to these copies. Zensical then builds the pages. It refuses dead
links, and references to unknown names.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import parley
from parley import cli

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "docs"
BUILT = ROOT / "build" / "docs"
LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")
GROUPS = {
    "Runs": ("run", "resume", "quickstart", "list", "show", "view", "report", "diagnose", "prompt", "merge", "export"),
    "Worlds and parts": ("world", "new", "check"),
    "Theory and experiments": ("theory", "experiment", "bench"),
    "Data and training": ("data", "pretrain", "finetune", "pretrain-reporter", "pretrain-actor", "pretrain-reach"),
    "Models": ("evaluate", "serve", "models"),
}
API = {
    "Run": ("run", "open", "Run", "stepthrough", "Step", "compare", "Comparison", "Episode", "LoggedStep"),
    "Make worlds": ("make", "gym", "wrap", "check", "Tables"),
    "Parts": ("World", "Planner", "Explorer", "Actor", "Reporter", "Memory", "Hook", "FunctionPlanner", "Snapshots"),
    "Said": ("Opening", "Menu", "Proposal", "Choice", "Moment", "Outcome", "Told", "Recalled", "Writer", "Draws"),
    "Records and errors": ("EpisodeRecord", "StepRecord", "ParleyError", "BadInput"),
}


def write_commands(folder: Path) -> None:
    """A page for each group of commands, from the parsers themselves."""
    missing = set(cli.COMMANDS) - {name for names in GROUPS.values() for name in names}
    assert not missing, f"no page for the commands {sorted(missing)}"
    index = "# Commands\n\nEvery command, from the parser itself. `parley COMMAND --help` says the same.\n"
    for title, names in GROUPS.items():
        text = f"# {title}: commands\n"
        for name in names:
            text += "".join(map(_command, _parsers(name)))
            index += f"\n- [`parley {name}`]({_slug(title)}.md): {cli.COMMANDS[name].about}"
        (folder / f"{_slug(title)}.md").write_text(text)
    (folder / "index.md").write_text(index + "\n")


def _parsers(name: str) -> list[argparse.ArgumentParser]:
    below = [made for made in _choices(cli.parser([name])) if made.prog.split()[-1] == name][0]
    return _choices(below) or [below]


def _choices(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    return [
        made
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for made in action.choices.values()
    ]


def _command(parser: argparse.ArgumentParser) -> str:
    help_of = parser._get_formatter()._get_help_string
    usage = textwrap.dedent(" " * len("usage: ") + parser.format_usage().removeprefix("usage: ")).strip()
    text = f"\n## {parser.prog}\n\n{parser.description}\n\n```text\n{usage}\n```\n\n| argument | meaning |\n|---|---|\n"
    for action in parser._actions:
        name = ", ".join(action.option_strings) or action.dest
        value = action.metavar or (action.dest.upper() if action.option_strings else "")
        shown = f"{name} {value}" if action.option_strings and action.nargs != 0 else name
        about = (help_of(action) or "") % {**vars(action), "prog": parser.prog}
        choices = f"; one of {', '.join(map(str, action.choices))}" if action.choices else ""
        text += f"| `{shown}`{' (required)' if action.required else ''} | {_cell(about)}{_cell(choices)} |\n"
    return text


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _slug(title: str) -> str:
    return title.lower().replace(" ", "-")


def write_api(folder: Path) -> None:
    """A page for each group of public names, whose docstrings mkdocstrings reads."""
    missing = set(parley.__all__) - {name for names in API.values() for name in names} - {"__version__"}
    assert not missing, f"no page for the names {sorted(missing)}"
    index = "# Python API\n\nEverything in the package `parley`. [By example](../../api.md).\n"
    for title, names in API.items():
        text = f"# {title}: API\n\n" + "\n".join(f"::: parley.{name}\n" for name in names)
        (folder / f"{_slug(title)}.md").write_text(text)
        shown = ", ".join(f"[`{name}`][parley.{name}]" for name in names)
        index += f"\n- [{title}]({_slug(title)}.md): {shown}"
    index += "\n- [Types](types.md): for parts of your own"
    (folder / "types.md").write_text("# parley.types: API\n\n::: parley.types\n")
    (folder / "index.md").write_text(index + "\n")


def carry_links(page: Path, text: str) -> str:
    """The page with links out of docs/ pointed at copies in files/, which are made."""

    def carried(found: re.Match[str]) -> str:
        opening, target, rest = found.groups()
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        meant = (page.parent / target).resolve()
        if meant.is_relative_to(SOURCE) or not meant.is_file() or not meant.is_relative_to(ROOT):
            return found[0]
        copy = BUILT / "files" / meant.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if meant.suffix == ".md":
            copy.write_text(re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", meant.read_text()))  # it stands alone
        else:
            shutil.copyfile(meant, copy)
        ups = len(page.relative_to(SOURCE).parts) - 1
        return f"{opening}{'../' * ups}{copy.relative_to(BUILT).as_posix()}{rest}"

    return LINK.sub(carried, text)


def gather() -> None:
    """Everything that the site is built from, in build/docs."""
    shutil.rmtree(BUILT, ignore_errors=True)
    shutil.copytree(SOURCE, BUILT)
    for page in sorted(SOURCE.rglob("*.md")):
        (BUILT / page.relative_to(SOURCE)).write_text(carry_links(page, page.read_text(encoding="utf-8")))
    for name, write in (("commands", write_commands), ("api", write_api)):
        folder = BUILT / "reference" / name
        folder.mkdir(parents=True)
        write(folder)


def main() -> int:
    """Gather and build; returns Zensical's exit code."""
    os.environ["COLUMNS"] = "90"  # of usages
    gather()
    return subprocess.call([Path(sys.executable).with_name("zensical"), "build", "--strict", "--clean"], cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main())
