"""The batches of a training on generated worlds: families in turn, documents of each, as pages of tokens."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.data.averaged import averaged
from parley.data.documents import sample_documents
from parley.theory.beliefs import Beliefs
from parley.training.pages import Pages, pages_of
from parley.training.recipe import Recipe
from parley.training.tokenizer import tokenizer_of
from parley.worlds.generated.words import lexicon
from parley.worlds.generated.world import EVALUATED, generated

MARKS = ("task: ", "rules: ", "choices: ", "> ", " | ", " - ", ": ", ", ", "; ")
BETWEEN = (" and ", " for ", " in ", " is ", " of ", " on ", " the ", " to ")
TOGETHER = 8  # documents of one family in a batch
STRIDE = 10**6  # from the seed of one family that is not plain to the next that is tried


def word_tokenizer() -> Any:
    """A `PreTrainedTokenizerFast` of everyday words; other words fall into pieces.

    A space is a token of its own, so that a word is the same token at every place. A model that copies a word then
    needs no second name for it.
    """
    words = [word for group in lexicon().values() for word in group]
    return tokenizer_of(words, (*MARKS, *BETWEEN), spaces=True)


def family_seed(recipe: Recipe, families: int, number: int) -> int:
    """The seed of the family that is the `number`-th to be read; with `families` given they come again in turn."""
    return (recipe.seed * 10**8 + (number % families if families else number)) % EVALUATED


def family(recipe: Recipe, families: int, number: int, plain: bool = False) -> Tables:
    """The family that is the `number`-th to be read; with `plain` the first that is plain from its seed on."""
    seed = family_seed(recipe, families, number)
    for i in range(EVALUATED // STRIDE):
        tables = generated((seed + i * STRIDE) % EVALUATED)
        if not plain or is_plain(tables):
            return tables
    raise BadInput(f"plain: none of {EVALUATED // STRIDE} families from seed {seed} on is")


def is_plain(tables: Tables) -> bool:
    """One subgoal an episode, each of one word: the families in which a model learns soonest to look things up."""
    return tables.horizon == 1 and not any(" " in subgoal for subgoal in tables.menus[0])


@dataclass(frozen=True)
class Batches:
    """The batch of every step, as a function of its number: in whatever process it is drawn, it is the same."""

    recipe: Recipe
    families: int
    plain: bool
    long: int = 0  # tokens that all pages are filled up to

    def __call__(self, step: int) -> Pages:
        recipe, tokenizer, found = self.recipe, _tokenizer(), []
        for i in range(recipe.batch // TOGETHER):
            number = step * (recipe.batch // TOGETHER) + i
            tables, seed = family(recipe, self.families, number, self.plain), (recipe.seed, 0, number)
            beliefs = Beliefs(tables)
            documents = sample_documents(beliefs, TOGETHER, recipe.episodes, seed, 0.0, recipe.behaviour)
            found += pages_of(tables, averaged(beliefs, documents), tokenizer)
        return Pages.of(found, self.long)


_tokenizer = lru_cache(maxsize=1)(word_tokenizer)
