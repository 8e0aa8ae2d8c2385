"""Numbers for the sentences and decisions of a run, in the order of their first use; they travel in snapshots."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Int

from parley.core.roles import State
from parley.core.tables import Sentences


class Codes(dict[Any, int]):
    """Keys are sentences, numbers, or flat tuples of them.

    >>> words = Codes()
    >>> words.of(["a", "b", "a"]).tolist()
    [0, 1, 0]
    """

    def __missing__(self, key: Any) -> int:
        self[key] = number = len(self)
        return number

    def of(self, keys: Iterable[Any]) -> Int[np.ndarray, " N"]:
        """The number of each key, a new one where it is met for the first time."""
        return np.array(list(map(self.__getitem__, keys)), dtype=np.intp)

    def snapshot(self, name: str) -> State:
        """The keys as one array of JSON texts."""
        return {name: np.array([json.dumps(key) for key in self], dtype=np.str_)}

    def restore(self, state: State, name: str) -> None:
        """Meet the keys of a snapshot again."""
        self.clear()
        for text in state[name].tolist():
            key = json.loads(text)
            self[tuple(key) if isinstance(key, list) else key]  # noqa: B018 (numbers it)


def one_line(parts: Sentences) -> list[str]:
    """Joint subgoals (B, K) as one key each: the sentence itself where there is one Actor."""
    rows = parts.tolist()
    return [part for (part,) in rows] if parts.shape[1] == 1 else ["\n".join(row) for row in rows]
