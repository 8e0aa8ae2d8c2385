"""The two ways that sample answers in words: free and parsed, or held to the menu by a JSON schema."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.calls import Place
from parley.models.calling import Request
from parley.models.failures import Unusable
from parley.planners.ways.asking import PROBING, REASONING, Asks, Question, outcome_of
from parley.prompting.answers import parse
from parley.prompting.reasoning import Said
from parley.prompting.template import Turn

PROBE = ("zq-17", "vx-42")  # what no model says of itself


@dataclass
class Answers(Asks):
    """Answers in words, sampled and parsed: frequencies of choices. An invalid one is told back, and asked for anew."""

    name = "parse"

    @property
    def answer(self) -> str:
        return "think" if self.asking.think else "line"

    def __post_init__(self) -> None:
        self.num_answers = self.asking.answers
        many = f"{self.asking.answers} answer{'s' if self.asking.answers > 1 else ''}"
        self.source = f"{self.name}: {many}"

    def probs(self, question: Question) -> Float[np.ndarray, " M"] | None:
        votes = np.zeros(len(question.menu))
        for seed in question.seeds[: self.asking.answers]:
            chosen = self._one(question, seed)
            if chosen is not None:
                votes[chosen] += 1
        return votes / votes.sum() if votes.any() else None

    def _one(self, question: Question, seed: int) -> int | None:
        turns, menu, again, tokens = question.turns, question.menu, "", self.tokens
        more = {"temperature": self.asking.temperature, "seed": seed}
        for _ in range(self.asking.reasks + 1):
            try:
                said = self._answer(turns, question, f"propose by {self.name}{again}", tokens, more)
            except Unusable:
                return None
            chosen = self.meant(said, menu)
            if chosen is not None:
                return chosen
            turns, again = question.prompter.again(turns, said.text, self.listed(menu)), ", asked again"
            if not turns:
                return None  # there is no room left to ask again in
            if said.unfinished:  # it reasons longer than we had thought
                tokens = self._more(tokens, turns, question)
        return None

    def _more(self, tokens: int, turns: list[Turn], question: Question) -> int:
        """More tokens for an answer than it had, as many as fit beside the prompt."""
        budget, size = question.prompter.budget, question.prompter.size(turns)
        room = max(budget - size, 0) if budget else REASONING + tokens
        return min(tokens + REASONING, self.tokens + room)

    def _answer(
        self, turns: list[Turn], question: Question, purpose: str, tokens: int, more: dict[str, Any], **how: Any
    ) -> Said:
        menu = question.menu
        kept = self.ask(
            lambda: self.request(turns, question.place, purpose, tokens, **more, **self._constraint(menu)),
            self.said,
            lambda kept: outcome_of(Said.of(kept), self.meant(Said.of(kept), menu) is not None),
            **how,
        )
        return Said.of(kept)

    def rehearse(self, question: Question) -> str:
        """Empty where a question can be asked as in a run, else why not; how the server wants it asked is learnt.

        Where an answer is cut off before it says anything, all others get as many tokens as models that reason need.
        """
        more = {"temperature": self.asking.temperature, "seed": 0}
        for _ in range(2):
            said = self._answer(question.turns, question, f"probe {self.name}", self.tokens, more, **PROBING)
            if not said.unfinished or self.meant(said, question.menu) is not None or self.tokens >= REASONING:
                break
            if self.asking.max_tokens:
                break
            self.api = replace(self.api, tokens=REASONING)
        return ""

    def meant(self, said: Said, menu: Sequence[str]) -> int | None:
        """The entry that an answer chooses, None where that is not exactly one."""
        return choice_of(said, menu)

    def listed(self, menu: Sequence[str]) -> Sequence[str]:
        """What of the menu is shown where an answer is told back."""
        return menu

    def _constraint(self, menu: Sequence[str]) -> dict[str, Any]:
        return {} if self.chat else {"stop": ["\n"]}

    def probe(self) -> Request | None:
        return None  # any server that answers at all can do this

    def found(self, answer: Any) -> str:
        return ""


@dataclass
class Constrained(Answers):
    """Answers that a JSON schema constrains to the menu."""

    name = "constrained"
    answer = "json"

    def _constraint(self, menu: Sequence[str]) -> dict[str, Any]:
        return {"response_format": _schema(menu)}

    def probe(self) -> Request:
        asked = [Turn("user", "Say hello.\n")]
        return self.request(asked, Place(), "probe constrained", self.tokens, temperature=1, **self._constraint(PROBE))

    def found(self, answer: Any) -> str:
        try:
            held = any(word in Said.of(self.said(answer)).text for word in PROBE)
        except (Unusable, KeyError, IndexError, TypeError, AttributeError):
            held = False
        return "" if held else "the server ignores response_format"


def choice_of(said: Said, menu: Sequence[str]) -> int | None:
    """The entry that an answer chooses, None where that is not exactly one."""
    return None if said.refused else parse(said.whole, menu, said.cut)


def _schema(menu: Sequence[str]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"subgoal": {"type": "string", "enum": list(menu)}},
        "required": ["subgoal"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "choice", "strict": True, "schema": schema}}
