"""Runs and experiments below a directory, found without leaving it: links are not followed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from parley.core.errors import BadInput
from parley.core.text import inert

MOST_DIRECTORIES = 50_000
LONGEST_NAME = 4096
FINDING, CELLS = "finding.json", "cells.json"
CELL = re.compile(r"cell-[0-9a-f]{16}\.npz")


class Found:
    """What there is below `root`. A run or an experiment is known by its path from there, as text that cannot act."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise BadInput(f"{str(root)!r}: there is no such directory to look for runs in")
        self.root = root.resolve()
        self.runs: dict[str, Path] = {}
        self.experiments: dict[str, Path] = {}
        self.cards: dict[str, Path] = {}  # JSON files that may be cards of `parley bench`
        self.cut = False  # whether there are more directories than are looked at

    def look(self) -> bool:
        """Look again; whether anything came or went."""
        runs, experiments, cards, self.cut = dict[str, Path](), dict[str, Path](), dict[str, Path](), False
        for i, (path, files) in enumerate(self._directories()):
            if i >= MOST_DIRECTORIES:
                self.cut = True
                break
            name = self._name(path)
            if "manifest.json" in files:
                runs[name] = path
            elif FINDING in files or CELLS in files or any(map(CELL.fullmatch, files)):
                experiments[name] = path
            else:
                cards |= {self._name(path / file): path / file for file in files if file.endswith(".json")}
        changed = (runs, experiments) != (self.runs, self.experiments)
        self.runs, self.experiments, self.cards = runs, experiments, cards
        return changed

    def _name(self, path: Path) -> str:
        return inert(path.relative_to(self.root).as_posix(), LONGEST_NAME)

    def _directories(self) -> Iterator[tuple[Path, set[str]]]:
        """Directories and the plain files in them; a run directory holds no others, hidden ones are left out."""
        waiting = [self.root]
        while waiting:
            path = waiting.pop()
            inner, files = [], set()
            try:
                with os.scandir(path) as entries:
                    for entry in entries:
                        if entry.is_file(follow_symlinks=False):
                            files.add(entry.name)
                        elif entry.is_dir(follow_symlinks=False) and not entry.name.startswith((".", "node_modules")):
                            inner.append(path / entry.name)
            except OSError:
                continue  # it has gone, or is not ours to read
            yield path, files
            if "manifest.json" not in files:
                waiting += sorted(inner, reverse=True)

    def run(self, name: str) -> Path:
        """The directory of a run. Raises `BadInput` where no run has that name."""
        return self._of(self.runs, name, "run")

    def experiment(self, name: str) -> Path:
        """The directory of an experiment. Raises `BadInput` where no experiment has that name."""
        return self._of(self.experiments, name, "experiment")

    def _of(self, known: dict[str, Path], name: str, what: str) -> Path:
        if name not in known:
            raise BadInput(f"there is no {what} {inert(name, 200)!r} below {inert(str(self.root), 200)!r} (any more)")
        return known[name]

    def file(self, path: Path) -> Path:
        """The same path, if it is a file within `root`, wherever links lead; else raises `BadInput`."""
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            raise BadInput(f"there is no file {path.name!r}") from None
        if not real.is_file() or not real.is_relative_to(self.root):
            raise BadInput(f"{path.name!r} is no file of this directory: links out of it are not followed")
        return real
