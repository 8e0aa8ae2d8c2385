"""A card of a model that inspect_ai evaluates: an endpoint planner, whose calls go to inspect and not to a network."""

import contextvars
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import httpx2
from anyio import to_thread
from anyio.from_thread import BlockingPortal

from parley.assemble.endpoint import endpoint
from parley.assemble.scene import Scene
from parley.bench.arms import Sizes
from parley.bench.budget import Budget
from parley.bench.cards import card_of
from parley.bench.conducting import Bench, Plan
from parley.bench.pages import keep
from parley.bench.suites import entries_of
from parley.core.errors import BadInput
from parley.planners.endpoint import EndpointPlanner

PLANNER = "parley.bench.export.inspect_model:asked"
NOWHERE = "http://inspect.invalid/v1"  # no call leaves: see `Bridge`
FINISHED = {"max_tokens": "length", "model_length": "length", "content_filter": "content_filter"}
BRIDGES: dict[str, "Bridge"] = {}  # of the sample that is at work, by model
Generate = Callable[[list[dict[str, str]], dict[str, Any]], Any]


def asked(
    scene: Scene, model: str, way: str = "auto", memory: str = "full", budget: int = 0, max_tokens: int = 0
) -> EndpointPlanner:
    """The model that inspect_ai evaluates; `model` is its name there. Options as those of the endpoint planner."""
    if model not in BRIDGES:
        raise BadInput(f"model={model!r} is not being evaluated here: this planner is for `inspect eval` alone")
    scene.shared["transport"] = BRIDGES[model]
    told = {"way": way, "api": "chat", "memory": memory, "budget": budget, "max_tokens": max_tokens}
    return endpoint(scene, f"parley/{model}", NOWHERE, **told, timeout_s=3600.0)  # type: ignore[arg-type]


asked.remote, asked.cohort = True, 1  # type: ignore[attr-defined]


def samples(plan: dict[str, Any]) -> dict[str, str]:
    """The entries of a plan by name, each with what it measures."""
    entries, _ = entries_of(f"{PLANNER}:model=any", plan["suites"], plan["worlds"])
    return {entry.name: entry.measures for entry in entries}


class Card:
    """The card in the making of a plan as an exported file has it, of each model in a directory of its own."""

    def __init__(self, plan: dict[str, Any], out: Path, options: str, budget: str) -> None:
        self.plan = Plan("", plan["suites"], plan["worlds"], Sizes(**plan["sizes"]))
        self.out, self.options, self.budget = out, options, Budget.read(budget)
        self.benches: dict[str, Bench] = {}

    def measure(self, model: str, name: str) -> dict[str, Any]:
        """Run an entry's batches until it is decided: its line, a sentence, and the two scores."""
        bench, why = self._bench(model), ""
        entry = next(one for one in bench.entries if one.name == name)
        while not why and bench.open(entry):
            why = bench.advance(entry, self.budget)
        card = card_of(bench, why)
        keep(card, bench.out)
        line = next((one for one in card.entries if one.name == name and one.num_runs), None)
        if line is None:
            return {"line": None, "said": card.left_out.get(name, why), "share_of_the_way": None, "no_fault": None}
        shown = entry.fault.shown(bench.measure(entry)) if entry.fault else None
        share = None if line.normalised is None else max(-1.0, min(1.0, line.normalised))
        scores = {"share_of_the_way": share, "no_fault": None if shown is None else float(not shown)}
        return {"line": asdict(line), "said": line.decided or why or "not decided", **scores}

    def _bench(self, model: str) -> Bench:
        if not set(model).isdisjoint(",=|"):
            raise BadInput(f"model={model!r}: a name with a comma, an = or a | is no option of a planner")
        if model not in self.benches:
            spec = ",".join(filter(None, (f"{PLANNER}:model={model}", self.options)))
            folder = "".join(c if c.isalnum() or c in "-." else "-" for c in model).strip(".") or "model"
            self.benches[model] = Bench(replace(self.plan, planner=spec), self.out / folder)
            self.benches[model].begin()
        return self.benches[model]


class Bridge(httpx2.BaseTransport):
    """Takes what would go to a server, from any thread, and has `generate` answer it where the sample is evaluated."""

    def __init__(self, portal: BlockingPortal, generate: Generate, raised: list[BaseException]) -> None:
        self.portal, self.generate, self.raised = portal, generate, raised
        self.context = contextvars.copy_context()  # inspect's: which sample a call belongs to

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
            self.raised.append(wrong)
            raise
        if output.stop_reason == "model_length" and output.usage is None:  # how inspect says what a server refuses
            return _refused(400, output.completion, "context_length_exceeded")
        return httpx2.Response(200, json=_answer(output))


async def measured(card: Card, model: str, name: str, generate: Generate) -> dict[str, Any]:
    """`Card.measure` in a thread, whose calls are answered by `generate` here; what that raises comes out as it is."""
    raised: list[BaseException] = []  # what ends the sample, a limit of inspect's for instance, before what it caused
    async with BlockingPortal() as portal:
        BRIDGES[model] = Bridge(portal, generate, raised)
        try:
            found = await to_thread.run_sync(card.measure, model, name)
        except Exception as wrong:
            raised.append(wrong)
        finally:
            del BRIDGES[model]
    if raised:  # the bench may have taken it for a refusal
        raise raised[0]
    return found


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
