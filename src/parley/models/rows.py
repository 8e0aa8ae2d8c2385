"""Several growing prompts of one causal language model, read and scored together in passes of packed tokens.

A pass takes the new tokens of all prompts and, behind each, the tree of its continuations (`models.scoring`). They form
a single long row without padding, and a prompt's attention runs over its own cache only. A beginning that prompts share
is computed once and copied. Only tokens that another token follows are computed.

The rounding of a sum depends on the shapes of a pass, and these depend on all prompts in it. So only `read` adds to the
state that is kept, which is therefore a function of the texts read. Results of `score` and `after` are dropped again.
Each token also remembers the pass that computed it. `restore` repeats those passes to the last bit, with other tokens
in place of the dropped ones.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.models.packed import Cache, Pass, Segment, plain_segment, read_tree, tree_segment
from parley.models.scoring import Logprobs, Tree

PASS = 2048  # tokens of a pass that only reads, at most
CHUNK = 64  # tokens that are compared at once
NOTHING = -1  # stands for the token that a prompt is read up to
SHARED = 8  # tokens that two prompts must have in common to be worth copying
Tokens = Sequence[int]


@dataclass(frozen=True)
class Piece:
    """Tokens of a prompt that were computed together: from `start` on `count`, at `offset` of pass `number`'s `size`.

    Of them `kept` are still there.
    """

    start: int
    count: int
    kept: int
    number: int
    offset: int
    size: int


class Rows:
    """The prompts of B runs, and what they hold in a cache.

    With `narrow`, scores among a menu's tokens are computed from the head's weights of these tokens only. The last
    `apart` rows share nothing with the others.
    """

    def __init__(self, model: Any, torch: Any, num_rows: int, narrow: bool = False, apart: int = 0) -> None:
        self.model, self.torch, self.num_rows, self.narrow = model, torch, num_rows, narrow
        self._together = num_rows - apart
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.held: list[list[int]] = [[] for _ in range(self.num_rows)]
        self.pieces: list[list[Piece]] = [[] for _ in range(self.num_rows)]
        self._caches = [Cache() for _ in range(self.num_rows)]
        self._solid = [0] * self.num_rows
        self._number = 0

    def read(self, prompts: Sequence[Tokens | None]) -> None:
        """Have rows hold these prompts, to be continued later; None leaves the prompt of its row unchanged."""
        self._back()
        self._prepare([None if prompt is None else [*prompt, NOTHING] for prompt in prompts])
        new = [(row, list(p)[len(self.held[row]) :]) for row, p in enumerate(prompts) if p is not None]
        self._feed([(row, tokens) for row, tokens in new if tokens])
        self._solid = [len(held) for held in self.held]

    def _back(self) -> None:
        """Forget what was computed since something was read."""
        for row, end in enumerate(self._solid):
            self._cut(row, end)

    def score(
        self, prompts: Sequence[Tokens | None], lines: Sequence[Sequence[Tokens]], among: bool = False
    ) -> list[list[Logprobs]]:
        """Log-probabilities (nats) of the tokens of each line after each prompt; None leaves the prompt of its row
        unchanged.

        With `among`, each token is renormalised over the tokens that can continue some line there. This is the input of
        `line_scores(normalise="menu")`, without the rest of the vocabulary.
        """
        self._prepare(prompts)
        segments, trees = [], []
        for row, (prompt, ours) in enumerate(zip(prompts, lines, strict=True)):
            if prompt is not None:
                tree = Tree.of(ours)
                trees.append(tree)
                segments.append(tree_segment(row, list(prompt), len(self.held[row]), tree, among))
        words = [sorted(set(tree.tokens.tolist())) for tree in trees] if among and self.narrow else None
        logits = self._forward(segments, words)
        columns = words or [list[int]() for _ in trees]
        scored = iter([read_tree(*one, among) for one in zip(trees, logits, columns, strict=True)])
        return [[] if prompt is None else next(scored) for prompt in prompts]

    def after(self, prompts: Sequence[Tokens | None]) -> list[Any]:
        """Log-probabilities (V,) of the token after each prompt."""
        self._prepare(prompts)
        segments = []
        for row, prompt in enumerate(prompts):
            if prompt is not None:
                new = list(prompt)[len(self.held[row]) :]
                segments.append(plain_segment(row, len(self.held[row]), new, len(new) - 1, [len(new) - 1]))
        found = iter(self._forward(segments))
        return [None if prompt is None else next(found)[0].log_softmax(-1) for prompt in prompts]

    # -- reading ------------------------------------------------------------------------------------------------------

    def _prepare(self, prompts: Sequence[Tokens | None]) -> None:
        """Cut each prompt back to the beginning that its row holds, copy tokens from other rows, and read long
        beginnings.
        """
        for row, prompt in enumerate(prompts):
            if prompt is not None:
                if not len(prompt):
                    raise BadInput("a prompt needs at least one token")
                self._cut(row, min(same(self.held[row], prompt), len(prompt) - 1))
        asked = [row for row, prompt in enumerate(prompts) if prompt is not None]
        for row in asked:
            self._take(row, prompts)
        for leader in asked:
            begin = list(prompts[leader] or [])[:-1]
            behind = [row for row in asked if row > leader and self._lags(row, leader, prompts)]
            shared = [same(begin, prompts[row] or []) for row in behind]
            if shared and max(shared) - len(self.held[leader]) >= SHARED:
                self._feed([(leader, begin[len(self.held[leader]) : max(shared)])])
                for row in asked:
                    self._take(row, prompts, leader)
        waiting = [(row, list(prompts[row] or [])[len(self.held[row]) : -1]) for row in asked]
        while sum(len(new) for _, new in waiting) > PASS:
            room, now = PASS, []
            for i, (row, new) in enumerate(waiting):
                now.append((row, new[:room]))
                waiting[i], room = (row, new[room:]), room - len(new[:room])
            self._feed([(row, new) for row, new in now if new])

    def _lags(self, row: int, leader: int, prompts: Sequence[Tokens | None]) -> bool:
        """Whether a prompt goes on, from what it holds, as the leader's does for a while."""
        if (row < self._together) != (leader < self._together):
            return False
        alike = same(list(prompts[leader] or [])[:-1], list(prompts[row] or [])[:-1])
        return alike - max(len(self.held[row]), len(self.held[leader])) >= SHARED

    def _take(self, row: int, prompts: Sequence[Tokens | None], source: int | None = None) -> None:
        """Copy from the prompt that holds the longest beginning of this one, where that is longer than its own."""
        want, least = list(prompts[row] or [])[:-1], len(self.held[row]) + SHARED
        near = range(self._together) if row < self._together else range(self._together, self.num_rows)
        others = [source] if source is not None else [other for other in near if other != row]
        alike = [other for other in others if self.held[other][least - SHARED : least] == want[least - SHARED : least]]
        best = max(alike, key=lambda other: same(self.held[other], want), default=row)
        end = same(self.held[best], want)
        if best != row and end >= least:
            self._copy(row, best, 0, end)
            self.held[row], self.pieces[row] = self.held[best][:end], _until(self.pieces[best], end)

    def _copy(self, row: int, other: int, start: int, end: int) -> None:
        with self.torch.inference_mode():
            self._caches[row].copy(self._caches[other], start, end)

    def _cut(self, row: int, keep: int) -> None:
        self.held[row] = self.held[row][:keep]
        self.pieces[row] = _until(self.pieces[row], keep)

    def _feed(self, new: Sequence[tuple[int, list[int]]]) -> None:
        self._forward([plain_segment(row, len(self.held[row]), tokens, len(tokens)) for row, tokens in new])

    def _forward(self, segments: Sequence[Segment], words: Sequence[Sequence[int]] | None = None) -> list[Any]:
        """Compute segments, keep what they feed, and return the logits that each wants, in float64.

        With `words` only those of these tokens, for each segment its own, in their order.
        """
        if not segments:
            return []
        torch, device = self.torch, self.model.device
        this = Pass(torch, segments, self._caches, device)
        size, begins = int(this.ends[-1]), this.ends - this.counts
        wanted = [int(at) + i for at, s in zip(begins, segments, strict=True) for i in s.wanted]
        ids = torch.tensor([[token for segment in segments for token in segment.tokens]], device=device)
        places = torch.tensor([[int(s.start + d) for s in segments for d in s.depth]], device=device)
        asked: dict[str, Any] = {"input_ids": ids, "position_ids": places, "use_cache": False, "rows": this}
        keep = torch.tensor(wanted or [size - 1], device=device)  # a head needs something to work on
        ends = np.cumsum([len(segment.wanted) for segment in segments])
        parts = [slice(int(end) - len(s.wanted), int(end)) for end, s in zip(ends, segments, strict=True)]
        with torch.inference_mode():
            if words is None:
                every = self.model(logits_to_keep=keep, **asked).logits[0].double()
                logits = [every[part] for part in parts]
            else:
                hidden = self.model.base_model(**asked).last_hidden_state[0, keep]
                weight = self.model.get_output_embeddings().weight
                logits = [(hidden[part] @ weight[known].T).double() for part, known in zip(parts, words, strict=True)]
        for segment, offset in zip(segments, begins, strict=True):
            row, fed, start = segment.row, segment.fed, segment.start
            if fed:
                self.held[row] += segment.tokens[:fed]
                count = len(segment.tokens)
                self.pieces[row].append(Piece(start, count, fed, self._number, int(offset), size))
        self._number += 1
        return logits

    # -- state --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, np.ndarray]:
        """The tokens that are held, and the pieces in which they were computed."""
        self._back()
        pieces = [(row, *astuple(piece)) for row in range(self.num_rows) for piece in self.pieces[row]]
        return {
            "tokens": np.array([token for held in self.held for token in held], dtype=np.int32),
            "lengths": np.array([len(held) for held in self.held], dtype=np.intp),
            "computed": np.array(pieces, dtype=np.int64).reshape(-1, 7),
            "passes": np.array(self._number),
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Compute the same tokens in passes of the same shapes."""
        self.clear()
        held = [part.tolist() for part in np.split(state["tokens"], np.cumsum(state["lengths"])[:-1])]
        passes: dict[int, list[tuple[int, Piece]]] = {}
        for row, *rest in state["computed"].tolist():
            passes.setdefault(rest[3], []).append((row, Piece(*rest)))
        for number in sorted(passes):
            self._repeat(passes[number], held)
        self._number = int(state["passes"])
        self._solid = [len(held) for held in self.held]

    def _repeat(self, pieces: Sequence[tuple[int, Piece]], held: Sequence[list[int]]) -> None:
        """Repeat one pass: at each place, the longest part that is still held, copied to all rows that hold it."""
        size, number = pieces[0][1].size, pieces[0][1].number
        holders: dict[int, list[tuple[int, Piece]]] = {}
        for row, piece in pieces:
            holders.setdefault(piece.offset, []).append((row, piece))
        segments, at, spare = [], 0, self.num_rows
        self._caches += [Cache() for _ in range(len(holders) + 1)]  # of what has gone
        for offset in sorted(holders):
            if offset > at:
                segments.append(plain_segment(spare, 0, [0] * (offset - at), 0))
                spare += 1
            row, piece = max(holders[offset], key=lambda one: one[1].kept)
            begin = held[row][piece.start : piece.start + piece.kept]
            segments.append(plain_segment(row, piece.start, begin + [0] * (piece.count - piece.kept), piece.kept))
            at = offset + piece.count
        if size > at:
            segments.append(plain_segment(spare, 0, [0] * (size - at), 0))
        self._number = number
        self._forward(segments)
        del self._caches[self.num_rows :]
        for those in holders.values():
            leader, longest = max(those, key=lambda one: one[1].kept)
            for row, piece in those:
                if row != leader:
                    self._copy(row, leader, piece.start, piece.start + piece.kept)
                    self.held[row] += held[row][piece.start : piece.start + piece.kept]
                    self.pieces[row].append(piece)
                elif piece is not longest:
                    raise BadInput("a snapshot holds a piece twice")


def same(one: Tokens, other: Tokens) -> int:
    """How many tokens two begin with alike."""
    n = min(len(one), len(other))
    for begin in range(0, n, CHUNK):
        end = min(n, begin + CHUNK)
        if list(one[begin:end]) != list(other[begin:end]):
            return next(i for i in range(begin, end) if one[i] != other[i])
    return n


def _until(pieces: Sequence[Piece], end: int) -> list[Piece]:
    """The pieces up to a position, the last one cut."""
    return [replace(p, kept=min(p.kept, end - p.start)) for p in pieces if p.start < end]
