"""How a checkpoint is trained: the recipe, the presets of worlds, and the sizes of models."""

from dataclasses import dataclass

from parley.core.errors import BadInput
from parley.core.spec import suggestion

PRECISIONS = ("float32", "bfloat16", "auto")
LABELS, OBSERVATIONS = ("expert", "averaged"), ("heard", "averaged")
INITIALS = ("random", "look-back")


@dataclass(frozen=True)
class Recipe:
    """Everything that a trained checkpoint depends on, but for its data.

    Of a stream every document is drawn afresh, none is read twice.
    """

    episodes: int = 16  # of a document: what the planner can remember
    tokens: int = 2_000_000
    width: int = 64
    layers: int = 4
    heads: int = 4
    batch: int = 32  # documents a step
    learning_rate: float = 3e-3
    observation_weight: float = 1.0  # of the loss on observations
    rho: float = 0.0
    behaviour: str = "mixed"  # of the stream; see `documents`
    seed: int = 0
    threads: int = 1  # of torch; the weights depend on them in the last digits
    label_weight: float = 1.0  # of the loss on the expert's labels
    accumulate: int = 1  # parts in which a batch goes through the model, where it does not fit at once
    architecture: str = "llama"  # any causal language model of transformers, by its model type
    precision: str = "auto"  # of matrix products; auto: bfloat16 on a GPU that has it from width 128 on, else float32
    labels: str = "expert"  # pi*_z of the document's z; averaged: over the posterior of z, see `averaged`
    observations: str = "heard"  # those drawn; averaged: distributions, averaged over the posterior of z
    initial: str = "random"  # weights; look-back: see `initial`; a generalist always begins so

    def __post_init__(self) -> None:
        for name in ("episodes", "tokens", "width", "layers", "heads", "batch", "threads", "accumulate"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name}={getattr(self, name)}: expected at least 1")
        if self.width % (2 * self.heads):
            raise BadInput(f"width={self.width}: expected a multiple of 2 * heads = {2 * self.heads}")
        if not self.learning_rate > 0 or self.observation_weight < 0 or self.label_weight < 0:
            raise BadInput("learning_rate must be positive, observation_weight and label_weight not negative")
        if not self.observation_weight + self.label_weight > 0:
            raise BadInput("observation_weight=0 and label_weight=0: there is nothing to learn")
        if self.batch % self.accumulate:
            raise BadInput(f"accumulate={self.accumulate}: expected a divisor of batch={self.batch}")
        known = {"precision": PRECISIONS, "labels": LABELS, "observations": OBSERVATIONS, "initial": INITIALS}
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise BadInput(f"{name}={getattr(self, name)!r}: expected {' or '.join(values)}")


PRESETS: dict[str, Recipe] = {
    "treasure": Recipe(episodes=64, tokens=14_000_000, width=48, layers=3, heads=3, batch=32),
    "shortcut": Recipe(episodes=64, tokens=10_000_000, width=48, layers=3, heads=3, batch=8),
    "team": Recipe(episodes=24, tokens=12_000_000, width=48, layers=3, heads=3, batch=16),
    "household": Recipe(episodes=24, tokens=18_000_000, width=64, layers=4, heads=4, batch=32),
    "weather": Recipe(
        episodes=24,
        tokens=6_000_000,
        batch=8,
        learning_rate=2e-3,
        labels="averaged",
        observations="averaged",
        initial="look-back",
    ),
    "house": Recipe(episodes=12, tokens=4_500_000, width=64, layers=4, heads=4, batch=32),
    "generated": Recipe(  # minutes of a GPU, a day of a core
        episodes=32, tokens=653_721_600, width=160, layers=6, heads=10, batch=64, learning_rate=1.5e-3
    ),
    "keys": Recipe(episodes=12, tokens=3_000_000, width=64, layers=4, heads=4, batch=32),
    "sorter": Recipe(episodes=12, tokens=3_000_000, width=64, layers=4, heads=4, batch=32, labels="averaged"),
    **dict.fromkeys(
        ("random", "traps", "quest", "sorter-floor", "forage"),
        Recipe(episodes=24, labels="averaged", initial="look-back"),
    ),
}

SIZES: dict[str, dict[str, int]] = {  # about 16 width^2 parameters a layer, besides the words
    "0.3M": {"width": 64, "layers": 4, "heads": 4},
    "1M": {"width": 96, "layers": 6, "heads": 6},
    "3M": {"width": 160, "layers": 8, "heads": 5},
    "10M": {"width": 256, "layers": 10, "heads": 8},
    "30M": {"width": 384, "layers": 12, "heads": 12},
    "100M": {"width": 640, "layers": 16, "heads": 10},
}


def size_of(name: str) -> dict[str, int]:
    """Width, layers and heads of a size by name."""
    if name not in SIZES:
        raise BadInput(f"size={name!r}: expected one of {', '.join(SIZES)}{suggestion(name, SIZES)}")
    return SIZES[name]
