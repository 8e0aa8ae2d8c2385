"""The main job in two minutes: a pretrained transformer plans in words in two worlds, with and without exploration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from parley.core.said import EpisodeRecord
from parley.execute import RunConfig, run

SENTENCE = (
    "A pretrained transformer plans in words, episode after episode, in houses whose secret it does not know. You see "
    "its loss against the best possible planner, without and with exploration, beside that of an exact Bayesian one."
)
RUNS = 64
PLANNERS = (
    ("transformer, greedy, no exploration", "transformer:decode=greedy", "none"),
    ("transformer, epsilon-greedy", "transformer:decode=greedy", "epsilon-greedy:epsilon=0.1"),
    ("transformer, adaptive", "transformer", "adaptive-proposals"),
    ("exact oracle (BAIL)", "exact", "none"),
)
# The true secret of `shortcut` is the unlikely one, an open back door; in `household` it is drawn from the prior.
WORLDS = (("shortcut", "the back door is open", 64), ("household", None, 24))


def quickstart(out: Path, begin: Callable[[str, int], Callable[[EpisodeRecord, int], None]]) -> dict[str, list[Any]]:
    """Run it all below `out`; `begin(label, episodes)` starts a progress bar. Returns (label, directory) by world."""
    done: dict[str, list[Any]] = {}
    for world, latent, episodes in WORLDS:
        title = f"{world}: {latent or 'secrets drawn from the prior'}"
        for i, (label, planner, explore) in enumerate(PLANNERS):
            config = RunConfig(world, planner, explore, episodes=episodes, runs=RUNS, seed=1, latent=latent)
            directory = out / f"{world}-{i + 1}"
            run(config, directory, begin(f"{world}: {label}", episodes * RUNS))
            done.setdefault(title, []).append((label, directory))
    return done
