"""A server without sockets: a function answers what the HTTP library would have sent."""

import json
from collections.abc import Callable
from typing import Any

import httpx2

from parley.core.calls import Forgetful
from parley.memory.full import Full
from parley.models.calling import Calling
from parley.models.endpoint import Endpoint
from parley.models.providers import server
from parley.planners.endpoint import rehearsed
from parley.planners.ways.asking import Asking
from parley.planners.ways.probe import Task, choose_way
from parley.prompting.prompter import Prompter, Prompting, Words
from parley.prompting.template import PromptTemplate

KEY = "sk-very-secret-0123456789"
MENU = ("walk on", "try the back door", "wait")
WORDS = Words((MENU,), 3)
Reply = dict | tuple[int, Any] | tuple[int, Any, dict[str, str]]


class Wire:
    """`answer(path, body)` gives JSON, or a status with JSON or bytes, and headers; `asked` is what was sent."""

    def __init__(self, answer: Callable[[str, Any], Reply]) -> None:
        self.answer, self.asked = answer, list[tuple[str, Any]]()
        self.transport = httpx2.MockTransport(self._handle)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.url.path, body))
        said = self.answer(request.url.path, body)
        status, content, *headers = said if isinstance(said, tuple) else (200, said)
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        told = {"content-type": "application/json", **(headers or [{}])[0]}
        return httpx2.Response(status, content=raw, headers=told)

    def endpoint(self, base_url: str = "http://host/v1", **calling: Any) -> Endpoint:
        """An endpoint whose network this is."""
        how = Calling(**{"attempts": 2, "backoff_s": 1e-6, "timeout_s": 5.0, **calling})
        at = server("openai/m", {"OPENAI_API_KEY": KEY}, base_url)
        return Endpoint(at, how, Forgetful(), transport=self.transport)

    def probed(self, longest_menu: int = 3, history: str = "", template: str = "", **options: Any):
        """The way that the probe chooses, what it found, and the endpoint."""
        at = self.endpoint()

        def rehearsal(way):
            named = template or ("transcript" if way.name == "echo" else "chat")
            return rehearsed(Prompter(Prompting(PromptTemplate(named), WORDS, way.answer), Full()), WORDS)

        way, found = choose_way(at, Asking(**options), Task(longest_menu, rehearsal, history))
        return way, found, at


def chat(content: Any, finish: str = "stop", **message: Any) -> dict:
    """An answer of the chat API."""
    said = {"role": "assistant", "content": content, **message}
    return {"choices": [{"index": 0, "message": said, "finish_reason": finish}], "usage": {"prompt_tokens": 9}}


def error(message: Any, **more: Any) -> dict:
    """An error as most servers say it."""
    return {"error": {"message": message, **more}}


def only_chat(answer: Callable[[dict], Reply]) -> Callable[[str, Any], Reply]:
    """A server that has nothing but chat."""

    def reply(path: str, body: Any) -> Reply:
        if path.endswith("/models"):
            return {"data": [{"id": "m"}]}
        if "chat" not in path:
            return 404, error("no such route")
        if body.get("response_format"):
            return 400, error("response_format is not supported")
        return answer(body)

    return reply


def question(prompter: Prompter, turns, place, seeds=(0, 1, 2)):
    """What is asked of a way."""
    from parley.planners.ways.asking import Question

    return Question(prompter, turns, MENU, place, list(seeds))


def heard(template: str = "chat", answer: str = "line", budget: int = 0) -> Prompter:
    """A prompter in the midst of an episode."""
    prompter = Prompter(Prompting(PromptTemplate(template), WORDS, answer, budget), Full())
    prompter.begin("go home", "in the hall")
    prompter.go_on(("walk on",), "in the yard", 0.0)
    return prompter
