"""Tables of run logs as Arrow: what polars, pandas and DuckDB take without copying (extra `data`)."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parley.core.errors import BadInput, MissingExtra
from parley.runs.cells import check_column, numbers_of
from parley.runs.directory import agreeing, storage
from parley.runs.log import known_menu, read_menus
from parley.runs.shards import connect
from parley.runs.texts import Reader

if TYPE_CHECKING:
    import pyarrow

ROWS = 65_536  # of a batch
PLACE = ("run", "episode", "step")
Read = Callable[[Any], Any]  # from a cell of SQLite to a value of Arrow


def frame(paths: Sequence[Path], table: str) -> "pyarrow.Table":
    """One table of one or more run directories; over several, `source` says which directory a row is of.

    `episodes` and `steps` are as docs/formats.md has them, with proposals, distributions and menus as lists. `calls`
    have their prompt and answer as text. `cuts` say how many episodes a prompt left out.
    """
    schema, batches = _read(paths, table)
    return _arrow().Table.from_batches(batches, schema)


def export(paths: Sequence[Path], folder: Path, tables: Sequence[str]) -> dict[str, int]:
    """Write tables as Parquet files (`episodes.parquet`, ...) into `folder`; returns their numbers of rows.

    A batch at a time is in memory. A file is there whole or not at all; raises `BadInput` where one is there already.
    """
    _arrow()
    from pyarrow import parquet

    found: dict[str, int] = {}
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        files = {table: folder / f"{table}.parquet" for table in tables}
        if there := [file for file in files.values() if file.exists()]:
            raise BadInput(f"{str(there[0])!r} is there already: name a new directory")
        for table, file in files.items():
            schema, batches = _read(paths, table)
            draft = file.with_name(f".{file.name}.tmp")
            found[table] = 0
            try:
                with parquet.ParquetWriter(draft, schema, compression="zstd") as writer:
                    for batch in batches:
                        writer.write_batch(batch)
                        found[table] += batch.num_rows
                os.replace(draft, file)
            finally:
                draft.unlink(missing_ok=True)
    return found


def _read(paths: Sequence[Path], table: str) -> tuple[Any, Iterator[Any]]:
    """The schema of a table, and its rows a batch at a time."""
    pa = _arrow()
    schema = schemas(pa).get(table)
    if schema is None:
        raise BadInput(f"table={table!r}: expected {', '.join(schemas(pa))}")
    several = len(paths) > 1
    whole = pa.schema([pa.field("source", pa.string()), *schema]) if several else schema
    of = ((path, str(path) if several else None) for path in paths)
    return whole, (batch for path, source in of for batch in _batches(pa, path, table, schema, source))


def schemas(pa: Any) -> dict[str, Any]:
    """The columns of each table."""
    place = [("run", pa.int64()), ("episode", pa.int64())]
    step, text = ("step", pa.int64()), pa.string()
    numbers = pa.list_(pa.list_(pa.float64()))
    count = pa.int64()
    return {
        "episodes": pa.schema(
            [*place, ("instruction", text), ("explored", pa.bool_())]
            + [
                (name, pa.float64())
                for name in ("return", "optimal_value", "regret", "expected_regret", "wall_s", "score")
            ]
        ),
        "steps": pa.schema(
            [*place, step, ("observation", text), ("subgoal", pa.list_(text)), ("explored", pa.bool_())]
            + [("proposal", numbers), ("proposal_source", text), ("law", numbers), ("menu", pa.list_(pa.list_(text)))]
            + [("next_observation", text), ("reward", pa.float64())]
        ),
        "calls": pa.schema(
            [*place, step, ("model", text), ("purpose", text), ("prompt_tokens", count), ("cached_tokens", count)]
            + [("completion_tokens", count), ("latency_s", pa.float64()), ("attempts", count), ("outcome", text)]
            + [("cost", pa.float64()), ("prompt", text), ("answer", text)]
        ),
        "cuts": pa.schema([*place, step, ("left_out", count)]),
    }


def _batches(pa: Any, out: Path, table: str, schema: Any, source: str | None) -> Iterator[Any]:
    """The rows of one log, a batch at a time."""
    with storage(out), agreeing(out):
        db = connect(out / "run.sqlite")
        try:
            menus = {key: _lists(menu) for key, menu in read_menus(db).items()}
            readers = _readers(table, menus)
            if table == "calls":
                readers["prompt"] = Reader(db).read
            known = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
            cursor = db.execute(_query(table, schema.names, known))
            while rows := cursor.fetchmany(ROWS):
                columns = []
                for name, field, values in zip(schema.names, schema, zip(*rows, strict=True), strict=True):
                    if table != "calls" or name not in PLACE:  # a call can belong to no decision: -1
                        check_column(name, values)
                    columns.append(pa.array(map(readers[name], values) if name in readers else values, field.type))
                names = list(schema.names)
                if source is not None:
                    columns, names = [pa.array([source] * len(rows), pa.string()), *columns], ["source", *names]
                yield pa.RecordBatch.from_arrays(columns, names=names)
        finally:
            db.close()


def _query(table: str, names: Sequence[str], known: set[str]) -> str:
    if table != "calls":
        own = ", ".join(f'"{name}"' if name in known else "NULL" for name in names)
        return f"SELECT {own} FROM {table} ORDER BY rowid"
    own = ", ".join(f"c.{name}" for name in names if name not in ("prompt", "answer"))
    return f"SELECT {own}, c.prompt, a.text FROM calls c LEFT JOIN texts a ON a.hash = c.answer ORDER BY c.rowid"


def _readers(table: str, menus: dict[str, list[list[str]]]) -> dict[str, Read]:
    """How cells become values: one list an Actor for what each has of its own."""
    if table not in ("steps", "episodes"):
        return {}
    found: dict[str, Read] = {"explored": bool}
    if table == "steps":
        several = any(len(menu) > 1 for menu in menus.values())
        found |= {name: _probabilities(name) for name in ("proposal", "law")}
        found["menu"] = lambda key: known_menu(menus, key)
        found["subgoal"] = json.loads if several else lambda text: [text]
    return found


def _probabilities(name: str) -> Read:
    def read(text: str | None) -> list[list[float]] | None:
        return None if text is None else _lists(numbers_of(text, name))

    return read


def _lists(value: list[Any]) -> list[list[Any]]:
    """One list an Actor, also where there is one Actor."""
    return value if value and isinstance(value[0], list) else [value]


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise MissingExtra("a table of a run", "data") from None
    return pyarrow
