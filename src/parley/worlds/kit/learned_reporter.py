"""A Reporter learned by contrast: a state encoder, a sentence encoder, and E recovered from their score (theory.md 5).

f(s, o) = u(s) . v(o) + c was trained to tell pairs (s, o) ~ E from pairs drawn apart. The best such score is
log E(o given s) / p(o), so that E(o given s) is proportional to exp(f(s, o)) p(o), normalised over the sentences.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.theory.posterior import normalised
from parley.worlds.kit import learned

FORMAT = "parley-reporter/1"
Views = Mapping[str, Callable[[], np.ndarray]]  # features of every (z, s), z first, by name
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
        return normalised(score)

    def emission(self, tables: Tables, views: Views) -> Float[np.ndarray, "Z S O"]:
        """Its probabilities in every state of a world; raises `BadInput` if it was trained for other sentences or
        states.
        """
        features = state_features(self.about["view"], tables, views)
        if self.sentences != tables.observations or features.shape[1] != len(self.weights["hidden"]):
            raise BadInput(
                f"reporter of world {self.about['world']!r}: world {tables.name!r} has other sentences or states; "
                "train one for it with `parley pretrain-reporter`"
            )
        return self.law(features).reshape(tables.emission.shape)

    def save(self, path: Path) -> None:
        """`reporter.safetensors` and `reporter.json` in the directory `path`."""
        learned.save(path, "reporter", self.about, {name: self.weights[name] for name in WEIGHTS})

    @classmethod
    def load(cls, path: Path) -> "LearnedReporter":
        """Read a directory of `save`; raises `BadInput` that names the fault."""

        def wrong(about: dict[str, Any], weights: Mapping[str, Any]) -> str:
            fits = about["format"] == FORMAT and isinstance(about["view"], str) and set(weights) == set(WEIGHTS)
            return "" if fits else f"expected the format {FORMAT!r} and the weights {', '.join(WEIGHTS)}"

        return cls(*learned.load(path, "reporter", "learned Reporter", wrong))


def state_features(view: str, tables: Tables, views: Views) -> Float[np.ndarray, "ZS F"]:
    """Features of every (z, s), z first: which latent and which state, or one of the world's own views of them."""
    num_z, num_s = tables.initial.shape
    if view == "tables":
        return np.concatenate([np.repeat(np.eye(num_z), num_s, axis=0), np.tile(np.eye(num_s), (num_z, 1))], axis=1)
    if view not in views:
        known = ", ".join(("tables", *views))
        raise BadInput(f"view={view!r}: world {tables.name!r} has {known}; only a world with a low level has others")
    return views[view]()


def sentence_features(sentences: Sequence[str]) -> Float[np.ndarray, "O F"]:
    """Which words a sentence has, and which sentence it is."""
    words = {word: i for i, word in enumerate(sorted({word for s in sentences for word in s.split()}))}
    features = np.zeros((len(sentences), len(words) + len(sentences)))
    for i, sentence in enumerate(sentences):
        features[i, [words[word] for word in sentence.split()]] = 1
        features[i, len(words) + i] = 1
    return features
