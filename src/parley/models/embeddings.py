"""Relevance of texts by the cosine of mean-pooled hidden states of a Hugging Face model (extra `torch`)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput, MissingExtra
from parley.models.pretrained import require_embeddings, require_numbers, where, why_not


class Embeddings:
    """Embeds each text once; any model of `transformers` will do, one made for sentences does best."""

    def __init__(self, name: str) -> None:
        try:
            import torch
            import transformers
        except ImportError:
            raise MissingExtra("memory by embeddings", "torch") from None
        self.torch: Any = torch
        found = where(name, "memory by embeddings")
        try:
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(name, **found)
            self.model = transformers.AutoModel.from_pretrained(name, use_safetensors=True, **found).eval()
        except (OSError, ValueError, KeyError, ImportError) as wrong:
            raise BadInput(f"embeddings={name!r} is no model that transformers can load: {why_not(wrong)}") from None
        require_numbers(name, self.model)
        require_embeddings(name, self.tokenizer, self.model)
        self._known: dict[str, np.ndarray] = {}

    def relevance(self, query: str, texts: Sequence[str]) -> list[float]:
        """Cosine of each text with the query."""
        of = self._embed(query)
        return [float(self._embed(text) @ of) for text in texts]

    def _embed(self, text: str) -> Float[np.ndarray, " D"]:
        if text not in self._known:
            longest = int(getattr(self.model.config, "max_position_embeddings", None) or 512)
            tokens = self.tokenizer(
                text, return_tensors="pt", truncation=True, max_length=longest, split_special_tokens=True
            )
            with self.torch.inference_mode():
                states = self.model(input_ids=tokens.input_ids).last_hidden_state[0]
            mean = states.mean(0).double().numpy()
            self._known[text] = mean / max(float(np.linalg.norm(mean)), 1e-12)
        return self._known[text]
