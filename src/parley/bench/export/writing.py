"""`parley bench export`: one file that plays the suites of a plan in somebody else's framework."""

from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from pprint import pformat
from string import Template

from parley.bench.conducting import Plan
from parley.bench.suites import WORLDS, entries_of
from parley.core.errors import BadInput
from parley.core.spec import suggestion
from parley.runs.directory import write_whole

FRAMEWORKS = {"inspect": "parley_bench.py", "openenv": "parley_server.py", "verifiers": "parley_bench.py"}


def write(plan: Plan, to: str, out: Path) -> Path:
    """Write the file for a framework into `out`, and return its path. `BadInput` for a plan that cannot be run."""
    if to not in FRAMEWORKS:
        raise BadInput(f"to={to!r}: expected one of {', '.join(FRAMEWORKS)}{suggestion(to, FRAMEWORKS)}")
    entries_of("random", plan.suites, plan.worlds)  # refuses suites and worlds that there are not
    worlds = plan.worlds or tuple(dict.fromkeys(world for suite in plan.suites for world in WORLDS[suite]))
    kept = {"suites": plan.suites, "worlds": plan.worlds, "sizes": asdict(plan.sizes)}
    words = {"suites": ", ".join(plan.suites), "file": FRAMEWORKS[to], "worlds": list(worlds), **asdict(plan.sizes)}
    text = Template(files("parley.bench").joinpath(f"export/{to}.txt").read_text("utf-8"))
    filled = text.substitute(words, plan=pformat(kept, width=110, sort_dicts=False))
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / FRAMEWORKS[to], filled.encode())
    return out / FRAMEWORKS[to]
