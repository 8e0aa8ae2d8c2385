"""Trains the reaching of `worlds/sorter/reaching.py`: soft actor-critic (Haarnoja et al. 2018) with hindsight goals.

Both are those of stable-baselines3 (extra `reach`), which only training needs.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput, MissingExtra
from parley.worlds.sorter.reach_task import HIGH, LOW, ReachTask
from parley.worlds.sorter.reaching import FORMAT, INPUTS, LAYERS, ReachPolicy, successes

EVALUATION_SEEDS = (1001, 1002, 1003)
GOALS = 20  # a seed
APART, PLACE, SPEED = 10.0, 5.0, 50.0  # scales: a feature is about 1 where it is large


@dataclass(frozen=True)
class ReachRecipe:
    """How the network is trained; `entropy` is the weight of the policy's entropy."""

    steps: int = 8_000
    width: int = 64
    entropy: float = 0.02
    rate: float = 1e-3
    discount: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1000 or self.width < 1:
            raise BadInput(f"steps={self.steps}, width={self.width}: expected at least 1000 steps and one unit")
        if not (self.entropy > 0 and self.rate > 0 and 0 < self.discount < 1):
            raise BadInput("entropy, rate: expected positive numbers; discount: one between 0 and 1")


def features() -> tuple[Float[np.ndarray, "9 13"], Float[np.ndarray, " 9"]]:
    """Matrix and shift of the features of (arm, goal): the way to go, the place, the speed."""
    matrix, shift, eye = np.zeros((9, INPUTS)), np.zeros(9), np.eye(3)
    matrix[:3, :3], matrix[:3, 10:] = -APART * eye, APART * eye
    matrix[3:6, :3], shift[3:6] = PLACE * eye, -PLACE * 0.5 * (LOW + HIGH)
    matrix[6:, 5:8] = SPEED * eye
    return matrix, shift


def learn_reach(
    steps: int = 8_000,
    width: int = 64,
    entropy: float = 0.02,
    rate: float = 1e-3,
    discount: float = 0.95,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> ReachPolicy:
    """`train_reach` with the recipe's settings as its own."""
    return train_reach(ReachRecipe(steps, width, entropy, rate, discount, seed), progress)


def train_reach(recipe: ReachRecipe, progress: Callable[[int], None] | None = None) -> ReachPolicy:
    """Train and evaluate; `about` holds recipe and successes. Raises `MissingExtra` without stable-baselines3."""
    try:
        from stable_baselines3 import SAC, HerReplayBuffer
        from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
        from torch import cat, float32, tensor
    except ImportError:
        raise MissingExtra("training the reaching Actor", "reach") from None

    matrix, shift = features()

    class Features(BaseFeaturesExtractor):
        """The network's inputs, which are linear in the observation."""

        def __init__(self, space: Any) -> None:
            super().__init__(space, len(shift))
            self.matrix, self.shift = (tensor(array, dtype=float32) for array in (matrix, shift))

        def forward(self, seen: Any) -> Any:
            return cat([seen["observation"], seen["desired_goal"]], dim=-1) @ self.matrix.T + self.shift

    task = ReachTask()
    model = SAC(
        "MultiInputPolicy",
        task,
        learning_rate=recipe.rate,
        gamma=recipe.discount,
        ent_coef=recipe.entropy,
        learning_starts=500,
        buffer_size=recipe.steps,
        replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs={"n_sampled_goal": 4, "goal_selection_strategy": "future"},
        policy_kwargs={"net_arch": [recipe.width] * (LAYERS - 1), "features_extractor_class": Features},
        seed=recipe.seed,
        device="cpu",
    )

    def tell(inner: dict[str, Any], _: Any) -> bool:
        if progress:
            progress(inner["self"].num_timesteps)
        return True  # go on

    model.learn(recipe.steps, callback=tell)
    task.close()
    state = {name: weight.detach().numpy().copy() for name, weight in model.policy.actor.state_dict().items()}
    names = [*(f"latent_pi.{2 * i}" for i in range(LAYERS - 1)), "mu"]
    weights = {f"w{i}": state[f"{name}.weight"] for i, name in enumerate(names)}
    weights |= {f"b{i}": state[f"{name}.bias"] for i, name in enumerate(names)}
    weights["b0"], weights["w0"] = weights["b0"] + weights["w0"] @ shift, weights["w0"] @ matrix  # no features later
    policy = ReachPolicy({"format": FORMAT, "recipe": asdict(recipe)}, weights)
    policy.about["goals"] = GOALS
    policy.about["successes"] = {str(seed): successes(policy, seed, GOALS) for seed in EVALUATION_SEEDS}
    if not all(np.isfinite(w).all() for w in weights.values()):
        raise BadInput(f"the training diverged with rate={recipe.rate}: try a smaller one")
    return policy
