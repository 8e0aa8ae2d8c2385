"""Documents of many families as pages of tokens: rules and menu, then the transcript, whole episodes while they fit.

A menu's sentences have several tokens, and sentences that begin alike share them: they form a tree. The target before
each token of a subgoal is the expert's probability distribution over the branches there.

Legend: N pages, L tokens, P predictions, M branches (padded), W tokens that occur in a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parley.core.tables import Tables
from parley.data.documents import Documents
from parley.prompting.transcript import header, observation_line, subgoal_line, task_line

LENGTH = 768  # tokens of a page, at most
HEADER, EPISODE = 64, 24  # tokens of a page of few episodes: its header, and each of them
OFF_MENU = 0.2  # weight of the nats that it costs a subgoal's tokens to be on the menu at all
NONE = -1  # fills rows of branches up


@dataclass(frozen=True)
class Page:
    """Tokens, and for each prediction the position before it, the tokens that may follow, and their probabilities.

    The probabilities are zero where they are undefined: the expert would never begin as the behaviour did.
    """

    tokens: Int[np.ndarray, " L"]
    before: Int[np.ndarray, " P"]
    target: Int[np.ndarray, "P M"]
    law: Float[np.ndarray, "P M"]
    heard: Int[np.ndarray, " P"]
    decisions: int


@dataclass(frozen=True)
class Pages:
    """A batch: tokens (N, L), shorter pages filled up, and the predictions of all pages. `row` gives the page of each
    prediction.

    `words` are the tokens that occur, and `target` gives the branches as indices into them.
    """

    tokens: Int[np.ndarray, "N L"]
    words: Int[np.ndarray, " W"]
    row: Int[np.ndarray, " P"]
    before: Int[np.ndarray, " P"]
    target: Int[np.ndarray, "P M"]
    law: Float[np.ndarray, "P M"]
    heard: Int[np.ndarray, " P"]
    decisions: Int[np.ndarray, " N"]

    @classmethod
    def of(cls, pages: Sequence[Page], long: int = 0) -> "Pages":
        """Pages side by side, `long` tokens at least, in numbers small enough to be sent from process to process."""
        tokens = np.zeros((len(pages), max(long, *(len(page.tokens) for page in pages))), dtype=np.int32)
        most = max(page.target.shape[1] for page in pages)
        for i, page in enumerate(pages):
            tokens[i, : len(page.tokens)] = page.tokens

        def wide(values: np.ndarray, fill: float) -> np.ndarray:
            return np.pad(values, ((0, 0), (0, most - values.shape[1])), constant_values=fill)

        target = np.concatenate([wide(page.target, NONE) for page in pages])
        words = np.unique(np.concatenate([tokens.ravel(), target[target != NONE]]))
        return cls(
            tokens,
            words.astype(np.int32),
            np.repeat(np.arange(len(pages), dtype=np.int32), [len(page.before) for page in pages]),
            _joined([page.before for page in pages]).astype(np.int32),
            np.where(target == NONE, NONE, np.searchsorted(words, target)).astype(np.int32),
            np.concatenate([wide(page.law, 0.0) for page in pages]).astype(np.float32),
            _joined([page.heard for page in pages]).astype(np.int8),
            np.array([page.decisions for page in pages]),
        )

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: np.ndarray) -> "Pages":
        """Some of the pages, in the order of `index`."""
        rows = [np.flatnonzero(self.row == i) for i in index]
        at, row = _joined(rows), np.repeat(np.arange(len(index), dtype=np.int32), [len(found) for found in rows])
        predictions = (self.before[at], self.target[at], self.law[at], self.heard[at])
        return Pages(self.tokens[index], self.words, row, *predictions, self.decisions[index])


def length(num_episodes: int) -> int:
    """The most tokens of a page of so many episodes."""
    return min(LENGTH, HEADER + EPISODE * num_episodes)


class Branches:
    """The tree of a menu: `tokens` are the branches of each node, `shares` (nodes, G, M) which subgoals take them."""

    def __init__(self, lines: Sequence[Sequence[int]]) -> None:
        nodes: dict[tuple[int, ...], dict[int, list[int]]] = {}
        for g, line in enumerate(lines):
            for j in range(1, len(line)):
                nodes.setdefault(tuple(line[:j]), {}).setdefault(line[j], []).append(g)
        number = {prefix: i for i, prefix in enumerate(nodes)}
        wide = max(map(len, nodes.values()))
        self.of = [np.array([number[tuple(line[:j])] for j in range(1, len(line))]) for line in lines]
        self.tokens = np.full((len(nodes), wide), NONE)
        self.shares = np.zeros((len(nodes), len(lines), wide))
        for i, branches in enumerate(nodes.values()):
            for k, (token, subgoals) in enumerate(branches.items()):
                self.tokens[i, k], self.shares[i, subgoals, k] = token, 1

    def law(self, node: Int[np.ndarray, " P"], label: Float[np.ndarray, "P G"]) -> Float[np.ndarray, "P M"]:
        """The probability distribution over the branches of each node, given one over subgoals."""
        law = np.einsum("pg,pgk->pk", label, self.shares[node])
        total = law.sum(axis=1, keepdims=True)
        return np.divide(law, total, out=np.zeros_like(law), where=total > 1e-9)


def pages_of(tables: Tables, documents: Documents, tokenizer: Any) -> list[Page]:
    """One page for each document of a family of one Actor."""
    most, menu = length(documents.subgoals.shape[1]), tables.menus[0]

    def ids(lines: Sequence[str]) -> list[np.ndarray]:
        return [np.array(found) for found in tokenizer(list(lines), add_special_tokens=False).input_ids]

    said, seen = ids([subgoal_line(g) for g in menu]), ids([observation_line(o) for o in tables.observations])
    tasks = ids([task_line(w) for w in tables.instructions])
    opening = ids([header(tables.rules, [menu], tables.horizon)])[0]
    branches = Branches([line.tolist() for line in said])
    return [_page(documents, i, opening, tasks, said, seen, branches, most) for i in range(len(documents))]


def _page(
    documents: Documents,
    i: int,
    opening: np.ndarray,
    tasks: list[np.ndarray],
    said: list[np.ndarray],
    seen: list[np.ndarray],
    branches: Branches,
    most: int,
) -> Page:
    """Lines of an episode: task, o_1, then subgoal and observation at each step; predicted are the last two."""
    episodes, horizon = documents.subgoals.shape[1:]
    asked, heard, chosen = documents.instructions[i], documents.observations[i], documents.subgoals[i]
    lines = []
    for t in range(episodes):
        lines += [tasks[asked[t]], seen[heard[t, 0]]]
        for h in range(horizon):
            lines += [said[chosen[t, h]], seen[heard[t, h + 1]]]
    ends = len(opening) + np.cumsum([len(line) for line in lines])
    each = 2 + 2 * horizon
    whole = int((ends[each - 1 :: each] <= most).sum())  # episodes that fit
    starts = np.concatenate([[len(opening)], ends])[: whole * each].reshape(whole, each)[:, 2:].ravel()
    lines = lines[: whole * each]
    steps = [line for k, line in enumerate(lines) if k % each >= 2]  # subgoal, observation, subgoal, ...
    nodes = [branches.of[g] for g in chosen[:whole].ravel()]
    told = steps[1::2]
    before = [starts[0::2][k] + np.arange(len(node)) for k, node in enumerate(nodes)]
    after = [starts[1::2][k] - 1 + np.arange(len(line)) for k, line in enumerate(told)]
    labels = documents.labels[i, :whole].reshape(len(nodes), -1)
    node = _joined(nodes)
    label = np.repeat(labels, [len(found) for found in nodes], axis=0)
    words, wide = _joined(told), branches.tokens.shape[1]
    target = np.full((len(node) + len(words), wide), NONE)
    law = np.zeros(target.shape)
    target[: len(node)], law[: len(node)] = branches.tokens[node], branches.law(node, label)
    target[len(node) :, 0], law[len(node) :, 0] = words, 1
    tokens = np.concatenate([opening, *lines])
    flags = np.repeat([0, 1], [len(node), len(words)])
    return Page(tokens, _joined([*before, *after]), target, law, flags, whole * horizon)


def _joined(parts: Sequence[np.ndarray]) -> Int[np.ndarray, " n"]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.intp)


@dataclass(frozen=True)
class Sheet:
    """A batch as tensors; `there` says which branches are real."""

    tokens: Any
    words: Any
    row: Any
    before: Any
    target: Any
    there: Any
    law: Any
    heard: Any
    decisions: int


class PageColumns:
    """How pages become tensors, and the loss on them: nats a subgoal, and nats an observation."""

    def length(self, num_episodes: int) -> int:
        """The most tokens of a page."""
        return length(num_episodes)

    def prepare(self, torch: Any, documents: Pages, device: str = "cpu") -> Sheet:
        """A batch on a device; what fills pages up, nothing attends to."""
        pages = documents
        arrays = (pages.tokens, pages.words, pages.row, pages.before, pages.target)
        tokens, words, row, before, target = (torch.from_numpy(values).to(device) for values in arrays)
        law, heard = (torch.from_numpy(values).to(device) for values in (pages.law, pages.heard))
        branches = target.clamp(min=0).long()
        return Sheet(
            tokens, words, row, before, branches, target != NONE, law, heard.bool(), int(pages.decisions.sum())
        )

    def losses(self, torch: Any, model: Any, batch: Sheet) -> tuple[Any, Any]:
        """Nats per decision of the expert's distribution among the menu, and nats per observation of the words heard.

        The first is what a planner that scores the menu's sentences is judged by. To be on the menu at all costs nats
        too: they count a fifth. All are among the tokens of the batch, not of the whole vocabulary: that is wide.
        """
        hidden = model.base_model(input_ids=batch.tokens, use_cache=False).last_hidden_state
        logits = hidden[batch.row, batch.before] @ model.get_output_embeddings().weight[batch.words].T
        every = torch.logsumexp(logits.float(), dim=-1)
        branches = logits.float().gather(-1, batch.target).masked_fill(~batch.there, -1e9)
        menu = torch.logsumexp(branches, dim=-1)
        choice = (batch.law * (menu[:, None] - branches).clamp(max=100.0)).sum(dim=-1)
        zero = torch.zeros_like(choice)
        said = choice + OFF_MENU * (every - menu)
        return (
            torch.where(batch.heard, zero, said).sum() / batch.decisions,
            torch.where(batch.heard, every - menu, zero).sum() / batch.decisions,
        )
