"""Any model behind an OpenAI-compatible server as Planner: prompts, memory, and one of four ways to hear its choice."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from parley.core.calls import NARROWED, Call, Place, Usage
from parley.core.draws import Draws, Purpose
from parley.core.errors import BadInput
from parley.core.roles import State
from parley.core.said import NOTHING, Menu, Opening, Outcome, Proposal, in_words
from parley.core.tables import Sentences
from parley.core.told import Memory, Writer, packed, unpacked
from parley.models.endpoint import Endpoint
from parley.models.failures import Overflow, Refused, Unusable
from parley.planners.ways.answers import choice_of
from parley.planners.ways.asking import Question, Way
from parley.planners.ways.free import Free
from parley.planners.ways.logprobs import MOST_LETTERS
from parley.planners.ways.staged import staged
from parley.prompting.likeness import require_distinct
from parley.prompting.prompter import Prompter, Prompting, Words
from parley.prompting.reasoning import Said
from parley.prompting.template import Turn

Answer = TypeVar("Answer")
MENU_SHARE = 1 / 3  # of the budget, that a menu may take which changes from step to step
MAX_MENU = 20_000  # subgoals; more do not fit any prompt
MADE_UP = ("go on", "wait")  # a menu, where a world has none that is fixed
SHORTER = 8  # times a note is asked for with less of the episode
SMALLER = 0.75  # of a prompt that did not fit, where the server does not say by how much


def smaller(size: int, limit: int, asked: int, tokens: int) -> int:
    """The budget after a prompt of `size` tokens, by our count, did not fit.

    The server may tell its `limit`, and that it counted `asked` tokens: then our count is corrected by its own. Without
    these a quarter is taken off, but no more than leaves what surely fits: our count is never too small.
    """
    room = max(limit - tokens, 0)
    if asked > room > 0:
        return int(size * max(0.1, min(0.95 * room / asked, SMALLER + 0.2)))
    return max(int(size * SMALLER), room if room < size else 0)


def rehearsed(prompter: Prompter, words: Words) -> Question:
    """A question as in a run, made up: with rules, menu, and a step that was taken, as the template says them."""
    menu = words.menus[0] if words.menus else MADE_UP
    menu = menu if len(menu) > 1 else MADE_UP
    last = tuple(each[0] for each in words.menus) or (menu[0],)
    prompter.begin("this is a rehearsal: choose anything", "it begins")
    prompter.go_on(last, "it goes on", 0.0)
    shown = () if prompter.how.answer == "free" else menu
    return Question(prompter, prompter.turns((), shown), menu, Place(), [0])


def require_no_tilt(prompters: Sequence[Prompter], why: str) -> None:
    """Raise `BadInput` where a memory adds to log-probabilities that there are not."""
    if any(prompter.tilt for prompter in prompters):
        raise BadInput(f"this memory adds to log-probabilities, and {why} another memory")


class EndpointPlanner:
    """Asks a server for each decision. Its state is what was heard: a replay needs no call that was answered before.

    Where no usable answer comes, after asking again, the proposal is uniform and marked invalid: the log says so, and
    an explorer may act.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        way: Way,
        about: dict[str, Any],
        prompting: Prompting,
        memory: Callable[[Writer], Memory],
        decode: str = "sample",
        keep_thoughts: bool = False,
    ) -> None:
        self.endpoint, self.way, self.about, self.prompting = endpoint, way, about, prompting
        self.decode, self._memory, self._keep = decode, memory, keep_thoughts

    def start(self, draws: Draws) -> None:
        self.draws = draws
        self.runs: list[Prompter] = []
        for i in range(draws.num_runs):
            memory, thought = self._memory(Writing(self, i)), self._thoughts(i) if self._keep else None
            self.runs.append(Prompter(self.prompting, memory, thought, narrowed=self._narrowed(i)))
        self._episode, self._step = 0, 1

    def hear(self, said: Opening | Outcome) -> None:
        self._episode, self._step = said.episode, 1 if isinstance(said, Opening) else said.step + 1
        for i, prompter in enumerate(self.runs):
            prompter.hear(said, i)
        if self.way.source:
            require_no_tilt(self.runs, f"way={self.way.name} gives answers: use way=echo or way=letters, or")

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        if not menu.legal.any(axis=1).all():
            if menu.free:
                return self._in_own_words(menu)
            raise BadInput("menu: at least one subgoal must be legal in every run")
        shape = (len(self.runs), menu.sentences.shape[1])
        if shape[1] > MAX_MENU:
            raise BadInput(f"a menu of {shape[1]} subgoals does not fit a prompt: give the planner at most {MAX_MENU}")
        sentences, legal = np.broadcast_to(menu.sentences, shape), np.broadcast_to(menu.legal, shape)
        probs, valid = legal / legal.sum(axis=1, keepdims=True), np.ones(len(self.runs), dtype=bool)
        for i in range(len(self.runs)):
            if menu.asked is not None and not menu.asked[i]:
                continue
            listed = tuple(map(str, sentences[i, legal[i]]))
            require_distinct(listed)
            found = self._ask(i, listed, tuple(parts[i]))
            if found is None:
                valid[i] = False
            else:
                probs[i, legal[i]] = self.runs[i].tilted(found, tuple(parts[i]), listed)
        left_out = np.array([prompter.left_out for prompter in self.runs])
        return Proposal(probs, self.way.source, None if valid.all() else valid, left_out)

    def _ask(self, run: int, menu: tuple[str, ...], parts: tuple[str, ...]) -> Float[np.ndarray, " M"] | None:
        if len(menu) == 1:
            return np.ones(1)  # there is nothing to ask
        if self.way.name == "free":
            return self._asked(run, parts, menu, (), self.way.probs)
        long = not parts and self._long(menu)
        most = MOST_LETTERS if long or (self.way.name == "letters" and not parts) else len(menu)
        return staged(lambda some: self._asked(run, parts, some, some, self.way.probs), menu, most)

    def _asked(
        self,
        run: int,
        parts: tuple[str, ...],
        menu: tuple[str, ...],
        shown: tuple[str, ...],
        ask: Callable[[Question], Answer | None],
    ) -> Answer | None:
        """What `ask` makes of a question, shorter where it does not fit; None where nothing usable comes."""
        prompter, place = self.runs[run], self.place(run)
        seeds = [self.seed(run, len(parts), draw) for draw in range(self.way.num_answers)]
        while True:
            turns = prompter.turns(parts, shown)
            try:
                return ask(Question(prompter, turns, menu, place, seeds))
            except Overflow as overflow:
                least, said = prompter.least(parts, shown), str(overflow)
                self.narrow(run, overflow, prompter.size(turns), least, said)
            except Refused as refused:
                if not refused.outcome.startswith("filtered"):
                    raise
                return None  # the server declines this prompt, and would again

    def narrow(self, run: int, overflow: Overflow, size: int, least: int, said: str) -> None:
        """Shorter prompts from here on, after one of `size` tokens did not fit; at least those of the shortest one."""
        if shorter := self.way.api.within(overflow.limit, self.way.tokens):
            self.way.api = shorter
            return
        if size <= least:
            raise BadInput(f"{said}; no shorter prompt can be made of this world's rules and menu")
        budget = max(smaller(size, overflow.limit, overflow.asked, self.way.tokens), least)
        self.runs[run].narrow(budget)
        self.endpoint.ledger.record(
            Call(self.place(run), self.endpoint.server.model, NARROWED, "", str(budget), 0, 0.0, Usage(), "", said)
        )

    def _narrowed(self, run: int) -> Callable[[int, int], list[int]]:
        """The budgets to which a run came down before, by episode and step."""
        return lambda episode, step: self.endpoint.ledger.budgets(Place(self.draws.first_run + run, episode, step))

    def _long(self, menu: tuple[str, ...]) -> bool:
        """Whether a menu that changes takes more than its part of the budget, and must be chosen from in stages."""
        how = self.prompting
        return not how.words.fixed and bool(how.budget) and how.count("\n".join(menu)) > how.budget * MENU_SHARE

    def _in_own_words(self, menu: Menu) -> Proposal:
        """What the model says to do, where the environment makes sense of any words: a proposal over what it said."""
        if not isinstance(self.way, Free):
            raise BadInput("this world takes any words and offers no menu: ask with actions=free")
        said, valid = list[Mapping[str, float]](), np.ones(len(self.runs), dtype=bool)
        for i in range(len(self.runs)):
            asked = menu.asked is None or bool(menu.asked[i])
            told = self._asked(i, (), (), (), self.way.words) if asked else None
            valid[i] = told is not None or not asked
            said.append(told or {NOTHING: 1.0})
        brought, whole = in_words(said)
        left_out = np.array([prompter.left_out for prompter in self.runs])
        return Proposal(whole, self.way.source, None if valid.all() else valid, left_out, brought)

    def place(self, run: int) -> Place:
        """The decision that a run stands before."""
        return Place(self.draws.first_run + run, self._episode, self._step)

    def seed(self, run: int, actor: int, draw: int) -> int:
        """The seed that a server is given for one answer: a function of seed, run, episode, step, Actor and draw."""
        return self._seed(run, self._episode, self._step, actor * 1000 + draw)

    def seed_of(self, run: int, episode: int) -> int:
        """The seed that a server is given for the text after an episode."""
        return self._seed(run, episode, 0, 0)

    def _seed(self, run: int, episode: int, step: int, part: int) -> int:
        return int(self.draws.uniform(Purpose.PLANNER, episode, step, part)[run] * 2**31)

    def _thoughts(self, run: int) -> Callable[[int, int], str]:
        """Answers of earlier steps, where the subgoal that was executed is what they chose."""

        def thought(episode: int, step: int) -> str:
            kept = self.endpoint.ledger.said(Place(self.draws.first_run + run, episode, step))
            found = json.loads(kept) if kept else ""
            said = Said.of(found) if isinstance(found, str | dict) else Said("")
            executed = self.runs[run].episodes[episode].subgoals[step - 1]
            menu = self.prompting.words.menus[0] if self.prompting.words.menus else ()
            chosen = choice_of(said, menu) if len(executed) == 1 else None
            return said.text if chosen is not None and menu[chosen] == executed[0] else ""

        return thought

    def snapshot(self) -> State:
        """Everything that was heard, as JSON."""
        return {"heard": packed([prompter.episodes for prompter in self.runs])}

    def restore(self, state: State) -> None:
        """Hear it all again, step by step: memory sees what it saw."""
        for prompter, episodes in zip(self.runs, unpacked(state["heard"]), strict=True):
            prompter.retell(episodes)


@dataclass(frozen=True)
class Writing:
    """Has the model of a planner write for the memory of one of its runs (`core.told.Writer`)."""

    planner: EndpointPlanner
    run: int

    def note(self, note: str, number: int, words: int) -> str:
        """The note that the template's block `note` asks for; where nothing usable comes, the old one stays."""
        prompter = self.planner.runs[self.run]
        said = self._write(lambda room: prompter.note(note, number, words, room), "write note", number, words)
        return " ".join(said.split()) or note

    def ask(self, prompt: str, number: int, words: int, material: str = "") -> str:
        """The answer to any prompt; empty where none comes, or the prompt does not fit."""
        prompter = self.planner.runs[self.run]
        return self._write(lambda room: prompter.question(material, prompt, room), "write memory", number, words)

    def __deepcopy__(self, memo: Any) -> "Writing":
        return self  # a copy of a memory has the same model write

    def _write(self, made: Callable[[int], list[Turn]], purpose: str, number: int, words: int) -> str:
        """The answer to a prompt that leaves room, shorter where it does not fit; empty where none comes."""
        way, prompter, before = self.planner.way, self.planner.runs[self.run], None
        room = max(4 * words, way.tokens) - way.tokens
        for _ in range(SHORTER):
            turns = made(room)
            if turns == before:
                break
            try:
                return self._say(turns, purpose, number, words)
            except Overflow:  # of what does not fit the later lines are shown
                room, before = max(prompter.budget - prompter.size(turns) // 2, 0), turns
        return ""

    def _say(self, turns: list[Turn], purpose: str, number: int, words: int) -> str:
        planner, tokens = self.planner, max(4 * words, self.planner.way.tokens)
        place = Place(planner.draws.first_run + self.run, number, -1)
        try:
            said = planner.way.say(turns, place, purpose, tokens, planner.seed_of(self.run, number))
        except Unusable:
            return ""
        except Refused as refused:
            if not refused.outcome.startswith("filtered"):
                raise
            return ""
        spans = [found.end() for found in islice(re.finditer(r"\S+", said), words)]
        return said[: spans[-1]].strip() if spans else ""
