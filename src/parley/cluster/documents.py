"""Pretraining data on a cluster: the unit is one file of documents, made wherever it is sent."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from parley import assemble
from parley.cluster.engines import Engine
from parley.core.errors import BadInput, ParleyError
from parley.data.dataset import DataConfig, read_manifest, world_digest
from parley.data.make import make_file
from parley.data.shards import Shard, plan


def make_documents(out: str, number: int, place: str) -> str:
    """Make file `number` of the data in `out`; `place` is the directory that paths start at. Returns what went wrong.

    Errors of this package do not cross machines as exceptions.
    """
    try:
        if Path(place).is_dir():
            os.chdir(place)
        manifest = read_manifest(Path(out))
        config = DataConfig(**manifest["config"])
        tables = assemble.world(config.world).tables
        if tables is None or world_digest(tables) != manifest["world_sha256"]:
            raise BadInput(f"world {config.world!r} is another one on this machine: install the same version there")
        beliefs = assemble.beliefs_of(tables)
        make_file(beliefs, config, Path(out), plan(config, beliefs)[number])
    except ParleyError as wrong:
        return str(wrong)
    return ""


UNIT = f"{make_documents.__module__}:{make_documents.__name__}"


def spread(engine: Engine, out: Path) -> Callable[[Sequence[Shard]], Iterator[Shard]]:
    """What has files of the data in `out` made on `engine`; yields each when it is there."""

    def made(shards: Sequence[Shard]) -> Iterator[Shard]:
        about = {"out": str(out.resolve()), "place": str(Path.cwd())}
        tasks = [{**about, "number": shard.number} for shard in shards]
        with closing(engine.carry_out(UNIT, tasks, 1.0)) as ended:  # type: ignore[type-var]
            for number, wrong in ended:
                if wrong:
                    raise ParleyError(f"{shards[number].path}: {wrong}")
                yield shards[number]

    return made
