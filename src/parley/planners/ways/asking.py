"""How a model is asked to choose: the options, the question, and what all ways of asking share."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from parley.core.calls import CUT, DECLINED, OK, OUTSIDE, SILENT, Place
from parley.core.errors import BadInput
from parley.models.calling import Request
from parley.models.endpoint import Endpoint
from parley.models.failures import Failure, Refused
from parley.models.scoring import NORMALISE
from parley.planners.ways.api import Api
from parley.prompting.likeness import seen
from parley.prompting.prompter import Prompter
from parley.prompting.reasoning import Said
from parley.prompting.template import Turn, as_messages, as_text

WAYS = ("echo", "letters", "constrained", "parse", "free")
APIS = ("auto", "chat", "completions")
LINE, THINKING = 32, 512  # tokens of an answer: one line, or reasoning in the open first
PROBING: dict[str, Any] = {"attempts": 5, "probing": True}  # how a probe calls
REASONING = 2048  # for models that cannot but reason first


@dataclass(frozen=True)
class Asking:
    """How a model is asked: the way and the API, answers sampled for a proposal, tokens of an answer, reasks."""

    way: str = "auto"
    answers: int = 1
    temperature: float = 1.0
    max_tokens: int = 0  # of an answer; 0: as the way and the model need
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
class Question:
    """The question to a model for one decision: the prompt, the menu, the Actor, and seeds for its answers."""

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
    api: Api  # how the server wants to be asked; it changes as the server refuses

    @property
    def chat(self) -> bool:
        """Whether prompts are messages, each with something around it, or one text."""

    @property
    def tokens(self) -> int:
        """The most tokens of an answer."""

    def probs(self, question: Question) -> Float[np.ndarray, " M"] | None:
        """A distribution over the menu, None where no usable answer came."""

    def rehearse(self, question: Question) -> str:
        """Empty where a question can be asked as in a run, else why not; how the server wants it asked is learnt."""

    def say(self, turns: list[Turn], place: Place, purpose: str, tokens: int, seed: int) -> str:
        """Free text in answer to a prompt, empty if no answer came."""


@dataclass
class Asks:
    """What all ways share: the server, the options, and how the server wants to be asked, which it may change."""

    endpoint: Endpoint
    asking: Asking
    api: Api = field(default_factory=Api)
    source: str = ""
    num_answers: int = 0
    _learning: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def chat(self) -> bool:
        return self.api.chat

    @property
    def tokens(self) -> int:
        least = THINKING if self.asking.think else LINE
        return self.asking.max_tokens or self.api.tokens or (REASONING if self.api.limit != Api.limit else least)

    def request(self, turns: list[Turn], place: Place, purpose: str, tokens: int, **more: Any) -> Request:
        """A request for an answer of at most so many `tokens` to a prompt, by chat or completion."""
        body: dict[str, Any] = {"model": self.endpoint.server.model, self.api.limit: tokens}
        if self.api.chat:
            messages = as_messages(turns, self.api.system)
            prompt = json.dumps(messages, ensure_ascii=False)
            body["messages"] = messages
        else:
            prompt = as_text(turns)
            body["prompt"] = prompt
        return self.api.shaped(Request(self.api.path, {**body, **more}, prompt, purpose, place))

    def ask(
        self,
        made: Callable[[], Request],
        read: Callable[[Any], Any],
        judge: Callable[[Any], str] = lambda answer: OK,
        **how: Any,
    ) -> Any:
        """What `read` makes of the answer to a request; one that the server refuses is `made` anew, as it wants it."""
        while True:
            api, request = self.api, made()
            try:
                return self.endpoint.ask(request, read, judge, **how)
            except (Refused, Failure) as refused:
                learnt = api.after(refused, request.body or {})
                if learnt is None:
                    raise
            with self._learning:
                self.api = self.api.and_also(learnt)

    def said(self, answer: Any) -> str | dict[str, Any]:
        """What an answer says, as the log keeps it (`prompting.reasoning.Said`)."""
        return Said.in_choice(answer["choices"][0], self.api.chat).kept

    def say(self, turns: list[Turn], place: Place, purpose: str, tokens: int, seed: int) -> str:
        more = {"temperature": self.asking.temperature, "seed": seed}
        kept = self.ask(
            lambda: self.request(turns, place, purpose, tokens, **more),
            self.said,
            lambda kept: outcome_of(Said.of(kept)),
        )
        said = Said.of(kept)
        return "" if said.refused else said.text


def outcome_of(said: Said, fits: bool = True) -> str:
    """What the log calls an answer: `fits` says whether it is one of those that were asked for."""
    if said.refused:
        return DECLINED
    if fits and seen(said.text):
        return OK
    return CUT if said.unfinished else OUTSIDE if seen(said.text) else SILENT
