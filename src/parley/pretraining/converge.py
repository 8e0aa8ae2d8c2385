"""Training on a fixed set of documents until held-out documents say that it gains nothing more.

The theory's error is that of maximum likelihood on N_p documents: neither of a training cut short, nor of one that went
on to learn the documents by heart. So the learning rate is halved wherever the held-out loss stops falling, and the
weights kept are those that did best on it.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.errors import BadInput, ParleyError
from parley.models.checkpoint import FORMAT
from parley.pretraining.architecture import build_model, require_torch
from parley.pretraining.columns import Columns
from parley.pretraining.documents import Documents, corrupt, sample_documents
from parley.pretraining.recipe import Recipe
from parley.pretraining.tokenizer import world_tokenizer
from parley.pretraining.train import measured_by, save
from parley.theory.beliefs import Beliefs

NUM_HELD_OUT = 256
HALVINGS = 3
PATIENCE = 3  # evaluations without a better one, before the learning rate is halved
STEPS = 40  # from one evaluation to the next
LEAST_GAIN = 1e-4  # nats


@dataclass(frozen=True)
class Converged:
    """How a training ended: the held-out loss on labels at its best, its steps, and the checkpoint's card."""

    held_out_loss: float
    steps: int
    about: dict[str, Any]


def converge(
    beliefs: Beliefs,
    spec: str,
    num_documents: int,
    recipe: Recipe,
    out: Path,
    label_error: float = 0.0,
    report: Callable[[int, float], None] | None = None,
    most_steps: int = 6_000,
) -> Converged:
    """Train on `num_documents` (N_p) documents of `recipe.episodes` (T_p) episodes; writes a checkpoint into `out`.

    A share `label_error` of the labels is corrupted, in what is trained on and held out alike; trajectories are not.
    """
    if num_documents < 1:
        raise BadInput(f"documents={num_documents}: expected at least 1")
    torch, transformers = require_torch()
    tokenizer = world_tokenizer(beliefs.tables)
    columns = Columns(beliefs.tables, tokenizer)
    data = [
        corrupt(
            sample_documents(beliefs, n, recipe.episodes, (recipe.seed, part), recipe.rho, recipe.behaviour),
            label_error,
            np.random.default_rng((recipe.seed, part, 1)),
        )
        for part, n in ((2, num_documents), (3, NUM_HELD_OUT))
    ]
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    model = build_model(transformers, tokenizer, recipe, columns.length(recipe.episodes))
    loss, steps = _descend(torch, model, columns, data[0], data[1], recipe, report, most_steps)
    about = {
        "format": FORMAT,
        "world": spec,
        "episodes": recipe.episodes,
        "horizon": beliefs.tables.horizon,
        "instructions": beliefs.tables.instructions,
        "menus": beliefs.tables.menus,
        "parameters": sum(p.numel() for p in model.parameters()),
        "recipe": asdict(recipe) | {"tokens": num_documents * columns.length(recipe.episodes)},
        "trained_s": 0.0,
        "loss": loss,
    }
    return Converged(loss, steps, save(model, tokenizer, about, out, measured_by(beliefs)))


def _descend(
    torch: Any,
    model: Any,
    columns: Columns,
    documents: Documents,
    held_out: Documents,
    recipe: Recipe,
    report: Callable[[int, float], None] | None,
    most_steps: int,
) -> tuple[float, int]:
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    order = np.random.default_rng((recipe.seed, 4))
    ready = columns.prepare(torch, held_out)
    best, kept, since, halved, step = np.inf, _weights(torch, model), 0, 0, 0
    while halved <= HALVINGS and step < most_steps:
        for _ in range(STEPS):
            mine = documents[order.integers(len(documents), size=min(recipe.batch, len(documents)))]
            label_loss, observation_loss = columns.losses(torch, model, columns.prepare(torch, mine))
            loss = label_loss + recipe.observation_weight * observation_loss
            if not bool(torch.isfinite(loss)):
                raise ParleyError(f"the loss is not a number at step {step}: lower the learning rate")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            step += 1
        model.eval()
        with torch.no_grad():
            now = float(columns.losses(torch, model, ready)[0])
        model.train()
        if report:
            report(step, now)
        if now < best - LEAST_GAIN:
            best, kept, since = now, _weights(torch, model), 0
        elif (since := since + 1) == PATIENCE:
            since, halved = 0, halved + 1
            _restore(torch, model, kept)
            for group in optimiser.param_groups:
                group["lr"] /= 2
    _restore(torch, model, kept)
    return best, step


def _weights(torch: Any, model: Any) -> list[Any]:
    return [p.detach().clone() for p in model.parameters()]


def _restore(torch: Any, model: Any, weights: list[Any]) -> None:
    with torch.no_grad():
        for p, kept in zip(model.parameters(), weights, strict=True):
            p.copy_(kept)
