"""Training on a fixed set of documents until held-out documents say that it gains nothing more.

The theory's error is that of maximum likelihood on N_p documents. A training cut short does not have it, nor does one
that learned the documents by heart. So the learning rate is cut whenever the held-out loss has not fallen for two
epochs. The weights kept are those with the least held-out loss. The held-out loss is measured on the running mean of
the weights (Polyak and Juditsky 1992), which lacks the noise of single steps. Any gain counts, since a total variation
of 0.01 may be worth no more than 1e-4 nats.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.errors import BadInput, ParleyError
from parley.data.documents import Documents, corrupt, sample_documents
from parley.models.checkpoint import FORMAT
from parley.theory.beliefs import Beliefs
from parley.training.architecture import build_model, require_torch
from parley.training.columns import Columns
from parley.training.recipe import Recipe
from parley.training.tokenizer import world_tokenizer
from parley.training.train import measured_by, save

NUM_HELD_OUT = 512
CUTS, FACTOR = 2, 4  # of the learning rate
PATIENCE = 2  # epochs without a better evaluation, before the learning rate is cut
EVALUATIONS = 3  # without a better one, at least
STEPS = 40  # from one evaluation to the next, at least; else a quarter of an epoch
WARM_UP = 40  # steps
MEMORY = 50  # steps that the running mean of the weights remembers


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

    A share `label_error` of the labels is corrupted, in the training data and the held-out data; trajectories are not.
    """
    if num_documents < 1:
        raise BadInput(f"documents={num_documents}: expected at least 1")
    torch, transformers = require_torch()
    tokenizer = world_tokenizer(beliefs.tables)
    columns = Columns(beliefs.tables, tokenizer, lines_only=True)
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
    mean = _Mean(torch, model)
    descent = _Descent(torch, model, columns, documents, recipe)
    ready = columns.prepare(torch, held_out)
    epoch = len(documents) / descent.batch
    often = max(STEPS, round(epoch / 4))
    patience = max(EVALUATIONS, round(PATIENCE * epoch / often))
    best, kept, since, cuts = np.inf, _weights(torch, model), 0, 0
    while cuts <= CUTS and descent.step < most_steps:
        for _ in range(often):
            descent.go_on()
            mean.take_in(descent.step)
        with mean.in_place(), torch.no_grad():
            now = float(columns.losses(torch, model, ready)[0])
        if report:
            report(descent.step, now)
        if now < best:
            best, kept, since = now, [p.clone() for p in mean.weights], 0
        elif (since := since + 1) == patience:
            since, cuts = 0, cuts + 1
            _restore(torch, model, kept)
            mean.weights = [p.clone() for p in kept]
            descent.rate /= FACTOR
    _restore(torch, model, kept)
    return best, descent.step


class _Descent:
    """Steps of AdamW on documents drawn with replacement."""

    def __init__(self, torch: Any, model: Any, columns: Columns, documents: Documents, recipe: Recipe) -> None:
        self.torch, self.model, self.columns, self.documents, self.recipe = torch, model, columns, documents, recipe
        self.optimiser = torch.optim.AdamW(
            model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        self.order = np.random.default_rng((recipe.seed, 4))
        self.rate, self.step, self.batch = recipe.learning_rate, 0, min(recipe.batch, len(documents))

    def go_on(self) -> None:
        """One step; raises `ParleyError` where the loss is not a number."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * min(1.0, (self.step + 1) / WARM_UP)
        mine = self.documents[self.order.integers(len(self.documents), size=self.batch)]
        batch = self.columns.prepare(self.torch, mine)
        label_loss, observation_loss = self.columns.losses(self.torch, self.model, batch)
        loss = label_loss + self.recipe.observation_weight * observation_loss
        if not bool(self.torch.isfinite(loss)):
            raise ParleyError(f"the loss is not a number at step {self.step}: lower the learning rate")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1


class _Mean:
    """The running mean of a model's weights."""

    def __init__(self, torch: Any, model: Any) -> None:
        self.torch, self.model, self.weights = torch, model, _weights(torch, model)

    def take_in(self, step: int) -> None:
        """The weights after a step; of the first steps the mean remembers a tenth."""
        share = 1 - min(1 - 1 / MEMORY, step / (step + 10))
        for mean, p in zip(self.weights, self.model.parameters(), strict=True):
            mean.lerp_(p.detach(), share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model with the mean for its weights."""
        there = _weights(self.torch, self.model)
        _restore(self.torch, self.model, self.weights)
        yield
        _restore(self.torch, self.model, there)


def _weights(torch: Any, model: Any) -> list[Any]:
    return [p.detach().clone() for p in model.parameters()]


def _restore(torch: Any, model: Any, weights: list[Any]) -> None:
    with torch.no_grad():
        for p, kept in zip(model.parameters(), weights, strict=True):
            p.copy_(kept)
