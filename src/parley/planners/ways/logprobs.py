"""The two ways that give a distribution: log-probabilities of each candidate, or of the letters of the menu."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.calls import OK, OUTSIDE, Place
from parley.core.errors import BadInput
from parley.models.endpoint import Request
from parley.models.failures import Unusable
from parley.models.scoring import line_scores
from parley.planners.ways.asking import Asks, Question
from parley.prompting.answers import letters
from parley.prompting.template import Turn, as_text

TOP = 20  # most first tokens that servers tell log-probabilities of
MOST_LETTERS = 26  # entries of a menu whose letters are single
AT_ONCE = 64  # candidates of one call
PROBE = ("task: a\n", ["> b\n", "> c d\n"])


@dataclass
class Echo(Asks):
    """Summed log-probabilities of each candidate after the prompt, from completions that echo it.

    Only from the first token on in which candidates differ: what they share says nothing about which one is meant, and
    where a tokenizer merges across the end of the prompt the right tokens are counted. Nothing is generated: all tokens
    are the prompt's, wherever a server says that they stand (vLLM's `text_offset` counts a special token put first,
    and spaces that single tokens lose).
    """

    name = "echo"
    answer = "line"

    @property
    def chat(self) -> bool:
        return False

    def probs(self, question: Question) -> Float[np.ndarray, " M"] | None:
        said = [question.prompter.candidate(sentence, question.menu) for sentence in question.menu]
        if len(said) == 1:
            return np.ones(1)
        prompt, calls = as_text(question.turns), []
        for first in range(1, len(said), AT_ONCE):  # the first candidate is in every call: the others join it there
            try:
                calls.append(self._echoes(prompt, [said[0], *said[first : first + AT_ONCE]], question.place))
            except Unusable:
                return None
        scores = line_scores(*_whole(calls), self.asking.normalise)
        probs = np.exp(scores - scores.max())
        return probs / probs.sum()

    def probe(self) -> Request:
        return self._request(*PROBE, Place(), "probe echo")

    def found(self, answer: Any) -> str:
        try:
            self._read(answer, [PROBE[0] + said for said in PROBE[1]])
        except (Unusable, KeyError, IndexError, TypeError, ValueError, AttributeError):
            return "the server gives no log-probabilities of a prompt"
        return ""

    def _request(self, prompt: str, said: Sequence[str], place: Place, purpose: str) -> Request:
        body: dict[str, Any] = {"model": self.endpoint.server.model, "prompt": [prompt + one for one in said]}
        body |= {"max_tokens": 0, "temperature": 0, "echo": True, "logprobs": 1}
        return Request("completions", body, prompt, purpose, place)

    def _echoes(self, prompt: str, said: Sequence[str], place: Place) -> "Echoes":
        request, texts = self._request(prompt, said, place, "propose by echo"), [prompt + one for one in said]
        shared, found = self.endpoint.ask(request, lambda answer: self._read(answer, texts))
        return shared, found

    def _read(self, answer: Any, texts: Sequence[str]) -> "Echoes":
        """What each text says from the first token on in which they differ."""
        choices = sorted(answer["choices"], key=lambda choice: choice.get("index", 0))
        if len(choices) != len(texts):
            raise Unusable("wrong number of choices", json.dumps(answer)[:2000])
        echoed = [_echoed(choice, text) for choice, text in zip(choices, texts, strict=True)]
        shortest, first = min(len(tokens) for tokens, _ in echoed), echoed[0][0]
        shared = next((i for i in range(shortest) if any(t[i] != first[i] for t, _ in echoed)), shortest - 1)
        if shared == 0:
            raise Unusable("wrong log-probs", "the texts share no beginning")
        return shared, [(tokens[shared:], values[shared:]) for tokens, values in echoed]


Echoed = tuple[list[str], list[float]]  # tokens, and their log-probabilities
Echoes = tuple[int, list[Echoed]]  # how many tokens are shared and left out, and what each text says after those


def _whole(calls: Sequence[Echoes]) -> tuple[list[list[str]], list[np.ndarray]]:
    """Tokens and log-probabilities of all candidates, from the first token on in which any two differ."""
    shared, ((tokens, values), *_) = min(calls, key=lambda call: call[0])
    lines, logprobs = [tokens], [np.array(values)]
    for after, (_, *others) in calls:
        begin = after - shared
        lines += [tokens[:begin] + more for more, _ in others]
        logprobs += [np.array(values[:begin] + more) for _, more in others]
    return lines, logprobs


def _echoed(choice: Any, text: str) -> Echoed:
    """Tokens and log-probabilities of an echoed text; that of the first, before which there is nothing, is 0."""
    tokens, values = choice["logprobs"]["tokens"], choice["logprobs"]["token_logprobs"]
    if not tokens or len(tokens) != len(values):
        raise Unusable("wrong number of log-probs", json.dumps(choice)[:2000])
    known = [isinstance(v, int | float) and math.isfinite(v) and v <= 1e-3 for v in values[1:]]
    if choice["text"] != text or not all(known):
        raise Unusable("wrong log-probs", json.dumps(choice)[:2000])
    return list(map(str, tokens)), [float(values[0] or 0.0), *map(float, values[1:])]


@dataclass
class Letters(Asks):
    """Log-probabilities of the first token of an answer by letter, of the letters of the menu."""

    name = "letters"
    answer = "letter"

    def probs(self, question: Question) -> Float[np.ndarray, " M"] | None:
        names = letters(len(question.menu))
        if len(names) > MOST_LETTERS:
            raise BadInput(
                f"a menu of {len(names)} subgoals has more than 26 letters: choose way=constrained or way=parse"
            )
        request = self._request(question.turns, question.place, "propose by letters")
        try:
            told = self.endpoint.ask(request, self._read, lambda told: OK if _mass(told, names).any() else OUTSIDE)
        except Unusable:
            return None
        mass = _mass(told, names)
        return mass / mass.sum() if mass.any() else None

    def probe(self) -> Request:
        return self._request([Turn("user", "Answer with the letter A or B.\n")], Place(), "probe letters")

    def found(self, answer: Any) -> str:
        try:
            return "" if len(self._read(answer)) > 1 else "the server tells one token's log-probability only"
        except (Unusable, KeyError, IndexError, TypeError, AttributeError):
            return "the server ignores logprobs"

    def _request(self, turns: list[Turn], place: Place, purpose: str) -> Request:
        logprobs = {"logprobs": True, "top_logprobs": TOP} if self.chat else {"logprobs": TOP}
        return self.request(turns, place, purpose, 1, temperature=1, **logprobs)

    def _read(self, answer: Any) -> list[list[Any]]:
        """Pairs of token and log-probability."""
        logprobs = answer["choices"][0].get("logprobs") or {}
        if self.chat:
            first = (logprobs.get("content") or [{}])[0]
            told = [(top["token"], top["logprob"]) for top in first.get("top_logprobs") or []]
        else:
            told = list(((logprobs.get("top_logprobs") or [{}])[0] or {}).items())
        if not told:
            raise Unusable("no log-probs", json.dumps(answer)[:2000])
        if not all(isinstance(v, int | float) and v <= 1e-3 for _, v in told):
            raise Unusable("wrong log-probs", json.dumps(answer)[:2000])
        return [[str(token), float(value)] for token, value in told]


def _mass(told: Sequence[Sequence[Any]], names: Sequence[str]) -> Float[np.ndarray, " M"]:
    """The probability of each letter, whatever space or dot its token carries."""
    mass, index = np.zeros(len(names)), {name: i for i, name in enumerate(names)}
    for token, value in told:
        i = index.get(token.strip(" .\n\t>)\"'*"))
        if i is not None:
            mass[i] += math.exp(value)
    return mass
