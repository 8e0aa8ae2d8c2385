"""What `prose.py` reads: the paragraphs of pages; docstrings, comments and messages of code."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):$")
DIRECTIVE = re.compile(r"#(!| ?(noqa|type:|pragma|fmt:|mypy:))")
PROSE = re.compile(r"(?:\b[a-z]+ ){3}[a-z]+\b")
# What models read is part of a world, a memory or a template. Only exceptions and help texts of these are for people.
FOR_MODELS = ("src/parley/worlds/", "src/parley/memory/", "src/parley/prompting/")


class Block(NamedTuple):
    """A paragraph, an item, a cell, a comment or a message; its lines are those of the file."""

    line: int
    text: str


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
        cells = bare.startswith("|") and not kept
        starts = cells or bool(re.match(r"[-*] |\d+\. |#+ |>|!!!|\?\?\?|:::", bare))
        if kept and (not bare or starts or code):
            yield Block(begun, "\n".join(kept))
            kept = []
        item = (item and (not bare or line.startswith("  "))) or bool(re.match(r"\s*([-*]|\d+\.) |!!!|\?\?\?", line))
        if code or not bare or re.match(r"#+ |:::|!!!|\?\?\?", bare):
            continue
        if cells:
            yield from (Block(number, cell) for cell in re.split(r"(?<!\\)\|", bare)[1:] if re.search(r"\w", cell))
            continue
        kept.append(re.sub(r"^([-*>]|\d+\.) ", "", bare))
        begun = number if len(kept) == 1 else begun


def code_blocks(path: str, text: str) -> Iterator[Block]:
    """Docstrings by paragraphs, comments, and messages: every text with four plain words in a row."""
    tree = ast.parse(text)
    yield from _comments(text)
    read = set[int]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if (told := ast.get_docstring(node)) is not None:
                read.add(id(node.body[0].value))  # type: ignore[attr-defined]
                yield from _docstring(node.body[0].lineno, told)
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield from _messages(node.exc.args, read)
        elif isinstance(node, ast.Call):
            shown = ("help", "description", "epilog")
            yield from _messages([one.value for one in node.keywords if one.arg in shown], read)
    if not path.startswith(FOR_MODELS):
        yield from _messages([tree], read)


def _docstring(line: int, told: str) -> Iterator[Block]:
    kept, begun, section = list[str](), line, False
    for number, row in enumerate([*told.splitlines(), ""], line):
        bare = row.strip()
        entry = section and bool(re.match(r"    \S", row))
        code = bare.startswith((">>>", "...")) or (row.startswith("    ") and not section)
        if kept and (not bare or code or entry or re.match(r"[-*] |\d+\. ", bare) or SECTION.match(bare)):
            yield Block(begun, "\n".join(kept))
            kept = []
        if bare and not row.startswith(" "):
            section = bool(SECTION.match(bare))
        if bare and not code and not SECTION.match(bare):
            begun = begun if kept else number
            kept.append(re.sub(r"^([-*]|\d+\.) ", "", bare))


def _comments(text: str) -> Iterator[Block]:
    """Comments; lines with nothing else that follow each other are one."""
    kept, begun, last = list[str](), 0, 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT or DIRECTIVE.match(token.string):
            continue
        alone, line = token.line.lstrip().startswith("#"), token.start[0]
        if kept and not (alone and line == last + 1):
            yield Block(begun, "\n".join(kept))
            kept = []
        begun, last = (begun if kept else line), (line if alone else 0)
        kept.append(token.string.lstrip("#: "))
    if kept:
        yield Block(begun, "\n".join(kept))


def _messages(nodes: list[ast.expr] | list[ast.Module], read: set[int]) -> Iterator[Block]:
    """The texts in these expressions that were not read yet; a page of Markdown is read as one."""
    for top in nodes:
        for node in ast.walk(top):
            if id(node) in read or not (told := _said(node)):
                continue
            read |= {id(part) for part in ast.walk(node)}
            if PROSE.search(told):
                blocks = page_blocks(told) if "\n\n" in told else [Block(1, " ".join(told.split()))]
                yield from (Block(node.lineno, " ".join(block.text.split())) for block in blocks)  # type: ignore[attr-defined]


def _said(node: ast.AST) -> str:
    """The text of a literal; values in it count as one word."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "`x`" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _said(node.left) + _said(node.right)
    return ""
