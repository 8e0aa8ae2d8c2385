"""A language model in this machine as Planner: prompts as for endpoints, the choice heard from the tokens' scores.

Two ways: whole sentences of the menu are scored, or the letters of a menu that stands in the prompt. Scores are
calibrated (`planners.calibration`), so that what a model says whatever the world says counts for nothing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from parley.core.draws import Draws, Purpose
from parley.core.errors import BadInput
from parley.core.roles import State
from parley.core.said import Menu, Opening, Outcome, Proposal
from parley.core.tables import Sentences
from parley.core.told import Memory, packed, unpacked
from parley.models.rows import same
from parley.models.scoring import line_scores
from parley.planners.calibration import CALIBRATIONS, blank_turns
from parley.planners.hearing import Hearing, TokenModel
from parley.planners.rendered import Renderer
from parley.planners.thinking import FINAL, Thinking
from parley.prompting.answers import letters
from parley.prompting.likeness import require_distinct
from parley.prompting.prompter import Prompter, Prompting
from parley.prompting.template import Turn
from parley.theory.posterior import normalised

MOST_LETTERS = 26
UNKNOWN = ("?",)  # a menu that no world has


class LocalPlanner:
    """Proposes by the calibrated scores of a menu's sentences or letters after a prompt.

    All runs are read and scored in one pass a decision. A run's prompts, one for each order of the menu, are a function
    of what it heard; calibration is one of the menu alone.
    """

    def __init__(
        self,
        model: TokenModel,
        hearing: Hearing,
        prompting: Prompting,
        chat: bool,
        memory: Callable[[], Memory],
        decode: str = "sample",
        about: dict[str, Any] | None = None,
    ) -> None:
        self.model, self.hearing, self.prompting, self.decode = model, hearing, prompting, decode
        self.about = about or {}
        self.renderer, self.memory = Renderer(model.text, model.text.chat if chat else None), memory

    def start(self, draws: Draws) -> None:
        orders = range(self.hearing.permutations)
        self.draws, self._episode, self._step = draws, 0, 1
        self.runs = [[Prompter(self._prompting(p), self.memory()) for p in orders] for _ in range(draws.num_runs)]
        self._active: Bool[np.ndarray, " B"] = np.ones(draws.num_runs, dtype=bool)
        self._blank = CALIBRATIONS.get(self.hearing.calibrate, ())
        self._num_rows = draws.num_runs * len(orders) + len(self._blank)
        self._rows = self.model.rows(self._num_rows, len(self._blank))
        self._bases: dict[tuple[tuple[str, ...], tuple[str, ...]], list[float]] = {}

    def _prompting(self, p: int) -> Prompting:
        """How prompts are made whose menus are in the p-th order."""
        words = self.prompting.words
        menus = tuple(tuple(menu[i] for i in self._order(len(menu), p)) for menu in words.menus)
        return replace(self.prompting, words=replace(words, menus=menus))

    def _order(self, count: int, p: int) -> list[int]:
        """The p-th order of a menu: begun later by its share of all."""
        shift = round(count * p / self.hearing.permutations)
        return [(i + shift) % count for i in range(count)]

    def hear(self, said: Opening | Outcome) -> None:
        if isinstance(said, Opening):
            self._episode, self._step, self._active = said.episode, 1, np.ones(len(self.runs), dtype=bool)
        else:
            self._step, self._active = said.step + 1, said.active.copy()
        for i, prompters in enumerate(self.runs):
            for prompter in prompters:
                prompter.hear(said, i)
        if self._step <= self.prompting.words.horizon:
            self._read()

    def _read(self) -> None:
        """Read the common beginning of every later prompt. It depends on the heard observations only, not on the
        questions."""
        prompts: list[Sequence[int] | None] = [None] * self._num_rows
        for i in np.flatnonzero(self._active):
            for p, prompter in enumerate(self.runs[i]):
                known = prompter.how.words.menus[0] if prompter.how.words.menus else ()
                asked = [self.renderer.prompt(prompter.turns((), menu)).tokens for menu in (known, UNKNOWN)]
                prompts[i * self.hearing.permutations + p] = asked[0][: min(same(*asked), len(asked[0]) - 1)]
        self._rows.read(prompts)

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        if not menu.legal.any(axis=1).all():
            raise BadInput("menu: at least one subgoal must be legal in every run")
        shape = (len(self.runs), menu.sentences.shape[1])
        sentences, legal = np.broadcast_to(menu.sentences, shape), np.broadcast_to(menu.legal, shape)
        probs = legal / legal.sum(axis=1, keepdims=True)
        asked = [i for i in range(len(self.runs)) if self._active[i] and legal[i].sum() > 1]
        found = self._laws(asked, [tuple(sentences[i, legal[i]]) for i in asked], [tuple(parts[i]) for i in asked])
        for i, law in zip(asked, found, strict=True):
            probs[i, legal[i]] = self.runs[i][0].tilted(law, tuple(parts[i]), tuple(sentences[i, legal[i]]))
        left_out = np.array([prompters[0].left_out for prompters in self.runs])
        return Proposal(probs, left_out=left_out)

    def _laws(
        self, asked: Sequence[int], menus: Sequence[tuple[str, ...]], parts: Sequence[tuple[str, ...]]
    ) -> list[Float[np.ndarray, " M"]]:
        """For each run that is asked, a distribution over its menu: the mean over orders."""
        laws = list[Float[np.ndarray, " M"]]()
        if not asked:
            return laws
        for menu in set(menus):
            require_distinct(menu)
        for i, menu, said, scores in zip(asked, menus, parts, self.scores(asked, menus, parts), strict=True):
            if self._blank:
                scores = scores - self.bases(i, menu, said)
            laws.append(np.mean([normalised(found / self.hearing.temperature) for found in scores], axis=0))
        return laws

    def scores(
        self, asked: Sequence[int], menus: Sequence[tuple[str, ...]], parts: Sequence[tuple[str, ...]]
    ) -> list[Float[np.ndarray, "P M"]]:
        """The scores of its menu, in nats, for each run that is asked: in each order, as they come."""
        orders = self.hearing.permutations
        places = [i * orders + p for i in asked for p in range(orders)]
        shown = [[menu[j] for j in self._order(len(menu), p)] for menu in menus for p in range(orders)]
        said = [part for part in parts for _ in range(orders)]
        prompters = [self.runs[i][p] for i in asked for p in range(orders)]
        turns = [prompter.turns(*one) for prompter, one in zip(prompters, zip(said, shown, strict=True), strict=True)]
        thoughts = self._thoughts(places, turns) if self.hearing.think else [list[int]() for _ in places]
        found = self._scored(places, turns, list(zip(prompters, shown, strict=True)), thoughts)
        return [
            np.stack([self._unordered(one, p) for p, one in enumerate(found[at : at + orders])])
            for at in range(0, len(found), orders)
        ]

    def bases(self, run: int, menu: tuple[str, ...], parts: tuple[str, ...]) -> Float[np.ndarray, "P M"]:
        """The amount to subtract from these scores: those of the menu when nothing has been said."""
        found = []
        for p, prompter in enumerate(self.runs[run]):
            shown = tuple(menu[j] for j in self._order(len(menu), p))
            found.append(self._unordered(self._base(prompter, shown, parts), p))
        return np.stack(found)

    def _unordered(self, scores: Float[np.ndarray, " M"], p: int) -> Float[np.ndarray, " M"]:
        """Scores of a menu that was shown in the p-th order, in its own."""
        found = np.empty_like(scores)
        found[self._order(len(scores), p)] = scores
        return found

    def _scored(
        self,
        places: Sequence[int],
        turns: Sequence[list[Turn]],
        menus: Sequence[tuple[Prompter, Sequence[str]]],
        thoughts: Sequence[list[int]],
    ) -> list[Float[np.ndarray, " M"]]:
        """The scores of menus after prompts, in nats."""
        among = self.hearing.normalise == "menu"
        prompts: list[Sequence[int] | None] = [None] * self._num_rows
        lines: list[list[list[int]]] = [[] for _ in range(self._num_rows)]
        for place, said, (prompter, menu), thought in zip(places, turns, menus, thoughts, strict=True):
            rendered = self.renderer.prompt(said)
            if self.hearing.way == "letters":
                if len(menu) > MOST_LETTERS:
                    raise BadInput(f"a menu of {len(menu)} subgoals has more than 26 letters: choose way=sentences")
                tail, space = (FINAL, " ") if self.hearing.think else (rendered.tail, "")
                lines[place] = [self.model.text.continuation(tail, space + name) for name in letters(len(menu))]
            else:
                lines[place] = self.renderer.answers(rendered, [prompter.candidate(one, menu) for one in menu])
            prompts[place] = rendered.tokens + thought
            if len(rendered.tokens + thought) + max(map(len, lines[place])) > self.model.positions:
                raise BadInput(f"a prompt and a line of its menu do not fit {self.model.positions} tokens")
        found = self._rows.score(prompts, lines, among)
        how = "none" if among else self.hearing.normalise  # among themselves they are normalised already
        return [line_scores(lines[place], found[place], how) for place in places]

    # -- calibration --------------------------------------------------------------------------------------------------

    def _base(self, prompter: Prompter, menu: tuple[str, ...], parts: tuple[str, ...]) -> Float[np.ndarray, " M"]:
        """What the menu's scores are when nothing has been said, on average; once for each menu."""
        known = self._bases.get((menu, parts))
        if known is None:
            first = len(self.runs) * self.hearing.permutations
            turns = [blank_turns(prompter.how, blank, parts, menu) for blank in self._blank]
            places = range(first, first + len(turns))
            thoughts = [self.model.text.plain(f"\n{FINAL}") if self.hearing.think else [] for _ in turns]
            scores = self._scored(places, turns, [(prompter, menu)] * len(turns), thoughts)
            mean = np.log(np.mean([normalised(found) for found in scores], axis=0))
            known = self._bases[menu, parts] = mean.tolist()
        return np.array(known)

    # -- reasoning ----------------------------------------------------------------------------------------------------

    def _thoughts(self, places: Sequence[int], turns: Sequence[list[Turn]]) -> list[list[int]]:
        """Sampled reasoning in all runs at once, up to where the answer begins."""
        starts = {place: self.renderer.prompt(said).tokens for place, said in zip(places, turns, strict=True)}

        def after(prompts: Mapping[int, list[int]]) -> list[Any]:
            return self._rows.after([prompts.get(place) for place in range(self._num_rows)])

        def drawn(t: int) -> Float[np.ndarray, " P"]:
            u = self.draws.uniform(Purpose.PLANNER, self._episode, self._step, t)
            return np.repeat(u, self.hearing.permutations)

        stop = self.renderer.chat.stop if self.renderer.chat else ()
        thinking = Thinking(self.model, {*self.model.text.end, *stop}, self.hearing.max_tokens)
        return list(thinking.sampled(starts, after, drawn).values())

    # -- state --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> State:
        """Everything that was heard, what the prompts hold, and the calibrations made."""
        bases = [[list(menu), list(parts), values] for (menu, parts), values in self._bases.items()]
        return {
            "heard": packed([prompters[0].episodes for prompters in self.runs]),
            "bases": np.frombuffer(json.dumps(bases).encode(), dtype=np.uint8),
            **self._rows.snapshot(),
        }

    def restore(self, state: State) -> None:
        """Hear it all again, and read the same tokens in passes of the same shapes."""
        for prompters, episodes in zip(self.runs, unpacked(state["heard"]), strict=True):
            for prompter in prompters:
                prompter.retell(episodes)
        self._bases = {(tuple(menu), tuple(parts)): values for menu, parts, values in json.loads(bytes(state["bases"]))}
        self._rows.restore(state)
