"""The two ways that sample answers in words: free and parsed, or held to the menu by a JSON schema."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.calls import OK, OUTSIDE, Place
from parley.models.endpoint import Request
from parley.models.failures import Unusable
from parley.planners.ways.asking import Asks, Question
from parley.prompting.answers import parse
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
        turns, menu, again = question.turns, question.menu, ""
        more = {"temperature": self.asking.temperature, "seed": seed, **self._constraint(menu)}
        for _ in range(self.asking.reasks + 1):
            purpose = f"propose by {self.name}{again}"
            request = self.request(turns, question.place, purpose, self.tokens, **more)
            try:
                said = self.endpoint.ask(
                    request, self.said, lambda said: OK if parse(said, menu) is not None else OUTSIDE
                )
            except Unusable:
                return None
            chosen = parse(said, menu)
            if chosen is not None:
                return chosen
            turns, again = question.prompter.again(turns, said, menu), ", asked again"
            if not turns:
                return None  # there is no room left to ask again in
        return None

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
            held = any(word in self.said(answer) for word in PROBE)
        except (Unusable, KeyError, IndexError, TypeError, AttributeError):
            held = False
        return "" if held else "the server ignores response_format"


def _schema(menu: Sequence[str]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"subgoal": {"type": "string", "enum": list(menu)}},
        "required": ["subgoal"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "choice", "strict": True, "schema": schema}}
