"""Any causal language model of `transformers`, behind the same narrow interface as the numpy Llama."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parley.core.errors import BadInput, MissingExtra
from parley.models.pretrained import cache_name, require_numbers, where, why_not


class HuggingFaceModel:
    """A checkpoint directory that `AutoModelForCausalLM` loads; float32, on a GPU where there is one."""

    def __init__(self, path: Path) -> None:
        try:
            import torch
            from transformers import AutoModelForCausalLM
        except ImportError:
            raise MissingExtra(f"the model in {str(path)!r}, which is not a plain Llama,", "torch") from None
        try:
            found = where(str(path), "the model of a checkpoint")
            model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **found)
        except Exception as wrong:  # what a damaged configuration makes transformers raise is any of them
            said = f"{str(path)!r} is no causal language model that transformers can load: {why_not(wrong)}"
            raise BadInput(said) from wrong
        require_numbers(str(path), model)
        self.torch, self.model = torch, model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
        self.cache_name = cache_name(self.model)
        positions = getattr(model.config, "max_position_embeddings", None) or 2**20
        self.shape = SimpleNamespace(positions=int(positions))

    def cache(self, rows: int) -> "HuggingFaceCache":
        """An empty cache for `rows` sequences."""
        return HuggingFaceCache(self, rows)


class HuggingFaceCache:
    """Growing sequences of B rows. Padding of rows that append less stays in the cache, masked.

    It is transformers' dynamic cache, which is copied as it grows: made for any architecture, not for speed.
    """

    def __init__(self, model: HuggingFaceModel, rows: int) -> None:
        self.model, self.rows = model, rows
        self.clear()

    def clear(self) -> None:
        """Empty all rows."""
        self.length: Int[np.ndarray, " B"] = np.zeros(self.rows, dtype=np.intp)
        self._real = np.zeros((self.rows, 0), dtype=bool)
        self._past: Any = None

    def append(
        self, tokens: Int[np.ndarray, "B n"], counts: Int[np.ndarray, " B"] | None = None, every: bool = False
    ) -> Float[np.ndarray, "B *n V"]:
        """Feed the first `counts` of the n tokens of each row (all, unless told).

        Logits after each row's last token; where `every` is asked for, after each token, (B, n, V).
        """
        n, torch, model = tokens.shape[1], self.model.torch, self.model.model
        counts = np.full(self.rows, n) if counts is None else counts
        if int((self.length + counts).max()) > self.model.shape.positions:
            raise BadInput(
                f"a prompt of {int((self.length + counts).max())} tokens is longer than the model's "
                f"{self.model.shape.positions} positions"
            )
        self._real = np.concatenate([self._real, np.arange(n) < counts[:, None]], axis=1)
        position = np.minimum(self.length[:, None] + np.arange(n), self.model.shape.positions - 1)
        with torch.inference_mode():
            out = model(
                input_ids=torch.from_numpy(np.ascontiguousarray(tokens)).to(model.device),
                attention_mask=torch.from_numpy(self._real.astype(np.int64)).to(model.device),
                position_ids=torch.from_numpy(position).to(model.device),
                use_cache=True,
                **{self.model.cache_name: self._past},
            )
        self._past, self.length = getattr(out, self.model.cache_name), self.length + counts
        logits = out.logits.float().cpu().numpy()
        return logits if every else logits[np.arange(self.rows), np.maximum(counts, 1) - 1]
