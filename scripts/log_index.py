"""Write docs/log.md, the index of docs/log/: one line for each entry. `python scripts/log_index.py`"""

import re
from pathlib import Path

LOG = Path(__file__).parents[1] / "docs" / "log"
FIRST = ("laboratory", "explorers", "explorers-compared", "paid-information", "pretraining", "generalist")
HEAD = """# Log

For readers who want to know what was tried, and what it gave. Each topic has its own page, oldest entry first.
Negative results are kept. Each number names the command or the test that gives it. A new entry goes to the page of its
topic; then `python scripts/log_index.py` writes this index.
"""
LONGEST = 8  # words of a line


def entries(text: str) -> list[str]:
    """What each entry of a page begins with: its bold title, else its first sentence."""
    found = []
    for item in re.split(r"^- ", text, flags=re.M)[1:]:
        item = " ".join(item.split())
        bold = re.match(r"\*\*(.+?)\*\*", item)
        titled = bold is not None and len(bold[1].split()) > 1
        line = bold[1] if bold and titled else re.split(r"(?<=[a-z`)])[.:;] ", item.replace("**", ""))[0]
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line).split()
        line = " ".join(words[:LONGEST]) + (" ..." if len(words) > LONGEST else "")
        found.append((line + "`" * (line.count("`") % 2)).rstrip(".,:;"))
    return found


def index() -> str:
    """The text of the index."""
    names = [*FIRST, *sorted(path.stem for path in LOG.glob("*.md") if path.stem not in FIRST)]
    topics = ""
    for name in names:
        text = (LOG / f"{name}.md").read_text(encoding="utf-8")
        title, about = (part.strip() for part in text.split("\n\n")[:2])
        title, lines = title.removeprefix("# ").removesuffix(": log"), entries(text)
        topics += f"\n## [{title}](log/{name}.md)\n\n{about}\n\n" + "".join(f"- {line}\n" for line in lines)
    return HEAD + topics


if __name__ == "__main__":
    LOG.with_suffix(".md").write_text(index(), encoding="utf-8")
