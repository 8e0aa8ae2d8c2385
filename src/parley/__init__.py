"""Parley: LLM agents that plan in words, act in the physical world, and get better from one episode to the next.

    import parley

    run = parley.run("household", "exact", "none", episodes=20, runs=16, seed=1)
    print(run.summary())

Everything here is imported when it is used first.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parley.api.comparing import Comparison, compare
    from parley.api.episodes import Episode, LoggedStep
    from parley.api.making import gym, make
    from parley.api.running import run
    from parley.api.runs import Run, open
    from parley.api.stepping import Step, stepthrough
    from parley.assemble.conformance import check
    from parley.core.draws import Draws
    from parley.core.errors import BadInput, ParleyError
    from parley.core.roles import Actor, Explorer, Planner, Reporter, Snapshots, World
    from parley.core.said import Choice, EpisodeRecord, Menu, Moment, Opening, Outcome, Proposal, StepRecord
    from parley.core.tables import Tables
    from parley.core.told import Memory, Recalled, Told, Writer
    from parley.planners.function import FunctionPlanner
    from parley.runs.hooks import Hook
    from parley.worlds.kit.wrap import wrap

    __version__: str

_FROM = {
    "api.comparing": ("Comparison", "compare"),
    "api.episodes": ("Episode", "LoggedStep"),
    "api.making": ("gym", "make"),
    "api.running": ("run",),
    "api.runs": ("Run", "open"),
    "api.stepping": ("Step", "stepthrough"),
    "assemble.conformance": ("check",),
    "core.draws": ("Draws",),
    "core.errors": ("BadInput", "ParleyError"),
    "core.roles": ("Actor", "Explorer", "Planner", "Reporter", "Snapshots", "World"),
    "core.said": ("Choice", "EpisodeRecord", "Menu", "Moment", "Opening", "Outcome", "Proposal", "StepRecord"),
    "core.tables": ("Tables",),
    "core.told": ("Memory", "Recalled", "Told", "Writer"),
    "planners.function": ("FunctionPlanner",),
    "runs.hooks": ("Hook",),
    "worlds.kit.wrap": ("wrap",),
}
_MODULE = {name: module for module, names in _FROM.items() for name in names}

__all__ = [
    "Actor",
    "BadInput",
    "Choice",
    "Comparison",
    "Draws",
    "Episode",
    "EpisodeRecord",
    "Explorer",
    "FunctionPlanner",
    "Hook",
    "LoggedStep",
    "Memory",
    "Menu",
    "Moment",
    "Opening",
    "Outcome",
    "ParleyError",
    "Planner",
    "Proposal",
    "Recalled",
    "Reporter",
    "Run",
    "Snapshots",
    "Step",
    "StepRecord",
    "Tables",
    "Told",
    "World",
    "Writer",
    "__version__",
    "check",
    "compare",
    "gym",
    "make",
    "open",
    "run",
    "stepthrough",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("parley-rl")
    if name not in _MODULE:
        raise AttributeError(f"module 'parley' has no attribute {name!r}")
    return getattr(import_module(f"parley.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)


if "gymnasium" in sys.modules:
    import parley.registration  # noqa: F401
