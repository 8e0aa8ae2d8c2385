"""Four ways to get a distribution over a menu out of a server, and the probe that finds out which it can do.

`echo`: prompt log-probabilities of each candidate. `letters`: log-probabilities of the first token of an answer by
letter. `constrained`: answers constrained to the menu by a JSON schema, sampled n times. `parse`: free text, parsed,
sampled n times. The first two give a distribution; the others give answers, and say so.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from parley.core.calls import OK, OUTSIDE, Place, RunPaused
from parley.core.errors import BadInput
from parley.models.endpoint import Endpoint, Failure, Refused, Request, Unusable
from parley.prompting.answers import letters, parse
from parley.prompting.prompter import Prompter
from parley.prompting.template import Turn, as_messages, as_text

WAYS = ("echo", "letters", "constrained", "parse")
TOP = 20  # most first tokens that servers tell log-probabilities of
AT_ONCE = 64  # candidates of one call
PROBE_ATTEMPTS = 5
PROBE = ["task: a\n> b\n", "task: a\n> c d\n"]


@dataclass(frozen=True)
class Asking:
    """How a model is asked: the way, answers sampled for a proposal, tokens of an answer, repeated questions."""

    way: str = "auto"
    answers: int = 1
    temperature: float = 1.0
    max_tokens: int = 0  # of an answer; 0: 32, or 512 with reasoning
    reasks: int = 2
    think: bool = False
    normalise: str = "none"

    def __post_init__(self) -> None:
        if self.way not in ("auto", *WAYS):
            raise BadInput(f"way={self.way!r}: expected auto, {', '.join(WAYS)}")
        if self.think and self.way not in ("auto", "parse"):
            raise BadInput(f"think=true goes with way=parse: way={self.way!r} leaves no room for reasoning")
        if not 1 <= self.answers <= 1000:
            raise BadInput(f"answers={self.answers}: expected 1 to 1000 answers for each proposal")
        if not 0 <= self.temperature <= 2:
            raise BadInput(f"temperature={self.temperature}: expected a number between 0 and 2")
        if self.reasks < 0 or self.max_tokens < 0:
            raise BadInput(
                f"reasks={self.reasks}, max_tokens={self.max_tokens}: expected numbers that are not negative"
            )
        if self.normalise not in ("none", "length"):
            raise BadInput(f"normalise={self.normalise!r}: expected none or length")

    @property
    def tokens(self) -> int:
        """The most tokens of an answer."""
        return self.max_tokens or (512 if self.think else 32)


@dataclass(frozen=True)
class Question:
    """What is asked of a model for one decision: the prompt, the menu, whose decision, and seeds for its answers."""

    prompter: Prompter
    turns: list[Turn]
    menu: Sequence[str]
    place: Place
    seeds: Sequence[int]


class Way(Protocol):
    """One of the four. `source` is empty where it gives a distribution, else it says what it gives instead."""

    name: str
    chat: bool  # messages, each with something around it, or one text
    answer: str  # the form in which the prompt asks for an answer
    source: str
    num_answers: int  # sampled for a proposal, 0 where none is

    def probs(self, question: Question) -> Float[np.ndarray, " M"] | None:
        """A distribution over the menu, None where no usable answer came."""


@dataclass
class _Asks:
    """What all ways share: the server, the options, and which of the two APIs it has."""

    endpoint: Endpoint
    asking: Asking
    chat: bool = True
    source: str = ""
    num_answers: int = 0

    def request(self, turns: list[Turn], place: Place, purpose: str, **more: Any) -> Request:
        """A request for an answer to a prompt, by chat or completion."""
        body: dict[str, Any] = {"model": self.endpoint.server.model}
        if self.chat:
            messages = as_messages(turns)
            prompt, path = json.dumps(messages, ensure_ascii=False), "chat/completions"
            body["messages"] = messages
        else:
            prompt, path = as_text(turns), "completions"
            body["prompt"] = prompt
        return Request(path, {**body, **more}, prompt, purpose, place)


@dataclass
class Echo(_Asks):
    """Summed log-probabilities of each candidate after the prompt, from completions that echo it.

    Only from the first token on in which candidates differ: what they share says nothing about which one is meant, and
    where a tokenizer merges across the end of the prompt the right tokens are counted.
    """

    name = "echo"
    answer = "line"

    def __post_init__(self) -> None:
        self.chat = False

    def probs(self, question: Question) -> Float[np.ndarray, " M"] | None:
        said = [question.prompter.candidate(sentence, question.menu) for sentence in question.menu]
        if len(said) == 1:
            return np.ones(1)
        prompt, scores = as_text(question.turns), np.zeros(len(said))
        for first in range(1, len(said), AT_ONCE):  # the first candidate is in every call: scores are relative to it
            some = said[first : first + AT_ONCE]
            try:
                found = self._scores(prompt, [said[0], *some], question.place)
            except Unusable:
                return None
            scores[first : first + AT_ONCE] = found[1:] - found[0]
        probs = np.exp(scores - scores.max())
        return probs / probs.sum()

    def _scores(self, prompt: str, said: list[str], place: Place, purpose: str = "propose by echo") -> np.ndarray:
        texts = [prompt + one for one in said]
        body: dict[str, Any] = {"prompt": texts, "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1}
        body["model"] = self.endpoint.server.model
        length = self.asking.normalise == "length"

        def read(answer: Any) -> list[float]:
            choices = sorted(answer["choices"], key=lambda choice: choice.get("index", 0))
            if len(choices) != len(texts):
                raise Unusable("wrong number of choices", json.dumps(answer)[:2000])
            return _beyond_shared([_echoed(c, text) for c, text in zip(choices, texts, strict=True)], length)

        return np.array(self.endpoint.ask(Request("completions", body, prompt, purpose, place), read))

    def probe(self) -> str:
        """Empty where the server can do this, else why not."""

        def read(answer: Any) -> str:
            try:
                if len(answer["choices"]) != len(PROBE):
                    return "a list of prompts gets another number of answers"
                _beyond_shared([_echoed(c, t) for c, t in zip(answer["choices"], PROBE, strict=True)], False)
            except (Unusable, KeyError, IndexError, TypeError, ValueError, AttributeError):
                return "the server gives no log-probabilities of a prompt"
            return ""

        body: dict[str, Any] = {"model": self.endpoint.server.model, "prompt": PROBE}
        body |= {"max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1}
        return _probed(self.endpoint, Request("completions", body, PROBE[0], "probe echo", Place()), read)


def _echoed(choice: Any, text: str) -> tuple[list[str], list[float]]:
    """Tokens and log-probabilities of an echoed prompt, without what was generated after it."""
    logprobs = choice["logprobs"]
    tokens, values = logprobs["tokens"], logprobs["token_logprobs"]
    if len(tokens) != len(values):
        raise Unusable("wrong number of log-probs", json.dumps(choice)[:2000])
    offsets = logprobs.get("text_offset")
    if offsets is None:
        offsets = [0, *np.cumsum([len(token) for token in tokens])[:-1].tolist()]
    kept = [i for i, at in enumerate(offsets) if at < len(text)]
    if not kept or len(offsets) != len(tokens) or kept[-1] != len(kept) - 1:
        raise Unusable("wrong number of log-probs", json.dumps(choice)[:2000])
    values = [values[i] for i in kept]
    known = [isinstance(v, int | float) and math.isfinite(v) and v <= 1e-3 for v in values[1:]]
    if not all(known) or (len(tokens[0]) and not str(choice.get("text", text)).startswith(text[:1])):
        raise Unusable("wrong log-probs", json.dumps(choice)[:2000])
    return [str(tokens[i]) for i in kept], [float(values[0] or 0.0), *map(float, values[1:])]


def _beyond_shared(echoed: Sequence[tuple[list[str], list[float]]], length: bool) -> list[float]:
    """The sum (or mean) of log-probabilities from the first token on in which the texts differ."""
    shortest = min(len(tokens) for tokens, _ in echoed)
    first = echoed[0][0]
    shared = next((i for i in range(shortest) if any(t[i] != first[i] for t, _ in echoed)), shortest)
    if shared == 0:
        raise Unusable("wrong log-probs", "the texts share no beginning")
    return [sum(v[shared:]) / (max(1, len(v) - shared) if length else 1) for _, v in echoed]


@dataclass
class Letters(_Asks):
    """Log-probabilities of the first token of an answer by letter, of the letters of the menu."""

    name = "letters"
    answer = "letter"

    def probs(self, question: Question) -> Float[np.ndarray, " M"] | None:
        names = letters(len(question.menu))
        if len(names) > len(letters(26)):
            raise BadInput(
                f"a menu of {len(names)} subgoals has more than 26 letters: choose way=constrained or way=parse"
            )
        request = self.request(question.turns, question.place, "propose by letters", **self._body())
        try:
            told = self.endpoint.ask(request, self._read, lambda told: OK if _mass(told, names).any() else OUTSIDE)
        except Unusable:
            return None
        mass = _mass(told, names)
        return mass / mass.sum() if mass.any() else None

    def _body(self) -> dict[str, Any]:
        logprobs = {"logprobs": True, "top_logprobs": TOP} if self.chat else {"logprobs": TOP}
        return {"max_tokens": 1, "temperature": 1, **logprobs}

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

    def probe(self) -> str:
        """Empty where the server can do this, else why not."""

        def read(answer: Any) -> str:
            try:
                return "" if len(self._read(answer)) > 1 else "the server tells one token's log-probability only"
            except (Unusable, KeyError, IndexError, TypeError, AttributeError):
                return "the server ignores logprobs"

        asked = [Turn("user", "Answer with the letter A or B.\n")]
        return _probed(self.endpoint, self.request(asked, Place(), "probe letters", **self._body()), read)


def _mass(told: Sequence[Sequence[Any]], names: Sequence[str]) -> Float[np.ndarray, " M"]:
    """The probability of each letter, whatever space or dot its token carries."""
    mass, index = np.zeros(len(names)), {name: i for i, name in enumerate(names)}
    for token, value in told:
        i = index.get(token.strip(" .\n\t>)\"'*"))
        if i is not None:
            mass[i] += math.exp(value)
    return mass


@dataclass
class Answers(_Asks):
    """Answers in words, sampled and parsed: frequencies of choices. An invalid one is told back, and asked for anew."""

    name = "parse"
    extra: dict[str, Any] = field(default_factory=dict)

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
        turns, menu = question.turns, question.menu
        for again in range(self.asking.reasks + 1):
            purpose = f"propose by {self.name}" + (", asked again" if again else "")
            more = {"max_tokens": self.asking.tokens, "temperature": self.asking.temperature, "seed": seed}
            request = self.request(turns, question.place, purpose, **more, **self._constraint(menu))
            try:
                said = self.endpoint.ask(request, self._read, lambda said: OUTSIDE if parse(said, menu) is None else OK)
            except Unusable:
                return None
            chosen = parse(said, menu)
            if chosen is not None:
                return chosen
            turns = question.prompter.again(turns, said, menu)
        return None

    def _constraint(self, menu: Sequence[str]) -> dict[str, Any]:
        return {} if self.chat else {"stop": ["\n"]}

    def _read(self, answer: Any) -> str:
        choice = answer["choices"][0]
        said = choice["message"].get("content") if self.chat else choice["text"]
        if said is None or not str(said).strip():
            raise Unusable("empty answer", json.dumps(answer)[:2000])
        return str(said)

    def probe(self) -> str:
        """Empty: any server that answers at all can do this."""
        return ""


@dataclass
class Constrained(Answers):
    """Answers that a JSON schema constrains to the menu."""

    name = "constrained"
    answer = "json"

    def _constraint(self, menu: Sequence[str]) -> dict[str, Any]:
        return {"response_format": _schema(menu)}

    def probe(self) -> str:
        """Empty where the server holds to a schema that a free answer would not, else why not."""
        words = ["zq-17", "vx-42"]

        def read(answer: Any) -> str:
            try:
                return "" if any(word in self._read(answer) for word in words) else "the server ignores response_format"
            except (Unusable, KeyError, IndexError, TypeError, AttributeError):
                return "the server ignores response_format"

        asked = [Turn("user", "Say hello.\n")]
        more = {"max_tokens": self.asking.tokens, "temperature": 1, "seed": 0, "response_format": _schema(words)}
        return _probed(self.endpoint, self.request(asked, Place(), "probe constrained", **more), read)


def _schema(menu: Sequence[str]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"subgoal": {"type": "string", "enum": list(menu)}},
        "required": ["subgoal"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "choice", "strict": True, "schema": schema}}


def _probed(endpoint: Endpoint, request: Request, read: Any) -> str:
    """What a probe found, asked twice before a server is said not to be able to."""
    why = ""
    for seed in (0, 1):
        try:
            body = {**(request.body or {}), "seed": seed}
            asked = Request(request.path, body, request.prompt, request.purpose, request.place)
            why = str(endpoint.ask(asked, read, attempts=PROBE_ATTEMPTS, probing=True))
        except (Refused, Failure) as refused:
            return f"the server refuses: {refused.outcome}"
        if not why:
            break
    return why


def choose_way(endpoint: Endpoint, asking: Asking) -> tuple[Way, dict[str, str]]:
    """The first way that the server can do (or the one that is asked for), and what the probe found of each.

    Raises `BadInput` where no server answers, or it refuses model or key.
    """
    chat, reached = _reach(endpoint)
    kinds: dict[str, type[Any]] = {"echo": Echo, "letters": Letters, "constrained": Constrained, "parse": Answers}
    if asking.way != "auto":
        return kinds[asking.way](endpoint, asking, chat), {"api": reached, asking.way: "asked for"}
    found = {"api": reached}
    for name in ("parse",) if asking.think else WAYS:
        way = kinds[name](endpoint, asking, chat)
        found[name] = way.probe() or "ok"
        if found[name] == "ok":
            return way, found
    raise BadInput(f"{endpoint.server.base_url}: no way to ask it was found: {found}")


def _reach(endpoint: Endpoint) -> tuple[bool, str]:
    """Whether the server has the chat API (else completions), from one short call of each."""
    asking = Asking()
    refusals: list[BadInput] = []
    for chat in (True, False):
        asks = _Asks(endpoint, asking, chat)
        request = asks.request([Turn("user", "Say hello.\n")], Place(), "probe api", max_tokens=1)
        try:
            endpoint.ask(request, lambda answer: len(answer["choices"]), attempts=PROBE_ATTEMPTS, probing=True)
        except Refused as refused:
            if "key" in refused.outcome:
                raise
            refusals.append(refused)
        except Unusable as unusable:
            refusals.append(BadInput(f"{endpoint.server.base_url} is no OpenAI-compatible server: {unusable}"))
        except (Failure, RunPaused) as failed:
            said = f"{endpoint.server.base_url} does not answer ({failed}): is the address right, and the server up?"
            refusals.append(BadInput(said))
        else:
            return chat, "chat" if chat else "completions"
    raise refusals[0]
