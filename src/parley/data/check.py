"""What the theory asks of pretraining data, counted, and the rules by which data are refused or warned about."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from parley.core.errors import ParleyError
from parley.data.behaviour import LOGS
from parley.data.dataset import Dataset, read_bytes, verify
from parley.data.documents import EXPERT, Documents, follow, row_keys
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import classes_of

SIMULATED = 100_000  # draws of the chi-square statistic
REFUSED_BALANCE, WARNED_BALANCE = 1e-4, 1e-2  # p-values
WARNED_COVERAGE, WARNED_DUPLICATES = 0.5, 0.01


class DataRefused(ParleyError):
    """Data that no planner should be trained on; `details` are the findings."""


@dataclass
class _Counts:
    """Sums over documents, file by file."""

    latents: np.ndarray  # Z
    visits: list[np.ndarray]  # of each stored step: (node, W, G)
    optimal: float = 0.0  # label mass on optimal subgoals
    played: int = 0  # optimal subgoals among those of the behaviour
    foreign: int = 0  # labels that neither are pi*_z nor avoid it
    impossible: int = 0  # observations
    steps: int = 0
    demonstrated: int = 0  # episodes of the expert's


def check(data: Dataset, beliefs: Beliefs) -> dict[str, Any]:
    """The findings, with `refused` and `warnings` as sentences; reads every file of the data."""
    t, config = beliefs.tables, data.config
    for entry in data.manifest.get("chat", []):
        verify(data.folder / entry["file"], read_bytes(data.folder / entry["file"]), entry)
    sizes = [len(level.latent) for level in beliefs.levels]
    visits = [np.zeros((n, len(t.instructions), t.num_subgoals), dtype=np.int64) for n in sizes]
    counts = _Counts(np.zeros(t.num_latents, dtype=np.int64), visits)
    keys = []
    for documents in data.shards():
        _count(documents, beliefs, counts)
        keys.append(_keys(documents))
    whole, episodes = (np.concatenate(column) for column in zip(*keys, strict=True))
    classes = classes_of(beliefs)
    found: dict[str, Any] = {
        "documents": len(data),
        "episodes": config.episodes,
        "steps": counts.steps,
        "optimal_labels": counts.optimal / counts.steps,
        "optimal_subgoals": counts.played / counts.steps,
        "expert_episodes": counts.demonstrated / (len(data) * config.episodes),
        "foreign_labels": counts.foreign,
        "impossible_observations": counts.impossible,
        "duplicate_documents": 1 - len(np.unique(whole)) / len(whole),
        "duplicate_episodes": 1 - len(np.unique(episodes)) / len(episodes),
        "c_z": classes.c_z if np.isfinite(classes.c_z) else None,
        "classes": len(classes.members),
        "balance_p": balance(counts.latents, t.prior),
        "latents": _by_latent(beliefs, counts),
    }
    found["refused"] = list(_refusals(found, config.label_error))
    found["warnings"] = list(_warnings(found, data))
    return found


def _count(documents: Documents, beliefs: Beliefs, counts: _Counts) -> None:
    followed, given = follow(beliefs, documents), documents.labels
    best = followed.labels > 0
    right = np.abs(given - followed.labels).max(axis=-1) < 1e-6
    counts.latents += np.bincount(documents.latents, minlength=len(counts.latents))
    counts.optimal += float((given * best).sum())
    counts.played += int(np.take_along_axis(best, documents.subgoals[..., None], axis=3).sum())
    counts.foreign += int((~right & ((given > 0) & best).any(axis=-1)).sum())
    counts.impossible += int((followed.likelihood == 0).sum())
    counts.steps += documents.subgoals.size
    counts.demonstrated += int(np.count_nonzero(documents.behaviours == EXPERT))
    for h, visits in enumerate(counts.visits):
        at = (followed.nodes[:, :, h], documents.instructions, documents.subgoals[:, :, h])
        flat = np.ravel_multi_index(tuple(index.ravel() for index in at), visits.shape)
        visits += np.bincount(flat, minlength=visits.size).reshape(visits.shape)


def _by_latent(beliefs: Beliefs, counts: _Counts) -> list[dict[str, Any]]:
    """Of each latent: its documents, and the (history, subgoal) pairs visited among all that can occur.

    Histories count as one where they leave the same belief over states (and have the same step and instruction).
    """
    found = []
    for z, name in enumerate(beliefs.tables.latents):
        mine = [visits[level.latent == z].ravel() for visits, level in zip(counts.visits, beliefs.levels, strict=True)]
        pairs = np.concatenate(mine)
        entry = {"latent": name, "prior": float(beliefs.tables.prior[z]), "documents": int(counts.latents[z])}
        found.append({**entry, "pairs": len(pairs), "covered": float((pairs > 0).mean()), "least": int(pairs.min())})
    return found


def balance(counts: np.ndarray, prior: np.ndarray, seed: int = 0) -> float:
    """p-value of the chi-square statistic of latents against the prior; simulated, as expected counts may be small."""
    rng, expected = np.random.default_rng(seed), prior * counts.sum()
    if counts[prior == 0].any():
        return 0.0

    def statistic(drawn: np.ndarray) -> np.ndarray:
        return ((drawn - expected) ** 2 / np.where(expected > 0, expected, 1.0)).sum(axis=-1)

    drawn = statistic(rng.multinomial(counts.sum(), prior / prior.sum(), SIMULATED))
    at_least = np.count_nonzero(drawn >= statistic(counts) - 1e-9)
    return (1 + at_least) / (1 + SIMULATED)


def _keys(documents: Documents) -> tuple[np.ndarray, np.ndarray]:
    """64-bit hashes of documents and of episodes: latent, instruction, observations and subgoals."""
    n, num_episodes, _ = documents.subgoals.shape
    z = np.broadcast_to(documents.latents[:, None, None], (n, num_episodes, 1))
    row = np.concatenate([z, documents.instructions[..., None], documents.observations, documents.subgoals], axis=2)
    return row_keys(row.reshape(n, -1)), row_keys(row.reshape(n * num_episodes, -1))


def _refusals(found: dict[str, Any], label_error: float) -> Iterator[str]:
    if found["impossible_observations"]:
        yield f"{found['impossible_observations']} observations are impossible under the latent of their document"
    if found["foreign_labels"]:
        yield f"{found['foreign_labels']} labels are not the expert's distribution (nor corrupted by label_error)"
    optimal, chance = found["optimal_labels"], np.sqrt(label_error * (1 - label_error) / found["steps"])
    if 1 - label_error - optimal > 4 * chance + 1e-6:
        yield f"{optimal:.2%} of the labels are optimal, fewer than label_error={label_error:g} leaves"
    if found["balance_p"] < REFUSED_BALANCE:
        yield f"latents are not distributed as their prior (p = {found['balance_p']:.1g})"


def _warnings(found: dict[str, Any], data: Dataset) -> Iterator[str]:
    if REFUSED_BALANCE <= found["balance_p"] < WARNED_BALANCE:
        yield f"latents are hardly distributed as their prior (p = {found['balance_p']:.1g})"
    unseen = [entry["latent"] for entry in found["latents"] if entry["prior"] > 0 and not entry["documents"]]
    if unseen:
        yield f"latent {unseen[0]!r} and {len(unseen) - 1} others have no document: make more"
    thin = [entry for entry in found["latents"] if entry["covered"] < WARNED_COVERAGE and entry["documents"]]
    if thin:
        least = min(thin, key=lambda entry: entry["covered"])
        yield f"only {least['covered']:.0%} of the (history, subgoal) pairs of {least['latent']!r} occur: make more"
    if found["duplicate_documents"] > WARNED_DUPLICATES:
        yield f"{found['duplicate_documents']:.1%} of the documents occur before: make longer ones, or fewer"
    if found["c_z"] is None:
        yield "a latent has prior 0, so that c_Z is infinite: no data cover it"
    looks = [part.name for part in data.config.mix if part.knows]
    looks += [e["run"] for e in data.manifest.get("logs", []) if e["planner"].partition(":")[0] == "expert"]
    if looks:
        yield f"{looks[0]!r} looks at the latent: its subgoals are evidence, as the model will take its own to be"
    logged = any(part.kind == LOGS for part in data.config.mix)
    if data.config.rho and (data.config.behaviour != "uniform" or data.tables.num_actors > 1 or logged):
        yield f"rho={data.config.rho:g} with a behaviour other than uniform: no exact oracle counts its evidence"
