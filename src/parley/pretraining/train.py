"""Pretraining: maximum likelihood of a small Llama on documents of a world, saved as a Hugging Face checkpoint."""

import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.errors import BadInput, MissingExtra, ParleyError
from parley.core.tables import Tables
from parley.models.checkpoint import FORMAT, Checkpoint
from parley.pretraining.card import card, measure
from parley.pretraining.documents import Documents, sample_documents
from parley.pretraining.tokenizer import world_tokenizer
from parley.prompting.transcript import observation_line, subgoal_line, task_line
from parley.theory.beliefs import Beliefs


@dataclass(frozen=True)
class Recipe:
    """How a checkpoint is trained; every document is drawn afresh, none is read twice."""

    episodes: int = 16  # of a document: what the planner can remember
    tokens: int = 2_000_000
    width: int = 64
    layers: int = 4
    heads: int = 4
    batch: int = 32  # documents a step
    learning_rate: float = 3e-3
    observation_weight: float = 1.0  # of the loss on observations, next to 1 for the expert's labels
    rho: float = 0.0
    behaviour: str = "mixed"  # of the stream; see `documents`
    seed: int = 0
    threads: int = 1  # of torch; the weights depend on them in the last digits

    def __post_init__(self) -> None:
        for name in ("episodes", "tokens", "width", "layers", "heads", "batch", "threads"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name}={getattr(self, name)}: expected at least 1")
        if self.width % (2 * self.heads):
            raise BadInput(f"width={self.width}: expected a multiple of 2 * heads = {2 * self.heads}")
        if not self.learning_rate > 0 or self.observation_weight < 0:
            raise BadInput("learning_rate must be positive and observation_weight not negative")


PRESETS: dict[str, Recipe] = {
    "treasure": Recipe(episodes=64, tokens=14_000_000, width=48, layers=3, heads=3, batch=32),
    "shortcut": Recipe(episodes=64, tokens=10_000_000, width=48, layers=3, heads=3, batch=8),
    "household": Recipe(episodes=24, tokens=18_000_000, width=64, layers=4, heads=4, batch=32),
}

ABOUT = "parley.json"
Report = Callable[[dict[str, float]], None]


def pretrain(
    tables: Tables, spec: str, out: Path, recipe: Recipe, report: Report | None = None, start: Path | None = None
) -> dict[str, Any]:
    """Train a checkpoint for the world `tables` (named `spec`) into the new directory `out`; returns its card.

    It begins with the weights of the checkpoint `start`, where one is named: of the same lines and shape.
    """
    torch, transformers = require_torch()
    if out.exists() and any(out.iterdir()):
        raise BadInput(f"out={str(out)!r} is not empty: name a new directory for the checkpoint")
    beliefs, tokenizer = Beliefs(tables), world_tokenizer(tables)
    columns = Columns(tables, tokenizer)
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    model = build_model(transformers, tokenizer, recipe, columns.length(recipe.episodes))
    before = _begin_with(model, columns, start) if start else None
    began, last = time.perf_counter(), {}
    for last in _steps(torch, model, beliefs, columns, recipe):
        if report:
            report(last)
    about = {
        "format": FORMAT,
        "world": spec,
        "episodes": recipe.episodes,
        "horizon": tables.horizon,
        "instructions": tables.instructions,
        "menus": tables.menus,
        "parameters": sum(p.numel() for p in model.parameters()),
        "recipe": asdict(recipe),
        "start": before,
        "trained_s": round(time.perf_counter() - began, 1),
        "loss": last.get("loss"),
    }
    return save(model, tokenizer, about, out, beliefs)


def require_torch() -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError:
        raise MissingExtra("pretraining", "torch") from None
    return torch, transformers


def build_model(transformers: Any, tokenizer: Any, recipe: Recipe, positions: int) -> Any:
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=4 * recipe.width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        max_position_embeddings=positions,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.LlamaForCausalLM(config)


def _begin_with(model: Any, columns: "Columns", start: Path) -> dict[str, Any]:
    """Load the weights of a checkpoint; returns what it was trained on. Raises `BadInput` where it does not fit."""
    from safetensors.torch import load_file

    checkpoint = Checkpoint.load(start)
    if checkpoint.token_of != columns.token_of:
        raise BadInput(f"start={str(start)!r} was trained for other lines than this world's: begin afresh")
    try:
        model.load_state_dict(load_file(start / "model.safetensors"), strict=False)
    except RuntimeError as wrong:
        raise BadInput(f"start={str(start)!r} is of another shape: use its width, layers and heads") from wrong
    return {name: checkpoint.about.get(name) for name in ("world", "recipe", "start")}


class Columns:
    """Documents as token columns: an episode is task, o_1, then (the K parts of g_h, o_{h+1}) for each step."""

    def __init__(self, tables: Tables, tokenizer: Any) -> None:
        token = tokenizer.get_vocab()
        self.tables = tables
        self.token_of = {entry.content: i for i, entry in tokenizer.added_tokens_decoder.items()}
        self.task = np.array([token[task_line(w)] for w in tables.instructions])
        self.observation = np.array([token[observation_line(o)] for o in tables.observations])
        self.parts = [np.array([token[subgoal_line(g)] for g in menu]) for menu in tables.menus]
        self.per_step = len(self.parts) + 1
        self.per_episode = 2 + tables.horizon * self.per_step

    def length(self, num_episodes: int) -> int:
        return num_episodes * self.per_episode

    def tokens(self, documents: Documents) -> np.ndarray:
        """Token ids, shape (N, T * tokens of an episode)."""
        n, num_episodes, horizon = documents.subgoals.shape
        split = np.unravel_index(documents.subgoals, [len(part) for part in self.parts])
        said = [part[index] for part, index in zip(self.parts, split, strict=True)]
        steps = np.stack([*said, self.observation[documents.observations[:, :, 1:]]], axis=-1)
        opening = np.stack(
            [self.task[documents.instructions], self.observation[documents.observations[:, :, 0]]], axis=-1
        )
        return np.concatenate([opening, steps.reshape(n, num_episodes, -1)], axis=-1).reshape(n, -1)

    def labels(self, documents: Documents) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each Actor: the positions in an episode at which its part is predicted, and the law to be predicted.

        The law of a later part, given the parts that were played before it, sums to the expert's probability of those
        (times their number), not to one: so weighted, maximum likelihood yields the conditional of the mixture over z,
        sum_z P(z) pi_z(parts so far) / sum_z P(z) pi_z(parts before), as the exact planner computes it.
        """
        n, num_episodes, horizon, _ = documents.labels.shape
        joint = documents.labels.reshape(n, num_episodes, horizon, *map(len, self.parts))
        split = np.unravel_index(documents.subgoals, [len(part) for part in self.parts])
        found = []
        for k in range(len(self.parts)):
            law = joint.sum(axis=tuple(range(4, joint.ndim)))
            found.append((1 + k + np.arange(horizon) * self.per_step, law))
            index = split[k].reshape(*split[k].shape, *[1] * (joint.ndim - 3))
            joint = np.take_along_axis(joint, index, axis=3)[:, :, :, 0] * len(self.parts[k])
        return found


def _steps(torch: Any, model: Any, beliefs: Beliefs, columns: Columns, recipe: Recipe) -> Iterator[dict[str, float]]:
    """Optimise until the tokens are spent; warm-up over the first 2%, then cosine decay to a fiftieth."""
    length = columns.length(recipe.episodes)
    total = max(1, recipe.tokens // (recipe.batch * length))
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))
    warm = max(1, total // 50)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda i: min((i + 1) / warm, 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, i / total)))),
    )
    model.train()
    began = time.perf_counter()
    for i in range(total):
        seed = (recipe.seed, 0, i)
        documents = sample_documents(beliefs, recipe.batch, recipe.episodes, seed, recipe.rho, recipe.behaviour, True)
        label_loss, observation_loss = losses(torch, model, columns, documents)
        loss = label_loss + recipe.observation_weight * observation_loss
        if not bool(torch.isfinite(loss)):
            raise ParleyError(f"the loss is not a number at step {i} of {total}: lower the learning rate")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        tokens = (i + 1) * recipe.batch * length
        speed = tokens / (time.perf_counter() - began)
        yield {
            "step": i + 1,
            "steps": total,
            "loss": float(label_loss.detach()),
            "observation_loss": float(observation_loss.detach()),
            "tokens_s": speed,
        }


def losses(torch: Any, model: Any, columns: Columns, documents: Documents) -> tuple[Any, Any]:
    """Mean cross-entropy on the expert's law at subgoal positions, and on the observations that followed."""
    n, num_episodes, horizon = documents.subgoals.shape
    tokens = torch.from_numpy(columns.tokens(documents))
    logits = model(input_ids=tokens, use_cache=False).logits.reshape(n, num_episodes, columns.per_episode, -1)
    log_probs = torch.log_softmax(logits.float(), dim=-1)
    label_loss = torch.zeros(())
    for positions, law in columns.labels(documents):
        at = log_probs[:, :, positions]
        k = (int(positions[0]) - 1) % columns.per_step
        mine = at[..., torch.from_numpy(columns.parts[k])]
        label_loss = label_loss - (torch.from_numpy(law).float() * mine).sum(dim=-1).mean()
    before = np.concatenate([[0], columns.per_step * np.arange(1, horizon + 1)])  # the token before each observation
    heard = torch.from_numpy(columns.observation[documents.observations])
    observation_loss = -log_probs[:, :, before].gather(-1, heard[..., None]).mean()
    return label_loss, observation_loss


def save(model: Any, tokenizer: Any, about: dict[str, Any], out: Path, beliefs: Beliefs) -> dict[str, Any]:
    """Write the checkpoint beside its place, measure it, then move it there: it is whole or not there at all."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as wrong:
        raise BadInput(f"out={str(out)!r} cannot be written: {wrong.strerror or wrong}") from wrong
    try:
        model.eval()
        model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
        _write(draft / ABOUT, about)
        about = {**about, "error": measure(draft, beliefs, about["recipe"])}
        _write(draft / ABOUT, about)
        text = card(about, beliefs.tables, lambda world: asdict(PRESETS.get(world, Recipe())))
        (draft / "README.md").write_text(text, encoding="utf-8")
        draft.chmod(0o755)
        for file in draft.iterdir():
            file.chmod(0o644)
        if out.exists():
            out.rmdir()
        os.replace(draft, out)
        return about
    except OSError as wrong:
        raise ParleyError(f"the checkpoint could not be written to {str(out)!r}: {wrong.strerror or wrong}") from wrong
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(path: Path, about: dict[str, Any]) -> None:
    path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
