"""Prompts of several runs read one by one: what `models.rows` does, for models that take no packed prompts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from parley.models.pretrained import cache_name
from parley.models.rows import Tokens, same
from parley.models.scoring import Logprobs, sequential_logprobs, tree_logprobs


class SingleRows:
    """The prompts of B runs, each with transformers' own cache; the tokens of a prompt are read in `pieces`."""

    def __init__(self, model: Any, torch: Any, num_rows: int, tree: bool) -> None:
        self.model, self.torch, self.num_rows, self.tree = model, torch, num_rows, tree
        self._cache_name = cache_name(model)
        self.clear()

    def clear(self) -> None:
        from transformers import DynamicCache

        self.held: list[list[int]] = [[] for _ in range(self.num_rows)]
        self.pieces: list[list[int]] = [[] for _ in range(self.num_rows)]  # tokens of each, as they were read
        self._solid = [0] * self.num_rows  # pieces that were read to be gone on from
        self._past: list[Any] = [DynamicCache() for _ in range(self.num_rows)]
        self._after: list[Any] = [None] * self.num_rows

    def read(self, prompts: Sequence[Tokens | None]) -> None:
        """As `Rows.read`."""
        self._back()
        for row, prompt in enumerate(prompts):
            if prompt is not None:
                self._keep(row, same(self.held[row], prompt))
                if more := list(prompt)[len(self.held[row]) :]:
                    self._feed(row, more)
                self.held[row] = list(prompt)
        self._solid = [len(pieces) for pieces in self.pieces]

    def score(
        self, prompts: Sequence[Tokens | None], lines: Sequence[Sequence[Tokens]], among: bool = False
    ) -> list[list[Logprobs]]:
        """As `Rows.score`."""
        found: list[list[Logprobs]] = []
        for row, (prompt, ours) in enumerate(zip(prompts, lines, strict=True)):
            if prompt is None:
                found.append([])
                continue
            self._read(row, list(prompt))
            how = tree_logprobs if self.tree else sequential_logprobs
            scores = how(self.model, self._past[row], self._after[row], ours)
            found.append(_among(ours, scores) if among else scores)
        return found

    def after(self, prompts: Sequence[Tokens | None]) -> list[Any]:
        """As `Rows.after`."""
        for row, prompt in enumerate(prompts):
            if prompt is not None:
                self._read(row, list(prompt))
        return [None if p is None else self._after[i].double().log_softmax(-1) for i, p in enumerate(prompts)]

    def _read(self, row: int, prompt: list[int]) -> None:
        """Have a row hold a prompt. Its last token is always read, because the call asks for its logits."""
        if prompt == self.held[row] and self._after[row] is not None:
            return
        self._keep(row, min(same(self.held[row], prompt), len(prompt) - 1))
        self._feed(row, prompt[len(self.held[row]) :])
        self.held[row] = prompt

    def _keep(self, row: int, most: int) -> None:
        """Cut a row back to the pieces that lie whole in its first `most` tokens."""
        while self.pieces[row] and sum(self.pieces[row]) > most:
            self.pieces[row].pop()
        keep = sum(self.pieces[row])
        if keep < len(self.held[row]):
            self._past[row].crop(keep - len(self.held[row]))
            self.held[row], self._after[row] = self.held[row][:keep], None

    def _back(self) -> None:
        """Forget what was computed since something was read."""
        for row, count in enumerate(self._solid):
            self._keep(row, sum(self.pieces[row][:count]))

    def _feed(self, row: int, tokens: list[int]) -> None:
        with self.torch.inference_mode():
            ids = self.torch.tensor([tokens], device=self.model.device)
            out = self.model(input_ids=ids, use_cache=True, **{self._cache_name: self._past[row]})
        self.pieces[row].append(len(tokens))
        self._after[row] = out.logits[0, -1]

    def snapshot(self) -> dict[str, np.ndarray]:
        """The tokens that are held, and the pieces in which they were read."""
        self._back()
        return {
            "tokens": np.array([token for held in self.held for token in held], dtype=np.int32),
            "lengths": np.array([len(held) for held in self.held], dtype=np.intp),
            "counts": np.array([len(pieces) for pieces in self.pieces], dtype=np.intp),
            "computed": np.array([count for pieces in self.pieces for count in pieces], dtype=np.intp),
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Read the same pieces again."""
        self.clear()
        held = np.split(state["tokens"], np.cumsum(state["lengths"])[:-1])
        pieces = np.split(state["computed"], np.cumsum(state["counts"])[:-1])
        for row, (tokens, counts) in enumerate(zip(held, pieces, strict=True)):
            for part in np.split(tokens, np.cumsum(counts)[:-1]) if len(counts) else []:
                self._feed(row, part.tolist())
            self.held[row] = tokens.tolist()
        self._solid = [len(pieces) for pieces in self.pieces]


def _among(lines: Sequence[Tokens], scores: Sequence[Logprobs]) -> list[Logprobs]:
    """Each token's log-probability among the tokens that can continue some line there."""
    branches: dict[tuple[int, ...], dict[int, float]] = {}
    for line, values in zip(lines, scores, strict=True):
        for i, (token, value) in enumerate(zip(line, values, strict=True)):
            branches.setdefault(tuple(line[:i]), {})[token] = float(value)
    total = {begin: np.logaddexp.reduce(list(found.values())) for begin, found in branches.items()}
    return [
        values - np.array([total[tuple(line[:i])] for i in range(len(line))])
        for line, values in zip(lines, scores, strict=True)
    ]
