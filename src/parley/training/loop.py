"""The optimisation: one step after another, each a function of what was before it and of its number.

Under `torchrun` every process takes its share of each batch (gloo, or nccl on GPUs), so that the loss curve is that of
one process. The next batch is drawn while the model is at work on this one.
"""

import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from parley.core.errors import BadInput, ParleyError
from parley.training.recipe import Recipe


class Documents(Protocol):
    """A batch of documents that can be taken in parts."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: np.ndarray, /) -> Any: ...


class Columns(Protocol):
    """How documents become tokens and targets."""

    def length(self, num_episodes: int) -> int:
        """Tokens of a document."""
        ...

    def prepare(self, torch: Any, documents: Any, device: str) -> Any:
        """Documents as tensors."""
        ...

    def losses(self, torch: Any, model: Any, batch: Any) -> tuple[Any, Any]:
        """Mean cross-entropy on the expert's distribution at subgoals, and on the words heard."""
        ...


WIDE = 128  # narrower models are slower in bfloat16: conversions cost more than products save (docs/log/pretraining.md)
Source = Callable[[int], Documents]  # the batch of a step, from 0


class NotANumber(ParleyError):
    """A training whose loss left the numbers; the weights are those before that step."""


@dataclass(frozen=True)
class Place:
    """Where this process stands: which of how many, and on what device."""

    rank: int = 0
    processes: int = 1
    device: str = "cpu"

    @classmethod
    def here(cls, torch: Any) -> "Place":
        """As `torchrun` says; joins the group of processes."""
        rank, processes = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        gpu = torch.cuda.is_available()
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if gpu else "cpu"
        if processes > 1 and not torch.distributed.is_initialized():
            torch.distributed.init_process_group("nccl" if gpu else "gloo")
        return cls(rank, processes, device)

    def name(self, torch: Any) -> str:
        """The device as a model card says it."""
        if self.device.startswith("cuda"):
            return str(torch.cuda.get_device_name(self.device))
        threads = torch.get_num_threads()
        return f"{threads} core{'s' * (threads > 1)} of a CPU that was shared with other work"

    def mine(self, documents: Documents, parts: int) -> list[Documents]:
        """This process's share of a batch, in the parts in which it goes through the model."""
        share = np.arange(self.rank, len(documents), self.processes)
        return [documents[part] for part in np.array_split(share, parts)]


def use_bfloat16(torch: Any, recipe: Recipe, device: str) -> bool:
    """Whether matrix products are in bfloat16: where asked for, or (auto) on a GPU that has it if they are large."""
    if recipe.precision == "auto":
        return recipe.width >= WIDE and bool(device.startswith("cuda") and torch.cuda.is_bf16_supported())
    return recipe.precision == "bfloat16"


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Warm-up over the first 2%, then cosine decay to a fiftieth."""
    warm = max(1, steps // 50)
    decay = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
    return recipe.learning_rate * min((step + 1) / warm, decay)


@dataclass
class Training:
    """A model on its way: `step` optimiser steps of `steps` are done."""

    torch: Any
    model: Any
    columns: Columns
    recipe: Recipe
    place: Place = field(default_factory=Place)
    step: int = 0
    compiled: bool = False
    elapsed_s: float = 0.0  # of all steps, also of those before it was interrupted
    devices: list[str] = field(default_factory=list)  # what the steps were done on

    def __post_init__(self) -> None:
        recipe, tokens = self.recipe, self.recipe.batch * self.columns.length(self.recipe.episodes)
        self.steps = max(1, recipe.tokens // tokens)
        self.tokens_a_step = tokens
        if recipe.batch % (self.place.processes * recipe.accumulate):
            raise BadInput(
                f"batch={recipe.batch}: expected a multiple of processes * accumulate = "
                f"{self.place.processes * recipe.accumulate}"
            )
        self.model.to(self.place.device)
        if self.compiled:
            self.model.base_model.compile(dynamic=False)
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        fused = self.place.device.startswith("cuda")  # one kernel instead of one a weight
        self.optimiser = self.torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98), fused=fused)

    def run(self, source: Source) -> Iterator[dict[str, float]]:
        """Go on to the last step; yields what each step found, after it. Raises `NotANumber`."""
        model, wide = self.model, self.place.processes > 1
        if wide:
            experts = any(getattr(model.config, name, 0) for name in ("num_local_experts", "num_experts"))
            model = self.torch.nn.parallel.DistributedDataParallel(model, find_unused_parameters=experts)
        model.train()
        began, first, before_s = time.perf_counter(), self.step, self.elapsed_s
        if self.step < self.steps and (name := self.place.name(self.torch)) not in self.devices:
            self.devices.append(name)
        with ThreadPoolExecutor(1, thread_name_prefix="documents") as ahead:
            drawn = ahead.submit(self._batch, source, self.step)
            while self.step < self.steps:
                batches = drawn.result()
                if self.step + 1 < self.steps:
                    drawn = ahead.submit(self._batch, source, self.step + 1)
                found = self._descend(model, batches)
                self.step += 1
                elapsed = time.perf_counter() - began
                self.elapsed_s = before_s + elapsed
                found["tokens_s"] = (self.step - first) * self.tokens_a_step / elapsed
                yield {"step": self.step, "steps": self.steps, **found}

    def _batch(self, source: Source, step: int) -> list[Any]:
        parts = self.place.mine(source(step), self.recipe.accumulate)
        return [self.columns.prepare(self.torch, part, self.place.device) for part in parts]

    def _descend(self, model: Any, batches: list[Any]) -> dict[str, float]:
        torch, recipe, rate = self.torch, self.recipe, learning_rate(self.recipe, self.step, self.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        kind = self.place.device.partition(":")[0]
        narrow = use_bfloat16(torch, recipe, self.place.device)
        total = torch.zeros(2, device=self.place.device)
        for i, batch in enumerate(batches):
            last = i + 1 == len(batches)
            alone = nullcontext() if last or self.place.processes == 1 else model.no_sync()
            with alone:
                with torch.autocast(kind, dtype=torch.bfloat16) if narrow else nullcontext():
                    label_loss, observation_loss = self.columns.losses(torch, model, batch)
                loss = recipe.label_weight * label_loss + recipe.observation_weight * observation_loss
                (loss / len(batches)).backward()
            total += torch.stack([label_loss.detach(), observation_loss.detach()]) / len(batches)
        if self.place.processes > 1:
            torch.distributed.all_reduce(total)
            total /= self.place.processes
        if not bool(torch.isfinite(total).all()):
            at = f"step {self.step + 1} of {self.steps}"
            raise NotANumber(f"the loss is not a number at {at}: lower the learning rate")
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return {"loss": float(total[0]), "observation_loss": float(total[1]), "learning_rate": rate}
