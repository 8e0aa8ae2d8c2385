"""A learned way of reaching for the Actor of `sorter`: a small network, run by numpy, in the place of the script."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.worlds.kit import learned
from parley.worlds.sorter.reach_task import EPISODE, WITHIN, ReachTask

FORMAT = "parley-reach/1"
SHIPPED = Path(__file__).parent / "reach"
LAYERS = 3
INPUTS = 13  # the arm as FetchReach observes it (10), and the goal


@dataclass(frozen=True)
class ReachPolicy:
    """A network with two hidden layers of rectified units; a `Reach` of `PickPlaceActor`. `about` holds its recipe."""

    about: dict[str, Any]
    weights: dict[str, np.ndarray]  # w0, b0, w1, b1, w2, b2; w as (out, in)

    def __call__(self, arm: Float[np.ndarray, " 10"], goal: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 3"]:
        """The action (x, y, z, each from -1 to 1) that the trained policy holds best."""
        x = np.concatenate([arm, goal])
        for i in range(LAYERS):
            x = self.weights[f"w{i}"] @ x + self.weights[f"b{i}"]
            x = np.maximum(x, 0) if i < LAYERS - 1 else np.tanh(x)
        return x

    def save(self, path: Path) -> None:
        """`actor.safetensors` and `actor.json` in the directory `path`."""
        learned.save(path, "actor", self.about, self.weights)

    @classmethod
    def load(cls, path: Path = SHIPPED) -> "ReachPolicy":
        """Read a directory of `save`; raises `BadInput` that names the fault."""

        def wrong(about: dict[str, Any], weights: Mapping[str, Any]) -> str:
            widths = [INPUTS, *(weights[f"b{i}"].shape[0] for i in range(LAYERS))]
            shapes = [(weights[f"w{i}"].shape, tuple(widths[i : i + 2][::-1])) for i in range(LAYERS)]
            if about["format"] != FORMAT or widths[-1] != 3 or any(found != due for found, due in shapes):
                return f"expected the format {FORMAT!r} and {LAYERS} layers from {INPUTS} to 3 numbers"
            return "" if all(np.isfinite(w).all() for w in weights.values()) else "its weights are not finite"

        return cls(*learned.load(path, "actor", "learned reaching", wrong))


def successes(policy: ReachPolicy, seed: int, goals: int = 20) -> int:
    """How many goals the grip is within 5 cm of after 50 actions (the criterion of FetchReach)."""
    task, reached = ReachTask(), 0
    for i in range(goals):
        seen, _ = task.reset(seed=seed if i == 0 else None)
        for _ in range(EPISODE):
            seen, *_ = task.step(policy(seen["observation"], seen["desired_goal"]))
        reached += bool(np.linalg.norm(seen["achieved_goal"] - seen["desired_goal"]) < WITHIN)
    task.close()
    return reached
