"""`parley merge`: a run whose log is in shards becomes a run directory like any other."""

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput, RunDamaged
from parley.runs.directory import read_manifest, require_new, storage, write_manifest
from parley.runs.lock import NETWORK, RunLock, file_system
from parley.runs.seals import Mark
from parley.runs.shards import FOLDER, gather, is_sharded, shards_of
from parley.runs.untouched import connect


def merge(out: Path, to: Path | None = None) -> dict[str, Any]:
    """Make one log of the shards of `out`, in `to` (a new directory) or, without one, in `out` itself.

    In `out` itself the shards are removed once the log is whole; killed on the way, the same command goes on. A run
    that is not finished can be merged too: `parley resume` then continues it in one process. Returns the manifest.

    Raises `BadInput` where somebody still writes, and `RunDamaged` where episodes are missing or are there twice.
    """
    manifest = read_manifest(out)
    if not is_sharded(out):
        if (out / FOLDER).is_dir() and to is None:  # killed after the log was whole
            shutil.rmtree(out / FOLDER)
            return manifest
        raise BadInput(f"{str(out)!r} has no shards: there is nothing to merge")
    target = out if to is None else to
    with ExitStack() as held, storage(target):
        if to is not None:
            require_new(to)
        copies = file_system(out) in NETWORK  # which nobody writes to in place
        for folder in (target, *(() if copies else shards_of(out))):
            held.callback(RunLock(folder).release)
        draft = target / "run.sqlite.tmp"
        draft.unlink(missing_ok=True)
        gather(shards_of(out), draft)
        _require(draft, manifest)
        _publish(draft, target)
        manifest = {name: value for name, value in manifest.items() if name not in ("on", "process")}
        write_manifest(target, manifest)
    if to is None:
        shutil.rmtree(out / FOLDER)
    return manifest


def _require(draft: Path, manifest: dict[str, Any]) -> None:
    """Raise `RunDamaged` where a finished run lacks episodes."""
    config = manifest["config"]
    db = connect(draft)
    found = db.execute("SELECT count(*) FROM episodes").fetchone()[0]
    db.close()
    if manifest["status"] == "finished" and found != config["runs"] * config["episodes"]:
        raise RunDamaged(
            f"the shards hold {found} episodes of {config['runs'] * config['episodes']}: nothing is merged"
        )


def _publish(draft: Path, target: Path) -> None:
    """Give the log its name, once it is on the disk, with the count of its transactions beside it."""
    with open(draft, "rb") as file:
        os.fsync(file.fileno())
    db = connect(draft)
    commits = db.execute("SELECT n FROM commits").fetchone()[0]
    db.close()
    mark = Mark(target)
    mark.set(commits)
    mark.close()
    os.replace(draft, target / "run.sqlite")
