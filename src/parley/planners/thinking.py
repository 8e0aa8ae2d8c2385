"""Reasoning before the answer of a language model in this machine: sampled token by token, in all prompts at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.planners.hearing import TokenModel

FINAL = "Answer:"


@dataclass(frozen=True)
class Thinking:
    """A model that reasons in at most `most` tokens; it ends by a token of `stop`, or where it begins its answer."""

    model: TokenModel
    stop: set[int]
    most: int

    def sampled(
        self,
        starts: Mapping[int, list[int]],
        after: Callable[[Mapping[int, list[int]]], list[Any]],
        drawn: Callable[[int], Float[np.ndarray, " P"]],
    ) -> dict[int, list[int]]:
        """The reasoning that goes on from each prompt of `starts`, by place.

        `after` gives log-probabilities of the token behind each prompt, a list over all places; `drawn` the uniform
        numbers of all places for the t-th token.
        """
        found, going = {place: list[int]() for place in starts}, set(starts)
        for t in range(self.most):
            if not going:
                break
            logprobs, u = after({place: starts[place] + found[place] for place in going}), drawn(t)
            for place in sorted(going):
                law = np.exp(np.asarray(logprobs[place], dtype=np.float64))
                token = int(min(np.searchsorted(law.cumsum() / law.sum(), u[place]), len(law) - 1))
                found[place].append(token)
                if token in self.stop or FINAL.lower() in self.model.said(found[place][-8:]).lower():
                    going.discard(place)
        return {place: self._closed(tokens) for place, tokens in found.items()}

    def _closed(self, tokens: list[int]) -> list[int]:
        """What was thought, without how it ended, and the words after which the answer stands."""
        said = self.model.said([token for token in tokens if token not in self.stop])
        at = said.lower().rfind(FINAL.lower())
        return self.model.text.plain((said[:at] if at >= 0 else said).rstrip() + f"\n{FINAL}")
