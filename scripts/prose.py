"""Hold prose to how we write: short sentences, plain words, active voice.

    python -m scripts.prose            # everything against the rules; exit code 1
    python -m scripts.prose FILE ...   # these files only

It reads the pages (*.md), and of code the docstrings, the comments and the messages. No file may have a fault.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.prose_blocks import Block, code_blocks, page_blocks

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"
LONGEST = 25  # words of a sentence
AVERAGE = 18.0  # words of a sentence, over a file
PASSIVE = 0.35  # of the sentences of a page
FEWEST = 12  # sentences from which on averages and shares are taken
FORBIDDEN = {
    r"\blaws?\b": "say probability distribution",
    r"\bwhat is (?!\w+\?)(?!it\b|this\b|the\b|a\b|an\b|hidden\b|new\b|planned\b|next\b)\w+": "name the thing",
    r"\bthat which\b": "name the thing",
    r"\bwhoever\b": "say who",
    r"\bwhatever (?:has|is|they|he|comes)\b": "name the thing",
    r"\bof which\b": "two sentences",
    r"\bwhyever\b|\bwhereof\b|\btherein\b|\bthereof\b": "use a plain word",
    r"\bso that who\b|\bwho arrives\b": "say who",
    r"\bof ours\b|\bof theirs\b": "say our, their",
    r"\bby itself alone\b|\bthose alone\b": "use only",
    r"\bnobody'?s\b": "say who has it",
    r"\b(?:is|are) (?-i:none)\b": "say which are missing",
    r"\bin order that\b|\butiliz|\bleverag|\bseamless": "use a plain word",
    r"\bhonestly\b|\bsimply\b|\bobviously\b|\beasily\b": "leave it out",
}
IRREGULAR = (
    "built|chosen|done|drawn|found|given|held|kept|known|left|lost|made|meant|paid|put|read|run|said|seen|sent|set|shown"
    "|split|spoken|taken|thought|told|understood|used|written"
)
TERM = re.compile(r"\b[A-Z]{2,}(?=s?\b)(?!\.md)")
# Every reader knows these; all others stand in the glossary.
EVERYDAY = frozenset(
    "AI API CPU CSV CUDA FAQ GB GIF GL GPU HOME HTML ICML JSON JSONL MB NFS README SHA SIGKILL SIGTERM URL".split()
)
BE = r"\b(?:is|are|was|were|be|been|being)"
PASSIVES = re.compile(rf"{BE}(?: (?:not|never|then|also|only|\w+ly))? (?:\w{{2,}}ed|{IRREGULAR})\b", re.I)
ABBREVIATIONS = re.compile(r"\b(e\.g|i\.e|et al|vs|cf|Fig|Eq|resp|no(?=\. \d))\.", re.I)
SENTENCE = re.compile(r"(?<=[.!?])(?<!\.\.\.)[)\"'*]*\s+(?=[\"'(*`A-Z0-9À-Ý])")


class Fault(NamedTuple):
    """Something against the rules, and where."""

    path: str
    line: int
    text: str


def sentences(block: Block) -> Iterator[Block]:
    """The sentences of a block, each at its line; code counts as one word."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", _as_long(r"\1"), block.text)
    text = re.sub(r"``?[^`]*``?", _as_long("`code`"), text)
    text = ABBREVIATIONS.sub(r"\1", text)
    at = 0
    for end in [*(found.end() for found in SENTENCE.finditer(text)), len(text)]:
        if words(text[at:end]):
            yield Block(block.line + text[:at].count("\n"), " ".join(text[at:end].split()))
        at = end


def _as_long(put: str) -> Callable[[re.Match[str]], str]:
    """A replacement that keeps as many lines."""
    return lambda found: found.expand(put) + "\n" * (found[0].count("\n") - found.expand(put).count("\n"))


def words(sentence: str) -> list[str]:
    """Its words: what has a letter or a digit, between spaces."""
    return [word for word in sentence.split() if re.search(r"\w", word)]


def faults(path: str, text: str) -> list[Fault]:
    """Everything in a file that is against the rules."""
    known = EVERYDAY | set(TERM.findall(GLOSSARY.read_text(encoding="utf-8")))
    page, found, lengths, passive = path.endswith(".md"), list[Fault](), list[int](), 0
    for block in page_blocks(text) if page else code_blocks(path, text):
        for line, sentence in sentences(block):
            length = len(words(sentence))
            if length > LONGEST:
                found.append(Fault(path, line, f"{length} words, at most {LONGEST}: {sentence[:70]} ..."))
            for pattern, instead in FORBIDDEN.items():
                found += [Fault(path, line, f"{hit[0]!r}: {instead}") for hit in re.finditer(pattern, sentence, re.I)]
            if page:
                new = sorted(set(TERM.findall(sentence)) - known)
                found += [Fault(path, line, f"{term!r}: say it in words, or in the glossary") for term in new]
            if length > 3:
                lengths.append(length)
                passive += bool(PASSIVES.search(sentence))
    if len(lengths) >= FEWEST and (mean := sum(lengths) / len(lengths)) > AVERAGE:
        found.append(Fault(path, 1, f"{mean:.1f} words a sentence on average, at most {AVERAGE:.0f}"))
    if page and len(lengths) >= FEWEST and passive / len(lengths) > PASSIVE:
        found.append(Fault(path, 1, f"{passive / len(lengths):.0%} of sentences are passive, at most {PASSIVE:.0%}"))
    return found


def files() -> list[Path]:
    """The files that follow the rules: pages and code."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")]
    code = [path for below in ("src", "scripts", "examples", "benchmarks") for path in (ROOT / below).rglob("*.py")]
    return sorted([*pages, *code])


def main() -> int:
    parser = argparse.ArgumentParser(description="hold prose to how we write")
    parser.add_argument("paths", nargs="*", type=Path, help="only these files")
    args = parser.parse_args()
    chosen = [path.resolve() for path in args.paths] or files()
    found = [
        fault
        for path in chosen
        for fault in faults(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    ]
    for fault in found:
        print(f"{fault.path}:{fault.line}: {fault.text}")
    print(f"prose: {len(chosen)} files, {len(found)} faults")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
