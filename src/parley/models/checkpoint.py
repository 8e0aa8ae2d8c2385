"""A checkpoint directory as planners use it: the model, its line tokens, what it was trained for (`parley.json`)."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.core.paths import read_json
from parley.core.tables import Sentences
from parley.models.huggingface import HuggingFaceModel
from parley.models.llama import Llama
from parley.models.llama_shape import is_plain_llama

FORMAT = "parley-checkpoint/1"


@dataclass(frozen=True)
class Checkpoint:
    """A directory with `config.json`, `model.safetensors`, `tokenizer.json` and `parley.json`.

    `about` says what the model was trained for: the world's spec, its instructions and menus, the horizon, and how many
    episodes a training document had.
    """

    path: Path
    about: dict[str, Any]
    token_of: dict[str, int]

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Read everything but the weights; raises `BadInput` that names the missing part."""
        if not path.is_dir():
            raise BadInput(f"checkpoint={str(path)!r}: there is no such directory")
        try:
            about = read_json(path / "parley.json")
            tokenizer = read_json(path / "tokenizer.json")
            tokens = {entry["content"]: entry["id"] for entry in tokenizer["added_tokens"]}
            if about["format"] != FORMAT:
                raise BadInput(f"{str(path)!r} has format {about['format']!r}; this version reads {FORMAT!r}")
            _require_kinds(about, tokens)
        except BadInput:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as wrong:
            raise BadInput(f"checkpoint={str(path)!r} is no checkpoint of parley's: {wrong!r}") from wrong
        return cls(path, about, tokens)

    @cached_property
    def model(self) -> Llama | HuggingFaceModel:
        """The numpy forward pass where the model is a plain Llama, else transformers."""
        try:
            config = read_json(self.path / "config.json")
        except (OSError, ValueError) as wrong:
            raise BadInput(f"checkpoint={str(self.path)!r} has no readable config.json: {wrong}") from wrong
        if not isinstance(config, dict):
            raise BadInput(f"checkpoint={str(self.path)!r}: its config.json is no mapping")
        if not is_plain_llama(config):
            return HuggingFaceModel(self.path)
        model = Llama(self.path)
        if (most := max(self.token_of.values())) >= len(model.embed):
            raise BadInput(f"{str(self.path)!r}: its tokenizer has a token {most}, the model {len(model.embed)} tokens")
        return model

    def encode(self, lines: list[str]) -> np.ndarray:
        """Token ids of whole lines; a line the tokenizer does not hold means the checkpoint is of another world."""
        try:
            return np.array([self.token_of[line] for line in lines], dtype=np.intp)
        except KeyError as unknown:
            raise BadInput(
                f"checkpoint {str(self.path)!r} was trained for world {self.about.get('world')!r} and does not know "
                f"the line {unknown.args[0]!r}: use a checkpoint of this world, or train one with `parley pretrain`"
            ) from None


def _require_kinds(about: dict[str, Any], tokens: dict[str, int]) -> None:
    """Raise `ValueError` where an entry is not of its kind."""
    for name, most in (("episodes", 10**6), ("horizon", 10**5)):
        if type(about[name]) is not int or not 1 <= about[name] <= most:
            raise ValueError(f"{name}={str(about[name])[:100]}: expected a whole number from 1 to {most}")
    listed = [about["instructions"], *about["menus"]]
    if not all(isinstance(one, list) and all(isinstance(said, str) for said in one) for one in listed):
        raise ValueError("instructions, menus: expected lists of sentences")
    if not tokens or not all(isinstance(line, str) and type(n) is int and n >= 0 for line, n in tokens.items()):
        raise ValueError("added_tokens: expected lines, each with the number of its token")


class LineTokens:
    """Tokens of one kind of line, remembered sentence by sentence."""

    def __init__(self, checkpoint: Checkpoint, line: Any) -> None:
        self._checkpoint, self._line = checkpoint, line
        self._known: dict[str, int] = {}

    def __call__(self, sentences: Sentences) -> np.ndarray:
        """Token ids of an array of sentences, in its shape."""
        flat = sentences.ravel().tolist()
        for sentence in set(flat) - self._known.keys():
            self._known[sentence] = int(self._checkpoint.encode([self._line(sentence)])[0])
        return np.array([self._known[sentence] for sentence in flat], dtype=np.intp).reshape(sentences.shape)
