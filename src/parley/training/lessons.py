"""Documents of generated worlds as pages for a language model with a tokenizer of its own: in the forms it will meet.

A page is one growing prompt, rendered as at run time, with every decision along it. The menu's lines branch at some
tokens. The target there is BAIL's probability distribution over the branches. With several Actors each has its own
decision, given the parts before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from parley.core.tables import Tables
from parley.data.chat import told
from parley.data.documents import Documents
from parley.memory.kinds import memory_of
from parley.models.text import TextTokens
from parley.planners.rendered import Rendered, Renderer
from parley.prompting.answers import letters
from parley.prompting.prompter import Prompter, Prompting, Words
from parley.prompting.template import PromptTemplate
from parley.training.pages import NONE, Page


@dataclass(frozen=True)
class Form:
    """How a page is rendered: a template and a memory, through the model's chat template or not, and its share."""

    template: str
    answer: str = "line"  # or `sentence`, or `letter`
    chat: bool = False
    memory: str = "full"
    share: float = 1.0


# Mostly the transcript after rules and menu: it is the shortest, so that a page holds the most decisions.
FORMS = (
    Form("stated", share=0.72),
    Form("chat", "sentence", chat=True, share=0.12),
    Form("chat", "letter", chat=True, share=0.08),
    Form("stated", memory="summary", share=0.08),
)
UNTOLD = 0.2  # share of pages that do not tell the family's rules
# A decision: the prompt, the possible answers, their probabilities, and the given one.
Decision = tuple[Rendered, list[list[int]], Float[np.ndarray, " M"], int]


def page(
    tables: Tables, documents: Documents, row: int, form: Form, text: TextTokens, most: int, last: int = -1
) -> Page | None:
    """The page of a document, in at most so many tokens; None where not one decision fits.

    With a memory that rewrites the prompt from episode to episode, the page of its episode `last`.
    """
    renderer = Renderer(text, text.chat if form.chat else None)
    tokens, found = list[int](), list[tuple[int, list[int], Float[np.ndarray, " b"]]]()
    decisions = 0
    for prompt, answers, law, given in _decisions(tables, documents, row, form, renderer, last):
        if len(prompt.tokens) + max(map(len, answers)) > most or prompt.tokens[: len(tokens)] != tokens:
            break
        tokens = prompt.tokens + answers[given]
        found += [(len(prompt.tokens) - 1 + i, *branch) for i, branch in _branches(answers, law, given)]
        decisions += 1
    if not found:
        return None
    wide = max(len(branches) for _, branches, _ in found)
    target, laws = np.full((len(found), wide), NONE), np.zeros((len(found), wide))
    for i, (_, branches, shares) in enumerate(found):
        target[i, : len(branches)], laws[i, : len(branches)] = branches, shares
    before = np.array([at for at, _, _ in found])
    return Page(np.array(tokens), before, target, laws, np.zeros(len(found), dtype=np.intp), decisions)


def _decisions(
    tables: Tables, documents: Documents, row: int, form: Form, renderer: Renderer, last: int
) -> Iterator[Decision]:
    words = Words(tables.menus, tables.horizon, tables.rules)
    how = Prompting(PromptTemplate(form.template), words, form.answer)
    prompter = Prompter(how, memory_of(form.memory, 8)())
    episodes = told(documents, tables, row, documents.subgoals.shape[1] - 1, tables.horizon + 1)
    first = 0 if form.memory == "full" else last
    prompter.retell(episodes[:first])
    for e, episode in enumerate(episodes[first : None if form.memory == "full" else last + 1], first):
        prompter.begin(episode.instruction, episode.observations[0])
        for h, said in enumerate(zip(episode.subgoals, episode.observations[1:], episode.rewards, strict=True)):
            joint = documents.labels[row, e, h].reshape([len(menu) for menu in tables.menus])
            for k, menu in enumerate(tables.menus):
                prompt = renderer.prompt(prompter.turns(said[0][:k], menu))
                if form.answer == "letter":
                    answers = renderer.letters(prompt, letters(len(menu)))
                else:
                    answers = renderer.answers(prompt, [prompter.candidate(sentence, menu) for sentence in menu])
                given = menu.index(said[0][k])
                yield prompt, answers, joint.reshape(len(menu), -1).sum(axis=1), given
                joint = joint[given]
            prompter.go_on(*said)


def _branches(
    answers: Sequence[Sequence[int]], law: Float[np.ndarray, " M"], given: int
) -> Iterator[tuple[int, tuple[list[int], Float[np.ndarray, " b"]]]]:
    """Where the answers part on the way of the one that is given: the tokens that may follow, and their shares.

    Where no answer has begun so, there is no target.
    """
    way = list(answers[given])
    for i in range(len(way)):
        mass = dict[int, float]()
        for answer, share in zip(answers, law, strict=True):
            if list(answer[:i]) == way[:i] and len(answer) > i:
                mass[answer[i]] = mass.get(answer[i], 0.0) + float(share)
        total = sum(mass.values())
        if total > 1e-9:
            yield i, (list(mass), np.array(list(mass.values())) / total)


def pages(
    tables: Tables, documents: Documents, text: TextTokens, most: int, rng: np.random.Generator, forms: Sequence[Form]
) -> list[Page]:
    """A page of each document, each in a form that is drawn; those of several Actors as transcripts."""
    found = []
    usable = [form for form in forms if text.chat or not form.chat]
    shares = np.array([form.share for form in usable])
    for row in range(len(documents)):
        form = usable[int(rng.choice(len(usable), p=shares / shares.sum()))]
        last = int(rng.integers(documents.subgoals.shape[1]))
        if tables.num_actors > 1 and form.chat:
            form = usable[0]
        said = replace(tables, rules="") if rng.random() < UNTOLD else tables
        made = page(said, documents, row, form, text, most, last)
        if made is not None:
            found.append(made)
    return found
