"""A Reporter learned by contrast: a state encoder, a sentence encoder, and E recovered from their score (theory.md 5).

f(s, o) = u(s) . v(o) + c was trained to tell pairs (s, o) ~ E from pairs drawn apart. The best such score is
log E(o given s) / p(o), so that E(o given s) is proportional to exp(f(s, o)) p(o), normalised over the sentences.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors.numpy import load_file, save_file

from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.worlds.household import HOMES, INSTRUCTIONS, KEPT, THINGS, House, standings
from parley.worlds.household_env import HANDED_OVER, IN_HAND, RawState
from parley.worlds.household_picture import picture

FORMAT = "parley-reporter/1"
VIEWS = ("tables", "grid", "pixels")
WEIGHTS = ("hidden", "hidden_bias", "state", "state_bias", "sentence", "constant", "log_marginal")


@dataclass(frozen=True)
class LearnedReporter:
    """E(o given s) from features of a state; `weights` as in `WEIGHTS`, `about` says what it was trained on."""

    about: dict[str, Any]
    weights: dict[str, np.ndarray]

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(self.about["sentences"])

    def law(self, features: Float[np.ndarray, "N F"]) -> Float[np.ndarray, "N O"]:
        """E(. given s), one row a state."""
        w = self.weights
        state = np.tanh(features @ w["hidden"] + w["hidden_bias"]) @ w["state"] + w["state_bias"]
        score = state @ (sentence_features(self.sentences) @ w["sentence"]).T + w["constant"] + w["log_marginal"]
        likely = np.exp(score - score.max(axis=1, keepdims=True))
        return likely / likely.sum(axis=1, keepdims=True)

    def emission(self, tables: Tables) -> Float[np.ndarray, "Z S O"]:
        """Its law in every state of a world; raises `BadInput` where it was trained for other sentences or states."""
        features = state_features(self.about["view"], tables)
        if self.sentences != tables.observations or features.shape[1] != len(self.weights["hidden"]):
            raise BadInput(
                f"reporter of world {self.about['world']!r}: world {tables.name!r} has other sentences or states; "
                "train one for it with `parley pretrain-reporter`"
            )
        return self.law(features).reshape(tables.emission.shape)

    def save(self, path: Path) -> None:
        """`reporter.safetensors` and `reporter.json` in the directory `path`."""
        path.mkdir(parents=True, exist_ok=True)
        save_file({name: np.ascontiguousarray(self.weights[name]) for name in WEIGHTS}, path / "reporter.safetensors")
        (path / "reporter.json").write_text(json.dumps(self.about, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "LearnedReporter":
        """Read a directory of `save`; raises `BadInput` naming what is wrong."""
        try:
            about = json.loads((path / "reporter.json").read_text(encoding="utf-8"))
            weights = load_file(path / "reporter.safetensors")
            if about["format"] != FORMAT or about["view"] not in VIEWS or set(weights) != set(WEIGHTS):
                raise ValueError(f"expected the format {FORMAT!r} and the weights {', '.join(WEIGHTS)}")
        except Exception as wrong:  # safetensors has an error type of its own
            raise BadInput(f"reporter={str(path)!r} is no learned Reporter: {wrong}") from wrong
        return cls(about, weights)


class LowLevelReporter:
    """A learned Reporter on the raw states of `HouseholdGrid`, by its view of them: the grid, or pixels."""

    def __init__(self, learned: LearnedReporter, house: House) -> None:
        if learned.about["view"] == "tables":
            raise BadInput(
                "reporter: trained on the view 'tables', which a low level does not have; use grid or pixels"
            )
        self.learned, self.house = learned, house
        self._known: dict[tuple[int, ...], np.ndarray] = {}

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """A sentence drawn from the learned law."""
        key = tuple(int(entry) for entry in state)
        if key not in self._known:
            self._known[key] = self.learned.law(raw_features(self.learned.about["view"], self.house, [key]))[0]
        return str(rng.choice(np.array(self.learned.sentences, dtype=object), p=self._known[key]))


def state_features(view: str, tables: Tables) -> Float[np.ndarray, "ZS F"]:
    """Features of every (z, s), z first: which latent and which state, or what `household` looks like there."""
    num_z, num_s = tables.initial.shape
    if view == "tables":
        return np.concatenate([np.repeat(np.eye(num_z), num_s, axis=0), np.tile(np.eye(num_s), (num_z, 1))], axis=1)
    if view not in VIEWS:
        raise BadInput(f"view={view!r}: expected one of {', '.join(VIEWS)}")
    if tables.instructions != INSTRUCTIONS or num_z != len(HOMES):
        raise BadInput(f"view={view!r}: only `household` has a low level; use view=tables for world {tables.name!r}")
    house = House()
    return raw_features(view, house, [raw_state(house, homes, now) for homes in HOMES for now in standings()])


def raw_state(house: House, homes: tuple[int, int], now: Any) -> RawState:
    """The raw state of the low level at a subgoal boundary."""
    mug, book = (
        home if status == KEPT else IN_HAND + status - 1 for home, status in zip(homes, now.things, strict=True)
    )
    return house.cells[now.place], mug, book, 0 if now.handed is None else 1 + now.handed


def raw_features(view: str, house: House, states: Sequence[tuple[int, ...]]) -> Float[np.ndarray, "N F"]:
    """Pixels between 0 and 1, or for each entry of a raw state which value it has."""
    if view == "pixels":
        return np.array([picture(house, state).ravel() / 255 for state in states])
    sizes = (len(house.grid.cells), HANDED_OVER + 1, HANDED_OVER + 1, 1 + len(THINGS))
    columns = np.array(states).T
    return np.concatenate([np.eye(n)[column] for n, column in zip(sizes, columns, strict=True)], axis=1)


def sentence_features(sentences: Sequence[str]) -> Float[np.ndarray, "O F"]:
    """Which words a sentence has, and which sentence it is."""
    words = {word: i for i, word in enumerate(sorted({word for s in sentences for word in s.split()}))}
    features = np.zeros((len(sentences), len(words) + len(sentences)))
    for i, sentence in enumerate(sentences):
        features[i, [words[word] for word in sentence.split()]] = 1
        features[i, len(words) + i] = 1
    return features
