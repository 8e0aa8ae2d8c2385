"""Run directories in an object store: `s3://bucket/run` and other addresses of fsspec (extra `objects`).

An object store has no files that grow, and no locks. A run directory is written on a local disk. Its log is put up
whole, under a new name. Then the small object `current.json`, which names it and holds the manifest, is replaced.
Readers follow that object to a local copy, so they never see half of a log.
"""

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from parley.cluster.scratch import commits, copy_log, scratch
from parley.core.errors import BadInput, MissingExtra, ParleyError, RunDamaged
from parley.runs.directory import read_manifest, write_manifest, write_whole
from parley.runs.lock import RunLock
from parley.runs.seals import MARK
from parley.runs.shards import FOLDER

CURRENT = "current.json"
BY_OBSTORE = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")  # of other protocols, fsspec has its own
TRIES, PAUSE_S = 5, 0.2  # of reading while an object is replaced


class Store:
    """The run directory at an address; `local` is where this machine writes it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.local = scratch(self.url) / self.url.rpartition("/")[2]
        self._files, self._root = _file_system(self.url)

    def put(self) -> None:
        """Put up the local directory as it is committed at this moment; another machine that is ahead is left alone."""
        manifest = read_manifest(self.local)  # before the log: what it says to be there is there
        there = self._current()
        old = there["log"] if there else None
        new = None
        if (self.local / "run.sqlite").is_file():
            draft = copy_log(self.local)
            new = {"commits": commits(self.local, draft.name), "sha256": _digest(draft)}
            if old and old["commits"] > new["commits"]:
                return draft.unlink()
            if old and old["sha256"] == new["sha256"]:
                new = old
            else:
                new |= {"name": f"log-{secrets.token_hex(8)}.sqlite", "before": old and old["name"]}
                with self._asked():
                    self._files.put_file(str(draft), f"{self._root}/{new['name']}")
            draft.unlink()
        text = json.dumps({"log": new, "manifest": manifest})
        with self._asked():
            self._files.pipe_file(f"{self._root}/{CURRENT}", text.encode())
        if old and new != old and old.get("before"):  # who reads now may still read the last but one
            with suppress(Exception):  # where it may not be removed, it costs space and nothing else
                self._files.rm_file(f"{self._root}/{old['before']}")

    def take_up(self) -> None:
        """Bring what was put up last into the local directory, unless that is further already."""
        there = self._current()
        if there is None:
            return
        ahead = there["log"]["commits"] if there["log"] else -1
        begun = (self.local / "manifest.json").is_file()
        if ahead > commits(self.local) or not begun or there["manifest"]["status"] == "finished":
            self.local.mkdir(parents=True, exist_ok=True)
            lock = RunLock(self.local)
            try:
                self._fetch(there, self.local)
            finally:
                lock.release()

    def bring(self, folder: Path) -> bool:
        """Make `folder` what was put up last; returns whether there is anything."""
        there = self._current()
        if there is None:
            return False
        text, known = json.dumps(there), folder / CURRENT
        if not known.is_file() or known.read_text("utf-8") != text:
            folder.mkdir(parents=True, exist_ok=True)
            self._fetch(there, folder)
            write_whole(known, text.encode())
        return True

    def shards(self) -> list[str]:
        """The names of the shards that have been put up."""
        with self._asked():
            try:
                self._files.invalidate_cache()
                found = self._files.ls(f"{self._root}/{FOLDER}", detail=False)
            except FileNotFoundError:
                return []
        names = (str(one).rstrip("/").rpartition("/")[2] for one in found)
        return sorted(name for name in names if re.fullmatch(r"\w+", name))

    def _fetch(self, there: dict[str, Any], folder: Path) -> None:
        log, target = there["log"], folder / "run.sqlite"
        if log:
            draft = folder / f".{secrets.token_hex(4)}.tmp"
            with self._asked():
                self._files.get_file(f"{self._root}/{log['name']}", str(draft))
            if _digest(draft) != log["sha256"]:
                draft.unlink()
                raise RunDamaged(f"{self.url}: {log['name']} is not what was put up: its SHA-256 differs")
            os.replace(draft, target)
        else:
            target.unlink(missing_ok=True)
        for name in ("run.sqlite-wal", "run.sqlite-shm", MARK):
            (folder / name).unlink(missing_ok=True)
        write_manifest(folder, there["manifest"])

    def _current(self) -> dict[str, Any] | None:
        """What was put up last; None where nothing was."""
        for left in reversed(range(TRIES)):
            with self._asked():
                try:
                    content = self._files.cat_file(f"{self._root}/{CURRENT}")
                except FileNotFoundError:
                    return None
            try:
                found: dict[str, Any] = json.loads(content)
                log = found["log"]
                if not isinstance(found["manifest"], dict) or (log and not _is_log(log)):
                    raise ValueError("it names no log")
                return found
            except (ValueError, KeyError, TypeError) as wrong:
                if not left:
                    raise RunDamaged(f"{self.url}: {CURRENT} is damaged: {wrong}") from None
                time.sleep(PAUSE_S)  # a file system that does not replace in one step
        raise AssertionError("unreachable")

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Say in one sentence what the store refused."""
        try:
            yield
        except (ParleyError, KeyboardInterrupt):
            raise
        except Exception as wrong:  # of as many kinds as there are stores
            said = " ".join(str(wrong).split())[:300] or type(wrong).__name__
            raise ParleyError(f"{self.url} cannot be read or written: {said}") from wrong


def _is_log(found: dict[str, Any]) -> bool:
    name = found["name"]
    plain = isinstance(name, str) and name.startswith("log-") and "/" not in name
    return plain and isinstance(found["commits"], int) and isinstance(found["sha256"], str)


def _digest(file: Path) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for an address, and the path there."""
    protocol = url.partition(":")[0]
    try:
        import fsspec

        if protocol in BY_OBSTORE:
            from obstore.fsspec import register

            register(protocol)
        files, root = fsspec.core.url_to_fs(url)
    except ImportError:
        raise MissingExtra(url, "objects") from None
    except ValueError as wrong:
        raise BadInput(f"{url}: fsspec knows no such address: {wrong}") from None
    return files, str(root).rstrip("/")
