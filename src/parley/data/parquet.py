"""Documents as Parquet: one row a document, every sentence spelt out, so that other programs can read them.

`document` counts from 0; `latent` is z; `behaviours` (T) say who acted in each episode. `instructions` (T),
`observations` (T, H+1) and `subgoals` (T, H, K), one sentence an Actor, are texts. `labels` (T, H, G) are probability
distributions over joint subgoals, the product of the menus in row-major order.
"""

import io
from math import prod
from typing import Any

import numpy as np

from parley.core.errors import BadInput, MissingExtra
from parley.core.tables import Tables
from parley.data.behaviour import Behaviour
from parley.data.documents import EXPERT, Documents

EXPERT_NAME = "expert"


def require_arrow() -> Any:
    """The package pyarrow with its part for Parquet."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("Parquet", "data") from None
    return pyarrow


class Codec:
    """Between documents as indices and Parquet as bytes, for one world, one mix and T episodes a document."""

    def __init__(self, tables: Tables, mix: tuple[Behaviour, ...], num_episodes: int) -> None:
        self.tables, self.names = tables, [*(part.name for part in mix), EXPERT_NAME]
        self.num_episodes = num_episodes

    def encode(self, documents: Documents, first: int) -> bytes:
        """A Parquet file; its documents are counted from `first`."""
        arrow, t, e, h = require_arrow(), self.tables, self.num_episodes, self.tables.horizon
        n = len(documents)
        assert documents.behaviours is not None
        columns = {
            "document": arrow.array(np.arange(first, first + n)),
            "latent": _words(arrow, t.latents, documents.latents),
            "behaviours": _nested(arrow, _words(arrow, self.names, documents.behaviours % len(self.names)), e),
            "instructions": _nested(arrow, _words(arrow, t.instructions, documents.instructions), e),
            "observations": _nested(arrow, _words(arrow, t.observations, documents.observations), e, h + 1),
            "subgoals": _nested(arrow, self._parts(arrow, documents.subgoals), e, h, t.num_actors),
            "labels": _nested(arrow, arrow.array(documents.labels.ravel()), e, h, t.num_subgoals),
        }
        out = io.BytesIO()
        arrow.parquet.write_table(arrow.table(columns), out, compression="zstd", store_schema=False)
        return out.getvalue()

    def _parts(self, arrow: Any, subgoals: np.ndarray) -> Any:
        """The sentences of joint subgoals, K after another."""
        menus = self.tables.menus
        split = np.unravel_index(subgoals, [len(menu) for menu in menus])
        starts = np.cumsum([0, *map(len, menus)])[:-1]
        index = np.stack([part + start for part, start in zip(split, starts, strict=True)], axis=-1)
        return _words(arrow, [sentence for menu in menus for sentence in menu], index)

    def decode(self, content: bytes, where: str) -> Documents:
        """The documents of a Parquet file; raises `BadInput` that names the file `where` and its fault."""
        arrow, t, e, h = require_arrow(), self.tables, self.num_episodes, self.tables.horizon
        try:
            table = arrow.parquet.read_table(io.BytesIO(content))
        except (arrow.ArrowException, OSError, ValueError) as wrong:
            raise BadInput(f"{where} is truncated or damaged: {_first_line(wrong)}; make the data again") from None

        def index(name: str, names: Any, *shape: int) -> np.ndarray:
            return _index(arrow, _flat(arrow, table, name, where, shape), names, f"{where}: column {name!r}", shape)

        split = []
        spoken = _flat(arrow, table, "subgoals", where, (e, h, t.num_actors))
        for k, menu in enumerate(t.menus):
            part = spoken.take(arrow.array(np.arange(k, len(spoken), t.num_actors)))
            split.append(_index(arrow, part, menu, f"{where}: column 'subgoals'", (e, h)))
        behaviours = index("behaviours", self.names, e)
        return Documents(
            latents=index("latent", t.latents),
            instructions=index("instructions", t.instructions, e),
            observations=index("observations", t.observations, e, h + 1),
            subgoals=np.ravel_multi_index(tuple(split), [len(menu) for menu in t.menus]),
            labels=_laws(arrow, table, where, (e, h, t.num_subgoals)),
            behaviours=np.where(behaviours == len(self.names) - 1, EXPERT, behaviours),
        )


def _words(arrow: Any, names: Any, index: np.ndarray) -> Any:
    return arrow.DictionaryArray.from_arrays(index.ravel().astype(np.int32), arrow.array(names, arrow.string())).cast(
        arrow.string()
    )


def _nested(arrow: Any, values: Any, *shape: int) -> Any:
    """Flat values as lists of lists, each list of the same length."""
    for size in reversed(shape):
        values = arrow.ListArray.from_arrays(np.arange(0, len(values) + 1, size, dtype=np.int32), values)
    return values


def _flat(arrow: Any, table: Any, name: str, where: str, shape: tuple[int, ...]) -> Any:
    """The values of a column of nested lists, whose lengths are checked."""
    if name not in table.column_names:
        raise BadInput(f"{where} has no column {name!r}: it holds no documents of this version")
    values = table.column(name).combine_chunks()
    for size in shape:
        if not arrow.types.is_list(values.type) or values.null_count:
            raise BadInput(f"{where}: column {name!r} should hold lists of {' x '.join(map(str, shape))}")
        lengths = np.diff(values.offsets.to_numpy())
        if (lengths != size).any():
            raise BadInput(f"{where}: column {name!r} holds a list of {lengths[lengths != size][0]}, expected {size}")
        values = values.flatten()
    if values.null_count or len(values) != table.num_rows * prod(shape):
        raise BadInput(f"{where}: column {name!r} has missing values")
    return values


def _index(arrow: Any, values: Any, names: Any, what: str, shape: tuple[int, ...]) -> np.ndarray:
    """Indices of sentences in a list of names."""
    import pyarrow.compute as compute

    if not arrow.types.is_string(values.type):
        raise BadInput(f"{what} should hold text, found {values.type}")
    found = compute.index_in(values, arrow.array(names, arrow.string()))
    if found.null_count:
        unknown = values.filter(compute.is_null(found))[0].as_py()
        raise BadInput(f"{what} holds {unknown!r}, but none of the world's {len(names)} equals it")
    return np.asarray(found.to_numpy(), dtype=np.intp).reshape(-1, *shape)


def _laws(arrow: Any, table: Any, where: str, shape: tuple[int, ...]) -> np.ndarray:
    values = _flat(arrow, table, "labels", where, shape)
    if not arrow.types.is_floating(values.type):
        raise BadInput(f"{where}: column 'labels' should hold numbers, found {values.type}")
    laws = values.to_numpy().astype(float).reshape(-1, *shape)
    if not (np.abs(laws.sum(axis=-1) - 1) < 1e-6).all() or not (laws >= 0).all():
        raise BadInput(f"{where}: column 'labels' holds a row that is not a distribution over the {shape[-1]} subgoals")
    return laws


def _first_line(wrong: Exception) -> str:
    return str(wrong).splitlines()[0] if str(wrong) else type(wrong).__name__
