"""A model of inspect_ai as Planner: the endpoint planner, whose calls go to inspect's model and not to a network."""

import contextvars
import json
from collections.abc import Callable
from typing import Any

import httpx2
from anyio.from_thread import BlockingPortal

from parley.assemble.endpoint import endpoint
from parley.assemble.scene import Scene
from parley.planners.endpoint import EndpointPlanner

NOWHERE = "http://inspect.invalid/v1"  # no call leaves: see `Bridge`
FINISHED = {"max_tokens": "length", "model_length": "length", "content_filter": "content_filter"}
BRIDGES: dict[str, "Bridge"] = {}  # of the sample that is at work, by model
Generate = Callable[[list[dict[str, str]], dict[str, Any]], Any]


def asked(
    scene: Scene, model: str, way: str = "auto", memory: str = "full", budget: int = 0, max_tokens: int = 0
) -> EndpointPlanner:
    """The model that inspect_ai evaluates; `model` is its name there. Options as those of the endpoint planner."""
    scene.shared["transport"] = BRIDGES[model]
    told = {"way": way, "api": "chat", "memory": memory, "budget": budget, "max_tokens": max_tokens}
    return endpoint(scene, f"parley/{model}", NOWHERE, **told, timeout_s=3600.0)  # type: ignore[arg-type]


asked.remote, asked.cohort = True, 1  # type: ignore[attr-defined]


class Bridge(httpx2.BaseTransport):
    """Takes what would go to a server, from any thread, and has `generate` answer it where the sample is evaluated."""

    def __init__(self, portal: BlockingPortal, generate: Generate) -> None:
        self.portal, self.generate = portal, generate
        self.context = contextvars.copy_context()  # inspect's: which sample a call belongs to
        self.raised: BaseException | None = None  # what ends the sample, a limit of inspect's for instance

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if not request.url.path.endswith("/chat/completions"):
            return _refused(404, "inspect_ai has chats only")
        body = json.loads(request.read())
        try:
            output = self.context.copy().run(self.portal.call, self.generate, body["messages"], _settings(body))
        except BaseException as wrong:
            status = getattr(wrong, "status_code", None)
            if isinstance(status, int) and 400 <= status < 500:
                return _refused(status, str(wrong))
            self.raised = wrong
            raise
        if output.stop_reason == "model_length" and output.usage is None:  # how inspect says what a server refuses
            return _refused(400, output.completion, "context_length_exceeded")
        return httpx2.Response(200, json=_answer(output))


def _refused(status: int, why: str, code: str = "") -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"message": why, "type": "invalid_request_error", "code": code}})


def _settings(body: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request as inspect's `GenerateConfig` names them."""
    names = {"max_completion_tokens": "max_tokens", "stop": "stop_seqs", "n": "num_choices"}
    found = {names.get(name, name): value for name, value in body.items() if name not in ("model", "messages")}
    if isinstance(found.get("stop_seqs"), str):
        found["stop_seqs"] = [found["stop_seqs"]]
    if held := found.pop("response_format", None):
        about = dict(held["json_schema"])
        found["response_schema"] = {"json_schema": about.pop("schema"), **about}
    return found


def _answer(output: Any) -> dict[str, Any]:
    """What inspect's model gave, as OpenAI's API says it."""
    choices = []
    for index, one in enumerate(output.choices):
        message = {"role": "assistant", "content": one.message.text}
        scores = one.logprobs.model_dump() if one.logprobs else None
        finish = FINISHED.get(one.stop_reason, "stop")
        choices.append({"index": index, "message": message, "finish_reason": finish, "logprobs": scores})
    found: dict[str, Any] = {"object": "chat.completion", "choices": choices}
    if used := output.usage:
        cached = used.input_tokens_cache_read or 0
        prompt = used.input_tokens + cached + (used.input_tokens_cache_write or 0)
        found["usage"] = {"prompt_tokens": prompt, "completion_tokens": used.output_tokens}
        found["usage"] |= {"prompt_tokens_details": {"cached_tokens": cached}}
    return found
