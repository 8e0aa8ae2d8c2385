"""The files of a data directory: which documents go into which, and how each is drawn.

Every file has random numbers of its own, (seed, purpose, number of the file). So nothing depends on the number of
processes, or on which of them came first.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Int

from parley.core.errors import BadInput
from parley.data.behaviour import LOGS, Behaviour
from parley.data.dataset import DataConfig
from parley.data.documents import Documents, corrupt, draw
from parley.data.logs import read_logs
from parley.theory.beliefs import Beliefs

SHARD_STEPS = 2**16  # of a file: a megabyte or less, and a second of work
DRAWN, LABELS, CHAT, MIX = 2, 3, 4, 5  # the second number of a seed; 0 is the training stream's, 1 held-out documents'


@dataclass(frozen=True)
class Shard:
    """One file to be made: the behaviour of each of its documents, and those that come from logs."""

    number: int
    first: int  # document
    part: Int[np.ndarray, " N"]
    logged: Documents | None

    @property
    def path(self) -> str:
        return f"documents/{self.number:05}.parquet"

    @property
    def chat_path(self) -> str:
        return f"chat/{self.number:05}.jsonl"


def plan(config: DataConfig, beliefs: Beliefs) -> list[Shard]:
    """Who acts in which document, and which documents go into which file."""
    t, mix, rng = beliefs.tables, config.mix, np.random.default_rng((config.seed, MIX))
    part = rng.permutation(quotas(mix, config.documents))
    places: dict[int, np.ndarray] = {}
    logged: dict[int, Documents] = {}
    for k, behaviour in enumerate(mix):
        if behaviour.kind != LOGS:
            continue
        logged[k] = read_logs(Path(behaviour.run), beliefs, config.episodes, k)
        wanted, found = int((part == k).sum()), len(logged[k])
        if wanted > found:
            raise BadInput(f"logs {behaviour.run!r} hold {found} runs, one document each: {wanted} are asked for")
        places[k] = rng.permutation(found)[:wanted]
    size = max(1, SHARD_STEPS // (config.episodes * t.horizon))
    shards, used = [], dict.fromkeys(places, 0)
    for number, first in enumerate(range(0, config.documents, size)):
        mine = part[first : first + size]
        taken = []
        for k in places:
            here = int((mine == k).sum())
            taken.append(logged[k][places[k][used[k] : used[k] + here]])
            used[k] += here
        shards.append(Shard(number, first, mine, _joined(taken) if taken else None))
    return shards


def quotas(mix: tuple[Behaviour, ...], num: int) -> Int[np.ndarray, " num"]:
    """The part of each of `num` documents, in order: shares rounded so that they add up (largest remainders)."""
    exact = np.array([part.share for part in mix]) * num
    count = np.floor(exact + 1e-9).astype(int)
    for k in np.argsort(count - exact, kind="stable")[: num - count.sum()]:
        count[k] += 1
    return np.repeat(np.arange(len(mix)), count)


def shard_documents(beliefs: Beliefs, config: DataConfig, shard: Shard) -> Documents:
    """The documents of one file: drawn, or logged; their labels corrupted where that is asked for."""
    kinds = np.array([part.kind for part in config.mix])[shard.part]
    rng = np.random.default_rng((config.seed, DRAWN, shard.number))
    documents = draw(beliefs, config.mix, shard.part[kinds != LOGS], config.episodes, rng, config.rho)
    if shard.logged is not None:
        source = np.concatenate(
            [np.flatnonzero(kinds != LOGS), *(np.flatnonzero(shard.part == k) for k in _logs(config))]
        )
        documents = _joined([documents, shard.logged])[np.argsort(source)]
    return corrupt(documents, config.label_error, np.random.default_rng((config.seed, LABELS, shard.number)))


def _logs(config: DataConfig) -> list[int]:
    return [k for k, part in enumerate(config.mix) if part.kind == LOGS]


def _joined(several: list[Documents]) -> Documents:
    parts = {f.name: [getattr(documents, f.name) for documents in several] for f in fields(Documents)}
    return Documents(**{name: np.concatenate(p) for name, p in parts.items() if all(part is not None for part in p)})
