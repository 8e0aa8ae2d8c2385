"""Run directories that are named by a path or by an address: the driver writes both, and readers find both."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from parley.cluster.scratch import scratch
from parley.cluster.stores import Store
from parley.core.errors import BadInput
from parley.core.paths import address
from parley.runs.directory import read_manifest
from parley.runs.shards import FOLDER

AT_ONCE = 16  # shards that are brought at a time


@contextmanager
def driven(out: Path) -> Iterator[Path]:
    """Where the driver of a run in shards writes its manifest: in `out`, or where that is an address, here."""
    if not (url := address(out)):
        yield out
        return
    store = Store(url)
    store.take_up()
    try:
        yield store.local
    finally:
        if (store.local / "manifest.json").is_file():
            store.put()
    if read_manifest(store.local)["status"] == "finished":
        shutil.rmtree(store.local)


def put(out: Path) -> None:
    """Put up what the driver wrote; a path has it already."""
    if url := address(out):
        Store(url).put()


def gather(out: Path) -> None:
    """Bring the shards of a run to its driver; a path has them already."""
    if url := address(out):
        store = Store(url)
        _bring_shards(store, store.local)


def brought(out: Path, shards: bool = True) -> Path:
    """A run directory to read: that of a path, or a copy of what an address holds. `BadInput` where that is nothing."""
    url = address(out)
    if not url:
        return out
    store = Store(url)
    folder = scratch(f"read {store.url}") / store.local.name
    if not store.bring(folder):
        raise BadInput(f"{store.url}: there is no run directory")
    if shards:
        _bring_shards(store, folder)
    return folder


def _bring_shards(store: Store, folder: Path) -> None:
    names = store.shards()

    def bring(name: str) -> None:
        Store(f"{store.url}/{FOLDER}/{name}").bring(folder / FOLDER / name)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(bring, names))
    for old in (folder / FOLDER).glob("*"):
        if old.name not in names:  # of another run, which had this address before
            shutil.rmtree(old)
