"""What a run directory would have us do besides arithmetic: asked before anything of it is carried out."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from parley.assemble.config import RunConfig
from parley.assemble.explorers import EXPLORERS
from parley.assemble.memories import MEMORIES
from parley.assemble.planners import PLANNERS
from parley.assemble.registry import Named, Registry
from parley.assemble.worlds import GENERALIST, WORLDS, find_world
from parley.core.errors import BadInput
from parley.runs.ownership import mine

# Arguments by which a part reads a file, asks a server or runs a program. The contract tests hold every part to this.
READS = ("checkpoint", "path", "policy", "template", "demonstrations", "tokenizer", "embeddings", "adapter", "config")
GAMES = (".z8", ".ulx")  # of `textworld`, where a challenge may stand
DEEDS = {**dict.fromkeys(READS, "read"), "cache": "write to", "url": "ask", "java": "run", "settings": "set"}
SHIPPED = {
    "path": (GENERALIST,),
    "template": ("chat", "foresee", "stated", "transcript"),
    "policy": ("uniform", "designed", "cheapest"),
}


def require_trust(out: Path, manifest: Mapping[str, Any], trust: bool) -> None:
    """Raise `BadInput` where a run that this user did not begin would read files, ask servers or import code.

    The sentence says what it would have done; nothing of it has been done.
    """
    if trust or mine(manifest):
        return
    config = RunConfig.from_manifest(manifest["config"])
    would = list(deeds(config))
    if would:
        raise BadInput(
            f"{str(out)!r} was not begun by you here, or its manifest was changed, and it would {'; '.join(would)}: "
            "nothing was done; where you trust it, say --trust"
        )


def require_trusted_world(out: Path, manifest: Mapping[str, Any], trust: bool) -> None:
    """The same for its world alone: what reports and diagnoses need."""
    if not trust and not mine(manifest) and (would := list(_world(str(manifest["config"]["world"])))):
        raise BadInput(f"{str(out)!r} was not begun by you here, and its world would {'; '.join(would)}: say --trust")


def require_harmless_world(manifest: Mapping[str, Any]) -> None:
    """The same where files may be read: for what merely looks at a run, and is confined to a directory."""
    more = [deed for deed in _world(str(manifest["config"]["world"])) if not deed.startswith("read ")]
    if more and not mine(manifest):
        raise BadInput(f"this run was not begun by you here, and its world would {'; '.join(more)}: it is not made")


def deeds(config: RunConfig) -> Iterator[str]:
    """What the parts of a configuration would do besides arithmetic."""
    yield from _world(config.world)
    yield from _part(PLANNERS, config.planner)
    yield from _part(EXPLORERS, config.explore)
    if config.memory is not None:
        yield from _part(MEMORIES, config.memory)


def deeds_of_planner(spec: str) -> Iterator[str]:
    """What a planner would do besides arithmetic."""
    return _part(PLANNERS, spec)


def _world(spec: str) -> Iterator[str]:
    path = spec.partition(":")[0]
    if path.endswith(".json"):
        yield f"read the world file {path!r}"
    elif path.strip() not in WORLDS:
        yield f"import {spec!r}"
        return
    named = find_world(spec)
    yield from _arguments(named)
    if named.kind.imports:
        yield f"import the code of {spec!r}"
    for key, text in named.arguments.items():
        kind, _, rest = text.partition(":")
        if key in ("reporter", "actor") and rest and not _number(rest):
            yield f"read {rest!r} as a {kind} {key}"
        if text.endswith(GAMES):
            yield f"read the game {text!r}"


def _part(registry: Registry, spec: str) -> Iterator[str]:
    name = spec.partition(":")[0].strip()
    if name not in registry:
        yield f"import {spec!r}"
        return
    named = registry.find(spec)
    yield from _arguments(named)
    if "memory" in named.arguments:
        yield from _part(MEMORIES, named.arguments["memory"])
    if named.kind.remote or "/" in named.arguments.get("model", ""):
        model = named.arguments.get("model", "a model")
        where = named.arguments.get("base_url")
        yield f"ask {model!r}{f' at {where!r}' if where else ''} with a key of yours"


def _arguments(named: Named) -> Iterator[str]:
    for key, text in named.arguments.items():
        if key in DEEDS and text and text not in SHIPPED.get(key, ()):
            yield f"{DEEDS[key]} {text!r} as {key}="


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
