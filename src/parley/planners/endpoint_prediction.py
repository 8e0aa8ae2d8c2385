"""A world model behind a server: any language model is asked what would be heard after each subgoal (theory.md 6)."""

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.draws import Draws
from parley.core.said import Opening, Outcome, Prediction
from parley.core.tables import Tables
from parley.models.failures import Overflow
from parley.planners.endpoint import EndpointPlanner, require_no_tilt
from parley.planners.ways.asking import Question
from parley.prompting.prompter import Prompter


@dataclass
class Foreseer(Prompter):
    """Prompts whose answer is an observation."""

    @classmethod
    def of(cls, prompter: Prompter) -> "Foreseer":
        """A copy of what a run has heard, to which imagined steps can be added."""
        made = cls(prompter.how, copy.deepcopy(prompter.memory), prompter.thought, prompter.episodes)
        made.budget, made.left_out, made._shape = prompter.budget, prompter.left_out, prompter._shape
        made._before, made._rendered = prompter._before, dict(prompter._rendered)
        return made

    def candidate(self, sentence: str, menu: Any) -> str:
        return self._render("observation", observation=sentence)


class EndpointWorldModel:
    """Asks a server for the next observation after each subgoal, by any of the four ways in which it is asked to plan.

    Sampled answers give frequencies, as many as the way samples. If no usable answer comes, after asking again, all
    observations are taken to be equally likely. Then `silent` names the run until something else is heard in it.
    """

    def __init__(self, reader: EndpointPlanner, tables: Tables) -> None:
        self.reader, self.about = reader, reader.about
        self._subgoals, self._observations = tables.subgoals, tables.observations
        self.snapshot, self.restore = reader.snapshot, reader.restore

    def start(self, draws: Draws) -> None:
        self.reader.start(draws)
        self.silent: Bool[np.ndarray, " B"] = np.zeros(draws.num_runs, dtype=bool)

    def hear(self, said: Opening | Outcome) -> None:
        self.reader.hear(said)
        require_no_tilt(self.reader.runs, "a world model proposes nothing: use")
        self.silent = np.zeros(len(self.silent), dtype=bool)

    def predict(
        self, rows: Int[np.ndarray, " n"], subgoals: Int[np.ndarray, "n d"], observations: Int[np.ndarray, "n d"]
    ) -> Prediction:
        heard = np.empty((len(rows), len(self._subgoals), len(self._observations)))
        questions = [(n, g) for n in range(len(rows)) for g in range(len(self._subgoals))]
        while questions:
            asked = [self._imagined(*one) for one in zip(rows, subgoals, observations, strict=True)]
            with ThreadPoolExecutor(self.reader.endpoint.calling.most) as pool:
                one = partial(self._ask_one, rows, asked)
                found = list(pool.map(one, questions))
            for (n, g), law in zip(questions, found, strict=True):
                self.silent[rows[n]] |= law is None
                heard[n, g] = 1 / heard.shape[2] if law is None or isinstance(law, Overflow) else law
            questions = self._again(rows, asked, [(n, g, law) for (n, g), law in zip(questions, found, strict=True)])
        return Prediction(heard)

    def _ask_one(self, rows: np.ndarray, asked: list[Foreseer], one: tuple[int, int]) -> Any:
        """Probabilities of the observations, None, or that the prompt did not fit."""
        n, g = one
        try:
            return self._ask(int(rows[n]), asked[n], g)
        except Overflow as overflow:
            return overflow

    def _again(
        self, rows: np.ndarray, asked: list[Foreseer], answered: list[tuple[int, int, Any]]
    ) -> list[tuple[int, int]]:
        """The questions that are asked again, of runs whose prompts did not fit: from here on they are shorter."""
        late: dict[int, tuple[int, int, Overflow]] = {}
        for n, g, law in answered:
            if isinstance(law, Overflow):
                late.setdefault(int(rows[n]), (n, g, law))
        for row, (n, g, law) in late.items():
            part = (self._subgoals[g],)
            turns = asked[n].turns(part, self._observations)
            self.reader.narrow(row, law, asked[n].size(turns), asked[n].least(part, self._observations), str(law))
        return [(n, g) for n, g, law in answered if isinstance(law, Overflow)]

    def _imagined(self, row: int, subgoals: np.ndarray, observations: np.ndarray) -> Foreseer:
        """What a run has heard, and the steps that are imagined to follow."""
        prompter = Foreseer.of(self.reader.runs[row])
        for g, o in zip(subgoals, observations, strict=True):
            prompter.go_on((self._subgoals[g],), self._observations[o], 0.0)
        return prompter

    def _ask(self, row: int, prompter: Foreseer, g: int) -> Float[np.ndarray, " O"] | None:
        """The probability distribution of the observation after subgoal g."""
        reader, words = self.reader, self._observations
        seeds = [reader.seed(row, g, draw) for draw in range(reader.way.num_answers)]
        turns = prompter.turns((self._subgoals[g],), words)
        return reader.way.probs(Question(prompter, turns, words, reader.place(row), seeds))
