"""Making data directories in parallel: each file is written whole, so that an interrupted make goes on."""

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from parley.core.errors import BadInput, ParleyError
from parley.core.tables import Tables
from parley.data.behaviour import LOGS
from parley.data.chat import examples, templated
from parley.data.dataset import MANIFEST, DataConfig, begin_manifest, read_manifest
from parley.data.parquet import Codec, require_arrow
from parley.data.shards import CHAT, Shard, plan, shard_documents
from parley.runs.directory import read_manifest as read_run
from parley.runs.directory import storage, write_whole
from parley.theory.beliefs import Beliefs

CARD = """---
configs:
- config_name: documents
  data_files: documents/*.parquet
---

# {documents:,} documents of {episodes} episodes of `{world}`

Made by `parley data make{options} --out DIR`. Columns: `document`, `latent` (hidden from the planner). Columns
of each episode: `behaviours` (who acted), `instructions`, `observations`, `subgoals` (one sentence an actor at each
step) and `labels`. `labels` are distributions over joint subgoals, in the order of `data.json`: those of the expert who
knows the latent.
"""


Spread = Callable[[list[Shard]], Iterator[Shard]]  # makes files elsewhere; yields each when it is there


def make(
    tables: Tables,
    config: DataConfig,
    out: Path,
    workers: int = 1,
    report: Callable[[int], None] | None = None,
    spread: Spread | None = None,
) -> dict[str, Any]:
    """Make the data of `config` in the directory `out`, or go on with them; returns the manifest.

    `report` is told the number of documents in each file that is finished. With `spread`, files are made by that.
    """
    require_arrow()
    if workers < 1:
        raise BadInput(f"workers={workers}: expected at least 1")
    manifest = _begin(out, config, tables)
    if manifest["status"] == "finished":
        return manifest
    beliefs = Beliefs(tables)
    shards = plan(config, beliefs)
    manifest["logs"] = [_log(part.run) for part in config.mix if part.kind == LOGS]
    _write(out, manifest)  # only now: faults of the options have been found
    codec = Codec(tables, config.mix, config.episodes)
    report = report or (lambda documents: None)
    pending = []
    for shard in shards:
        if _is_whole(out, shard, codec, config):
            report(len(shard.part))
        else:
            pending.append(shard)
    made = spread(pending) if spread else _made(beliefs, config, out, pending, workers)
    for shard in made:
        report(len(shard.part))
    manifest["files"] = [{**_entry(out, shard.path), "documents": len(shard.part)} for shard in shards]
    if config.chat:
        manifest["chat"] = [{**_entry(out, s.chat_path), "examples": len(s.part) * config.chat} for s in shards]
    write_whole(out / "README.md", _card(config).encode())
    _write(out, {**manifest, "status": "finished"})
    return {**manifest, "status": "finished"}


# -- processes --------------------------------------------------------------------------------------------------------


def _made(beliefs: Beliefs, config: DataConfig, out: Path, shards: list[Shard], workers: int) -> Iterator[Shard]:
    """Make the files, in this process or in several; yields each when it is there."""
    if workers == 1 or len(shards) < 2:
        for shard in shards:
            make_file(beliefs, config, out, shard)
            yield shard
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(shards)), spawn, _start, (beliefs.tables, config, out)) as pool:
        try:
            waiting = {pool.submit(_work, shard): shard for shard in shards}
            for done in as_completed(waiting):
                done.result()
                yield waiting[done]
        except BrokenProcessPool:
            raise ParleyError("a process that made documents was killed: the same command goes on") from None
        finally:
            pool.shutdown(cancel_futures=True)


_worker: tuple[Beliefs, DataConfig, Path]


def _start(tables: Tables, config: DataConfig, out: Path) -> None:
    """A process begins: it keeps to one thread, leaves Ctrl-C to the first process, and ends when that is killed."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threadpool_limits(1)
    _worker = Beliefs(tables), config, out


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work(shard: Shard) -> None:
    make_file(*_worker, shard)


def make_file(beliefs: Beliefs, config: DataConfig, out: Path, shard: Shard) -> None:
    """Make one file of the data, and its chat examples, each written whole."""
    documents = shard_documents(beliefs, config, shard)
    if config.chat:
        rng = np.random.default_rng((config.seed, CHAT, shard.number))
        how = (config.template, config.memory, config.size)
        rendering = templated(beliefs.tables, *how) if config.template else None
        lines = examples(documents, beliefs.tables, shard.first, config.chat, rng, rendering)
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        write_whole(out / shard.chat_path, text.encode())
    write_whole(out / shard.path, Codec(beliefs.tables, config.mix, config.episodes).encode(documents, shard.first))


# -- the directory ----------------------------------------------------------------------------------------------------


def _begin(out: Path, config: DataConfig, tables: Tables) -> dict[str, Any]:
    """The manifest: a new one, or that of the same data begun before."""
    fresh = begin_manifest(config, tables)
    if not (out / MANIFEST).exists():
        with storage(out):
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise BadInput(f"out={str(out)!r} is not an empty directory: name a new one")
        return fresh
    manifest = read_manifest(out)
    for name, value in asdict(config).items():
        if manifest["config"][name] != value:
            raise BadInput(
                f"out={str(out)!r} holds data made with {name}={manifest['config'][name]!r}, not {value!r}: "
                "name a new directory, or give the same options to go on"
            )
    if manifest["world_sha256"] != fresh["world_sha256"]:
        raise BadInput(
            f"out={str(out)!r} holds data of another version of world {config.world!r}: name a new directory"
        )
    return manifest


def _is_whole(out: Path, shard: Shard, codec: Codec, config: DataConfig) -> bool:
    """Whether a file of an interrupted make can stay as it is."""
    path = out / shard.path
    if not path.exists() or (config.chat and not (out / shard.chat_path).exists()):
        return False
    try:
        return len(codec.decode(path.read_bytes(), str(path))) == len(shard.part)
    except BadInput:
        return False


def _log(run: str) -> dict[str, Any]:
    config = read_run(Path(run))["config"]
    return {"run": run, **{name: config[name] for name in ("planner", "explore", "runs", "seed")}}


def _entry(out: Path, name: str) -> dict[str, Any]:
    with storage(out):
        content = (out / name).read_bytes()
    return {"file": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _write(out: Path, manifest: dict[str, Any]) -> None:
    write_whole(out / MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())


def _card(config: DataConfig) -> str:
    default = DataConfig(config.world, config.documents, config.episodes)
    options = f" --world {config.world} --documents {config.documents} --episodes {config.episodes}"
    for name, value in asdict(config).items():
        if value != getattr(default, name):
            options += f" --{name.replace('_', '-')} {value}"
    about = {name: getattr(config, name) for name in ("world", "documents", "episodes")}
    return CARD.format(options=options, **about)
