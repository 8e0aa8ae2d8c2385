"""Run files: a study as TOML, whose lists make cells; `parley run study.toml`."""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any

from parley import assemble
from parley.assemble.config import RunConfig
from parley.core.errors import BadInput
from parley.core.paths import content
from parley.core.spec import spell, suggestion
from parley.runs.ledger import Limits, Prices

TYPES = {f.name: int if f.type in ("int", int) else str for f in fields(RunConfig)}
SPECS = {
    "world": assemble.WORLDS,
    "planner": assemble.PLANNERS,
    "explore": assemble.EXPLORERS,
    "memory": assemble.MEMORIES,
}
ALTERATIONS = {"reporter": str, "actor": str}  # of the world: a manifest's world says them
LIMITS = {"token_limit": int, "cost_limit": float, "prices": str, "hooks": list}


@dataclass(frozen=True)
class Cell:
    """One run of a study: its configuration, its directory, and where its calls stop."""

    config: RunConfig
    out: Path
    token_limit: int = 0
    cost_limit: float = 0.0
    prices: Path | None = None
    hooks: tuple[str, ...] = ()

    @property
    def limits(self) -> Limits:
        """Where the run's calls stop."""
        return Limits(self.token_limit, self.cost_limit, Prices.read(self.prices) if self.prices else Prices())

    def require(self) -> None:
        """Raise `BadInput` where its limits or hooks cannot be used."""
        _ = self.limits, [assemble.HOOKS.find(hook, trust=True) for hook in self.hooks]


def read_study(path: Path, overrides: Mapping[str, Any] | None = None) -> list[Cell]:
    """The cells of a run file, in its order; `overrides` come from the command line and hold for every cell.

    An option is written as on the command line, `_` for `-`. A list of values makes a cell of each; several lists make
    all combinations. `[[cell]]` tables change options for some cells. A part may be a table instead of a spec:
    `planner = {name = "endpoint", model = "openai/gpt"}`. Cells are kept below `out`, by what tells them apart.

    Raises `BadInput` naming the entry that is wrong.
    """
    try:
        study = tomllib.loads(content(path).decode("utf-8-sig"))
    except OSError as wrong:
        raise BadInput(f"{str(path)!r} cannot be read: {wrong.strerror or wrong}") from None
    except RecursionError:
        raise BadInput(f"{str(path)!r} is no run file: it is nested too deeply") from None
    except ValueError as wrong:  # also of numbers of 5,000 digits
        raise BadInput(f"{str(path)!r} is no run file: {wrong}") from None
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    own = study.pop("cell", [])
    if not isinstance(own, list) or not all(isinstance(one, dict) for one in own):
        raise BadInput(f"{str(path)!r}: expected [[cell]] tables, found cell = {own!r:.80}")
    study.setdefault("out", str(path.with_suffix("")))
    return _apart([{**study, **one, **given} for one in own or [{}]], str(path))


def cells_of(options: Mapping[str, Any], where: str) -> list[Cell]:
    """The cells of these options. Messages about a fault name `where`."""
    return _apart([options], where)


def _apart(tables: Sequence[Mapping[str, Any]], where: str) -> list[Cell]:
    """The cells of all tables of options, each in a directory of its own if there are several. Those alike are one."""
    combined = [options for table in tables for options in _combined(table, where)]
    cells = list({repr(sorted(options.items())): options for options in combined}.values())
    keys = dict.fromkeys(key for cell in cells for key in cell if key != "out")
    told_apart = [key for key in keys if len({repr(cell.get(key)) for cell in cells}) > 1]
    found = []
    for cell in cells:
        if not isinstance(out := cell.pop("out", "."), str) or not out:
            raise BadInput(f"{where}: out = {out!r}: expected the path of a directory")
        own = Path(out) / _name(cell, told_apart) if len(cells) > 1 else Path(out)
        found.append(_cell(cell, own, where))
    return found


def _combined(options: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    """All combinations of the options that are lists."""
    known = {*TYPES, *ALTERATIONS, *LIMITS, "out"}
    for key in options:
        if key not in known:
            raise BadInput(f"{where}: there is no option {key!r}{suggestion(key, known)}")
    many = {
        key: value if isinstance(value, list) and key not in ("hooks", "out") else [value]
        for key, value in options.items()
    }
    if empty := [key for key, values in many.items() if not values]:
        raise BadInput(f"{where}: {empty[0]} = []: expected at least one value")
    return [dict(zip(many, values, strict=True)) for values in product(*many.values())]


def _cell(options: dict[str, Any], out: Path, where: str) -> Cell:
    if "world" not in options:
        raise BadInput(f'{where}: there is no world: add  world = "household"')
    found: dict[str, Any] = {}
    for key, value in options.items():
        kind = {**TYPES, **ALTERATIONS, **LIMITS}[key]
        value = _spec(key, value, where) if key in SPECS else value
        value = str(value) if key == "latent" and isinstance(value, int) and not isinstance(value, bool) else value
        fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
        if not fits or isinstance(value, bool):
            raise BadInput(f"{where}: {key} = {value!r}: expected {kind.__name__}, found {type(value).__name__}")
        found[key] = value
    for key in ALTERATIONS:
        if key in found:
            found["world"] = _with("world", found["world"], {key: found.pop(key)})
    limits = {key: found.pop(key) for key in LIMITS if key in found}
    limits["hooks"] = tuple(map(str, limits.get("hooks", ())))
    limits["prices"] = Path(limits["prices"]) if "prices" in limits else None
    return Cell(RunConfig(**found), out, **limits)


def _spec(key: str, value: Any, where: str) -> Any:
    """A part's spec, also where it is written as a table."""
    if not isinstance(value, dict):
        return value
    if not isinstance(value.get("name"), str):
        raise BadInput(f'{where}: {key} = {value!r:.80}: a table of a part needs its name, name = "..."')
    rest = {name: one for name, one in value.items() if name != "name"}
    if several := [name for name, one in rest.items() if not isinstance(one, str | int | float)]:
        raise BadInput(
            f"{where}: {key}.{several[0]} = {rest[several[0]]!r:.80}: expected a text, a number, true or false; "
            f"for several cells write several tables, {key} = [{{...}}, {{...}}]"
        )
    words = {name: str(one).lower() if isinstance(one, bool) else str(one) for name, one in rest.items()}
    return _with(key, value["name"], words) if words else value["name"]


def _with(key: str, spec: str, arguments: Mapping[str, str]) -> str:
    """The spec of a part with these arguments besides its own."""
    name, colon, rest = spec.partition(":")
    named = name in SPECS[key] or name.endswith(".json")  # else it is module:Name
    return f"{spec}{',' if (colon if named else ':' in rest) else ':'}{spell(arguments)}"


def _name(options: Mapping[str, Any], told_apart: Sequence[str]) -> str:
    """The directory of a cell: what tells it apart, readable, and a digest of it, so that it stays when others come."""
    told = [(key, options.get(key)) for key in told_apart]
    words = "-".join(re.sub(r"[^A-Za-z0-9.=]+", "-", str(value)).strip("-.") for _, value in told)
    return f"{words[:60].strip('-.')}-{hashlib.sha256(repr(told).encode()).hexdigest()[:6]}"
