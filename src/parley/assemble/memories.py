"""The memories by name: what a prompt shows of earlier episodes."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from parley.assemble.foreign import ForeignMemory, require
from parley.assemble.registry import Kind, Named, Registry, parameters
from parley.assemble.scene import Scene
from parley.core.errors import BadInput
from parley.core.told import Memory, Writer
from parley.memory.full import Full
from parley.memory.note import Note
from parley.memory.retrieval import Retrieval, bm25
from parley.memory.summary import Summary
from parley.memory.window import Window
from parley.models.embeddings import Embeddings


def full() -> Memory:
    """All episodes; where they do not fit, the older half is dropped for good."""
    return Full()


def none() -> Memory:
    """This episode alone."""
    return Window(0)


def window(size: int = 8) -> Memory:
    """The last `size` episodes."""
    return Window(_episodes(size))


def summary() -> Memory:
    """Counts and outcomes by instruction and subgoal, made by the program."""
    return Summary()


def retrieval(size: int = 8, embeddings: str = "") -> Memory:
    """The `size` episodes most relevant to instruction and first observation, by BM25 or by a model of embeddings."""
    return Retrieval(_episodes(size), _embeddings(embeddings).relevance if embeddings else bm25)


def note(writer: Writer, words: int = 120) -> Memory:
    """A note of at most so many words that the planner's model writes anew after each episode."""
    if words < 1:
        raise BadInput(f"words={words}: expected at least one word in a note")
    return Note(lambda old, number: writer.note(old, number, words))


def _episodes(size: int) -> int:
    if size < 0:
        raise BadInput(f"size={size}: expected a number of episodes")
    return size


@lru_cache(maxsize=2)
def _embeddings(path: str) -> Embeddings:
    return Embeddings(path)


MEMORIES = Registry(
    "memory",
    {
        "full": Kind(full),
        "none": Kind(none),
        "window": Kind(window),
        "summary": Kind(summary),
        "retrieval": Kind(retrieval),
        "note": Kind(note),
    },
    group="parley.memories",
)


def remembering(scene: Scene, spec: str, **settings: object) -> Callable[[Writer | None], Memory]:
    """Makes the memory of each run: that of the run's configuration, else of the planner's argument `memory=spec`.

    `settings` are those arguments of a planner that are meant for its memory: each goes to a memory that takes it.
    """
    if scene.memory is not None:
        return scene.memory
    named = MEMORIES.find(spec, scene.trust)
    own = parameters(named.kind.factory)
    if settings.get("embeddings") and "embeddings" not in own:
        raise BadInput(f"embeddings={settings['embeddings']!r} goes with memory=retrieval, not with memory={spec!r}")
    given = {key: str(value) for key, value in settings.items() if key in own}
    return maker(replace(named, arguments=given | dict(named.arguments)))


def maker(named: Named) -> Callable[[Writer | None], Memory]:
    """Makes a memory for each run; what is wrong with its arguments is said now."""

    def make(writer: Writer | None) -> Memory:
        if writer is None and "writer" in parameters(named.kind.factory):
            raise BadInput(f"memory {named.name!r} is written by a model that answers prompts: use it with `endpoint`")
        made: Memory = MEMORIES.make(named, {"writer": writer})
        return ForeignMemory(require(made, "memory"), named.name) if named.code else made

    make(Mute())
    return make


class Mute:
    """A writer that says nothing: arguments are tried with it."""

    def note(self, note: str, number: int, words: int) -> str:
        return note

    def ask(self, prompt: str, number: int, words: int) -> str:
        return ""
