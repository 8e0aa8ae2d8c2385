"""For how many episodes the theory speaks of a pretrained planner: T_p, the episodes of a pretraining document.

He et al. 2024, Theorem 5.7, holds for T up to T_p. What a planner does in an episode beyond it was never trained, and
its pretraining error says nothing about it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from parley.assemble.worlds import GENERALIST, checkpoint_of, shipped
from parley.core.paths import read_json

# The descriptions in what `parley pretrain`, `parley finetune` and the tuning of an adapter write.
ABOUT = ("parley.json", "finetuned.json", "parley-adapter.json")


@dataclass(frozen=True)
class Pretrained:
    """A checkpoint that says on how many episodes it was trained, and T_p."""

    checkpoint: Path
    episodes: int

    def beyond(self, num_episodes: int) -> str | None:
        """The warning about a run of T episodes; None where T is at most T_p."""
        if num_episodes <= self.episodes:
            return None
        return (
            f"T = {num_episodes:,} is beyond T_p = {self.episodes:,}, the episodes of a document that checkpoint "
            f"{self.checkpoint.name!r} was trained on. The theory's epsilon and bound do not hold for such a run"
        )


def pretrained(planner: str, arguments: Mapping[str, str], world: str) -> Pretrained | None:
    """The checkpoint that a planner with these arguments reads in a world; None where none says T_p.

    Whether a checkpoint is one at all is asked, and answered, where its planner is made.
    """
    path = _checkpoint(planner.partition(":")[0].strip(), arguments, world)
    file = path and next((path / name for name in ABOUT if (path / name).is_file()), None)
    if path is None or file is None:
        return None
    try:
        about = read_json(file)
        episodes = about["episodes"] if "episodes" in about else about["recipe"]["episodes"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Pretrained(path, episodes) if type(episodes) is int and episodes > 0 else None


def _checkpoint(planner: str, given: Mapping[str, str], world: str) -> Path | None:
    """Where the weights are that a planner would read, if they may be ours."""
    if adapter := given.get("adapter"):
        return Path(adapter)
    if planner == "hf":
        path = given.get("path", "")
        return shipped(path) if path == GENERALIST and not Path(path).exists() else Path(path)
    if planner == "transformer" or (planner == "world-model" and given.get("model", "transformer") == "transformer"):
        named = given.get("checkpoint") or world.partition(":")[0].strip()
        return Path(named) if given.get("checkpoint") and Path(named).is_dir() else checkpoint_of(named)
    return None
