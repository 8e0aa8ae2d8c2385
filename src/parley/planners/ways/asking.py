"""How a model is asked to choose: the options, the question, and what all ways of asking share."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from parley.core.calls import Place
from parley.core.errors import BadInput
from parley.models.endpoint import Endpoint, Request
from parley.models.failures import Empty
from parley.models.scoring import NORMALISE
from parley.prompting.prompter import Prompter
from parley.prompting.template import Turn, as_messages, as_text

WAYS = ("echo", "letters", "constrained", "parse", "free")
APIS = ("auto", "chat", "completions")
REASONING = 2048  # tokens of an answer for models that cannot but reason first


@dataclass(frozen=True)
class Asking:
    """How a model is asked: the way and the API, answers sampled for a proposal, tokens of an answer, reasks."""

    way: str = "auto"
    answers: int = 1
    temperature: float = 1.0
    max_tokens: int = 0  # of an answer; 0: 32, or 512 with reasoning
    reasks: int = 2
    think: bool = False
    normalise: str = "none"
    api: str = "auto"

    def __post_init__(self) -> None:
        for name, known in (("way", ("auto", *WAYS)), ("normalise", NORMALISE), ("api", APIS)):
            if getattr(self, name) not in known:
                raise BadInput(f"{name}={getattr(self, name)!r}: expected {', '.join(known)}")
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


@dataclass(frozen=True)
class Api:
    """Which of the two APIs a server is asked by, and what it calls the most tokens of an answer.

    OpenAI's reasoning models take `max_completion_tokens` only, and what they reason counts.
    """

    chat: bool = True
    limit: str = "max_tokens"

    @property
    def path(self) -> str:
        """The route, below the base URL."""
        return "chat/completions" if self.chat else "completions"


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
    answer: str  # the form in which the prompt asks for an answer
    source: str
    num_answers: int  # sampled for a proposal, 0 where none is

    @property
    def chat(self) -> bool:
        """Whether prompts are messages, each with something around it, or one text."""

    @property
    def tokens(self) -> int:
        """The most tokens of an answer."""

    def probs(self, question: Question) -> Float[np.ndarray, " M"] | None:
        """A distribution over the menu, None where no usable answer came."""

    def say(self, turns: list[Turn], place: Place, purpose: str, tokens: int, seed: int) -> str:
        """Free text in answer to a prompt."""


@dataclass
class Asks:
    """What all ways share: the server, the options, and its API."""

    endpoint: Endpoint
    asking: Asking
    api: Api = field(default_factory=Api)
    source: str = ""
    num_answers: int = 0

    @property
    def chat(self) -> bool:
        return self.api.chat

    @property
    def tokens(self) -> int:
        least = 512 if self.asking.think else 32
        return self.asking.max_tokens or (REASONING if self.api.limit == "max_completion_tokens" else least)

    def request(self, turns: list[Turn], place: Place, purpose: str, tokens: int, **more: Any) -> Request:
        """A request for an answer of at most so many `tokens` to a prompt, by chat or completion."""
        body: dict[str, Any] = {"model": self.endpoint.server.model, self.api.limit: tokens}
        if self.api.chat:
            messages = as_messages(turns)
            prompt = json.dumps(messages, ensure_ascii=False)
            body["messages"] = messages
        else:
            prompt = as_text(turns)
            body["prompt"] = prompt
        return Request(self.api.path, {**body, **more}, prompt, purpose, place)

    def said(self, answer: Any) -> str:
        """The text of an answer; empty where reasoning took all its tokens. Raises `Empty` where there is nothing."""
        choice = answer["choices"][0]
        text = (choice["message"].get("content") if self.api.chat else choice["text"]) or ""
        if not str(text).strip() and choice.get("finish_reason") != "length":
            raise Empty(json.dumps(answer)[:2000])
        return str(text)

    def say(self, turns: list[Turn], place: Place, purpose: str, tokens: int, seed: int) -> str:
        more = {"temperature": self.asking.temperature, "seed": seed}
        return str(self.endpoint.ask(self.request(turns, place, purpose, tokens, **more), self.said))
