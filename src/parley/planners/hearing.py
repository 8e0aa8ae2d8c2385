"""How a choice is heard from the scores of a model's tokens, and what such a model is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from parley.core.errors import BadInput
from parley.core.roles import State
from parley.models.scoring import NORMALISE, Logprobs
from parley.models.text import TextTokens
from parley.planners.calibration import CALIBRATIONS

WAYS = ("sentences", "letters")
FORMS = {"sentences": "sentence", "letters": "letter"}  # of the answer that a prompt asks for


class Scores(Protocol):
    """Growing prompts, read and scored together (`models.rows`)."""

    def read(self, prompts: Sequence[Sequence[int] | None]) -> None: ...

    def score(
        self, prompts: Sequence[Sequence[int] | None], lines: Sequence[Sequence[Sequence[int]]], among: bool = False
    ) -> list[list[Logprobs]]: ...

    def after(self, prompts: Sequence[Sequence[int] | None]) -> list[Any]: ...

    def snapshot(self) -> State: ...

    def restore(self, state: State) -> None: ...


class TokenModel(Protocol):
    """A model whose tokens are scored here: by transformers, or by llama.cpp."""

    name: str
    text: TextTokens
    positions: int

    def rows(self, num_rows: int, apart: int = 0) -> Scores: ...

    def said(self, tokens: Sequence[int]) -> str: ...


@dataclass(frozen=True)
class Hearing:
    """How a choice is heard.

    `normalise` is as in `models.scoring.line_scores`. `calibrate` names the amount that is subtracted from the scores.
    A menu is shown in `permutations` orders, and the distributions are averaged. Scores are divided by `temperature`.
    With `think` the model reasons first, in at most `max_tokens`.
    """

    way: str = "sentences"
    normalise: str = "menu"
    calibrate: str = "none"
    permutations: int = 1
    temperature: float = 1.0
    think: bool = False
    max_tokens: int = 256

    def __post_init__(self) -> None:
        known = {"way": WAYS, "normalise": NORMALISE, "calibrate": (*CALIBRATIONS, "none")}
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise BadInput(f"{name}={getattr(self, name)!r}: expected {', '.join(values)}")
        if self.permutations < 1 or self.max_tokens < 1:
            raise BadInput(f"permutations={self.permutations}, max_tokens={self.max_tokens}: expected at least 1")
        if not self.temperature > 0:
            raise BadInput(f"temperature={self.temperature}: expected a positive number")
        if self.think and self.way != "letters":
            raise BadInput("think=true goes with way=letters: the answer is one letter after the reasoning")
