"""Documents of many families as pages of tokens: rules and menu, then the transcript, whole episodes while they fit.

A menu's sentences have several tokens. What is to be predicted at each token of a subgoal is the expert's law over the
tokens that may follow those said so far; where the behaviour has left what the expert would say, the sentence itself.
Legend: N pages, L tokens, P predictions, M tokens that one of them shares its probability among.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parley.core.tables import Tables
from parley.pretraining.documents import Documents
from parley.prompting.transcript import header, observation_line, subgoal_line, task_line

LENGTH = 768  # tokens of a page, at most
HEADER, EPISODE = 64, 24  # tokens of a page of few episodes: its header, and each of them


@dataclass(frozen=True)
class Page:
    """Tokens, and for each prediction the position before it, tokens and their law, and whether it was heard."""

    tokens: Int[np.ndarray, " L"]
    before: Int[np.ndarray, " P"]
    target: Int[np.ndarray, "P M"]
    law: Float[np.ndarray, "P M"]
    heard: Int[np.ndarray, " P"]
    decisions: int


@dataclass(frozen=True)
class Pages:
    """A batch."""

    pages: tuple[Page, ...]

    def __len__(self) -> int:
        return len(self.pages)

    def __getitem__(self, index: np.ndarray) -> "Pages":
        return Pages(tuple(self.pages[i] for i in index))


def length(num_episodes: int) -> int:
    """The most tokens of a page of so many episodes."""
    return min(LENGTH, HEADER + EPISODE * num_episodes)


def pages_of(tables: Tables, documents: Documents, tokenizer: Any) -> list[Page]:
    """One page for each document of a family of one Actor."""
    most = length(documents.subgoals.shape[1])
    menu = tables.menus[0]

    def ids(lines: Sequence[str]) -> list[list[int]]:
        return [list(found) for found in tokenizer(list(lines), add_special_tokens=False).input_ids]

    said, seen = ids([subgoal_line(g) for g in menu]), ids([observation_line(o) for o in tables.observations])
    tasks, opening = (
        ids([task_line(w) for w in tables.instructions]),
        ids([header(tables.rules, [menu], tables.horizon)]),
    )
    return [_page(documents, i, opening[0], tasks, said, seen, most) for i in range(len(documents))]


def _page(
    documents: Documents,
    i: int,
    opening: list[int],
    tasks: list[list[int]],
    said: list[list[int]],
    seen: list[list[int]],
    most: int,
) -> Page:
    tokens, predictions = list(opening), list[tuple[int, dict[int, float], bool]]()
    episodes, horizon = documents.subgoals.shape[1:]
    decisions = 0
    for t in range(episodes):
        written, told = len(tokens), len(predictions)
        tokens += tasks[documents.instructions[i, t]] + seen[documents.observations[i, t, 0]]
        for h in range(horizon):
            line = said[documents.subgoals[i, t, h]]
            predictions += _subgoal(line, said, documents.labels[i, t, h], len(tokens))
            tokens += line
            heard = seen[documents.observations[i, t, h + 1]]
            predictions += [(len(tokens) + j - 1, {token: 1.0}, True) for j, token in enumerate(heard)]
            tokens += heard
        if len(tokens) > most:
            del tokens[written:], predictions[told:]
            break
        decisions += horizon
    wide = max((len(law) for _, law, _ in predictions), default=1)
    target, law = np.zeros((len(predictions), wide), dtype=np.intp), np.zeros((len(predictions), wide))
    for row, (_, shares, _) in enumerate(predictions):
        target[row, : len(shares)], law[row, : len(shares)] = list(shares), list(shares.values())
    before = np.array([at for at, _, _ in predictions], dtype=np.intp)
    flags = np.array([heard for _, _, heard in predictions], dtype=np.intp)
    return Page(np.array(tokens), before, target, law, flags, decisions)


def _subgoal(
    line: list[int], said: list[list[int]], label: Float[np.ndarray, " G"], start: int
) -> list[tuple[int, dict[int, float], bool]]:
    """The predictions of a subgoal's tokens after the mark that opens its line."""
    found = []
    for j in range(1, len(line)):
        shares: dict[int, float] = {}
        for other, probability in zip(said, label, strict=True):
            if probability > 0 and other[:j] == line[:j]:
                shares[other[j]] = shares.get(other[j], 0.0) + float(probability)
        total = sum(shares.values())
        law = {token: share / total for token, share in shares.items()} if total else {line[j]: 1.0}
        found.append((start + j - 1, law, False))
    return found


@dataclass(frozen=True)
class Sheet:
    """A batch as tensors: tokens (N, L), and the predictions of all pages in one list."""

    tokens: Any
    row: Any
    before: Any
    target: Any
    law: Any
    heard: Any
    decisions: int

    @property
    def num_tokens(self) -> int:
        return int(self.tokens.numel())


class PageColumns:
    """How pages become tensors, and the loss on them: nats a subgoal, and nats an observation."""

    def length(self, num_episodes: int) -> int:
        """The most tokens of a page."""
        return length(num_episodes)

    def prepare(self, torch: Any, documents: Pages, device: str = "cpu") -> Sheet:
        """A batch on a device; shorter pages are filled up with tokens that nothing attends to."""
        pages = documents.pages
        tokens = np.zeros((len(pages), max(len(page.tokens) for page in pages)), dtype=np.intp)
        most = max(page.target.shape[1] for page in pages)
        for i, page in enumerate(pages):
            tokens[i, : len(page.tokens)] = page.tokens

        def wide(values: np.ndarray) -> np.ndarray:
            return np.pad(values, ((0, 0), (0, most - values.shape[1])))

        def tensor(values: list[np.ndarray] | np.ndarray) -> Any:
            return torch.from_numpy(np.concatenate(values) if isinstance(values, list) else values).to(device)

        return Sheet(
            tensor(tokens),
            tensor([np.full(len(page.before), i) for i, page in enumerate(pages)]),
            tensor([page.before for page in pages]),
            tensor([wide(page.target) for page in pages]),
            tensor([wide(page.law).astype(np.float32) for page in pages]),
            tensor([page.heard for page in pages]).bool(),
            sum(page.decisions for page in pages),
        )

    def losses(self, torch: Any, model: Any, batch: Sheet) -> tuple[Any, Any]:
        """Cross-entropy on the expert's law over sentences, a decision, and on what was heard, an observation."""
        # Logits are wanted at predictions only: the vocabulary is wide.
        hidden = model.base_model(input_ids=batch.tokens, use_cache=False).last_hidden_state
        logits = model.get_output_embeddings()(hidden[batch.row, batch.before])
        log_probs = torch.log_softmax(logits.float(), dim=-1).gather(-1, batch.target)
        nats = -(batch.law * log_probs).sum(dim=-1)
        zero = torch.zeros_like(nats)
        return (
            torch.where(batch.heard, zero, nats).sum() / batch.decisions,
            torch.where(batch.heard, nats, zero).sum() / batch.decisions,
        )
