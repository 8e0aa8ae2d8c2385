"""The way that lists nothing: a model says in its own words what to do, which is grounded to the menu."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from parley.core.calls import OK, OUTSIDE
from parley.models.endpoint import Request
from parley.models.failures import Unusable
from parley.planners.ways.asking import Asks, Question
from parley.prompting.grounding import grounded, said

NOTHING = "(no answer)"  # what is said where no usable answer came


@dataclass
class Free(Asks):
    """Sampled answers in the model's own words; one that means nothing on the menu is told back, and asked for anew."""

    name = "free"
    answer = "free"

    def __post_init__(self) -> None:
        self.num_answers = self.asking.answers
        self.source = f"free: {self.asking.answers} answer{'s' if self.asking.answers > 1 else ''}"

    def probs(self, question: Question) -> Float[np.ndarray, " M"] | None:
        """Frequencies of what the answers mean."""
        votes = Counter(self._meant(question, seed) for seed in question.seeds[: self.asking.answers])
        counts = np.array([votes[i] for i in range(len(question.menu))], dtype=float)
        return counts / counts.sum() if counts.any() else None

    def words(self, question: Question) -> tuple[tuple[str, ...], Float[np.ndarray, " M"]] | None:
        """What the answers say, where the environment itself makes sense of words, and how often."""
        votes = Counter(filter(None, (self._said(question, seed) for seed in question.seeds[: self.asking.answers])))
        if not votes:
            return None
        menu = tuple(sorted(votes))
        counts = np.array([votes[one] for one in menu], dtype=float)
        return menu, counts / counts.sum()

    def probe(self) -> Request | None:
        return None  # any server that answers at all can do this

    def found(self, answer: object) -> str:
        return ""

    def _said(self, question: Question, seed: int) -> str:
        more = {"temperature": self.asking.temperature, "seed": seed}
        request = self.request(question.turns, question.place, "propose by free", self.tokens, **more)
        try:
            told = self.endpoint.ask(request, self.said, lambda answer: OK if said(answer) else OUTSIDE)
        except Unusable:
            return ""
        return said(str(told))

    def _meant(self, question: Question, seed: int) -> int | None:
        turns, again = question.turns, ""
        more = {"temperature": self.asking.temperature, "seed": seed}
        for _ in range(self.asking.reasks + 1):
            request = self.request(turns, question.place, f"propose by free{again}", self.tokens, **more)
            try:
                told = str(self.endpoint.ask(request, self.said, lambda answer: _outcome(answer, question.menu)))
            except Unusable:
                return None
            entry = grounded(told, question.menu)
            if entry is not None:
                return entry
            turns, again = question.prompter.again(turns, told, ()), ", asked again"
            if not turns:
                return None
        return None


def _outcome(answer: str, menu: Sequence[str]) -> str:
    return OK if grounded(answer, menu) is not None else OUTSIDE
