"""What an adapter is trained on, and judged by: pages of generated families, those held out among them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.data.averaged import averaged
from parley.data.documents import sample_documents
from parley.models.text import TextTokens
from parley.theory.beliefs import Beliefs
from parley.training.lessons import FORMS, pages
from parley.training.pages import Page, PageColumns, Pages, Sheet
from parley.training.recipe import Recipe
from parley.worlds.generated.world import EVALUATED, HELD_OUT, MORE, TRAINED, generated

KINDS = tuple(kind for kind in (*TRAINED, *MORE) if kind != "levers")  # `levers` is held out here
UNSEEN = (*HELD_OUT, "levers")
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
LANGUAGE = "varied"
EPISODES = 40  # of a document; a page holds as many as fit


@dataclass(frozen=True)
class Adapting:
    """What an adapter depends on, but for the model."""

    tokens: int = 900_000
    page: int = 640  # tokens of a page, at most
    batch: int = 2  # pages a step, one family each
    learning_rate: float = 6e-4
    rank: int = 16
    first_layer: int = 8  # those below stay as they are: a quarter less to compute
    modules: tuple[str, ...] = ATTENTION
    evaluate_every: int = 60  # steps
    patience: int = 5  # evaluations without a better one, then it stops
    held_out: int = 20  # families that say when
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("tokens", "page", "batch", "rank", "evaluate_every", "patience", "held_out", "threads"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name}={getattr(self, name)}: expected at least 1")
        if not self.learning_rate > 0 or self.first_layer < 0:
            raise BadInput("learning_rate must be positive, first_layer not negative")

    @property
    def recipe(self) -> Recipe:
        """The same as the optimisation reads it; each page goes through the model alone, at its own length."""
        return Recipe(
            episodes=EPISODES,
            tokens=self.tokens,
            batch=self.batch,
            accumulate=self.batch,
            learning_rate=self.learning_rate,
            observation_weight=0.0,
            seed=self.seed,
            threads=self.threads,
            precision="auto",
            width=64,
        )


@dataclass(frozen=True)
class Lessons:
    """The pages of every step, as a function of its number; of a model in a directory, in whatever process."""

    folder: str
    how: Adapting

    def __call__(self, step: int) -> Pages:
        found = list[Page]()
        number = step * self.how.batch
        while len(found) < self.how.batch:
            found += family_pages(self.folder, self.how, self.how.seed * 10**8 + number, KINDS)
            number += 10**6 * (len(found) < self.how.batch) + 1  # a family whose first episode does not fit is passed
        return Pages.of(found[: self.how.batch])


def family_pages(folder: str, how: Adapting, seed: int, kinds: Sequence[str]) -> list[Page]:
    """One page of the family of a seed."""
    tables = generated(seed, kinds[seed % len(kinds)], LANGUAGE)
    beliefs = Beliefs(tables)
    documents = averaged(beliefs, sample_documents(beliefs, 1, EPISODES, (seed, 1)))
    return pages(tables, documents, _text(folder), how.page, np.random.default_rng((seed, 2)), FORMS)


@lru_cache(maxsize=1)
def _text(folder: str) -> TextTokens:
    import transformers

    return TextTokens.of(transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True))


class LessonColumns(PageColumns):
    """Pages as tensors, without what follows the last decision."""

    def __init__(self, length: int) -> None:
        self._length = length

    def length(self, num_episodes: int) -> int:
        return self._length

    def prepare(self, torch: Any, documents: Pages, device: str = "cpu") -> Sheet:
        needed = replace(documents, tokens=np.ascontiguousarray(documents.tokens[:, : int(documents.before.max()) + 1]))
        return super().prepare(torch, needed, device)


class HeldOut:
    """Nats a decision beyond the label's own entropy, on pages of families, or kinds, that are never trained on."""

    def __init__(self, torch: Any, folder: str, how: Adapting, kinds: Sequence[str], count: int) -> None:
        self._torch, self._columns = torch, LessonColumns(how.page)
        first = EVALUATED + 2 * 10**6
        seeds = [first + i for i in range(2 * count)]
        self.pages = [page for seed in seeds for page in family_pages(folder, how, seed, kinds)][:count]

    @cached_property
    def entropy(self) -> float:
        """Mean over pages of the label's entropy, nats a decision."""
        laws = [np.where(page.law > 0, page.law, 1.0) for page in self.pages]
        return float(
            np.mean([-(law * np.log(law)).sum() / p.decisions for law, p in zip(laws, self.pages, strict=True)])
        )

    def __call__(self, model: Any, device: str) -> float:
        torch, was, found = self._torch, model.training, []
        model.eval()
        with torch.no_grad():
            for page in self.pages:
                batch = self._columns.prepare(torch, Pages.of([page]), device)
                hidden = model.base_model(input_ids=batch.tokens, use_cache=False).last_hidden_state
                logits = hidden[batch.row, batch.before] @ model.get_output_embeddings().weight[batch.words].T
                branches = logits.float().gather(-1, batch.target).masked_fill(~batch.there, -1e9)
                nats = (batch.law * (torch.logsumexp(branches, dim=-1)[:, None] - branches).clamp(max=100.0)).sum()
                found.append(float(nats) / batch.decisions)
        model.train(was)
        return float(np.mean(found)) - self.entropy
