"""Data directories (`parley-data/1`): the manifest, and documents read back in a shuffled order that can be resumed.

`data.json`            What the data are, which world they were drawn from, and the SHA-256 of every file.
`documents/*.parquet`  The documents, see `parquet`.
`chat/*.jsonl`         The same as messages, where asked for, see `chat`.
`README.md`            The data card.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.core.paths import read_json
from parley.core.tables import Tables
from parley.data.behaviour import Behaviour, parse_mix
from parley.data.documents import Documents, row_keys
from parley.data.parquet import Codec
from parley.worlds.kit.tabular.world_file import dump_world

FORMAT = "parley-data/1"
MANIFEST = "data.json"
ENTRY = {"file", "documents", "sha256"}  # of the manifest's list of files


class DataDamaged(BadInput):
    """A data directory that is incomplete, foreign, or does not agree with itself."""


@dataclass(frozen=True)
class DataConfig:
    """Everything that the documents depend on."""

    world: str
    documents: int  # N_p
    episodes: int  # T_p
    behaviour: str = "mixed"
    rho: float = 0.0  # the share of episodes that the expert of z acts in
    label_error: float = 0.0  # the share of labels that are not optimal; trajectories do not depend on it
    chat: int = 0  # chat examples made of each document
    template: str = ""  # of chat examples: as an endpoint planner sends them; else the transcript in one message
    memory: str = "full"
    size: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("documents", 1), ("episodes", 1), ("chat", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise BadInput(f"{name}={getattr(self, name)}: expected at least {least}")
        for name in ("rho", "label_error"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadInput(f"{name}={getattr(self, name)}: expected a share, between 0 and 1")
        parse_mix(self.behaviour)

    @property
    def mix(self) -> tuple[Behaviour, ...]:
        return parse_mix(self.behaviour)


def world_digest(tables: Tables) -> str:
    """SHA-256 of the world file, as of `parley world export W`; of its joint subgoals and menus for several Actors."""
    if tables.num_actors == 1:
        text = dump_world(tables)
    else:
        text = dump_world(replace(tables, menus=(tables.subgoals,))) + json.dumps(tables.menus)
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a data directory; raises `DataDamaged`, which names the damage."""
    path = folder / MANIFEST
    try:
        manifest = read_json(path)
    except FileNotFoundError:
        raise BadInput(
            f"{str(folder)!r} is no data directory (it has no {MANIFEST}): make one by `parley data make`"
        ) from None
    except (ValueError, OSError) as wrong:
        raise DataDamaged(f"{str(path)!r} cannot be read: {wrong}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise DataDamaged(f"{str(path)!r} has format {found!r}; this version reads {FORMAT!r}")
    _config(manifest, path)
    files = manifest.get("files")
    if not isinstance(files, list) or not all(isinstance(file, dict) and ENTRY <= file.keys() for file in files):
        raise DataDamaged(f"{str(path)!r} is damaged: its list of files should give {', '.join(sorted(ENTRY))} of each")
    return manifest


def _config(manifest: dict[str, Any], path: Path) -> DataConfig:
    known, config = {f.name for f in fields(DataConfig)}, manifest.get("config")
    if not isinstance(config, dict) or set(config) != known or not {"status", "world_sha256"} <= manifest.keys():
        names = ", ".join(["status", "world_sha256", *sorted(known)])
        raise DataDamaged(f"{str(path)!r} is damaged: it should give {names}")
    try:
        return DataConfig(**config)
    except (TypeError, AttributeError, BadInput) as wrong:
        raise DataDamaged(f"{str(path)!r} is damaged: {wrong}") from None


class Dataset:
    """The documents of a finished data directory, in memory (indices only: some 10 bytes a step).

    Raises `BadInput` in one sentence if the world has changed since the data were made, or if the making was not
    finished. It also does so if a file is missing, truncated or altered.
    """

    def __init__(self, folder: Path, tables: Tables) -> None:
        self.folder, self.tables, self.manifest = folder, tables, read_manifest(folder)
        self.config = _config(self.manifest, folder / MANIFEST)
        if self.manifest["world_sha256"] != world_digest(tables):
            raise BadInput(
                f"world {self.config.world!r} is not what it was when the data in {str(folder)!r} were made: "
                "put it back, or make the data again"
            )
        if self.manifest["status"] != "finished":
            raise BadInput(f"the data in {str(folder)!r} are unfinished: the same `parley data make` goes on with them")
        if sum(entry["documents"] for entry in self.manifest["files"]) != len(self):
            raise DataDamaged(f"{str(folder / MANIFEST)!r} is damaged: its files do not hold {len(self)} documents")
        self._laws, shards = np.zeros((0, tables.num_subgoals)), []
        for shard in self.shards():
            laws, index = _distinct(shard.labels.reshape(-1, tables.num_subgoals))
            shards.append(_compact(shard, index + len(self._laws)))
            self._laws = np.concatenate([self._laws, laws])
        self._columns = [np.concatenate(column) for column in zip(*shards, strict=True)]

    def __len__(self) -> int:
        return self.config.documents

    def shards(self) -> Iterator[Documents]:
        """The documents of each file in turn, each file whole and unaltered."""
        codec = Codec(self.tables, self.config.mix, self.config.episodes)
        for entry in self.manifest["files"]:
            yield read_shard(self.folder / entry["file"], entry, codec)

    def take(self, index: np.ndarray) -> Documents:
        """The documents at the given places."""
        *narrow, laws = (column[index] for column in self._columns)
        latents, instructions, observations, subgoals, behaviours = (column.astype(np.intp) for column in narrow)
        return Documents(latents, instructions, observations, subgoals, self._laws[laws], behaviours)

    def batch(self, step: int, size: int, seed: int) -> Documents:
        """The documents of optimiser step `step` (from 0): epochs follow one another, each in an order of its own.

        A function of (step, size, seed) alone, so that a training that was killed goes on with the same documents.
        """
        place = np.arange(step * size, (step + 1) * size)
        epoch, within = place // len(self), place % len(self)
        return self.take(np.array([_order(len(self), seed, int(e))[i] for e, i in zip(epoch, within, strict=True)]))


@lru_cache(maxsize=4)
def _order(num: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(num)


def read_documents(folder: Path, tables: Tables, size: int, seed: int = 0, step: int = 0) -> Iterator[Documents]:
    """Batches of `size` documents without end, from optimiser step `step` on."""
    data = Dataset(folder, tables)
    while True:
        yield data.batch(step, size, seed)
        step += 1


def read_shard(path: Path, entry: dict[str, Any], codec: Codec) -> Documents:
    """One file of documents, checked against its entry in the manifest."""
    content = read_bytes(path)
    found = codec.decode(content, repr(str(path)))
    verify(path, content, entry)
    if len(found) != entry["documents"]:
        raise DataDamaged(f"{str(path)!r} holds {len(found)} documents where {MANIFEST} says {entry['documents']}")
    return found


def read_bytes(path: Path) -> bytes:
    """The content of a file of the data."""
    try:
        return path.read_bytes()
    except OSError as wrong:
        raise DataDamaged(f"{str(path)!r} cannot be read: {wrong.strerror}; make the data again") from None


def verify(path: Path, content: bytes, entry: dict[str, Any]) -> None:
    """A file must be the one that was made."""
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise DataDamaged(f"{str(path)!r} is not what it was when it was made: put it back, or make the data again")


def _distinct(laws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows, which are few, and the place of each row among them."""
    _, first, index = np.unique(row_keys(laws), return_index=True, return_inverse=True)
    if (laws[first][index] == laws).all():
        return laws[first], index
    return laws, np.arange(len(laws))


def _compact(documents: Documents, laws: np.ndarray) -> list[np.ndarray]:
    assert documents.behaviours is not None
    columns = [documents.latents, documents.instructions, documents.observations, documents.subgoals]
    small = [np.asarray(column, dtype=np.int16 if column.max() < 2**15 else np.int32) for column in columns]
    return [*small, documents.behaviours.astype(np.int16), laws.astype(np.int32).reshape(documents.subgoals.shape)]


def begin_manifest(config: DataConfig, tables: Tables) -> dict[str, Any]:
    """The manifest of data that are yet to be made."""
    return {
        "format": FORMAT,
        "status": "started",
        "config": asdict(config),
        "world_sha256": world_digest(tables),
        "menus": [list(menu) for menu in tables.menus],
        "horizon": tables.horizon,
        "files": [],
    }
