"""A learned way of reaching for the Actor of `sorter`: a small network, run by numpy, in the place of the script."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors.numpy import load_file, save_file

from parley.core.errors import BadInput
from parley.worlds.sorter_reach import EPISODE, WITHIN, ReachTask

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
        path.mkdir(parents=True, exist_ok=True)
        save_file({k: np.ascontiguousarray(w) for k, w in self.weights.items()}, path / "actor.safetensors")
        (path / "actor.json").write_text(json.dumps(self.about, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path = SHIPPED) -> "ReachPolicy":
        """Read a directory of `save`; raises `BadInput` naming what is wrong."""
        try:
            about = json.loads((path / "actor.json").read_text(encoding="utf-8"))
            weights = load_file(path / "actor.safetensors")
            widths = [INPUTS, *(weights[f"b{i}"].shape[0] for i in range(LAYERS))]
            shapes = [(weights[f"w{i}"].shape, tuple(widths[i : i + 2][::-1])) for i in range(LAYERS)]
            if about["format"] != FORMAT or widths[-1] != 3 or any(found != due for found, due in shapes):
                raise ValueError(f"expected the format {FORMAT!r} and {LAYERS} layers from {INPUTS} to 3 numbers")
            if not all(np.isfinite(w).all() for w in weights.values()):
                raise ValueError("its weights are not finite")
        except Exception as wrong:  # safetensors has an error type of its own
            raise BadInput(f"actor={str(path)!r} is no learned reaching: {wrong}") from wrong
        return cls(about, weights)


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
