"""The endpoint planner and its prompts, from a spec."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parley.assemble.memories import remembering
from parley.assemble.scene import Scene
from parley.assemble.templates import template_of
from parley.core.calls import Place
from parley.core.errors import BadInput
from parley.core.roles import World
from parley.core.told import Told
from parley.data.chat import told as told_of
from parley.data.dataset import read_documents
from parley.memory.kinds import memory_of
from parley.models.endpoint import Calling, Endpoint, Request
from parley.models.failures import Failure
from parley.models.providers import environment, server
from parley.models.tokens import AROUND, token_counter
from parley.planners.endpoint import EndpointPlanner
from parley.planners.endpoint_prediction import EndpointWorldModel
from parley.planners.ways.asking import Asking, Way
from parley.planners.ways.probe import choose_way
from parley.prompting.prompter import Prompter, Prompting, Words, check_budget
from parley.prompting.template import Turn
from parley.runs.ledger import SharedAnswers

CONTEXT = 8192  # tokens, where a server does not tell
CONTEXT_OF = {"ollama": 4096}  # its default; beyond it, it drops the beginning of a prompt and says nothing


def endpoint(
    scene: Scene,
    model: str,
    base_url: str = "",
    decode: str = "sample",
    way: str = "auto",
    api: str = "auto",
    answers: int = 1,
    temperature: float = 1.0,
    max_tokens: int = 0,
    reasks: int = 2,
    think: bool = False,
    keep_thoughts: bool = False,
    normalise: str = "none",
    template: str = "",
    memory: str = "full",
    size: int = 8,
    words: int = 120,
    budget: int = 0,
    tokenizer: str = "",
    embeddings: str = "",
    demonstrations: str = "",
    shots: int = 0,
    concurrency: int = 16,
    timeout_s: float = 60.0,
    attempts: int = 8,
    backoff_s: float = 0.5,
    breaker: int = 32,
    cache: str = "",
) -> EndpointPlanner:
    """Any model behind an OpenAI-compatible server: endpoint:model=provider/model."""
    remembers = remembering(scene, memory, size=size, words=words, embeddings=embeddings)
    asking = Asking(way, answers, temperature, max_tokens, reasks, think, normalise, api)
    if "endpoint" not in scene.shared:
        calling = Calling(concurrency, timeout_s, attempts, backoff_s, breaker)
        ledger = SharedAnswers(scene.ledger, Path(cache)) if cache else scene.ledger
        made = scene.shared["endpoint"] = Endpoint(server(model, environment(), base_url), calling, ledger)
        scene.closing.callback(made.close)
        longest = max(map(len, Words.of(scene.world).menus), default=0)
        known = CONTEXT_OF.get(model.partition("/")[0], CONTEXT)
        scene.shared["way"] = (*choose_way(made, asking, longest), _context(made, known) if not budget else 0)
    at: Endpoint = scene.shared["endpoint"]
    chosen, probe, context = scene.shared["way"]
    counted = check_budget(budget) or max(1, context - chosen.tokens)
    template = template or ("transcript" if chosen.name == "echo" and memory != "note" else "chat")
    how = _prompting(scene, chosen, template, counted, tokenizer, demonstrations, shots)
    if memory == "note" and not how.template.render("note", notes="", episode="", words=words).strip():
        raise BadInput(f"memory=note: template={template!r} does not say how to ask for a note: choose template=chat")
    about = {"model": model, "base_url": at.server.base_url, "way": chosen.name, "probe": probe, "template": template}
    about |= {"budget": counted, "counted_by": tokenizer or "bytes"}
    return EndpointPlanner(at, chosen, about, how, remembers, decode, keep_thoughts)


def served_model(scene: Scene, model: str, template: str, **options: Any) -> EndpointWorldModel:
    """The world model of `model=provider/model`, told by `template`: unless named, that of its way to be asked."""
    reader = endpoint(scene, model, template=template, **options)
    if not template and reader.about["template"] == "chat":
        reader = endpoint(scene, model, template="foresee", **options)
    return EndpointWorldModel(reader, scene.beliefs.tables)


def _prompting(
    scene: Scene, way: Way, template: str, budget: int, tokenizer: str, demonstrations: str, shots: int
) -> Prompting:
    said = Words.of(scene.world)
    counter = token_counter(tokenizer, AROUND if way.chat else 0)
    shown = shots_of(scene, demonstrations, shots)
    return Prompting(template_of(template, scene.trust), said, way.answer, budget, counter, shown)


def prompt_of(world: World, episodes: Sequence[Told], answer: str, template: str, memory: str, size: int) -> list[Turn]:
    """The prompt after `episodes`, the last of which may be going on, for any planner and without a model."""
    words = Words.of(world)
    how = Prompting(template_of(template), words, answer)
    prompter = Prompter(how, memory_of(memory, size)())
    prompter.retell(episodes)
    return prompter.turns((), words.menus[0] if words.menus else ())


def shots_of(scene: Scene, folder: str, count: int) -> tuple[Told, ...]:
    """The first episodes of the first `count` documents of pretraining data, to stand before a prompt's history."""
    if count < 0 or bool(count) != bool(folder):
        raise BadInput(f"shots={count}, demonstrations={folder!r}: few-shot episodes need both a number and data")
    if not count:
        return ()
    tables = scene.beliefs.tables
    documents = next(read_documents(Path(folder), tables, count))
    last = tables.horizon + 1
    return tuple(told_of(documents, tables, row, 0, last)[0] for row in range(count))


def _context(at: Endpoint, default: int) -> int:
    """The context that the server tells of the model (vLLM's `max_model_len`, llama.cpp's `n_ctx`), else `default`."""

    def read(answer: Any) -> int:
        listed = [m for m in answer["data"] if m.get("id") == at.server.model] or answer["data"][:1]
        meta = listed[0].get("meta") or {}  # llama.cpp
        return int(listed[0].get("max_model_len") or listed[0].get("context_length") or meta.get("n_ctx") or 0)

    try:
        request = Request("models", None, "", "probe context", Place())
        return int(at.ask(request, read, attempts=2, probing=True)) or default
    except (Failure, BadInput):
        return default
