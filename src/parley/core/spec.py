"""Specs, `kind` or `kind:key=value,key=value`, as on the command line, and their binding to a factory's arguments.

A value that holds a comma stands in double quotes: `template="a,b.jinja"`; a quote within them is doubled.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from parley.core.errors import BadInput

T = TypeVar("T")

_ITEM = re.compile(r'(?:[^,="]*=)?(?:(?P<value>"(?:[^"]|"")*"(?!"))|(?P<open>")|[^,]*)')

MOST_KNOWN = 40  # names that an error lists
KINDS = {"bool": "true or false", "float": "a number", "int": "a whole number"}
TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def is_count(text: str) -> bool:
    """Whether a text is a number from 0 on, in ASCII digits: other digits are words.

    >>> is_count("12"), is_count("²"), is_count("-1")
    (True, False, False)
    """
    return text.isascii() and text.isdigit()


def suggestion(name: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" if a known name is close, else the list of known names."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    more = f", and {len(known) - MOST_KNOWN} more" if len(known) > MOST_KNOWN else ""
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known[:MOST_KNOWN]) or 'none'}{more}"


def parse_spec(spec: str, what: str, first: str = "") -> tuple[str, dict[str, str]]:
    """Split a spec into its kind and its arguments, still as text.

    `first` names the argument whose value may stand first without a name, where the kind has one.

    >>> parse_spec("treasure:n=64,p=0.1", "world")
    ('treasure', {'n': '64', 'p': '0.1'})
    >>> parse_spec("hf:org/model,decode=greedy", "planner", first="path")
    ('hf', {'path': 'org/model', 'decode': 'greedy'})
    >>> parse_spec('endpoint:model=a/b,template="mine,too.jinja"', "planner")
    ('endpoint', {'model': 'a/b', 'template': 'mine,too.jinja'})
    """
    kind, _, rest = spec.partition(":")
    arguments: dict[str, str] = {}
    for i, item in enumerate(filter(None, _items(rest, f"{what} {spec!r}"))):
        key, equals, value = item.partition("=") if "=" in item or i or not first else (first, "=", item)
        if not equals or not key.strip():
            raise BadInput(f"{what} {spec!r}: expected kind:key=value,key=value, found {item!r}")
        if key.strip() in arguments:
            raise BadInput(f"{what} {spec!r}: {key.strip()!r} is given twice")
        arguments[key.strip()] = _unquoted(value.strip())
    return kind.strip(), arguments


def spell(arguments: Mapping[str, str]) -> str:
    """The text of arguments, from which `parse_spec` reads them again.

    >>> spell({"n": "3", "template": "a,b.jinja"})
    'n=3,template="a,b.jinja"'
    """
    return ",".join(f"{key}={_quoted(value)}" for key, value in arguments.items())


def _items(text: str, where: str) -> list[str]:
    """Split at the commas that are not in a quoted value; a quote opens one right after `=`, or at the beginning."""
    items, at = list[str](), 0
    while at <= len(text):
        found = _ITEM.match(text, at)
        assert found is not None  # everything matches
        if found.group("open"):
            raise BadInput(f"{where}: a quote is not closed")
        items.append(found.group())
        at = found.end() + 1
        if found.group("value") and text[found.end() : found.end() + 1] not in ("", ","):
            raise BadInput(f"{where}: expected a comma after the quoted value, found {text[found.end()]!r}")
    return items


def _quoted(value: str) -> str:
    plain = "," not in value and '"' not in value
    return value if plain else '"' + value.replace('"', '""') + '"'


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return value[1:-1].replace('""', '"') if quoted else value


def bind(factory: Callable[..., T], arguments: dict[str, str], where: str, skip: Iterable[str] = ()) -> dict[str, Any]:
    """Convert text arguments to the types of `factory`'s parameters; `skip` are parameters that users cannot set.

    The type is that of the annotation, without one that of the default. `**names` take any other argument. A number
    whose default is a word (`epsilon: float | str = "theory"`) may be that word, and one that has another default
    (`size: int | str = 3`) any text.
    """
    signature = inspect.signature(factory).parameters
    rest = next((p for p in signature.values() if p.kind is p.VAR_KEYWORD), None)
    parameters = {
        n: p for n, p in signature.items() if n not in set(skip) and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    }
    for key in arguments:
        if key not in parameters and (rest is None or key in set(skip)):
            raise BadInput(f"{where}: no argument {key!r}{suggestion(key, parameters)}")
    missing = [n for n, p in parameters.items() if p.default is p.empty and n not in arguments]
    if missing:
        raise BadInput(f"{where}: the argument {missing[0]!r} is required")
    return {key: _convert(text, parameters.get(key, rest), f"{where}: {key}") for key, text in arguments.items()}


def _convert(text: str, parameter: inspect.Parameter | None, where: str) -> Any:
    if parameter is None:
        return text
    told = parameter.annotation if parameter.annotation is not parameter.empty else type(parameter.default)
    kind = next((name for name in KINDS if name in re.findall(r"\w+", str(told))), "str")
    word = parameter.default if isinstance(parameter.default, str) else None
    if kind == "str" or text == word:
        return text
    try:
        if not text.isascii() or "_" in text:
            raise ValueError("digits that are no ASCII digits")
        return TRUTHS[text.lower()] if kind == "bool" else float(text) if kind == "float" else int(text)
    except (KeyError, ValueError):
        if word is None and "str" in re.findall(r"\w+", str(told)):
            return text
        expected = KINDS[kind] + (f" or {word!r}" if word else "")
        raise BadInput(f"{where}={text!r}: expected {expected}") from None
