"""A card of `parley bench`: what was measured of one planner, as JSON, which is read with suspicion."""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args, get_origin

from parley.core.errors import BadInput
from parley.core.paths import content

FORMAT = "parley-card/1"
LARGEST, MOST, LONGEST = 2**20, 2000, 400  # bytes of a card, entries of it, characters of a text
Number = float | None


@dataclass(frozen=True)
class Line:
    """One entry of a card; `normalised` is the same between floor (0) and ceiling (1)."""

    name: str
    suite: str
    world: str
    measures: str
    unit: str
    num_runs: int
    value: Number
    low: Number
    high: Number
    floor: Number
    ceiling: Number
    normalised: Number
    normalised_low: Number
    normalised_high: Number
    decided: str
    details: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """A fault that the interval of an entry shows, in one sentence."""

    fault: str
    sentence: str
    entry: str


@dataclass(frozen=True)
class Card:
    """Everything that was measured of a planner, and everything that was not, with the reason."""

    planner: str
    suites: list[str]
    seed: int
    episodes: int
    ended: str
    spent: dict[str, float]
    versions: dict[str, str]
    entries: list[Line] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> str:
        """The text of `card.json`; it holds no NaN."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def read_card(path: Path) -> Card:
    """A card from a file of anybody's; raises `BadInput` that names its fault."""
    try:
        found = json.loads(content(path, LARGEST).decode("utf-8"), parse_constant=_refuse)
    except OSError as wrong:
        raise BadInput(f"card {str(path)!r} cannot be read: {wrong.strerror}") from None
    except (ValueError, RecursionError) as wrong:
        raise BadInput(f"card {str(path)!r} is no JSON: {wrong!s:.200}") from None
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise BadInput(f"card {str(path)!r}: expected an object with format {FORMAT!r}")
    where = f"card {str(path)!r}"
    lines = [_checked(Line, one, f"{where}: entries") for one in _list(found, "entries", where)]
    findings = [_checked(Finding, one, f"{where}: findings") for one in _list(found, "findings", where)]
    card: Card = _checked(Card, {**found, "entries": [], "findings": []}, where)
    return Card(**{**vars(card), "entries": lines, "findings": findings})


def _refuse(constant: str) -> float:
    raise ValueError(f"it holds {constant}")


def _list(found: dict[str, Any], name: str, where: str) -> list[Any]:
    value = found.get(name)
    if not isinstance(value, list) or len(value) > MOST:
        raise BadInput(f"{where}: {name}: expected a list of at most {MOST}")
    return value


def _checked(kind: Any, given: Any, where: str) -> Any:
    """The dataclass from an object that has exactly its fields, each of its type and size."""
    known = {f.name: f.type for f in fields(kind)}
    if not isinstance(given, dict) or set(given) != set(known):
        raise BadInput(f"{where}: expected an object with {', '.join(known)}")
    for name, value in given.items():
        if not _fits(value, known[name]):
            expected = EXPECTED.get(known[name], "a short list or object of such")
            raise BadInput(f"{where}: {name}={value!r:.80}: expected {expected}")
    return kind(**given)


EXPECTED: dict[Any, str] = {
    str: f"a text of at most {LONGEST} characters",
    int: "a whole number from 0 on",
    Number: "a finite number or null",
}


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value of JSON is of a field's type: texts, counts, numbers, and short lists and objects of these."""
    if kind is str:
        return isinstance(value, str) and len(value) <= LONGEST
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64
    if kind in (float, Number):
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
        return number or (value is None and kind is not float)
    inner = get_args(kind)[-1]
    if get_origin(kind) is dict:
        return isinstance(value, dict) and _all_fit(value, str) and _all_fit(value.values(), inner)
    return isinstance(value, list) and _all_fit(value, inner)


def _all_fit(values: Collection[Any], kind: Any) -> bool:
    return len(values) <= MOST and all(_fits(value, kind) for value in values)
