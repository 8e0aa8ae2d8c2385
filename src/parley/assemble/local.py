"""Language models in this machine as planners, from a spec: by transformers (`hf`), or by llama.cpp (`gguf`)."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from parley.assemble.endpoint import shots_of
from parley.assemble.memories import remembering
from parley.assemble.scene import Scene
from parley.assemble.templates import template_of
from parley.assemble.worlds import GENERALIST, shipped
from parley.core.errors import BadInput
from parley.core.roles import KeptPlanner
from parley.models.adapter import Adapter
from parley.models.gguf import GgufModel
from parley.models.language_model import LanguageModel, Loading
from parley.models.text import TextTokens
from parley.models.tokens import AROUND
from parley.models.weights import PUBLISHED, is_gguf
from parley.planners.hearing import FORMS, Hearing, TokenModel
from parley.planners.language_model import LanguageModelPlanner, Scoring
from parley.planners.local import LocalPlanner
from parley.prompting.prompter import Prompting, Words, check_budget
from parley.prompting.transcript import header as rules_and_menu

OURS, TUNED = "parley.json", "finetuned.json"  # what checkpoints of `parley pretrain` and `parley finetune` say


@dataclass(frozen=True)
class Manner:
    """How a model is asked unless told otherwise: as it was trained, or as it was measured to do best."""

    template: str
    chat: bool
    way: str = "sentences"
    normalise: str = "menu"
    calibrate: str = "none"
    permutations: int = 1
    temperature: float = 1.0


BASE = Manner("stated", chat=False)
CHAT = Manner("chat", chat=True)


def hf(
    scene: Scene,
    path: str,
    decode: str = "sample",
    way: str = "",
    normalise: str = "",
    calibrate: str = "",
    permutations: int = 0,
    temperature: float = 0.0,
    template: str = "",
    chat: str = "auto",
    context: int = 0,
    dtype: str = "float32",
    device: str = "auto",
    threads: int = 0,
    adapter: str = "",
    header: bool = False,
    memory: str = "full",
    size: int = 8,
    think: bool = False,
    max_tokens: int = 256,
    demonstrations: str = "",
    shots: int = 0,
) -> KeptPlanner:
    """Any causal language model by transformers, hf:PATH, hf:HUB/ID or hf:smollm2; scores the menu."""
    named = _named(path)
    asked = way or calibrate or permutations or temperature or template or think or shots or adapter or chat != "auto"
    ours = (Path(named) / OURS).is_file()
    if ours and not asked:
        loading = Loading(dtype, device, threads)
        return _as_trained(scene, named, loading, decode, Scoring(normalise or "none", context, header), memory, size)
    if header and template:
        raise BadInput(f"header=true, template={template!r}: a template says by itself what a prompt begins with")
    model = _transformers(named, Loading(dtype, device, threads, adapter, packed=True))
    manner = _manner(named, adapter, model.text)
    given = dict(way=way, normalise=normalise, calibrate=calibrate, permutations=permutations, temperature=temperature)
    given |= dict(think=think, max_tokens=max_tokens)
    told = dict(template=template or ("stated" if header else ""), chat=chat, context=context)
    told |= dict(demonstrations=demonstrations, shots=shots)
    return _local(scene, model, manner, given, told, decode, memory, size)


def gguf(
    scene: Scene,
    path: str,
    decode: str = "sample",
    way: str = "",
    normalise: str = "",
    calibrate: str = "",
    permutations: int = 0,
    temperature: float = 0.0,
    template: str = "",
    chat: str = "auto",
    context: int = 0,
    dtype: str = "float32",
    threads: int = 1,
    adapter: str = "",
    memory: str = "full",
    size: int = 8,
    think: bool = False,
    max_tokens: int = 256,
    demonstrations: str = "",
    shots: int = 0,
) -> KeptPlanner:
    """A GGUF file by llama.cpp, in a process of its own: gguf:PATH, gguf:smollm2 or gguf:gemma3; scores the menu."""
    named = _named(path)
    if not is_gguf(named):
        raise BadInput(f"{named!r}: expected smollm2, gemma3 or a GGUF file; directories are for planner 'hf'")
    model = GgufModel(named, dtype, threads, adapter)  # one a cohort; they share the file's pages in memory
    scene.closing.callback(model.process.close)
    given = dict(way=way, normalise=normalise, calibrate=calibrate, permutations=permutations, temperature=temperature)
    given |= dict(think=think, max_tokens=max_tokens)
    told = dict(template=template, chat=chat, context=context, demonstrations=demonstrations, shots=shots)
    return _local(scene, model, _manner(named, adapter, model.text), given, told, decode, memory, size)


def local_model(path: str) -> bool:
    """Whether the model of a planner's `path` is here, so that nothing is fetched for it."""
    return path in (GENERALIST, *PUBLISHED) or Path(path).exists()


def _named(path: str) -> str:
    """A model's directory, file or id, by its short name."""
    return str(shipped(path)) if path == GENERALIST and not Path(path).exists() else path


def _manner(named: str, adapter: str, text: TextTokens) -> Manner:
    if adapter and Adapter(Path(adapter)).about:  # one that we trained was mostly trained on transcripts
        return BASE
    tuned = Path(named) / TUNED
    if tuned.is_file():
        kind = json.loads(tuned.read_text(encoding="utf-8"))["tuning"]["template"]
        return Manner("transcript", chat=False, normalise="none") if kind == "transcript" else CHAT
    return CHAT if text.template else BASE


def _local(
    scene: Scene,
    model: TokenModel,
    manner: Manner,
    given: dict[str, Any],
    told: dict[str, Any],
    decode: str,
    memory: str,
    size: int,
) -> LocalPlanner:
    """The planner of a model: the given arguments, and the defaults of the model's manner for the others."""
    if told["chat"] not in ("auto", "true", "false"):
        raise BadInput(f"chat={told['chat']!r}: expected auto, true or false")
    if given["think"] and not given["way"]:
        given = {**given, "way": "letters"}
    chat = manner.chat if told["chat"] == "auto" else told["chat"] == "true"
    if chat and not model.text.template:
        raise BadInput(f"{model.name!r} has no chat template: leave chat=true out")
    template = told["template"] or manner.template
    if told["chat"] != "auto" and not told["template"] and chat != manner.chat:
        template = "chat" if chat else "stated"
    if (given["way"] or manner.way) == "letters" and template in ("stated", "transcript"):
        if told["template"]:
            raise BadInput(
                f"way=letters: template={template!r} does not show the menu by letters: choose template=chat"
            )
        template = "chat"
    alike = template == manner.template and chat == manner.chat  # what was measured of another prompt is not this one's
    settings = {name: value or getattr(manner, name) for name, value in given.items() if hasattr(manner, name)}
    if not alike:
        plain = Manner(template, chat)
        settings |= {name: given[name] or getattr(plain, name) for name in ("calibrate", "temperature")}
    hearing = Hearing(**{**given, **settings})
    positions = min(told["context"] or model.positions, model.positions)
    words = Words.of(scene.world)
    kept = positions // (8 if words.fixed else 2)  # for the menu: one that changes may be long
    budget = check_budget(positions - kept - (hearing.max_tokens if hearing.think else 0))
    around = AROUND if chat else 0
    count = lru_cache(maxsize=1 << 14)(lambda text: len(model.text.plain(text)) + around)
    form = "think" if hearing.think else FORMS[hearing.way]
    shown = shots_of(scene, told["demonstrations"], told["shots"])
    how = Prompting(template_of(template, scene.trust), words, form, budget, count, shown)
    remembers = remembering(scene, memory, size=size)
    about = {"model": model.name, "template": template, "chat": chat, "scoring": getattr(model, "scoring", "")}
    about |= {**settings, "context": positions}
    return LocalPlanner(model, hearing, how, chat, lambda: remembers(None), decode, about)


def _as_trained(
    scene: Scene, named: str, loading: Loading, decode: str, scoring: Scoring, memory: str, size: int
) -> LanguageModelPlanner:
    """One of our checkpoints: the transcript that it was trained on, and the scores as they come."""
    remembers = remembering(scene, memory, size=size)
    whole = memory == "full" and scene.memory is None  # read as it comes, without a prompter
    known = Words.of(scene.world)
    words = rules_and_menu(known.rules, known.menus, known.horizon) if scoring.header else ""
    model = _transformers(named, loading)
    makes = None if whole else lambda: remembers(None)
    return LanguageModelPlanner(model, decode, scoring, words, makes, choices=not known.fixed)


@lru_cache(maxsize=2)
def _transformers(path: str, how: Loading) -> LanguageModel:
    """Loaded once for all cohorts of a process: it does not change."""
    return LanguageModel(path, how)
