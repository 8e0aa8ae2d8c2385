"""The two ways that give a distribution: log-probabilities of each candidate, or of the letters of the menu."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.calls import OK, OUTSIDE, Place
from parley.core.errors import BadInput
from parley.models.calling import Request
from parley.models.failures import Unusable
from parley.models.scoring import line_scores
from parley.planners.ways.alignment import shared
from parley.planners.ways.asking import PROBING, Asks, Question
from parley.prompting.answers import letters
from parley.prompting.likeness import bare, compatible, seen
from parley.prompting.template import Turn, as_text
from parley.theory.posterior import normalised

MOST_LETTERS = 26  # entries of a menu whose letters are single
LEAST_MASS = 0.5  # of the first token, that the letters must hold: what they share of less is noise
NEVER = -9999.0  # as servers write the log-probability of what cannot be, where JSON has no infinity
AT_ONCE = 64  # candidates of one call
PROBE = ("task: a\n", ["> b\n", "> c d\n"])


@dataclass
class Echo(Asks):
    """Summed log-probabilities of each candidate after the prompt, from completions that echo it.

    They count only from the first token on in which candidates differ. The shared tokens say nothing about which one is
    meant. Where a tokenizer merges across the end of the prompt, the right tokens are counted. Nothing is generated:
    all tokens are the prompt's, wherever a server says that they stand. (vLLM's `text_offset` counts a special token
    put first, and spaces that single tokens lose.)
    """

    name = "echo"
    answer = "line"

    @property
    def chat(self) -> bool:
        return False

    def probs(self, question: Question) -> Float[np.ndarray, " M"] | None:
        return self._probs(question, "propose by echo")

    def _probs(self, question: Question, purpose: str, **how: Any) -> Float[np.ndarray, " M"] | None:
        said = [question.prompter.candidate(sentence, question.menu) for sentence in question.menu]
        if len(said) == 1:
            return np.ones(1)
        prompt, calls = as_text(question.turns), []
        for first in range(1, len(said), AT_ONCE):  # the first candidate is in every call: the others join it there
            try:
                calls.append(
                    self._echoes(prompt, [said[0], *said[first : first + AT_ONCE]], question.place, purpose, how)
                )
            except Unusable:
                return None
        scores = line_scores(*_whole(calls), self.asking.normalise)
        if not np.isfinite(scores.max()):
            return None  # no candidate can be said
        return normalised(scores)

    def probe(self) -> Request:
        return self._request(*PROBE, Place(), "probe echo")

    def found(self, answer: Any) -> str:
        try:
            self._read(answer, [PROBE[0] + said for said in PROBE[1]])
        except (Unusable, KeyError, IndexError, TypeError, ValueError, AttributeError):
            return "the server gives no log-probabilities of a prompt"
        return ""

    def rehearse(self, question: Question) -> str:
        """Empty where a question can be asked as in a run, else why not."""
        return (
            ""
            if self._probs(question, "probe echo", **PROBING) is not None
            else "the server gives no log-probabilities that can be used"
        )

    def _request(self, prompt: str, said: Sequence[str], place: Place, purpose: str) -> Request:
        body: dict[str, Any] = {"model": self.endpoint.server.model, "prompt": [prompt + one for one in said]}
        body |= {"max_tokens": 0, "temperature": 0, "echo": True, "logprobs": 1}
        return self.api.shaped(Request("completions", body, prompt, purpose, place))

    def _echoes(self, prompt: str, said: Sequence[str], place: Place, purpose: str, how: dict[str, Any]) -> "Echoes":
        texts = [prompt + one for one in said]
        begin, found = self.ask(
            lambda: self._request(prompt, said, place, purpose), lambda answer: self._read(answer, texts), **how
        )
        return begin, found

    def _read(self, answer: Any, texts: Sequence[str]) -> "Echoes":
        """What each text says from the first token on in which they differ."""
        choices = sorted(answer["choices"], key=lambda choice: choice.get("index", 0))
        if len(choices) != len(texts):
            raise Unusable("wrong number of choices", json.dumps(answer))
        echoed = [_echoed(choice, text) for choice, text in zip(choices, texts, strict=True)]
        tokens, values = [one for one, _ in echoed], [one for _, one in echoed]
        begin = min(shared(tokens, values, texts), *(len(one) - 1 for one in tokens))
        if begin < 1:
            raise Unusable("wrong log-probs", "the texts share no beginning")
        return begin, [(one[begin:], of[begin:]) for one, of in echoed]


Echoed = tuple[list[str], list[float | None]]  # tokens, and their log-probabilities: None where one cannot come
Echoes = tuple[int, list[Echoed]]  # how many tokens are shared and left out, and what each text says after those


def _whole(calls: Sequence[Echoes]) -> tuple[list[list[str]], list[np.ndarray]]:
    """Tokens and log-probabilities of all candidates, from the first token on in which any two differ."""
    begin, ((tokens, values), *_) = min(calls, key=lambda call: call[0])
    lines, logprobs = [tokens], [_numbers(values)]
    for after, (_, *others) in calls:
        between = after - begin
        lines += [tokens[:between] + more for more, _ in others]
        logprobs += [_numbers(values[:between] + more) for _, more in others]
    return lines, logprobs


def _numbers(values: Sequence[float | None]) -> Float[np.ndarray, " L"]:
    return np.array([-np.inf if value is None else value for value in values], dtype=np.float64)


def _echoed(choice: Any, text: str) -> Echoed:
    """Tokens and log-probabilities of an echoed text; that of the first, before which there is nothing, is 0.

    A token that cannot come costs its candidate alone; a value that is no log-probability costs the answer.
    """
    tokens, values = choice["logprobs"]["tokens"], choice["logprobs"]["token_logprobs"]
    if not tokens or len(tokens) != len(values):
        raise Unusable("wrong number of log-probs", json.dumps(choice))
    if choice["text"] != text or not all(map(_is_logprob, values[1:])):
        raise Unusable("wrong log-probs", json.dumps(choice))
    return list(map(str, tokens)), [0.0, *map(_possible, values[1:])]


def _is_logprob(value: Any) -> bool:
    """Whether a value is a log-probability, or stands for that of what cannot be (null, -Infinity, -9999)."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value <= 1e-3)


def _possible(value: Any) -> float | None:
    return None if value is None or value <= NEVER or not math.isfinite(value) else float(value)


@dataclass
class Letters(Asks):
    """Log-probabilities of the first token of an answer by letter, of the letters of the menu.

    They count if the letters hold most of that token's probability. A model that reasons first, or that says something
    else, is asked in another way.
    """

    name = "letters"
    answer = "letter"

    def probs(self, question: Question) -> Float[np.ndarray, " M"] | None:
        mass = self._mass(question, "propose by letters")
        return mass / mass.sum() if mass is not None and mass.sum() >= LEAST_MASS else None

    def _mass(self, question: Question, purpose: str, **how: Any) -> Float[np.ndarray, " M"] | None:
        """The probability of each letter; None where no log-probabilities came."""
        names = letters(len(question.menu))
        if len(names) > MOST_LETTERS:
            raise BadInput(
                f"a menu of {len(names)} subgoals has more than 26 letters: choose way=constrained or way=parse"
            )
        try:
            told = self.ask(
                lambda: self._request(question.turns, question.place, purpose),
                self._read,
                lambda told: OK if mass_of(told, names).sum() >= LEAST_MASS else OUTSIDE,
                **how,
            )
        except Unusable:
            return None
        return mass_of(told, names)

    def probe(self) -> Request:
        return self._request([Turn("user", "Answer with the letter A or B.\n")], Place(), "probe letters")

    def found(self, answer: Any) -> str:
        try:
            told = self._read(answer)
        except (Unusable, KeyError, IndexError, TypeError, AttributeError):
            return "the server ignores logprobs"
        if not told:
            return "the server ignores logprobs"
        if len(told) < 2:
            return "the server tells one token's log-probability only"
        return _too_little(mass_of(told, ("A", "B")).sum())

    def rehearse(self, question: Question) -> str:
        """Empty where a question can be asked as in a run, else why not."""
        mass = self._mass(question, "probe letters", **PROBING)
        return "the server gives no log-probabilities that can be used" if mass is None else _too_little(mass.sum())

    def _request(self, turns: list[Turn], place: Place, purpose: str) -> Request:
        top = self.api.top
        logprobs = {"logprobs": True, "top_logprobs": top} if self.chat else {"logprobs": top}
        return self.request(turns, place, purpose, 1, temperature=1, **logprobs)

    def _read(self, answer: Any) -> list[list[Any]]:
        """Pairs of token and log-probability, of the first token; what cannot come is left out."""
        told = first_token(answer["choices"][0].get("logprobs"))
        if not all(_is_logprob(value) for value in told.values()):
            raise Unusable("wrong log-probs", json.dumps(answer))
        possible = {token: _possible(value) for token, value in told.items()}
        return [[token, value] for token, value in possible.items() if value is not None]


def first_token(logprobs: Any) -> dict[str, Any]:
    """What servers tell of the first token, by token: in either API's form, whichever they were asked by."""
    if isinstance(logprobs, list):
        logprobs = {"content": logprobs}
    if not isinstance(logprobs, Mapping):
        return {}
    content, legacy = logprobs.get("content"), logprobs.get("top_logprobs")
    if isinstance(content, list) and content and isinstance(content[0], Mapping):
        top = content[0].get("top_logprobs") or []
        if isinstance(top, Mapping):
            return {str(token): value for token, value in top.items()}
        entries = [*top, content[0]]
    elif isinstance(legacy, list) and legacy:
        first = legacy[0] or {}
        if isinstance(first, Mapping) and "token" not in first:
            return {str(token): value for token, value in first.items()}
        entries = first if isinstance(first, list) else [first]
    else:
        return {}
    told: dict[str, Any] = {}
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("token") is not None:
            told.setdefault(str(entry["token"]), entry.get("logprob"))
    return told


def mass_of(told: Sequence[Sequence[Any]], names: Sequence[str]) -> Float[np.ndarray, " M"]:
    """The probability of each letter, whatever space, dot or quote its token carries.

    >>> mass_of([["ĠB", -0.7], ["▁B.", -1.4], ["Bee", -3.0]], ["A", "B"]).round(2).tolist()
    [0.0, 0.74]
    """
    mass, index = np.zeros(len(names)), {name: i for i, name in enumerate(names)}
    for token, value in told:
        i = index.get(spelt(token))
        if i is not None:
            mass[i] += math.exp(min(value, 0.0))
    return mass


def spelt(token: str) -> str:
    """What a token spells, without the marks of tokenizers (`▁B`, `ĠB`, `<0x42>`) and the punctuation around it."""
    if token.startswith("<0x") and token.endswith(">") and len(token) == 6:
        try:
            token = chr(int(token[3:5], 16))
        except ValueError:
            return token
    return bare(compatible(seen(token.replace("▁", " ").replace("Ġ", " ").replace("Ċ", " "))))


def _too_little(mass: float) -> str:
    """Why letters that hold so much of the probability are not asked for; empty where they are."""
    return "" if mass >= LEAST_MASS else f"the letters hold {mass:.2g} of the first token's probability"
