"""The prompts of one run: template, memory and token budget applied to what was heard."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.checks import check_tilt
from parley.core.errors import BadInput
from parley.core.roles import World
from parley.core.said import Opening, Outcome
from parley.core.told import Memory, Recalled, Tilt, Told
from parley.prompting.answers import letters
from parley.prompting.likeness import seen
from parley.prompting.shortening import Shape, changes, shortened
from parley.prompting.template import PromptTemplate, Turn
from parley.theory.posterior import normalised

WHOLE = Shape()  # nothing is left out


@dataclass(frozen=True)
class Words:
    """What a prompt says of the world before anything has happened: each Actor's menu, the horizon, and its rules."""

    menus: tuple[tuple[str, ...], ...]
    horizon: int
    rules: str = ""
    fixed: bool = True  # False: the menu changes from step to step

    @classmethod
    def of(cls, world: World) -> "Words":
        """The fixed part of a world's words. It is empty where menus change from step to step."""
        tables, script = world.tables, getattr(world, "script", None)  # physical worlds have a script
        menus = tables.menus if tables else script.menus if script else ()
        known = tuple(map(tuple, menus))
        return cls(known, world.horizon, tables.rules if tables else "", bool(tables or known))


@dataclass(frozen=True)
class Prompting:
    """How prompts are made; `budget` in tokens by `count`, 0 for none; `answer` is the form that is asked for."""

    template: PromptTemplate
    words: Words
    answer: str = "line"
    budget: int = 0
    count: Callable[[str], int] = len
    shots: tuple[Told, ...] = ()
    changes: bool = False  # of the heard observations, show those that were not said at the step before


@dataclass
class Prompter:
    """Prompts as a function of what one run has heard. Within an episode they grow, unless the budget cuts them.

    `narrowed` gives the budgets that the run was reduced to before the decision at an episode and step (`narrow`). A
    replay then reduces at the same places.
    """

    how: Prompting
    memory: Memory
    thought: Callable[[int, int], str] | None = None  # episode, step -> the answer by which the subgoal was chosen
    episodes: list[Told] = field(default_factory=list)
    left_out: int = 0  # earlier episodes that prompts do not show as they were
    narrowed: Callable[[int, int], Sequence[int]] | None = None
    budget: int = -1
    tilt: Tilt | None = None  # what the memory adds to proposals
    _rendered: dict[int, tuple[Told, Shape, list[Turn]]] = field(default_factory=dict)
    _longest: int = 0  # tokens of an episode so far
    _shape: Shape = Shape()  # of the present episode, where it does not fit as it is

    def __post_init__(self) -> None:
        if self.budget < 0:
            self.budget = self.how.budget

    def hear(self, said: Opening | Outcome, run: int) -> None:
        """Take in what was said in a run of a cohort."""
        if isinstance(said, Opening):
            self.begin(str(said.instructions[run]), str(said.observations[run]))
        elif said.active[run]:
            self.go_on(tuple(map(str, said.subgoals[run])), str(said.observations[run]), float(said.rewards[run]))

    def begin(self, instruction: str, observation: str) -> None:
        """A new episode: choose what its prompts show of the earlier ones, with room for as long a one as there was."""
        if self.episodes:
            self._longest = max(self._longest, self.size(self._told(len(self.episodes) - 1)))
        self.episodes = [*self.episodes, Told(instruction, (observation,))]
        self._recall(self._longest)
        self._narrow_again()

    def go_on(self, subgoal: tuple[str, ...], observation: str, reward: float) -> None:
        """A step more in this episode; what no longer fits is cut, here and not when asked, as a replay never asks."""
        self.episodes = [*self.episodes[:-1], self.episodes[-1].after(subgoal, observation, reward)]
        if not self._fits([*self._before, *self._told(len(self.episodes) - 1)]):
            self._recall(0)
        self._narrow_again()

    def retell(self, episodes: Sequence[Told]) -> None:
        """Take in whole episodes, step by step, as they were heard; the last one may be going on."""
        for told in episodes:
            self.begin(told.instruction, told.observations[0])
            for said in zip(told.subgoals, told.observations[1:], told.rewards, strict=True):
                self.go_on(*said)

    def narrow(self, budget: int) -> None:
        """From here on prompts take at most `budget` tokens: the server's context turned out to be smaller."""
        self.budget = budget
        self._recall(0)

    def _narrow_again(self) -> None:
        if self.narrowed:
            for budget in self.narrowed(len(self.episodes) - 1, len(self.episodes[-1].subgoals) + 1):
                self.narrow(budget)

    def turns(self, parts: Sequence[str] = (), menu: Sequence[str] = ()) -> list[Turn]:
        """The prompt for Actor k's part, given those of the Actors before it, from `menu`."""
        ask = self._ask(parts, menu)
        turns = [*self._before, *self._told(len(self.episodes) - 1), *ask]
        if self._fits(turns):
            return turns
        turns = self._alone(ask, self.budget)
        if not self._fits(turns):
            raise BadInput(
                f"budget={self.budget}: the rules, a menu of {len(menu)} and the last step take {self.size(turns)} "
                "tokens (bytes, where no tokenizer=... counts them). This world needs a server of a larger context"
            )
        return turns

    def least(self, parts: Sequence[str] = (), menu: Sequence[str] = ()) -> int:
        """The tokens of the shortest prompt that there is for a decision."""
        return self.size(self._alone(self._ask(parts, menu), 1))

    def _alone(self, ask: list[Turn], budget: int) -> list[Turn]:
        """The prompt of this episode alone, shortened until it fits `budget` or no more can be left out."""
        number, shape = len(self.episodes) - 1, self._shape
        before = self._opening(Recalled())
        while True:
            turns = [*before, *self._episode(self.episodes[number], number, shape), *ask]
            smaller = self._smaller(shape)
            if self.size(turns) <= budget or smaller is None:
                return turns
            shape = smaller

    def _smaller(self, shape: Shape) -> Shape | None:
        told = self.episodes[-1]
        return shape.smaller(max(map(len, (told.instruction, *told.observations))), len(told.subgoals))

    def again(self, turns: list[Turn], answer: str, menu: Sequence[str], longest: int = 500) -> list[Turn]:
        """The prompt after an answer that chose nothing: it is told back, unless it is blank, and asked for once more.

        Empty where that does not fit the budget: then it is not asked for again.
        """
        told = [Turn("assistant", answer[:longest].rstrip("\n") + "\n")] if seen(answer) else []
        again = [*turns, *told, Turn("user", self._render("again", menu=entries(menu)))]
        return again if self._fits(again) else []

    def candidate(self, sentence: str, menu: Sequence[str]) -> str:
        """How the template says a subgoal: what a model would go on with."""
        return self._said((sentence,), menu)

    def note(self, notes: str, number: int, words: int, room: int = 0) -> list[Turn]:
        """The prompt by which the model writes its note anew after episode `number`, leaving `room` in the budget.

        Of an episode that does not fit the later lines are shown, half of them at a time.
        """
        about: dict[str, Any] = {"notes": notes.rstrip("\n"), "words": words}
        episode = "".join(turn.text for turn in self._told(number))
        return self._later(episode, lambda shown: self._render("note", episode=shown, **about), room)

    def question(self, material: str, prompt: str, room: int = 0) -> list[Turn]:
        """A prompt after what it is about, leaving `room`; of material that does not fit the later lines are shown."""
        return self._later(material, lambda shown: f"{shown}{prompt}".rstrip("\n") + "\n", room)

    def _later(self, text: str, made: Callable[[str], str], room: int) -> list[Turn]:
        """The message that is made of a text's later lines, as many as fit: half of them at a time are left out."""
        lines = text.splitlines(keepends=True)
        while True:
            turns = [Turn("user", made("".join(lines)))]
            if not lines or self._fits(turns, room):
                return turns
            lines = lines[(len(lines) + 1) // 2 :]

    def tilted(
        self, probs: Float[np.ndarray, " M"], parts: Sequence[str], menu: Sequence[str]
    ) -> Float[np.ndarray, " M"]:
        """A proposal after what the memory adds to its log-probabilities (`Recalled.tilt`); raises `BadInput`."""
        if self.tilt is None:
            return probs
        added = check_tilt(self.tilt(self.episodes[-1], parts, menu), menu, "the memory")
        if not added.any():
            return probs
        with np.errstate(divide="ignore"):
            return normalised(np.log(probs) + added)

    def _recall(self, room: int) -> None:
        """Choose what the prompt shows of earlier episodes, leaving `room` for the rest of this one."""
        *earlier, now = self.episodes
        room, self._shape = min(room, self.budget // 2), Shape()

        def fits(recalled: Recalled) -> bool:
            return self._fits([*self._opening(recalled), *self._told(len(earlier))], room)

        if self.budget and not fits(Recalled()):
            room = 0
        while self.budget and not fits(Recalled()):
            smaller = self._smaller(self._shape)
            if smaller is None:  # the rules and the menu alone are too much, which is said when the model is asked
                self.left_out, self._before = len(earlier), self._opening(Recalled())
                return
            self._shape = smaller
        recalled = self.memory.recall(earlier, now, fits)
        self.tilt = recalled.tilt
        self.left_out = len(earlier) - len(recalled.episodes)
        self._before = self._opening(recalled)

    def _fits(self, turns: Sequence[Turn], room: int = 0) -> bool:
        return not self.budget or self.size(turns) + room <= self.budget

    def _opening(self, recalled: Recalled) -> list[Turn]:
        shots, words = self.how.shots, self.how.words
        menus = [entries(menu) for menu in words.menus if self.how.answer != "free"]
        about = {"rules": words.rules, "menus": menus, "horizon": words.horizon, "answer": self.how.answer}
        system = self._render("system", **about, shots=len(shots))
        turns = [Turn("system", system), *(turn for told in shots for turn in self._episode(told, -1))]
        turns.append(Turn("user", self._render("memory", **about, shots=len(shots), notes=recalled.notes)))
        number = {id(told): i for i, told in enumerate(self.episodes)}
        return turns + [turn for told in recalled.episodes for turn in self._told(number[id(told)])]

    def _told(self, number: int) -> list[Turn]:
        told = self.episodes[number]
        shape = self._shape if number == len(self.episodes) - 1 else Shape(self._shape.longest)
        known = self._rendered.get(number)
        if known is None or known[0] is not told or known[1] != shape:
            known = self._rendered[number] = (told, shape, self._episode(told, number, shape))
        return known[2]

    def _episode(self, told: Told, number: int, shape: Shape = WHOLE) -> list[Turn]:
        """The turns of an episode; those of finished steps never change."""
        heard = changes(told.observations) if self.how.changes else told.observations
        said = [shortened(one, shape.longest) for one in (told.instruction, *heard)]
        turns = [Turn("user", self._render("opening", instruction=said[0], observation=said[1]))]
        menu = self.how.words.menus[0] if self.how.words.menus else ()
        if shape.skipped:
            turns.append(Turn("user", f"[{shape.skipped} step{'s' if shape.skipped > 1 else ''} left out]\n"))
        steps = list(zip(told.subgoals, said[2:], told.rewards, strict=True))
        for step, (parts, observation, reward) in list(enumerate(steps, 1))[shape.skipped :]:
            thought = self.thought(number, step) if self.thought and number >= 0 else ""
            turns.append(Turn("assistant", self._said(parts, menu, thought)))
            turns.append(Turn("user", self._render("observation", observation=observation, reward=reward)))
        return turns

    def _said(self, parts: Sequence[str], menu: Sequence[str], thought: str = "") -> str:
        letter_of = _letters_of(tuple(menu)) if len(self.how.words.menus) < 2 else {}
        said = [{"letter": letter_of.get(part, ""), "sentence": part} for part in parts]
        return self._render("subgoal", entries=said, subgoals=parts, thought=thought, answer=self.how.answer)

    def _ask(self, parts: Sequence[str], menu: Sequence[str]) -> list[Turn]:
        known = self.how.words.menus[len(parts)] if len(parts) < len(self.how.words.menus) else ()
        shown = entries(menu) if tuple(menu) != known else []
        about = {"parts": parts, "menu": shown, "actors": len(self.how.words.menus), "answer": self.how.answer}
        return [Turn("user", self._render("ask", **about))]

    def size(self, turns: Sequence[Turn]) -> int:
        """Tokens of a prompt, at most."""
        return sum(self.how.count(turn.text) for turn in turns if turn.text)

    def _render(self, block: str, **said: Any) -> str:
        return self.how.template.render(block, **said)


@lru_cache(maxsize=64)
def _letters_of(menu: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(menu, letters(len(menu)), strict=True))


def entries(menu: Sequence[str]) -> list[dict[str, str]]:
    """A menu as templates see it: letters and sentences."""
    return [{"letter": letter, "sentence": sentence} for letter, sentence in zip(letters(len(menu)), menu, strict=True)]


def check_budget(budget: int) -> int:
    """A token budget, or `BadInput`."""
    if budget < 0:
        raise BadInput(f"budget={budget}: expected a number of tokens, or 0 for the server's context")
    return budget
