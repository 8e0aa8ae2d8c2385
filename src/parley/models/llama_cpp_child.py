"""The process in which llama.cpp runs: reads requests on standard input, one a line of JSON, and answers in kind.

    {"do": "score", "prompts": [[...], null], "lines": [[[...]], []], "among": true} -> {"scores": [[[...]], []]}

Started, watched and stopped by `models.gguf`. It ends when its input does.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from jaxtyping import Float

from parley.core.errors import BadInput, ParleyError
from parley.models.llama_cpp import LlamaCpp
from parley.models.rows import same
from parley.models.scoring import ROOT, Tree

FIRST = 1024  # tokens of each prompt that there is room for at first; doubled when it runs out


class Child:
    """The model, and the prompts of some runs, each read in `pieces`."""

    def __init__(self, path: str, threads: int) -> None:
        self.llama = LlamaCpp(path, threads)
        self.begin(1, [[]], [[]])

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request."""
        do = asked.pop("do")
        if do == "about":
            return self.llama.about()
        if do == "plain":
            return {"tokens": self.llama.plain(asked["text"])}
        if do == "said":
            return {"text": self.llama.said(asked["tokens"])}
        if do == "begin":
            self.begin(len(asked["held"]), asked["held"], asked["pieces"])
            return {}
        if do == "read":
            self.read_for_good(asked["prompts"])
            return {}
        if do == "after":
            for row, prompt in enumerate(asked["prompts"]):
                if prompt is not None:
                    self.read(row, prompt)
            logs = [None if p is None else _log_softmax(self.last[row]) for row, p in enumerate(asked["prompts"])]
            return {"after": [None if values is None else values.tolist() for values in logs]}
        if do == "score":
            return {"scores": self.score(asked["prompts"], asked["lines"], asked["among"])}
        self.back()
        return {"held": self.held, "pieces": self.pieces}

    def begin(
        self, num_rows: int, held: Sequence[Sequence[int]], pieces: Sequence[Sequence[int]], room: int = FIRST
    ) -> None:
        """Have so many prompts, and read what they hold in these pieces; with room for so many tokens, at least."""
        longest = max([room, *map(len, held)])
        self.context = FIRST * 2 ** int(np.ceil(np.log2(longest / FIRST)))
        self.llama.begin(num_rows, self.context)
        self.held: list[list[int]] = [[] for _ in range(num_rows)]
        self.pieces: list[list[int]] = [[] for _ in range(num_rows)]
        self.last: list[Any] = [None] * num_rows
        for row, counts in enumerate(pieces):
            at = 0
            for count in counts:
                self._feed(row, list(held[row][at : at + count]))
                at += count

        self.solid = [len(counts) for counts in self.pieces]

    def read_for_good(self, prompts: Sequence[list[int] | None]) -> None:
        """Have rows hold these prompts, to be gone on from."""
        self.back()
        self._make_room(max(len(prompt or []) for prompt in prompts))
        for row, prompt in enumerate(prompts):
            if prompt is not None:
                self._keep(row, same(self.held[row], prompt))
                self._feed(row, prompt[len(self.held[row]) :])
        self.solid = [len(pieces) for pieces in self.pieces]

    def read(self, row: int, prompt: list[int]) -> None:
        """Have a row hold a prompt for now. Its last token is always read, because the call asks for its logits."""
        if prompt == self.held[row] and self.last[row] is not None:
            return
        self._make_room(len(prompt))
        self._keep(row, min(same(self.held[row], prompt), len(prompt) - 1))
        self._feed(row, prompt[len(self.held[row]) :])

    def back(self) -> None:
        """Forget what was computed since something was read for good."""
        for row, count in enumerate(self.solid):
            self._keep(row, sum(self.pieces[row][:count]))

    def _keep(self, row: int, most: int) -> None:
        """Cut a row back to the pieces that lie whole in its first `most` tokens."""
        while self.pieces[row] and sum(self.pieces[row]) > most:
            self.pieces[row].pop()
        keep = sum(self.pieces[row])
        if keep < len(self.held[row]):
            self.llama.cut(row, keep)
            self.held[row], self.last[row] = self.held[row][:keep], None

    def _feed(self, row: int, tokens: list[int]) -> None:
        if tokens:
            (found,) = self.llama.decode([(row, len(self.held[row]), tokens)])
            self.last[row] = found[-1]
            self.held[row] = self.held[row] + tokens
            self.pieces[row].append(len(tokens))

    def _make_room(self, tokens: int) -> None:
        if tokens > self.context:
            solid = self.solid
            self.begin(len(self.held), self.held, self.pieces, tokens)
            self.solid = solid

    def score(
        self, prompts: Sequence[list[int] | None], lines: Sequence[Sequence[Sequence[int]]], among: bool
    ) -> list[list[list[float]]]:
        """Log-probabilities of the tokens of each line after each prompt: trees, branch by branch, rows together."""
        longest = max([len(p or []) + max(map(len, ours), default=0) for p, ours in zip(prompts, lines, strict=True)])
        self._make_room(longest)
        trees, waiting = {}, {}
        for row, prompt in enumerate(prompts):
            if prompt is not None:
                self.read(row, prompt)
                trees[row] = _Scored(Tree.of(lines[row]), self.last[row], among)
                waiting[row] = trees[row].branches()
        while waiting:
            now = {row: branch for row, branches in waiting.items() if (branch := next(branches, None))}
            for row in list(waiting):
                if row not in now:
                    self.llama.cut(row, len(self.held[row]))
                    del waiting[row]
            for row, (depth, _) in now.items():
                self.llama.cut(row, len(self.held[row]) + depth)
            if now:
                told = [
                    (row, len(self.held[row]) + depth, trees[row].tokens(nodes)) for row, (depth, nodes) in now.items()
                ]
                for (row, (_, nodes)), logits in zip(now.items(), self.llama.decode(told), strict=True):
                    trees[row].take(nodes, logits)
        return [trees[row].scores() if row in trees else [] for row in range(len(prompts))]


class _Scored:
    """A tree of lines, and the log-probabilities of what follows each of its nodes."""

    def __init__(self, tree: Tree, last: Float[np.ndarray, " V"], among: bool) -> None:
        self.tree, self.among = tree, among
        inner = set(tree.inner(among).tolist())
        self.children = {before: nodes for before, nodes in tree.follow.items() if before == ROOT or before in inner}
        self.logs: dict[int, float] = {}
        self._tell(ROOT, last)

    def branches(self) -> Iterator[tuple[int, list[int]]]:
        """Runs of inner nodes that follow each other, with the depth at which each begins, depth first."""
        todo = [(0, node) for node in reversed(self.children[ROOT]) if node in self.children]
        while todo:
            depth, node = todo.pop()
            run = [node]
            while len(self.children[run[-1]]) == 1 and (only := self.children[run[-1]][0]) in self.children:
                run.append(only)
            yield depth, run
            after = [node for node in reversed(self.children[run[-1]]) if node in self.children]
            todo += [(depth + len(run), node) for node in after]

    def tokens(self, nodes: Sequence[int]) -> list[int]:
        return [int(self.tree.tokens[node]) for node in nodes]

    def take(self, nodes: Sequence[int], logits: Float[np.ndarray, "n V"]) -> None:
        for node, values in zip(nodes, logits, strict=True):
            self._tell(node, values)

    def _tell(self, before: int, logits: Float[np.ndarray, " V"]) -> None:
        nodes = self.children[before]
        found = logits[self.tree.tokens[nodes]].astype(np.float64)
        logs = found - (np.logaddexp.reduce(found) if self.among else _log_total(logits))
        self.logs |= dict(zip(nodes, logs.tolist(), strict=True))

    def scores(self) -> list[list[float]]:
        return [[self.logs.get(node, 0.0) for node in path] for path in self.tree.paths]  # 0: it is certain


def _log_total(logits: Float[np.ndarray, " V"]) -> float:
    wide = logits.astype(np.float64)
    return float(wide.max() + np.log(np.exp(wide - wide.max()).sum()))


def _log_softmax(logits: Float[np.ndarray, " V"]) -> Float[np.ndarray, " V"]:
    return logits.astype(np.float64) - _log_total(logits)


def main() -> None:
    path, threads = sys.argv[1:]
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the library prints is no answer
    child: Child | None = None
    for line in sys.stdin.buffer:
        try:
            child = child or Child(path, int(threads))
            answer = child.answer(orjson.loads(line))
        except (BadInput, ParleyError) as wrong:
            answer = {"refused": str(wrong)}
        out.write(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")
        out.flush()


if __name__ == "__main__":
    main()
