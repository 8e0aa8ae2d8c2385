"""The OpenAI API without HTTP: requests to answers, with the fields, errors and usage that planners need."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from parley.serving.engine import TOP, Abandoned, Answer, Engine, Sampling, Token
from parley.serving.language import texts_of

MOST_ANSWERS = 128
MOST_PROMPTS = 1024
MOST_TOKENS = 1 << 14  # generated for one request
MOST_STOPS, LONGEST_STOP = 16, 1000


Gone = Callable[[], bool]  # whether nobody waits for the answer any more


class Problem(Exception):
    """An error as the OpenAI API says it."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclass(frozen=True)
class Field:
    """A field of a request: its type, its default, and the range of numbers."""

    kind: type | tuple[type, ...]
    default: Any
    low: float = float("-inf")
    high: float = float("inf")


FIELDS = {
    "max_tokens": Field(int, None, 0),
    "max_completion_tokens": Field(int, None, 0),
    "temperature": Field((int, float), 1.0, 0, 2),
    "top_p": Field((int, float), 1.0, 0, 1),
    "n": Field(int, 1, 1, MOST_ANSWERS),
    "seed": Field(int, None, -(2**63), 2**64),
    "echo": Field(bool, False),
    "stream": Field(bool, False),
    "stop": Field((str, list), None),
}


def fields_of(body: Any) -> dict[str, Any]:
    """The fields of a request, checked; what this server does not know is left alone, as other servers do."""
    if not isinstance(body, dict):
        raise Problem(400, "the body should be a JSON object")
    found = {}
    for name, of in FIELDS.items():
        value = body.get(name)
        if value is None:
            found[name] = of.default
            continue
        if not isinstance(value, of.kind) or (isinstance(value, bool) and of.kind is not bool):
            raise Problem(400, f"{name} has the wrong type: {type(value).__name__}")
        if isinstance(value, int | float) and not of.low <= value <= of.high:
            raise Problem(400, f"{name}={str(value)[:40]}: expected {of.low:g} to {of.high:g}")
        found[name] = value
    found["stop"] = _stops(found["stop"])
    return found


def _stops(stop: Any) -> tuple[str, ...]:
    listed = [stop] if isinstance(stop, str) else stop or []
    if len(listed) > MOST_STOPS or not all(isinstance(one, str) and len(one) <= LONGEST_STOP for one in listed):
        raise Problem(400, f"stop: expected at most {MOST_STOPS} strings of at most {LONGEST_STOP} characters")
    return tuple(one for one in listed if one)


def _unicode(text: str, what: str) -> str:
    """A text, unless it holds halves of characters, which no tokenizer takes and no answer could repeat."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Problem(400, f"{what}: it is no valid Unicode") from None
    return text


class Api:
    """Requests to answers, without HTTP."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine, self.name = engine, name

    def models(self) -> dict[str, Any]:
        """The one model that is served."""
        entry = {"id": self.name, "object": "model", "owned_by": "parley", "max_model_len": self.engine.positions}
        return {"object": "list", "data": [entry]}

    def model(self, name: str) -> dict[str, Any]:
        """`GET /v1/models/NAME`."""
        self._same_model({"model": name})
        (entry,) = self.models()["data"]
        return dict(entry)

    def completions(self, body: Any, gone: Gone = lambda: False) -> dict[str, Any]:
        """`POST /v1/completions`: prompts go on, or are echoed with the log-probabilities of their own tokens."""
        asked = fields_of(body)
        self._same_model(body)
        top = self._top(body.get("logprobs"))
        shown = asked["echo"] and top is not None
        prompts = [self._prompt(prompt, shown, gone) for prompt in _listed(body.get("prompt"))]
        how = self._sampling(asked, body, 16)
        self._few_enough(len(prompts) * asked["n"], how)
        usage, choices = _Usage(), list[dict[str, Any]]()
        read: list[list[Token]] = [[] for _ in prompts]
        if asked["echo"]:
            read, cached = self.engine.read([tokens for _, tokens, _ in prompts], gone)
            for (_, tokens, _), seen in zip(prompts, cached, strict=True):
                usage.read(len(tokens), seen)
        for (text, tokens, offsets), before in zip(prompts, read, strict=True):
            for index in range(asked["n"]):
                answer, cached_tokens = Answer("", [], "length"), 0
                if how.max_tokens:
                    answer, cached_tokens = self.engine.generate(tokens, how, index, gone)
                if not asked["echo"] and index == 0:
                    usage.read(len(tokens), cached_tokens)
                usage.completion += len(answer.tokens)
                choice = {"index": len(choices), "text": answer.text, "finish_reason": answer.finish, "logprobs": None}
                said, at = answer.tokens, [len(text) * asked["echo"]]
                if asked["echo"]:
                    choice["text"] = text + answer.text
                    said, at = [*before, *said], [*offsets, len(text)]
                if top is not None:
                    choice["logprobs"] = self._legacy(said, at, top)
                choices.append(choice)
        return self._said("text_completion", choices, usage)

    def chat(self, body: Any, gone: Gone = lambda: False) -> dict[str, Any]:
        """`POST /v1/chat/completions`."""
        asked = fields_of(body)
        self._same_model(body)
        tokens = self.engine.encode(self.engine.chat(_messages(body.get("messages"))))[0]
        how = self._sampling(asked, body, 256)
        top = self._top(body.get("top_logprobs") or 0) if body.get("logprobs") is True else None
        usage, choices = _Usage(), list[dict[str, Any]]()
        self._fits(tokens)
        self._few_enough(asked["n"], how)
        for index in range(asked["n"]):
            answer, cached = self.engine.generate(tokens, how, index, gone)
            if index == 0:
                usage.read(len(tokens), cached)
            usage.completion += len(answer.tokens)
            content = answer.text.removesuffix("\n")
            choice = {"index": index, "message": {"role": "assistant", "content": content}}
            choice |= {"finish_reason": answer.finish, "logprobs": None}
            if top is not None:
                choice["logprobs"] = {"content": [self._modern(token, top) for token in answer.tokens]}
            choices.append(choice)
        return self._said("chat.completion", choices, usage)

    def _same_model(self, body: dict[str, Any]) -> None:
        if (named := body.get("model")) != self.name:
            shown = repr(named)[:100]
            raise Problem(404, f"model {shown} is not served here, only {self.name!r}", "model_not_found")

    def _prompt(self, prompt: Any, shown: bool, gone: Gone) -> tuple[str, list[int], list[int]]:
        """Text, tokens, and where in the text each token begins, where that is to be `shown`."""
        if isinstance(prompt, str):
            tokens, offsets = self.engine.encode(_unicode(prompt, "prompt"))
            text = prompt
        else:
            size = self.engine.tokenizer.get_vocab_size()
            if not all(type(t) is int and 0 <= t < size for t in prompt):
                raise Problem(400, f"prompt: expected texts, or token ids below {size}")
            self._fits(prompt)
            tokens, text, offsets = list(prompt), self.engine.decode(prompt), []
            for i in range(len(tokens) if shown else 0):
                if gone():
                    raise Abandoned
                offsets.append(len(self.engine.decode(tokens[:i])))
        if not tokens:
            raise Problem(400, "prompt: it is empty")
        self._fits(tokens)
        return text, tokens, offsets

    def _few_enough(self, answers: int, how: Sampling) -> None:
        tokens = answers * min(how.max_tokens, self.engine.positions)
        if tokens > MOST_TOKENS:
            raise Problem(
                400, f"n, max_tokens and prompts ask for {tokens} tokens: at most {MOST_TOKENS} are generated"
            )

    def _fits(self, tokens: list[int]) -> None:
        if len(tokens) > self.engine.positions:
            said = f"a prompt of {len(tokens)} tokens is longer than this model's {self.engine.positions}"
            raise Problem(400, said, "context_length_exceeded")

    def _sampling(self, asked: dict[str, Any], body: dict[str, Any], default: int) -> Sampling:
        texts = texts_of(body.get("response_format"))
        given = (asked["max_completion_tokens"], asked["max_tokens"])
        most = next((value for value in given if value is not None), default)
        allowed = self.engine.allowed(texts) if texts else None
        numbers = (float(asked["temperature"]), float(asked["top_p"]))
        return Sampling(most, *numbers, asked["seed"], asked["stop"], allowed)

    def _top(self, value: Any) -> int | None:
        if value is None or value is False:
            return None
        count = int(value) if type(value) is bool else value
        if type(count) is not int or not 0 <= count <= TOP:
            raise Problem(400, f"logprobs={str(value)[:40]}: expected 0 to {TOP}")
        return count

    def _legacy(self, tokens: list[Token], offsets: list[int], top: int) -> dict[str, Any]:
        words = [self.engine.word(token.id) for token in tokens]
        at = list(offsets[: len(tokens)])
        while len(at) < len(tokens):
            at.append(at[-1] + len(words[len(at) - 1]))
        listed = [{self.engine.word(i): v for i, v in token.top[:top]} or None for token in tokens]
        return {
            "tokens": words,
            "token_logprobs": [token.logprob for token in tokens],
            "top_logprobs": listed if top else None,
            "text_offset": at,
        }

    def _modern(self, token: Token, top: int) -> dict[str, Any]:
        def entry(i: int, value: float | None) -> dict[str, Any]:
            word = self.engine.word(i)
            return {"token": word, "logprob": value, "bytes": list(word.encode())}

        return {**entry(token.id, token.logprob), "top_logprobs": [entry(i, v) for i, v in token.top[:top]]}

    def _said(self, kind: str, choices: list[dict[str, Any]], usage: "_Usage") -> dict[str, Any]:
        about = {"id": f"{kind}-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": self.name}
        return {**about, "choices": choices, "usage": usage.as_dict()}


@dataclass
class _Usage:
    prompt: int = 0
    cached: int = 0
    completion: int = 0

    def read(self, tokens: int, cached: int) -> None:
        self.prompt, self.cached = self.prompt + tokens, self.cached + cached

    def as_dict(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }


def _listed(prompt: Any) -> list[Any]:
    """One prompt or several, each a text or token ids."""
    if isinstance(prompt, str):
        return [prompt]
    if not isinstance(prompt, list) or not prompt:
        raise Problem(400, "prompt: expected a text, a list of texts, or token ids")
    if all(isinstance(one, int) for one in prompt):
        return [prompt]
    if len(prompt) > MOST_PROMPTS:
        raise Problem(400, f"prompt: at most {MOST_PROMPTS} at once, found {len(prompt)}")
    if not all(isinstance(one, str | list) for one in prompt):
        raise Problem(400, "prompt: expected a text, a list of texts, or token ids")
    return prompt


def _messages(messages: Any) -> list[dict[str, Any]]:
    if not isinstance(messages, list) or not messages:
        raise Problem(400, "messages: expected a list of messages")
    found = []
    for message in messages:
        role = message.get("role") if isinstance(message, dict) else None
        content = _text_of(message.get("content")) if isinstance(role, str) else None
        if content is None:
            raise Problem(400, "messages: each needs a role and a content, which are texts")
        found.append({"role": _unicode(str(role), "messages"), "content": _unicode(content, "messages")})
    return found


def _text_of(content: Any) -> str | None:
    """The text of a content: a text, or a list of parts that are; None where it is neither."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        return None
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else part for part in content]
    if not all(isinstance(text, str) for text in texts):
        raise Problem(400, "messages: of the parts of a content only those of type text are understood")
    return "".join(map(str, texts))
