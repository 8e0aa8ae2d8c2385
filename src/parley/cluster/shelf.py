"""Where a run directory is written that others are to read: in place, or on a local disk and copied from there."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from parley.cluster.scratch import commits, copy_log, scratch
from parley.cluster.stores import Store
from parley.core.errors import ParleyError
from parley.core.paths import address
from parley.runs.directory import read_manifest, write_manifest
from parley.runs.lock import NETWORK, file_system

PUBLISH_S = 30.0  # how often the local copy is published


@contextmanager
def shelf(shared: Path) -> Iterator[Path]:
    """The directory in which the run directory `shared` is written, which others are to read.

    On a network file system no SQLite file is written to, and an object store has no files that grow. The log is then
    written on a local disk. It is copied to `shared` whole, every `PUBLISH_S` seconds and at the end. If its machine is
    lost, the next one goes on from the last copy.
    """
    if url := address(shared):
        with _stored(Store(url)) as local:
            yield local
    elif file_system(shared) in NETWORK:
        local = scratch(str(shared.parent.resolve())) / shared.name
        if commits(shared) > commits(local):
            shutil.rmtree(local, ignore_errors=True)
            shutil.copytree(shared, local)
        with _publishing(lambda: publish(local, shared), local / "run.sqlite"):
            yield local
    else:
        yield shared


def placed(out: Path) -> AbstractContextManager[Path]:
    """The directory in which a run of one process is written: a path as it is, what has an address by a local copy."""
    return shelf(out) if address(out) else nullcontext(out)


@contextmanager
def _stored(store: Store) -> Iterator[Path]:
    """A finished run is removed here once it is put up: an old one is never taken for a new one of the same address."""
    store.take_up()
    with _publishing(store.put, store.local / "manifest.json"):
        yield store.local
    if read_manifest(store.local)["status"] == "finished":
        shutil.rmtree(store.local)


@contextmanager
def _publishing(copy: Callable[[], None], begun: Path) -> Iterator[None]:
    """Copy every `PUBLISH_S` seconds and, once there is `begun`, at the end: then it must succeed."""
    ended = threading.Event()

    def often() -> None:
        while not ended.wait(PUBLISH_S):
            with suppress(ParleyError, OSError, sqlite3.Error):  # it is tried again
                copy()

    copying = threading.Thread(target=often, daemon=True)
    copying.start()
    try:
        yield
    finally:
        ended.set()
        copying.join()
        if begun.exists():
            copy()


def publish(local: Path, shared: Path) -> None:
    """Replace the run directory `shared` by the committed state here. Readers never see half of a file."""
    shared.mkdir(parents=True, exist_ok=True)
    manifest = read_manifest(local)  # before the log: what it says to be there is there
    draft = copy_log(local)
    there = shared / f".{os.getpid()}.tmp"
    shutil.copyfile(draft, there)
    os.replace(there, shared / "run.sqlite")
    write_manifest(shared, manifest)
    draft.unlink()
