"""Learned parts of a world (an Actor, a Reporter) on disk: JSON and safetensors, never pickle."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

import numpy as np
from safetensors.numpy import load_file, save_file

from parley.core.errors import BadInput
from parley.core.paths import read_json

T = TypeVar("T")


class Learned(Protocol):
    """What training a part gives: `about` says how it was made and what it is worth."""

    @property
    def about(self) -> dict[str, Any]: ...

    def save(self, path: Path) -> None: ...


def save(folder: Path, stem: str, about: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """`STEM.safetensors` and `STEM.json` in a directory, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{stem}.", dir=folder) as draft:
        weights, said = Path(draft) / f"{stem}.safetensors", Path(draft) / f"{stem}.json"
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, weights)
        said.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        for file in (weights, said):
            os.replace(file, folder / file.name)


def load(folder: Path, stem: str, what: str, wrong: Callable[[dict[str, Any], Mapping[str, Any]], str]) -> Any:
    """`about` and arrays of `save`; `wrong` says what does not fit, the empty string where all does.

    Raises `BadInput`: `folder` is no `what`, and why.
    """
    try:
        about = read_json(folder / f"{stem}.json")
        arrays = load_file(folder / f"{stem}.safetensors")
        if complaint := wrong(about, arrays):
            raise ValueError(complaint)
    except Exception as error:  # safetensors has an error type of its own
        raise BadInput(f"{stem}={str(folder)!r} is no {what}: {error}") from error
    return about, arrays


def cloned_from(spec: str, load: Callable[[Path], T], clone: Callable[[float], T]) -> T:
    """The Actor of `cloned:PATH`, or of `cloned:SHARE`: cloned now, with that share of optimal demonstrations."""
    kind, _, rest = spec.partition(":")
    if kind != "cloned" or not rest:
        raise BadInput(f"actor={spec!r}: expected cloned:PATH, or cloned:SHARE of optimal demonstrations")
    try:
        share = float(rest)
    except ValueError:
        return load(Path(rest))
    return clone(share)
