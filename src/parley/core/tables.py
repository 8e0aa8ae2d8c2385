"""`Tables`: a tabular family of worlds, one for each latent, with the sentences that name its parts."""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import numpy as np
from jaxtyping import Float, Int

from parley.core.errors import BadInput

Sentences = np.ndarray  # an object array of str


class Vocabulary:
    """A closed list of sentences and the way back from a sentence to its index."""

    def __init__(self, sentences: tuple[str, ...], what: str) -> None:
        self.sentences = np.array(sentences, dtype=object)
        self._index = {sentence: i for i, sentence in enumerate(sentences)}
        self._what = what
        self._last: tuple[Sentences, np.ndarray] | None = None

    def encode(self, said: Sentences) -> Int[np.ndarray, "..."]:
        """Indices of an object array of sentences; raises `BadInput` naming a sentence that is not in the list.

        The last array is remembered (planner and regret meter hear the same one); what was said is never altered.
        """
        last, index = self._last, self._index
        if last is not None and last[0] is said:
            return last[1]
        try:
            flat = [index[sentence] for sentence in said.ravel().tolist()]
        except KeyError as unknown:
            what = self._what
            raise BadInput(f"{what} {unknown.args[0]!r} is not one of the world's {len(index)} {what}s") from None
        found = np.array(flat, dtype=np.intp).reshape(said.shape)
        self._last = (said, found)
        return found


class JointVocabulary:
    """From rows of K sentences to indices into the product of K vocabularies, the last one running fastest."""

    def __init__(self, words: tuple[Vocabulary, ...]) -> None:
        self._words = words
        self._last: tuple[Sentences, np.ndarray] | None = None

    def encode(self, parts: Sentences) -> Int[np.ndarray, " B"]:
        """Indices of the rows of `parts` (B, K); the last array is remembered, as in `Vocabulary`."""
        last = self._last
        if last is not None and last[0] is parts:
            return last[1]
        index = np.zeros(len(parts), dtype=np.intp)
        for k, words in enumerate(self._words):
            index = index * len(words.sentences) + words.encode(parts[:, k])
        self._last = (parts, index)
        return index


@dataclass(frozen=True, eq=False)
class Tables:
    """Initial, transition, emission and reward tables of a family of worlds (theory: P_z and E, one for each z).

    `menus[k]` lists what Actor k can be told. The subgoal axis G of the tables runs over the product of the menus in
    row-major order (one Actor: G = len(menus[0])). `preference` shares the expert of z among equally good subgoals.
    `forbidden` holds pairs of sentences that may not be told to two Actors in one step. `rules` tell a newcomer what
    may be hidden.
    """

    name: str
    horizon: int
    states: tuple[str, ...]
    observations: tuple[str, ...]
    menus: tuple[tuple[str, ...], ...]
    latents: tuple[str, ...]
    instructions: tuple[str, ...]
    prior: Float[np.ndarray, " Z"]
    initial: Float[np.ndarray, "Z S"]
    transition: Float[np.ndarray, "Z S G S"]
    emission: Float[np.ndarray, "Z S O"]
    reward: Float[np.ndarray, "O W"]
    preference: Float[np.ndarray, "Z G"] | None = None
    forbidden: tuple[tuple[str, str], ...] = ()
    doc: str = field(default="", compare=False)
    rules: str = field(default="", compare=False)

    @property
    def num_actors(self) -> int:
        return len(self.menus)

    @property
    def num_latents(self) -> int:
        return len(self.latents)

    @property
    def num_subgoals(self) -> int:
        return self.transition.shape[2]

    @cached_property
    def subgoals(self) -> tuple[str, ...]:
        """Joint subgoals as single sentences, in the order of the tables' subgoal axis."""
        return tuple(" / ".join(parts) for parts in product(*self.menus))

    @cached_property
    def observation_words(self) -> Vocabulary:
        return Vocabulary(self.observations, "observation")

    @cached_property
    def instruction_words(self) -> Vocabulary:
        return Vocabulary(self.instructions, "instruction")

    @cached_property
    def menu_words(self) -> tuple[Vocabulary, ...]:
        return tuple(Vocabulary(menu, "subgoal") for menu in self.menus)

    def joint(self, parts: Sentences) -> Int[np.ndarray, " B"]:
        """Index on the subgoal axis of joint subgoals `parts` (B, K)."""
        return self._joint_words.encode(parts)

    @cached_property
    def _joint_words(self) -> "JointVocabulary":
        return JointVocabulary(self.menu_words)

    @cached_property
    def at_random(self) -> Float[np.ndarray, " G"]:
        """The distribution of joint subgoals whose parts are drawn one after another, uniformly among those still
        allowed.
        """
        law = np.ones(1)
        said: list[tuple[str, ...]] = [()]
        for menu in self.menus:
            allowed = np.array([[not forbids(self.forbidden, parts, part) for part in menu] for parts in said])
            law = (law[:, None] * allowed / np.maximum(allowed.sum(axis=1, keepdims=True), 1)).ravel()
            said = [(*parts, part) for parts in said for part in menu]
        return law

    @cached_property
    def tie_weights(self) -> Float[np.ndarray, "Z G"]:
        """How the expert of z shares itself among tied subgoals, before restriction to the tied ones."""
        weights = np.ones((self.num_latents, self.num_subgoals))
        return weights if self.preference is None else self.preference


def forbids(forbidden: tuple[tuple[str, str], ...], parts: tuple[str, ...], part: str) -> bool:
    """Whether `part` may not be told besides one of `parts`.

    >>> forbids((("lift", "lift"),), ("work", "lift"), "lift")
    True
    """
    return any((one, part) in forbidden or (part, one) in forbidden for one in parts)
