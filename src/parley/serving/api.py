"""The OpenAI API without HTTP: requests to answers, with the fields, errors and usage that planners need."""

import time
import uuid
from dataclasses import dataclass
from typing import Any

from parley.serving.engine import TOP, Answer, Engine, Sampling, Token
from parley.serving.language import texts_of

MOST_ANSWERS = 128


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
    "seed": Field(int, None),
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
            raise Problem(400, f"{name}={value!r} has the wrong type")
        if isinstance(value, int | float) and not of.low <= value <= of.high:
            raise Problem(400, f"{name}={value!r}: expected {of.low:g} to {of.high:g}")
        found[name] = value
    stop = found["stop"]
    found["stop"] = tuple(filter(None, [stop] if isinstance(stop, str) else stop or []))
    if not all(isinstance(one, str) for one in found["stop"]):
        raise Problem(400, f"stop={stop!r}: expected a string or a list of strings")
    return found


class Api:
    """Requests to answers, without HTTP."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine, self.name = engine, name

    def models(self) -> dict[str, Any]:
        """The one model that is served."""
        entry = {"id": self.name, "object": "model", "owned_by": "parley", "max_model_len": self.engine.positions}
        return {"object": "list", "data": [entry]}

    def completions(self, body: Any) -> dict[str, Any]:
        """`POST /v1/completions`: prompts go on, or are echoed with the log-probabilities of their own tokens."""
        asked = fields_of(body)
        self._same_model(body)
        prompts = [self._prompt(prompt) for prompt in _listed(body.get("prompt"))]
        top = self._top(body.get("logprobs"))
        how = self._sampling(asked, body, 16)
        usage, choices = _Usage(), list[dict[str, Any]]()
        read: list[list[Token]] = [[] for _ in prompts]
        if asked["echo"]:
            read, cached = self.engine.read([tokens for _, tokens, _ in prompts])
            for (_, tokens, _), seen in zip(prompts, cached, strict=True):
                usage.read(len(tokens), seen)
        for (text, tokens, offsets), before in zip(prompts, read, strict=True):
            for index in range(asked["n"]):
                answer, cached_tokens = Answer("", [], "length"), 0
                if how.max_tokens:
                    answer, cached_tokens = self.engine.generate(tokens, how, index)
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

    def chat(self, body: Any) -> dict[str, Any]:
        """`POST /v1/chat/completions`."""
        asked = fields_of(body)
        self._same_model(body)
        tokens = self.engine.encode(self.engine.chat(_messages(body.get("messages"))))[0]
        how = self._sampling(asked, body, 256)
        top = self._top(body.get("top_logprobs") or 0) if body.get("logprobs") is True else None
        usage, choices = _Usage(), list[dict[str, Any]]()
        self._fits(tokens)
        for index in range(asked["n"]):
            answer, cached = self.engine.generate(tokens, how, index)
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
        if body.get("model") != self.name:
            raise Problem(404, f"model {body.get('model')!r} is not served here, only {self.name!r}", "model_not_found")

    def _prompt(self, prompt: Any) -> tuple[str, list[int], list[int]]:
        """Text, tokens, and where in the text each token begins."""
        if isinstance(prompt, str):
            tokens, offsets = self.engine.encode(prompt)
            text = prompt
        else:
            size = self.engine.tokenizer.get_vocab_size()
            if not all(isinstance(t, int) and not isinstance(t, bool) and 0 <= t < size for t in prompt):
                raise Problem(400, f"prompt: expected texts, or token ids below {size}")
            tokens, text, offsets = list(prompt), self.engine.decode(prompt), []
            for i in range(len(tokens)):
                offsets.append(len(self.engine.decode(tokens[:i])))
        if not tokens:
            raise Problem(400, "prompt: it is empty")
        self._fits(tokens)
        return text, tokens, offsets

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
        count = int(value)
        if not 0 <= count <= TOP:
            raise Problem(400, f"logprobs={value!r}: expected 0 to {TOP}")
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
    if not all(isinstance(one, str | list) for one in prompt):
        raise Problem(400, "prompt: expected a text, a list of texts, or token ids")
    return prompt


def _messages(messages: Any) -> list[dict[str, Any]]:
    if not isinstance(messages, list) or not messages:
        raise Problem(400, "messages: expected a list of messages")
    for message in messages:
        if not isinstance(message, dict) or not all(isinstance(message.get(k), str) for k in ("role", "content")):
            raise Problem(400, "messages: each needs a role and a content, which are texts")
    return messages
