"""`parley.open` and `Run`: what a run left behind, as tables, numbers, figures and episodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parley import assemble
from parley.api.episodes import Episode, read_episode
from parley.cluster.addressed import brought
from parley.cluster.driver import Options, engine_for, resume_on
from parley.cluster.shelf import placed
from parley.core.arguments import plainly
from parley.core.errors import BadInput
from parley.core.paths import address
from parley.execute import RunConfig
from parley.execute import resume as carry_on
from parley.report.summary import Curves, Summary
from parley.runs.directory import read_manifest
from parley.runs.hooks import Hook
from parley.runs.ledger import Limits, Prices
from parley.runs.shards import is_shard

if TYPE_CHECKING:
    import pyarrow
    from matplotlib.figure import Figure

    from parley.report.signatures import Diagnosis


@dataclass(frozen=True)
class Run:
    """One run directory, or several that a pattern matched; everything is read from the log when it is asked for.

    In a notebook it shows its table. Reading a run that is going on shows what has been committed so far.
    """

    paths: tuple[Path, ...]
    stored: str = ""  # the address that this is a copy of

    @property
    def out(self) -> Path:
        """The run directory."""
        if len(self.paths) != 1:
            more = ": take one of them, for instance runs[0]" if self.paths else ", so that there is nothing to look at"
            raise BadInput(f"these are {len(self.paths) or 'no'} runs{more}")
        return self.paths[0]

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest: configuration, status, seeds, versions, totals."""
        return read_manifest(self.out)

    @property
    def status(self) -> str:
        """started, finished, interrupted or failed."""
        return str(self.manifest["status"])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int | slice) -> "Run":
        return Run(self.paths[index] if isinstance(index, slice) else (self.paths[index],), self.stored)

    def summary(self) -> Summary:
        """What the run amounts to: regret or return with a 95% interval over runs, share explored, growth."""
        return Curves.read(self.out).summary()

    @plainly
    def frame(self, table: str = "episodes") -> "pyarrow.Table":
        """A table of the log as Arrow: `episodes`, `steps`, `calls` or `cuts` (extra `data`).

        Over several runs the column `source` tells them apart. polars, pandas and DuckDB take it as it is.
        """
        from parley.runs.frames import frame

        return frame(self.paths, table)

    @plainly
    def episode(self, run: int = 0, episode: int = 0) -> Episode:
        """One episode step by step; runs and episodes count from 0."""
        return read_episode(self.out, run, episode)

    def curve(self) -> Curves:
        """Values by run and episode, shape (runs, episodes); `band()` gives the cumulative mean and its interval."""
        return Curves.read(self.out)

    def plot(self) -> "Figure":
        """Cumulative regret, or return, with 95% bands over runs; one panel a world."""
        from parley.report.plots import by_world, regret_figure

        return regret_figure(by_world([Curves.read(path) for path in self.paths or (self.out,)]))

    @plainly
    def diagnose(self, tables: bool = True) -> "Diagnosis":
        """Which failure signature the log shows, why, and what to try; without `tables` from outcomes alone."""
        from parley.assemble.diagnosed import diagnosed

        return diagnosed(self.out, tables)

    @plainly
    def resume(
        self,
        *,
        world: Any = None,
        planner: Any = None,
        explorer: Any = None,
        memory: Any = None,
        token_limit: int = 0,
        cost_limit: float = 0.0,
        prices: str | Path | None = None,
        hooks: Sequence[str | Hook] = (),
        trust: bool = False,
        on: str | None = None,
    ) -> "Run":
        """Go on from where the log ends; a finished run is left as it is. Limits are on the whole run.

        `on` says where a run in shards goes on (docs/scale.md); None: where it began, if that was this machine's Ray.

        Parts that were Python objects are given again. `trust` allows `module:Name` that the manifest names.
        """
        config = RunConfig.from_manifest(read_manifest(self.out)["config"])
        parts = None
        if any(part is not None for part in (world, planner, explorer, memory)):
            parts = assemble.parts_of(
                config.world if world is None else world,
                config.planner if planner is None else planner,
                config.explore if explorer is None else explorer,
                config.memory if memory is None else memory,
                trust,
            )
        limits = Limits(token_limit, cost_limit, Prices.read(Path(prices)) if prices else Prices())
        out = Path(self.stored or self.out)
        if engine := engine_for(out, on):
            if parts is not None or not all(isinstance(hook, str) for hook in hooks):
                raise BadInput("a run in shards goes on with parts and hooks that have names")
            resume_on(engine, out, Options(limits, tuple(map(str, hooks)), trust=trust))
        else:
            with placed(out) as here:
                carry_on(here, limits=limits, parts=parts, trust=trust, hooks=assemble.hooks_of(hooks, trust))
        return open(out) if self.stored else self

    def __repr__(self) -> str:
        shown = ", ".join(map(str, self.paths[:3])) + (", ..." if len(self.paths) > 3 else "")
        return f"Run({shown})"

    def _repr_html_(self) -> str:
        from parley.report.notebook import summaries_html

        return summaries_html([(str(path), Curves.read(path).summary()) for path in self.paths])


@plainly
def open(path: str | Path) -> Run:
    """The run in a directory, or the runs that a pattern matches: `parley.open("runs/*")`.

    If the run has an address in an object store (`s3://bucket/run`), its last upload is brought to this machine.

    Raises `BadInput` where there is no run.
    """
    text = str(path)
    if url := address(path):
        return Run((brought(Path(path)),), url)
    pattern = has_magic(text) and not Path(path).is_dir()
    folders = sorted(map(Path, glob(text, recursive=True))) if pattern else [Path(path)]
    if pattern:
        folders = [folder for folder in folders if (folder / "manifest.json").is_file()]
        within = [folder for folder in folders if is_shard(folder) and folder.parent.parent in folders]
        folders = [folder for folder in folders if folder not in within]  # their run has them already
    found = folders
    if not found:
        raise BadInput(f"path={text!r}: no run directory matches")
    for folder in found:
        read_manifest(folder)
    return Run(tuple(found))
