"""One forward pass of packed tokens: what it computes of each prompt, and the attention that keeps prompts apart.

A prompt's new tokens stand behind those in its cache; the tree of its continuations (`models.scoring`) stands behind
these. Each token sees its own prompt only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from parley.models.scoring import ROOT, Logprobs, Tree

NAME = "parley_rows"  # of the attention function, as transformers knows it


@dataclass
class Segment:
    """What a pass computes of one prompt: tokens from position `start` on, and which of them each one sees.

    The first `fed` follow each other and stay in the cache; the others are a tree behind them.
    """

    row: int
    start: int
    tokens: list[int]
    depth: Int[np.ndarray, " n"]
    sees: Bool[np.ndarray, "n n"] | None = None  # None: each all before it
    wanted: Sequence[int] = ()  # whose logits are asked for
    fed: int = 0


class Cache:
    """Keys and values of one prompt, layer by layer; a quarter more room than was needed when it ran out."""

    def __init__(self) -> None:
        self.keys: dict[int, Any] = {}
        self.values: dict[int, Any] = {}

    def put(self, layer: int, start: int, key: Any, value: Any) -> tuple[Any, Any]:
        """Write (heads, n, size) from `start` on; all up to there, and these."""
        end, found = start + key.shape[1], []
        for kept, new in ((self.keys, key), (self.values, value)):
            old = kept.get(layer)
            if old is None or old.shape[1] < end:
                room = new.new_empty(new.shape[0], end + max(64, end // 4), new.shape[2])
                if old is not None:
                    room[:, :start] = old[:, :start]
                kept[layer] = old = room
            old[:, start:end] = new
            found.append(old[:, :end])
        return found[0], found[1]

    def copy(self, other: "Cache", start: int, end: int) -> None:
        """Take the positions from `start` to `end` from another prompt; up to there it has its own."""
        for layer in other.keys:
            self.put(layer, start, other.keys[layer][:, start:end], other.values[layer][:, start:end])


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float | None = None,
    rows: "Pass | None" = None,
    sliding_window: int | None = None,
    **more: Any,
) -> tuple[Any, None]:
    """Attention of a pass (transformers' interface): each segment to its own prompt. Returns (1, n, heads, size)."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    if rows is None or more.get("softcap") is not None or query.shape[0] != 1:
        raise TypeError("this model's attention is not one that packed prompts can be given to")
    out, heads = torch.empty_like(query[0]), key.shape[1]
    for segment, at, end in zip(rows.segments, rows.ends - rows.counts, rows.ends, strict=True):
        past = rows.caches[segment.row].put(module.layer_idx, segment.start, key[0, :, at:end], value[0, :, at:end])
        asked = query[0, :, at:end].reshape(heads, -1, query.shape[-1])  # heads that share keys, one after the other
        mask = rows.mask(segment, sliding_window)
        mask = mask.repeat(asked.shape[1] // (end - at), 1)
        found = scaled_dot_product_attention(asked[None], past[0][None], past[1][None], mask, scale=scaling)
        out[:, at:end] = found[0].reshape(-1, int(end - at), query.shape[-1])
    return out.transpose(0, 1)[None], None


class Pass:
    """One forward pass: its segments, and where they end among its tokens."""

    def __init__(self, torch: Any, segments: Sequence[Segment], caches: Sequence[Cache], device: Any) -> None:
        self.torch, self.segments, self.caches, self.device = torch, segments, caches, device
        self.counts = np.array([len(segment.tokens) for segment in segments])
        self.ends = np.cumsum(self.counts)
        self._masks: dict[tuple[int, int], Any] = {}

    def mask(self, segment: Segment, window: int | None) -> Any:
        """Which positions of its prompt and of itself each token of a segment sees, (n, start + n)."""
        known = self._masks.get((id(segment), window or 0))
        if known is None:
            n = len(segment.tokens)
            own = np.tri(n, dtype=bool) if segment.sees is None else segment.sees
            sees = np.concatenate([np.ones((n, segment.start), dtype=bool), own], axis=1)
            if window:
                position = segment.start + segment.depth
                every = np.concatenate([np.arange(segment.start), position])
                sees &= position[:, None] - every < window
            known = self._masks[id(segment), window or 0] = self.torch.from_numpy(sees).to(self.device)
        return known


def plain_segment(row: int, start: int, tokens: list[int], fed: int, wanted: Sequence[int] = ()) -> Segment:
    return Segment(row, start, tokens, np.arange(len(tokens)), wanted=wanted, fed=fed)


def tree_segment(row: int, prompt: list[int], start: int, tree: Tree, among: bool) -> Segment:
    """The rest of a prompt, and behind it those nodes of a tree that what follows depends on."""
    new, inner = prompt[start:], tree.inner(among)
    n = len(new)
    sees = np.zeros((n + len(inner), n + len(inner)), dtype=bool)
    sees[:n, :n] = np.tri(n, dtype=bool)
    sees[n:, :n], sees[n:, n:] = True, tree.sees[np.ix_(inner, inner)]
    depth = np.concatenate([np.arange(n), n + tree.depth[inner]])
    tokens = new + tree.tokens[inner].tolist()
    return Segment(row, start, tokens, depth, sees, range(n - 1, n + len(inner)), n - 1)


def read_tree(tree: Tree, logits: Any, words: Sequence[int], among: bool) -> list[Logprobs]:
    """Log-probabilities of the tokens of each path, from the logits at the root and the inner nodes.

    They are those of `words`, in this order, or where that is empty of the whole vocabulary.
    """
    place = {ROOT: 0, **{int(node): i + 1 for i, node in enumerate(tree.inner(among))}}
    column = {word: i for i, word in enumerate(words)}
    logs: dict[int, float] = {}
    for before, nodes in tree.follow.items():
        if before in place:
            values, tokens = logits[place[before]], tree.tokens[nodes].tolist()
            found = values[[column[token] for token in tokens] if column else tokens]
            total = (found if among else values).logsumexp(-1)
            logs |= dict(zip(nodes, (found - total).tolist(), strict=True))
    return [np.array([logs.get(node, 0.0) for node in path]) for path in tree.paths]  # 0: it is certain
