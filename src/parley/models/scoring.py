"""Log-probabilities of continuations of several tokens after a cached prompt, in one tree-masked forward pass.

Continuations that begin alike share their tokens: together they are a tree whose root is the prompt. Each token
attends to the prompt and to its own ancestors, at the position of its depth (Miao et al. 2024, SpecInfer). Legend: M
continuations, N nodes of the tree, L tokens of the prompt, V vocabulary.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.errors import BadInput
from parley.models.pretrained import cache_name

NORMALISE = ("none", "length", "menu")
ROOT = -1  # of a tree of continuations: the prompt
Logprobs = Float[np.ndarray, " L"]  # of the tokens of a continuation


@dataclass(frozen=True)
class Tree:
    """Continuations with shared beginnings merged: `paths` are the nodes of each one, `sees` node and ancestors."""

    tokens: Int[np.ndarray, " N"]
    depth: Int[np.ndarray, " N"]
    sees: Bool[np.ndarray, "N N"]
    paths: list[list[int]]

    @classmethod
    def of(cls, continuations: Sequence[Sequence[int]]) -> "Tree":
        """Merge continuations; raises `BadInput` where one has no token."""
        nodes: dict[tuple[int, ...], int] = {}
        for tokens in continuations:
            if not len(tokens):
                raise BadInput("continuations: each needs at least one token, found an empty one")
            for end in range(1, len(tokens) + 1):
                nodes.setdefault(tuple(tokens[:end]), len(nodes))
        paths = [[nodes[tuple(tokens[: i + 1])] for i in range(len(tokens))] for tokens in continuations]
        sees = np.zeros((len(nodes), len(nodes)), dtype=bool)
        for path in paths:
            for i, node in enumerate(path):
                sees[node, path[: i + 1]] = True
        last, depth = np.array([p[-1] for p in nodes]), np.array([len(p) - 1 for p in nodes])
        return cls(last, depth, sees, paths)

    @cached_property
    def follow(self) -> dict[int, list[int]]:
        """What follows each node that something follows, and the root."""
        found: dict[int, dict[int, None]] = {}
        for path in self.paths:
            for before, node in zip([ROOT, *path[:-1]], path, strict=True):
                found.setdefault(before, {})[node] = None
        return {before: list(nodes) for before, nodes in found.items()}

    def inner(self, among: bool) -> Int[np.ndarray, " n"]:
        """The nodes that log-probabilities depend on: those that something follows.

        `among` the continuations, a token that no other can follow is certain: only nodes up to a branching count.
        """
        parts = {node for node, nodes in self.follow.items() if len(nodes) > among}
        ends = [max([i + 1 for i, node in enumerate(path) if node in parts], default=0) for path in self.paths]
        found = {node for path, end in zip(self.paths, ends, strict=True) for node in path[:end]}
        return np.array(sorted(found), dtype=np.intp)


def line_scores(
    lines: Sequence[Sequence[Hashable]], logprobs: Sequence[Logprobs], normalise: str = "none"
) -> Float[np.ndarray, " M"]:
    """The score of each line of a menu (nats), from the log-probabilities of its tokens.

    A line gets -inf if one of its tokens is impossible; raises `BadInput` if a value is not a number.

    `none`: the sum of its tokens' log-probabilities. `length`: their mean. `menu`: their sum, each token renormalised
    over the tokens that can continue some line. This is the probability distribution of decoding that is constrained to
    the menu. How improbable the menu's words are in themselves then has no effect.
    """
    if normalise not in NORMALISE:
        raise BadInput(f"normalise={normalise!r}: expected {', '.join(NORMALISE[:-1])} or {NORMALISE[-1]}")
    scores = np.array([values.mean() if normalise == "length" else values.sum() for values in logprobs])
    if np.isnan(scores).any():
        raise BadInput("the model's log-probabilities are no numbers (NaN): its weights or its arithmetic are damaged")
    if normalise != "menu":
        return scores
    possible = np.isfinite(scores)
    branches: dict[tuple[Hashable, ...], dict[Hashable, float]] = {}
    for line, values in zip(lines, logprobs, strict=True):
        for i, (token, value) in enumerate(zip(line, values, strict=True)):
            branches.setdefault(tuple(line[:i]), {})[token] = float(value)
    total = {begin: np.logaddexp.reduce(list(found.values())) for begin, found in branches.items()}
    chances = np.array([sum(total[tuple(line[:i])] for i in range(len(line))) for line in lines])
    return np.subtract(scores, chances, out=np.full(len(scores), -np.inf), where=possible)


def tree_logprobs(model: Any, past: Any, after: Any, continuations: Sequence[Sequence[int]]) -> list[Logprobs]:
    """Log-probabilities (nats) of the tokens of each continuation, in one pass; the cache is as before afterwards.

    Args:
        model: a causal language model of `transformers` that takes 4-D masks.
        past: its cache of one prompt.
        after: (V,) its logits after that prompt.
        continuations: token ids, any of them: no id is special.
    """
    import torch

    tree, length = Tree.of(continuations), past.get_seq_length()
    n = len(tree.tokens)
    sees = torch.from_numpy(np.concatenate([np.ones((n, length), dtype=bool), tree.sees], axis=1))
    mask = torch.zeros(1, 1, n, length + n, dtype=model.dtype)
    mask.masked_fill_(~sees, torch.finfo(model.dtype).min)
    with torch.inference_mode():
        out = model(
            input_ids=torch.from_numpy(tree.tokens)[None].to(model.device),
            attention_mask=mask.to(model.device),
            position_ids=torch.from_numpy(length + tree.depth)[None].to(model.device),
            use_cache=True,
            **{cache_name(model): past},
        )
    past.crop(-n)
    logs = torch.cat([after[None], out.logits[0]]).double().log_softmax(-1).cpu().numpy()  # row 0 is the root
    before = [[0, *(node + 1 for node in path[:-1])] for path in tree.paths]
    return [logs[b, tree.tokens[path]] for b, path in zip(before, tree.paths, strict=True)]


def sequential_logprobs(model: Any, past: Any, after: Any, continuations: Sequence[Sequence[int]]) -> list[Logprobs]:
    """The same as `tree_logprobs`, one continuation after the other, for models that refuse 4-D masks."""
    import torch

    found = []
    for tokens in continuations:
        if not len(tokens):
            raise BadInput("continuations: each needs at least one token, found an empty one")
        ids, rows = torch.tensor([list(tokens)], device=model.device), after[None]
        if len(tokens) > 1:
            with torch.inference_mode():
                out = model(input_ids=ids[:, :-1], use_cache=True, **{cache_name(model): past})
            past.crop(1 - len(tokens))
            rows = torch.cat([rows, out.logits[0]])
        logs = rows.double().log_softmax(-1)
        found.append(logs.gather(1, ids[0][:, None])[:, 0].cpu().numpy())
    return found
