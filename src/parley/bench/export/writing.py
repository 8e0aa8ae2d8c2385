"""`parley bench export`: one file that plays the suites of a plan in somebody else's framework."""

from dataclasses import asdict
from pathlib import Path
from pprint import pformat

from parley.bench.conducting import Plan
from parley.bench.suites import WORLDS, entries_of
from parley.core.errors import BadInput
from parley.core.spec import suggestion
from parley.runs.directory import write_whole

INSPECT = '''"""The suites {suites} of `parley bench` for inspect_ai, by `parley bench export`. Needs parley-rl[endpoint].

    inspect eval {file} --model openai/NAME -T out=cards
"""

from inspect_ai import Task, task

from parley.bench.arms import Sizes
from parley.bench.conducting import Plan
from parley.bench.export.inspect_task import task_of

PLAN = {plan}


@task
def parley_bench(out: str = "cards", options: str | list[str] = "", budget: str = "") -> Task:
    """Cards are kept in `out`. `options` are more of the planner's (way=parse,budget=2000), `budget` is the card's."""
    plan = Plan("", PLAN["suites"], PLAN["worlds"], Sizes(**PLAN["sizes"]))
    return task_of(plan, out, options if isinstance(options, str) else ",".join(options), budget)
'''
OPENENV = '''"""The worlds of the suites {suites} of `parley bench` as an OpenEnv server. Needs parley-rl[openenv].

    python {file} --port 8000
"""

from parley.bench.export.openenv_server import main

WORLDS = {worlds}

if __name__ == "__main__":
    main(WORLDS, episodes={episodes})
'''
VERIFIERS = '''"""The worlds of the suites {suites} of `parley bench` for verifiers, by `parley bench export`. Needs parley-rl."""

from typing import Any

from parley.bench.export.verifiers_env import environment

WORLDS = {worlds}


def load_environment(runs: int = {runs}, seed: int = {seed}, episodes: int = {episodes}) -> Any:
    """Rollouts are streams of `episodes` with one latent; there are `runs` of them in each world."""
    return environment(WORLDS, runs, seed, episodes)
'''
FRAMEWORKS = {
    "inspect": ("parley_bench.py", INSPECT),
    "openenv": ("server.py", OPENENV),
    "verifiers": ("parley_bench.py", VERIFIERS),
}


def write(plan: Plan, to: str, out: Path) -> Path:
    """Write the file for a framework into `out`, and return its path; raises `BadInput` where the plan is none."""
    if to not in FRAMEWORKS:
        raise BadInput(f"to={to!r}: expected one of {', '.join(FRAMEWORKS)}{suggestion(to, FRAMEWORKS)}")
    entries_of("random", plan.suites, plan.worlds)  # suites and worlds that are none are refused now
    name, text = FRAMEWORKS[to]
    kept = {key: value for key, value in asdict(plan).items() if key != "planner"}
    worlds = plan.worlds or tuple(dict.fromkeys(world for suite in plan.suites for world in WORLDS[suite]))
    sizes = plan.sizes
    filled = text.format(
        suites=", ".join(plan.suites), file=name, plan=pformat(kept, width=110, sort_dicts=False), worlds=worlds,
        episodes=sizes.episodes, runs=sizes.runs, seed=sizes.seed,
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / name, filled.encode())
    return out / name
