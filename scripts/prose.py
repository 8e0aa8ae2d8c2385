"""Hold prose to how we write: short sentences, plain words, active voice.

    python scripts/prose.py              # what is new and against the rules; exit code 1
    python scripts/prose.py --all        # everything, what is known too
    python scripts/prose.py --accept     # write the counts of today to scripts/prose_known.json

It reads the pages (*.md), the docstrings and the messages (exceptions, help texts). `prose_known.json` is a
ratchet: for each file older than these rules, how many faults it may have. No count may grow. A new file may
have none.
"""

import argparse
import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
KNOWN = ROOT / "scripts" / "prose_known.json"
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
    r"\b(?:one|two|some|all|each|both|most|many|none|lists?) of which\b": "two sentences",
    r"\bwhyever\b|\bwhereof\b|\btherein\b|\bthereof\b": "use a plain word",
    r"\bso that who\b|\bwho arrives\b": "say who",
    r"\bof ours\b|\bof theirs\b": "say our, their",
    r"\bby itself alone\b|\bthose alone\b": "use only",
    r"\bnobody'?s\b": "say who has it",
    r"\bis none\b|\bare none\b": "say what is wrong",
    r"\bin order that\b|\butiliz|\bleverag|\bseamless": "use a plain word",
    r"\bhonestly\b|\bsimply\b|\bobviously\b|\beasily\b": "leave it out",
}
IRREGULAR = (
    "built|chosen|done|drawn|found|given|held|kept|known|left|lost|made|meant|paid|put|read|run|said|seen|sent|set|shown"
    "|split|spoken|taken|thought|told|understood|used|written"
)
BE = r"\b(?:is|are|was|were|be|been|being)"
PASSIVES = re.compile(rf"{BE}(?: (?:not|never|then|also|only|\w+ly))? (?:\w{{2,}}ed|{IRREGULAR})\b", re.I)
ABBREVIATIONS = re.compile(r"\b(e\.g|i\.e|et al|vs|cf|Fig|Eq|resp|no)\.", re.I)
SENTENCE = re.compile(r"(?<=[.!?])[)\"'*]*\s+(?=[\"'(*`A-Z0-9À-Ý])")


class Fault(NamedTuple):
    """Something against the rules, and where."""

    path: str
    line: int
    text: str


class Block(NamedTuple):
    """A paragraph, an item, a cell, a docstring's paragraph or a message."""

    line: int
    text: str


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph; code counts as one word."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"``?[^`]*``?", "`code`", text)
    text = ABBREVIATIONS.sub(r"\1", " ".join(text.split()))
    return [one for one in SENTENCE.split(text) if words(one)]


def words(sentence: str) -> list[str]:
    """Its words: what has a letter or a digit, between spaces."""
    return [word for word in sentence.split() if re.search(r"\w", word)]


def page_blocks(text: str) -> Iterator[Block]:
    """Paragraphs, items and cells of a page; headings, code and formulas are no prose."""
    text = re.sub(r"<!--.*?-->", lambda found: "\n" * found[0].count("\n"), text, flags=re.S)
    fenced, kept, begun, item = False, list[str](), 0, False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        bare = line.strip()
        if bare.startswith(("```", "~~~", "$$")):
            fenced = fenced != (bare == "$$" or not bare.startswith("$$") or not bare.endswith("$$"))
            bare = line = ""
        code = fenced or (line.startswith("    ") and not kept and not item)
        starts = bool(re.match(r"[-*] |\d+\. |\||#|>|!!!|\?\?\?|:::", bare))
        if kept and (not bare or starts or code):
            yield Block(begun, " ".join(kept))
            kept = []
        item = (item and (not bare or line.startswith("  "))) or bool(re.match(r"\s*([-*]|\d+\.) ", line))
        if code or not bare or bare.startswith(("#", ":::", "!!!", "???")):
            continue
        if bare.startswith("|"):
            yield from (Block(number, cell) for cell in re.split(r"(?<!\\)\|", bare)[1:-1] if words(cell))
            continue
        kept.append(re.sub(r"^([-*>]|\d+\.) ", "", bare))
        begun = number if len(kept) == 1 else begun


def code_blocks(text: str) -> Iterator[Block]:
    """Docstrings by paragraphs, and messages: what is raised, and the help of options."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0].lineno if node.body else 1
            for paragraph in re.split(r"\n\s*\n", ast.get_docstring(node) or ""):
                plain = [line for line in paragraph.splitlines() if not line.startswith(("    ", ">>>", "..."))]
                yield Block(first, " ".join(plain))
        told = list[ast.expr]()
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            told = node.exc.args[:1]
        elif isinstance(node, ast.Call):
            told = [keyword.value for keyword in node.keywords if keyword.arg in ("help", "description")]
        yield from (Block(one.lineno, said) for one in told if (said := _said(one)))


def _said(node: ast.expr) -> str:
    """The text of a literal; values in it count as one word."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "`x`" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _said(node.left) + _said(node.right)
    return ""


def faults(path: str, text: str) -> list[Fault]:
    """Everything in a file that is against the rules."""
    page, found, lengths, passive = path.endswith(".md"), list[Fault](), list[int](), 0
    for block in page_blocks(text) if page else code_blocks(text):
        for sentence in sentences(block.text):
            length = len(words(sentence))
            if length > LONGEST:
                found.append(Fault(path, block.line, f"{length} words, at most {LONGEST}: {sentence[:70]} ..."))
            for pattern, instead in FORBIDDEN.items():
                found += [
                    Fault(path, block.line, f"{hit[0]!r}: {instead}") for hit in re.finditer(pattern, sentence, re.I)
                ]
            if length > 3:
                lengths.append(length)
                passive += bool(PASSIVES.search(sentence))
    if len(lengths) >= FEWEST and (mean := sum(lengths) / len(lengths)) > AVERAGE:
        found.append(Fault(path, 1, f"{mean:.1f} words a sentence on average, at most {AVERAGE:.0f}"))
    if page and len(lengths) >= FEWEST and passive / len(lengths) > PASSIVE:
        found.append(Fault(path, 1, f"{passive / len(lengths):.0%} of sentences are passive, at most {PASSIVE:.0%}"))
    return found


def files() -> list[Path]:
    """What is held to the rules: pages and code of ours; generated and other people's text is not."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")]
    code = [path for below in ("src", "scripts", "examples") for path in (ROOT / below).rglob("*.py")]
    return sorted(path for path in [*pages, *code] if "docs/results/" not in path.as_posix())


def main() -> int:
    parser = argparse.ArgumentParser(description="hold prose to how we write")
    parser.add_argument("--all", action="store_true", help="show what is known too")
    parser.add_argument("--accept", action="store_true", help="write the counts of today to scripts/prose_known.json")
    parser.add_argument("paths", nargs="*", type=Path, help="only these files, with all their faults")
    args = parser.parse_args()
    chosen = [path.resolve() for path in args.paths] or files()
    known = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    found = {
        name: faults(name, path.read_text(encoding="utf-8"))
        for path in chosen
        if (name := path.relative_to(ROOT).as_posix())
    }
    if args.accept:
        KNOWN.write_text(json.dumps({name: len(some) for name, some in found.items() if some}, indent=0) + "\n")
    everything = args.all or bool(args.paths)
    worse = {name for name, some in found.items() if len(some) > known.get(name, 0) and not args.accept}
    for name, some in found.items():
        if name in worse or everything:
            print(*(f"{fault.path}:{fault.line}: {fault.text}" for fault in some), sep="\n")
            if name in known and name in worse:
                print(f"{name}: {len(some)} faults, {known[name]} when the rules came")
    print(f"prose: {len(found)} files, {sum(map(len, found.values()))} faults, {len(worse)} files with new ones")
    return int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
