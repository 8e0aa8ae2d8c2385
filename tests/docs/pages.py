"""What a page tells its reader to do: its commands, snippets and files, in order.

A comment before a block says how it is run, and is not shown on the site:
`<!-- run: no, REASON -->`, `<!-- run: slow -->`, `<!-- run: exit 1 -->`.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HOW = re.compile(r"<!-- run: (no, .+|slow|exit \d+) -->\s*")
FENCE = re.compile(r"```(\w*)(?: title=\"([^\"]+)\")?\s*")
TAKES = re.compile(r"about (\d+) (s|min)\b")


@dataclass
class Block:
    """Code of a page: its language (`bash` for commands), the file that it is, its lines and how it is run."""

    language: str
    line: int
    title: str = ""
    how: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


@dataclass
class Command:
    """A line for the shell, and how long the page says it takes (0: it does not say)."""

    line: int
    words: list[str]
    seconds: int


def blocks(text: str) -> Iterator[Block]:
    """The code of a page: fenced, or indented by four spaces after an empty line."""
    how, block, fenced, before, item = "", None, False, "", False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if fenced and block is not None:
            if line.strip() == "```":
                yield block
                fenced, block = False, None
            else:
                block.lines.append(line)
            continue
        if found := HOW.fullmatch(line.strip() + " "):
            if block is not None:
                yield block
            how, block = found[1], None
        elif found := FENCE.fullmatch(line.strip() + " "):
            block, fenced, how = Block(found[1], number, found[2] or "", how), True, ""
        elif line.startswith("    ") and (block is not None or (not before and not item)):
            block = block or Block("bash", number, "", how)
            block.lines.append(line[4:])
            how = ""
        elif block is not None and line.strip():
            yield block
            block = None
        item = bool(re.match(r"[-*] |\d+\. ", line)) or (item and (not line or line.startswith("  ")))
        before = line.strip() if not HOW.fullmatch(line.strip() + " ") else ""
    if block is not None:
        yield block


def commands(block: Block) -> Iterator[Command]:
    """The lines of a block, those that go on after a backslash joined."""
    kept = ""
    for number, line in enumerate(block.lines, block.line):
        kept += line.removesuffix("\\")
        if line.endswith("\\") or not kept.strip():
            continue
        takes = TAKES.search(kept.partition(" #")[2])
        seconds = int(takes[1]) * (60 if takes[2] == "min" else 1) if takes else 0
        try:
            words = shlex.split(kept, comments=True)
        except ValueError:  # indented text that is no command
            words = []
        if words:
            yield Command(number, words, seconds)
        kept = ""


def pages() -> list[Path]:
    """Every page that tells its reader to do something: the README and all below docs/, but for the log and results."""
    left_out = {"log", "results", "figures"}
    found = [path for path in sorted(DOCS.rglob("*.md")) if not left_out & set(path.relative_to(DOCS).parts)]
    return [ROOT / "README.md", *(path for path in found if path.name not in ("log.md", "results.md"))]
