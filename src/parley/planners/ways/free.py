"""The way that lists nothing: a model says in its own words what to do, which is grounded to the menu."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from parley.models.failures import Unusable
from parley.planners.ways.answers import Answers, choice_of
from parley.planners.ways.asking import Question
from parley.prompting.grounding import grounded, said_to_do
from parley.prompting.reasoning import Said


@dataclass
class Free(Answers):
    """Sampled answers in the model's own words; one that means nothing on the menu is told back, and asked for anew."""

    name = "free"
    answer = "free"

    def words(self, question: Question) -> dict[str, float] | None:
        """What the answers say, where the environment itself makes sense of words, and how often."""
        votes = Counter(filter(None, (self._words(question, seed) for seed in question.seeds[: self.asking.answers])))
        return {one: votes[one] / votes.total() for one in sorted(votes)} or None

    def _words(self, question: Question, seed: int) -> str:
        more = {"temperature": self.asking.temperature, "seed": seed}
        try:
            said = self._answer(question.turns, question, "propose by free", self.tokens, more)
        except Unusable:
            return ""
        return "" if said.refused or said.unfinished else said_to_do(said.text)

    def meant(self, said: Said, menu: Sequence[str]) -> int | None:
        """The entry that the words mean; any words mean something (0) where there is no menu."""
        if said.refused or (said.unfinished and menu):
            return choice_of(said, menu)
        if not menu:
            return 0 if said_to_do(said.text) and not said.unfinished else None
        return grounded(said.text, menu)

    def listed(self, menu: Sequence[str]) -> Sequence[str]:
        return ()
