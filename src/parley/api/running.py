"""`parley.run`: a run from Python, of named parts or of objects."""

import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from parley import assemble
from parley.api.runs import Run
from parley.api.runs import open as open_run
from parley.cluster.driver import Options, run_on
from parley.cluster.engines import engine_of
from parley.cluster.shelf import placed
from parley.core.arguments import plainly
from parley.core.errors import BadInput
from parley.core.roles import Explorer, Planner, World
from parley.core.text import shown
from parley.execute import RunConfig
from parley.execute import run as carry_out
from parley.report.bars import Bars
from parley.runs.hooks import Hook, in_vain
from parley.runs.ledger import Limits, Prices


@plainly
def run(
    world: str | World | type,
    planner: str | Planner | type = "exact",
    explorer: str | Explorer | type = "none",
    *,
    episodes: int = 100,
    runs: int = 64,
    seed: int = 0,
    memory: str | type | None = None,
    out: str | Path | None = None,
    on: str | None = None,
    latent: str | int | None = None,
    instructions: str = "cyclic",
    record: str = "auto",
    cohort: int = 0,
    threads: int = 1,
    token_limit: int = 0,
    cost_limit: float = 0.0,
    prices: str | Path | None = None,
    hooks: Sequence[str | Hook] = (),
    progress: bool | None = None,
) -> Run:
    """Run a planner in a world for `episodes` episodes, `runs` times, each with a latent of its own.

    Args:
        world: a name, a spec (`"keys:miss=0.2"`), the path of a world file, `"module:Name"`, or a `World`.
        planner: a name, a spec, `"module:Name"`, a `Planner`, or a class or function that makes one a cohort.
        explorer: the same for an `Explorer`.
        memory: what prompts show of earlier episodes: a name, a spec, `"module:Name"`, or a class that makes a
            `Memory` for each run. None: what the planner's own arguments say.
        out: the run directory, new or empty, or an address in an object store (`s3://bucket/run`, docs/scale.md).
            None: a temporary directory, which is told.
        on: where to run: `"ray"`, `"ray://HOST:PORT"` or `"slurm:partition=...,time=..."` (docs/scale.md); parts and
            hooks must then have names. None: in this process.
        latent: the latent of all runs by name or index, `"each"` in turn; None: drawn from the prior.
        instructions: `cyclic`, `random`, `doubling`, `fixed:NAME`, or `list:NAME|NAME|...`.
        record: `steps`, `episodes`, or `auto` (steps up to a million of them).
        cohort: runs that move together; 0: as many as the planner likes best.
        threads: threads of the array library.
        token_limit, cost_limit: where calls of a model end the run, to be resumed; 0: no limit. A cost needs `prices`,
            the path of a table of prices.
        hooks: who else is told what happens.
        progress: whether to draw a bar; None: where standard error is a terminal.

    Returns:
        The finished `Run`. Planners hear the same random numbers as `parley run` with the same seed.

    Raises:
        BadInput: an argument cannot be used; nothing was run, and no directory was made.
        RunPaused: a limit was reached. `parley.open(out).resume()` goes on.
    """
    parts = assemble.parts_of(world, planner, explorer, memory, trust=True)
    config = RunConfig(
        world=parts.world_part.spec,
        planner=parts.planner.spec,
        explore=parts.explorer.spec,
        memory=parts.memory.spec if parts.memory else None,
        episodes=episodes,
        runs=runs,
        seed=seed,
        latent=None if latent is None else str(latent),
        instructions=instructions,
        record=record,
        cohort=cohort,
        threads=threads,
    )
    limits = Limits(token_limit, cost_limit, Prices.read(Path(prices)) if prices else Prices())
    told = assemble.hooks_of(hooks, trust=True)
    engine = None if on is None else engine_of(on)
    if engine and (objects := [*parts.given, *(f"hook {shown(hook)}" for hook in hooks if not isinstance(hook, str))]):
        raise BadInput(f"on={on!r}: {objects[0]} is a Python object, which stays in this process: give it by name")
    folder = Path(tempfile.mkdtemp(prefix="parley-")) if out is None else Path(out)
    console = Console(stderr=True)
    drawn = sys.stderr.isatty() if progress is None else progress
    with Bars(console) if drawn else nullcontext() as bars:
        if engine:
            done = bars.episodes(config.world, episodes * runs) if bars else None
            run_on(engine, config, folder, Options(limits, tuple(map(str, hooks)), done))
        else:
            bar = bars.begin(config.world, episodes * runs) if bars else None
            with placed(folder) as here:
                carry_out(config, here, bar, limits, parts, told)
    found, kept = open_run(folder), [f"the run is kept in {folder}"] if out is None else []
    for said in [*in_vain(found.manifest), *kept]:
        console.print(f"parley: {said}", markup=False, soft_wrap=True, highlight=False)
    return found
