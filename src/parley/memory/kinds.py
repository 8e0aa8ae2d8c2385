"""The memories that need no model, by name."""

from collections.abc import Callable

from parley.core.errors import BadInput
from parley.core.relevance import bm25
from parley.core.told import Memory
from parley.memory.full import Full
from parley.memory.retrieval import Relevance, Retrieval
from parley.memory.summary import Summary
from parley.memory.window import Window

VERBATIM = ("full", "window", "retrieval")  # those that show episodes as they were
MEMORIES = ("full", "none", "window", "summary", "retrieval")  # those that need no model


def memory_of(kind: str, size: int, relevance: Relevance = bm25) -> Callable[[], Memory]:
    """Makes memories of a kind, one for each run."""
    if size < 0:
        raise BadInput(f"size={size}: expected a number of episodes")
    kinds: dict[str, Callable[[], Memory]] = {
        "full": Full,
        "none": lambda: Window(0),
        "window": lambda: Window(size),
        "summary": Summary,
        "retrieval": lambda: Retrieval(size, relevance),
    }
    if kind not in kinds:
        raise BadInput(f"memory={kind!r}: expected {', '.join(MEMORIES)}, or for endpoint planners note")
    return kinds[kind]
