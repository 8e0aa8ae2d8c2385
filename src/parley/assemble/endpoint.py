"""The endpoint planner and its prompts, from a spec."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from parley.assemble.memories import Mute, remembering
from parley.assemble.scene import Scene
from parley.assemble.templates import template_of
from parley.core.calls import Place
from parley.core.errors import BadInput
from parley.core.roles import World
from parley.core.told import Told
from parley.data.chat import told as told_of
from parley.data.dataset import read_documents
from parley.memory.kinds import memory_of
from parley.memory.note import Note
from parley.models.calling import Calling, Request
from parley.models.endpoint import Endpoint
from parley.models.failures import Failure
from parley.models.providers import environment, server
from parley.models.tokens import AROUND, token_counter
from parley.planners.endpoint import EndpointPlanner, rehearsed
from parley.planners.endpoint_prediction import EndpointWorldModel
from parley.planners.ways.asking import Asking, Question, Way
from parley.planners.ways.probe import Task, choose_way, known_way
from parley.prompting.prompter import Prompter, Prompting, Words, check_budget
from parley.prompting.template import Turn
from parley.runs.ledger import SharedAnswers

CONTEXT = 8192  # tokens, where a server does not tell
CONTEXTS = ("max_model_len", "context_length", "context_window", "max_context_length", "n_ctx")
LONG = 6000  # characters of a history for which it is found out which way is cheaper
CONTEXT_OF = {"ollama": 4096}  # its default; beyond it, it drops the beginning of a prompt and says nothing


def endpoint(
    scene: Scene,
    model: str,
    base_url: str = "",
    decode: str = "sample",
    way: str = "auto",
    actions: str = "menu",
    api: str = "auto",
    answers: int = 1,
    temperature: float = 1.0,
    max_tokens: int = 0,
    reasks: int = 2,
    think: bool = False,
    keep_thoughts: bool = False,
    normalise: str = "none",
    template: str = "",
    observations: str = "whole",
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
    noted = isinstance(remembers(Mute()), Note)  # of the planner, or of the run's configuration
    if actions not in ("menu", "free") or (actions == "free" and way not in ("auto", "free")):
        raise BadInput(f"actions={actions!r}, way={way!r}: expected actions=menu, or actions=free without a way")
    if observations not in ("whole", "changes"):
        raise BadInput(f"observations={observations!r}: expected 'whole', or 'changes' since the step before")
    way = "free" if actions == "free" else way
    asking = Asking(way, answers, temperature, max_tokens, reasks, think, normalise, api)
    calling = Calling(concurrency, timeout_s, attempts, backoff_s, breaker)

    def prompting(of: Way, tokens: int) -> Prompting:
        told = template or ("transcript" if of.name == "echo" and not noted else "chat")
        how = _prompting(scene, of, told, tokens, tokenizer, demonstrations, shots)
        return replace(how, changes=observations == "changes")

    check_budget(budget)
    if "endpoint" not in scene.shared:
        made = scene.shared["endpoint"] = _endpoint(scene, model, base_url, calling, cache)
        made.count = token_counter(tokenizer, 0)
        scene.shared["way"] = _way(scene, made, asking, model, budget, prompting)
    at: Endpoint = scene.shared["endpoint"]
    chosen, probe, counted = scene.shared["way"]
    how = prompting(chosen, counted)
    if noted and not how.template.render("note", notes="", episode="", words=words).strip():
        named = how.template.name
        raise BadInput(f"memory=note: template={named!r} does not say how to ask for a note: choose template=chat")
    about = {"model": model, "base_url": at.server.base_url, "way": chosen.name, "probe": probe}
    about |= {"template": how.template.name, "budget": counted, "counted_by": tokenizer or "bytes"}
    return EndpointPlanner(at, chosen, {**about, "asks": chosen.api.about}, how, remembers, decode, keep_thoughts)


def _endpoint(scene: Scene, model: str, base_url: str, calling: Calling, cache: str) -> Endpoint:
    """The server of a run, with the answers that are kept for later ones; the run's end closes both."""
    at, ledger = server(model, environment(), base_url), scene.ledger
    if cache:
        ledger = shared = SharedAnswers(scene.ledger, Path(cache))
        scene.closing.callback(shared.close)
    made = Endpoint(at, calling, ledger, transport=scene.shared.get("transport"))
    scene.closing.callback(made.close)
    return made


def _way(
    scene: Scene, at: Endpoint, asking: Asking, model: str, budget: int, prompting: Callable[[Way, int], Prompting]
) -> tuple[Way, dict[str, str], int]:
    """The way to ask, what was found of the server, and the tokens of a prompt.

    A run that goes on is asked as it was asked before, by the same server.
    """
    was = scene.was
    if (
        was.get("model") == model
        and was.get("base_url") == at.server.base_url
        and asking.way in ("auto", was.get("way"))
    ):
        known = known_way(at, asking, was)
        if known and isinstance(was.get("budget"), int):
            return *known, budget or was["budget"]
    default = CONTEXT_OF.get(model.partition("/")[0], CONTEXT)
    words = Words.of(scene.world)

    def rehearsal(way: Way) -> Question:
        return rehearsed(Prompter(prompting(way, budget), memory_of("window", 1)()), words)

    longest = max(map(len, words.menus), default=0)
    history = _history(scene, budget or default, prompting)
    chosen, probe = choose_way(at, asking, Task(longest, rehearsal, history))
    context = _context(at, default) if not budget else 0
    return chosen, probe, budget or max(1, context - min(chosen.tokens, context // 2))


def _history(scene: Scene, most: int, prompting: Callable[[Way, int], Prompting]) -> str:
    """A text as long as what the run will have heard in the end, where that is long: of `most` characters at most."""
    words = Words.of(scene.world)
    entry = max((one for menu in words.menus for one in menu), key=len, default="go on")
    step = f"> {entry}\nit is {entry}, and so on\n"
    length = min(most, scene.num_episodes * (words.horizon + 1) * len(step))
    return step * (length // len(step)) if length >= LONG else ""


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
    """The prompt after `episodes`, for any planner and without a model. The last episode may still be going on."""
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
    """The context that the server tells of the model, in one of the names that servers have for it; else `default`."""

    def read(answer: Any) -> int:
        listed = [m for m in answer["data"] if m.get("id") == at.server.model] or answer["data"][:1]
        told = {**(listed[0].get("meta") or {}), **listed[0]}  # llama.cpp's stand within
        found = [told[name] for name in CONTEXTS if type(told.get(name)) is int and 0 < told[name] < 2**31]
        return int(found[0]) if found else 0

    try:
        request = Request("models", None, "", "probe context", Place())
        return int(at.ask(request, read, attempts=2, probing=True)) or default
    except (Failure, BadInput):
        return default
