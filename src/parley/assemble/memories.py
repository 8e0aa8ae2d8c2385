"""The memories by name: what a prompt shows of earlier episodes."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from parley.assemble.foreign import ForeignMemory, ForeignWriter, require
from parley.assemble.registry import Kind, Named, Registry, parameters
from parley.assemble.scene import Scene
from parley.core.errors import BadInput
from parley.core.relevance import bm25
from parley.core.told import Memory, Writer
from parley.memory.advantage import Advantage
from parley.memory.expel import Expel
from parley.memory.full import Full
from parley.memory.note import Note
from parley.memory.playbook import Playbook
from parley.memory.reasoning_bank import ReasoningBank
from parley.memory.reflexion import Reflexion
from parley.memory.retrieval import Relevance, Retrieval
from parley.memory.summary import Summary
from parley.memory.window import Window
from parley.memory.workflows import Workflows
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
    return Retrieval(_episodes(size), _relevance(embeddings))


def note(writer: Writer, words: int = 120) -> Memory:
    """A note of at most so many words that the planner's model writes anew after each episode."""
    if words < 1:
        raise BadInput(f"words={words}: expected at least one word in a note")
    return Note(lambda old, number: writer.note(old, number, words))


def reflexion(writer: Writer, last: int = 3, words: int = 120) -> Memory:
    """The last few self-critiques, which the model writes after failures (Shinn et al. 2023): a call a failure."""
    return Reflexion(writer, _positive("last", last), _positive("words", words))


def expel(writer: Writer, insights: int = 20, size: int = 8, words: int = 120, embeddings: str = "") -> Memory:
    """Insights kept by votes, and `size` similar successes (Zhao et al. 2024): at most a call an episode."""
    relevance = _relevance(embeddings)
    return Expel(writer, _positive("insights", insights), _episodes(size), _positive("words", words), relevance)


def workflows(writer: Writer, most: int = 8, words: int = 120) -> Memory:
    """Workflows that the model makes of successes (Agent Workflow Memory, Wang et al. 2024): a call a new success."""
    return Workflows(writer, _positive("most", most), _positive("words", words))


def reasoning_bank(writer: Writer, items: int = 3, words: int = 120, embeddings: str = "") -> Memory:
    """Strategies from successes and failures, by relevance (ReasoningBank, Ouyang et al. 2025): a call an episode."""
    return ReasoningBank(writer, _positive("items", items), _positive("words", words), _relevance(embeddings))


def playbook(writer: Writer, most: int = 24, words: int = 120) -> Memory:
    """A playbook changed item by item, with counts (ACE, Zhang et al. 2025): two calls an episode."""
    return Playbook(writer, _positive("most", most), _positive("words", words))


def advantage(weight: float = 4.0, neighbours: int = 8, shown: int = 0) -> Memory:
    """Adds the advantages of remembered subgoals to log-probabilities, up to `weight` nats (JitRL, Li et al. 2026)."""
    if not 0 <= weight <= 100:
        raise BadInput(f"weight={weight}: expected 0 to 100 nats")
    return Advantage(weight, _positive("neighbours", neighbours), _episodes(shown))


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise BadInput(f"{name}={value}: expected at least 1")
    return value


def _relevance(embeddings: str) -> Relevance:
    return _embeddings(embeddings).relevance if embeddings else bm25


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
        "note": Kind(note, calls=1),
        "reflexion": Kind(reflexion, calls=1),
        "expel": Kind(expel, calls=1),
        "workflows": Kind(workflows, calls=1),
        "reasoning-bank": Kind(reasoning_bank, calls=1),
        "playbook": Kind(playbook, calls=2),
        "advantage": Kind(advantage),
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
        raise BadInput(
            f"embeddings={settings['embeddings']!r} goes with memory=retrieval, expel or reasoning-bank, "
            f"not with memory={spec!r}"
        )
    given = {key: str(value) for key, value in settings.items() if key in own}
    return maker(replace(named, arguments=given | dict(named.arguments)))


def maker(named: Named) -> Callable[[Writer | None], Memory]:
    """Makes a memory for each run. Faults in its arguments are told now."""

    def make(writer: Writer | None) -> Memory:
        if writer is None and "writer" in parameters(named.kind.factory):
            raise BadInput(f"memory {named.name!r} is written by a model that answers prompts: use it with `endpoint`")
        asked = ForeignWriter(writer, f"memory {named.name!r}") if named.code and writer else writer
        made: Memory = MEMORIES.make(named, {"writer": asked})
        return ForeignMemory(require(made, "memory"), f"memory {named.name!r}") if named.code else made

    make(Mute())
    return make


class Mute:
    """A writer that says nothing: arguments are tried with it."""

    def note(self, note: str, number: int, words: int) -> str:
        return note

    def ask(self, prompt: str, number: int, words: int, material: str = "") -> str:
        return ""
