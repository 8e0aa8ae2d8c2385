"""One writer a run: a lock on the run directory that dies with its owner."""

import os
import sys
from pathlib import Path

from parley.core.errors import BadInput

NAME = "run.lock"
# File systems over a network, on which neither locks nor SQLite's shared memory can be relied upon.
NETWORK = (
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "beegfs", "gpfs", "pvfs2", "9p",
    "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.ceph", "fuse.blobfuse2",
)  # fmt: skip


class BeingWritten(BadInput):
    """Somebody else writes this run."""


class RunLock:
    """Held from the beginning to the end of a write. The kernel takes it back when the process dies, however it dies.

    It works between processes, and between containers that share the directory, on one machine.
    """

    def __init__(self, out: Path) -> None:
        """Take the lock; raises `BadInput` where another process holds it, or where locks cannot be relied upon."""
        refuse_network(out)
        self._path = out / NAME
        while True:
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
            self._file = os.open(self._path, flags, 0o644)
            if not _lock(self._file):
                owner = os.read(self._file, 20).decode("ascii", "replace").strip()
                os.close(self._file)
                raise BeingWritten(
                    f"{str(out)!r} is being written by {f'process {owner}' if owner.isdigit() else 'another process'}: "
                    "one run has one writer; wait until it has ended, or stop it"
                )
            if self._still_there():
                break
            os.close(self._file)  # its last owner has just removed it
        os.ftruncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())

    def _still_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self._path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the lock back."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def refuse_network(out: Path) -> None:
    """Raise `BadInput` where a directory lies on a file system over a network."""
    kind = file_system(out)
    if kind in NETWORK:
        raise BadInput(
            f"out={str(out)!r} lies on a network file system ({kind}), where two machines could write one run. "
            "Name a directory on a local disk, and copy it afterwards"
        )


def file_system(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The type of the file system of a path; empty where the system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    where, best, kind = str(path.resolve()), "", ""
    for line in lines:
        fields = line.split(" ")
        point = fields[1].replace("\\040", " ")
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def _lock(file: int) -> bool:
    """Whether the lock of an open file could be taken, without waiting."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
