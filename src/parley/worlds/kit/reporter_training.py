"""Contrastive pretraining of a Reporter: logistic loss on pairs (s, o) ~ E against pairs drawn apart (theory.md 5)."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.draws import sample_rows
from parley.core.errors import BadInput, MissingExtra
from parley.core.spec import is_count
from parley.core.tables import Tables
from parley.worlds.kit.learned_reporter import FORMAT, LearnedReporter, Views, sentence_features, state_features
from parley.worlds.kit.tabular.reported import reporter_error, visits


@dataclass(frozen=True)
class ReporterRecipe:
    """How a Reporter is trained: `pairs` (s, o) of the world, seen again and again for `steps` steps."""

    view: str = "tables"
    pairs: int = 20_000
    steps: int = 2_000
    hidden: int = 128
    width: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("pairs", "steps", "hidden", "width"):
            if getattr(self, name) < (2 if name == "pairs" else 1):
                raise BadInput(f"{name}={getattr(self, name)}: too small to train a Reporter")


def reporter_of(spec: str, tables: Tables, views: Views, view: str) -> LearnedReporter:
    """The Reporter of `learned:PATH`, or of `learned:PAIRS`, trained on the spot from so many pairs."""
    kind, _, rest = spec.partition(":")
    if kind != "learned" or not rest:
        raise BadInput(f"reporter={spec!r}: expected learned:PATH, learned:PAIRS or noisy:SHARE")
    if is_count(rest):
        return pretrain_reporter(tables, tables.name, ReporterRecipe(view=view, pairs=int(rest)), views)
    return LearnedReporter.load(Path(rest))


def pretrain_reporter(
    tables: Tables, world: str, recipe: ReporterRecipe, views: Views | None = None
) -> LearnedReporter:
    """Train on states that uniform subgoals visit; `about` holds the total variation to the true E.

    Raises `MissingExtra` without torch.
    """
    rng = np.random.default_rng(recipe.seed)
    seen = visits(tables).ravel()
    state = rng.choice(len(seen), size=recipe.pairs, p=seen / seen.sum())
    emission = tables.emission.reshape(len(seen), -1)
    said = sample_rows(emission[state], rng.random(recipe.pairs))
    counts = np.zeros(emission.shape)
    np.add.at(counts, (state, said), 1)
    weights = _train(
        state_features(recipe.view, tables, views or {}), sentence_features(tables.observations), counts, recipe
    )
    heard = counts.sum(axis=0) + 0.5  # a sentence never heard is not impossible
    weights["log_marginal"] = np.log(heard / heard.sum())
    about: dict[str, Any] = {
        "format": FORMAT,
        "world": world,
        "view": recipe.view,
        "sentences": list(tables.observations),
        "recipe": asdict(recipe),
    }
    learned = LearnedReporter(about, weights)
    about["total_variation"] = reporter_error(tables, learned.emission(tables, views or {}))
    return learned


def _train(
    states: np.ndarray, sentences: np.ndarray, counts: np.ndarray, recipe: ReporterRecipe
) -> dict[str, np.ndarray]:
    """The encoders' weights from how often each state came with each sentence.

    All pairs that could be drawn apart count with their probability P(s) p(o'), rather than a sample of them. The loss
    is the same in expectation, with less noise.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtra("training a Reporter", "torch") from None
    torch.manual_seed(recipe.seed)
    seen = counts.sum(axis=1) > 0
    centre = states[seen].mean(axis=0)
    spread = np.sqrt(((states[seen] - centre) ** 2).sum(axis=1).mean())
    x, words = (torch.tensor(f, dtype=torch.float32) for f in ((states[seen] - centre) / spread, sentences))
    together = torch.tensor(counts[seen] / counts.sum(), dtype=torch.float32)
    apart = together.sum(1, keepdim=True) * together.sum(0, keepdim=True)
    shapes = {"hidden": (x.shape[1], recipe.hidden), "state": (recipe.hidden, recipe.width)}
    shapes["sentence"] = (words.shape[1], recipe.width)
    scale = {"hidden": 1.0, "state": recipe.hidden**-0.5, "sentence": words.shape[1] ** -0.5}
    weights = {name: torch.randn(shape) * scale[name] for name, shape in shapes.items()}
    weights |= {"hidden_bias": torch.zeros(recipe.hidden), "state_bias": torch.zeros(recipe.width)}
    weights["constant"] = torch.zeros(1)
    for weight in weights.values():
        weight.requires_grad_(True)
    optimiser = torch.optim.Adam(weights.values(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps)
    for _ in range(recipe.steps):
        encoded = torch.tanh(x @ weights["hidden"] + weights["hidden_bias"]) @ weights["state"] + weights["state_bias"]
        score = encoded @ (words @ weights["sentence"]).T + weights["constant"]
        softplus = torch.nn.functional.softplus
        loss = (together * softplus(-score)).sum() + (apart * softplus(score)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    trained = {name: weight.detach().numpy().astype(np.float64) for name, weight in weights.items()}
    trained["hidden"] = trained["hidden"] / spread  # so that features go in as they are
    trained["hidden_bias"] = trained["hidden_bias"] - centre @ trained["hidden"]
    return trained
