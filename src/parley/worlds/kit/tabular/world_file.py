"""World files: a tabular family as JSON (`parley-world/1`, docs/formats.md), written exactly, read with suspicion."""

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from parley.core.errors import BadInput
from parley.core.paths import content
from parley.core.tables import Tables

FORMAT = "parley-world/1"
TOLERANCE = 1e-6
LARGEST = 32 * 2**20  # bytes of a file
MOST_ENTRIES = 2**24  # of a table: 128 MiB
LONGEST_HORIZON, LONGEST_NAME = 1_000, 100_000  # steps; characters
NAMES = ("states", "observations", "subgoals", "latents", "instructions")
ARRAYS = ("prior", "initial", "transition", "emission", "reward")
FIELDS = ("format", "name", "horizon", *NAMES, *ARRAYS, "preference")
DISTRIBUTIONS = ("prior", "initial", "transition", "emission")


def dump_world(tables: Tables) -> str:
    """The world file of a family for one Actor; every number survives the round trip exactly."""
    if tables.num_actors > 1:
        raise BadInput(
            f"world {tables.name!r} has {tables.num_actors} Actors: {FORMAT} holds worlds for one Actor only"
        )
    shared = bool((tables.emission == tables.emission[0]).all())
    entries: dict[str, Any] = {
        "format": FORMAT,
        "name": tables.name,
        "horizon": tables.horizon,
        **{name: list(getattr(tables, name)) for name in NAMES},
        **{name: getattr(tables, name).tolist() for name in ARRAYS},
    }
    if shared:
        entries["emission"] = tables.emission[0].tolist()
    if tables.preference is not None:
        entries["preference"] = tables.preference.tolist()
    return json.dumps(entries, ensure_ascii=False) + "\n"


def load_world(path: str | Path) -> Tables:
    """Read and validate a world file; raises `BadInput` naming the field, the indices and the value."""
    try:
        text = content(Path(path), LARGEST).decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except OSError as wrong:
        raise BadInput(f"world file {str(path)!r} cannot be read: {wrong.strerror}") from None
    except UnicodeDecodeError as wrong:
        raise BadInput(f"world file {str(path)!r} is not UTF-8: {wrong.reason} at byte {wrong.start}") from None
    return parse_world(text, str(path))


def parse_world(text: str, where: str = "world") -> Tables:
    """Validate the text of a world file."""

    def refuse(what: str) -> NoReturn:
        raise BadInput(f"{where}: {what}")

    def twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                refuse(f"field {_short(key)} is given twice")
            found[key] = value
        return found

    try:
        entries = json.loads(text, object_pairs_hook=twice)
    except json.JSONDecodeError as wrong:
        refuse(f"no valid JSON (cut off?): {wrong.msg} at line {wrong.lineno}, column {wrong.colno}")
    except RecursionError:
        refuse("no world file: it is nested too deeply")
    except ValueError as wrong:  # Python reads no integers of thousands of digits
        if isinstance(wrong, BadInput):
            raise
        refuse(f"no valid JSON: {wrong}")
    if not isinstance(entries, dict):
        refuse(f"expected an object, found {type(entries).__name__}")
    unknown = [key for key in entries if key not in FIELDS]
    missing = [key for key in FIELDS if key not in entries and key != "preference"]
    if unknown:
        refuse(f"unknown field {_short(unknown[0])}; the fields are {', '.join(FIELDS)}")
    if missing:
        refuse(f"field {missing[0]!r} is missing")
    if entries["format"] != FORMAT:
        refuse(f"format is {_short(entries['format'])}; this version reads {FORMAT!r}")
    _check_text("name", entries["name"], refuse)
    horizon = entries["horizon"]
    if isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < 1:
        refuse(f"horizon is {_short(horizon)}: expected a whole number of at least 1")
    if horizon > LONGEST_HORIZON:
        refuse(f"horizon is {_short(horizon)}: at most {LONGEST_HORIZON:,} steps can be valued")
    for name in NAMES:
        _check_names(name, entries[name], refuse)
    s, o, g, z, w = (len(entries[name]) for name in NAMES)
    if z * s * g * s > MOST_ENTRIES or z * s * o > MOST_ENTRIES:
        sizes = f"{z:,} latents, {s:,} states, {g:,} subgoals and {o:,} observations"
        refuse(f"{sizes} make tables of more than {MOST_ENTRIES:,} entries, the most that are read")
    nested = isinstance(entries["emission"], list) and entries["emission"] and isinstance(entries["emission"][0], list)
    shared = nested and not (entries["emission"][0] and isinstance(entries["emission"][0][0], list))
    shapes = dict(prior=(z,), initial=(z, s), transition=(z, s, g, s), emission=(s, o) if shared else (z, s, o))
    shapes |= dict(reward=(o, w), preference=(z, g))
    arrays = {name: _array(name, entries[name], shape, refuse) for name, shape in shapes.items() if name in entries}
    for name in DISTRIBUTIONS:
        _check_rows(name, arrays[name], refuse)
    high = np.argwhere(arrays["reward"] > 1)
    if len(high):
        refuse(f"reward{_at(high[0])} is {arrays['reward'][tuple(high[0])]}: expected a number in [0, 1]")
    with np.errstate(over="ignore"):
        beyond = np.argwhere(~np.isfinite(arrays.get("preference", np.zeros((z, g))).sum(axis=1)))
    if len(beyond):
        refuse(f"preference{_at(beyond[0])} sums to more than any float holds: expected smaller weights")
    emission = np.tile(arrays["emission"], (z, 1, 1)) if shared else arrays["emission"]
    return Tables(
        name=entries["name"],
        horizon=horizon,
        states=tuple(entries["states"]),
        observations=tuple(entries["observations"]),
        menus=(tuple(entries["subgoals"]),),
        latents=tuple(entries["latents"]),
        instructions=tuple(entries["instructions"]),
        prior=arrays["prior"],
        initial=arrays["initial"],
        transition=arrays["transition"],
        emission=emission,
        reward=arrays["reward"],
        preference=arrays.get("preference"),
    )


def _at(index: Any) -> str:
    return "".join(f"[{int(i)}]" for i in index)


def _check_names(field: str, names: Any, refuse: Any) -> None:
    if not isinstance(names, list) or not names:
        refuse(f"{field} is {_short(names)}: expected a list of at least one name")
    for i, name in enumerate(names):
        _check_text(f"{field}[{i}]", name, refuse)
    seen: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in seen:
            refuse(f"{field}[{i}] is {_short(name)}, the same name as {field}[{seen[name]}]")
        seen[name] = i


def _check_text(where: str, text: Any, refuse: Any) -> None:
    if not isinstance(text, str):
        refuse(f"{where} is {_short(text)}: expected a string")
    if len(text) > LONGEST_NAME:
        refuse(f"{where} has {len(text):,} characters: at most {LONGEST_NAME:,} are read")
    if any("\ud800" <= c <= "\udfff" for c in text):
        refuse(f"{where} is {_short(text)}: half a surrogate pair is no text")


def _array(field: str, value: Any, shape: tuple[int, ...], refuse: Any) -> np.ndarray:
    """The nested list as an array of `shape`, all entries finite numbers that are not negative."""

    def walk(part: Any, depth: int, index: tuple[int, ...]) -> None:
        if depth == len(shape):
            if isinstance(part, bool) or not isinstance(part, int | float):
                refuse(f"{field}{_at(index)} is {_short(part)}: expected a number")
            if not 0 <= part <= sys.float_info.max:
                refuse(f"{field}{_at(index)} is {_short(part)}: expected a finite number that is not negative")
            return
        if not isinstance(part, list) or len(part) != shape[depth]:
            found = f"has length {len(part)}" if isinstance(part, list) else f"is {_short(part)}"
            refuse(f"{field}{_at(index)} {found}: expected a list of length {shape[depth]}")
        for i, item in enumerate(part):
            walk(item, depth + 1, (*index, i))

    walk(value, 0, ())
    return np.array(value, dtype=float)


def _check_rows(field: str, array: np.ndarray, refuse: Any) -> None:
    with np.errstate(over="ignore"):
        sums = array.sum(axis=-1)
    wrong = np.argwhere(np.abs(sums - 1) > TOLERANCE)
    if len(wrong):
        refuse(f"{field}{_at(wrong[0])} sums to {sums[tuple(wrong[0])]:.9g}: expected 1 (within {TOLERANCE:g})")


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
