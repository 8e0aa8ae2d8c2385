"""A world model behind a server: any language model is asked what would be heard after each subgoal (theory.md 6)."""

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.draws import Draws
from parley.core.said import Opening, Outcome, Prediction
from parley.core.tables import Tables
from parley.planners.endpoint import EndpointPlanner
from parley.planners.ways.asking import Question
from parley.prompting.prompter import Prompter


@dataclass
class Foreseer(Prompter):
    """Prompts whose answer is an observation."""

    @classmethod
    def of(cls, prompter: Prompter) -> "Foreseer":
        """A copy of what a run has heard, to which imagined steps can be added."""
        made = cls(prompter.how, copy.deepcopy(prompter.memory), prompter.thought, prompter.episodes)
        made._before, made._rendered = prompter._before, dict(prompter._rendered)
        return made

    def candidate(self, sentence: str, menu: Any) -> str:
        return self._render("observation", observation=sentence)


class EndpointWorldModel:
    """Asks a server for the next observation after each subgoal, by any of the four ways in which it is asked to plan.

    Sampled answers give frequencies: as many as the way samples. Where no usable answer comes, after asking again, all
    observations are taken to be alike, and `silent` names the run until something else is heard in it.
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
        self.silent = np.zeros(len(self.silent), dtype=bool)

    def predict(
        self, rows: Int[np.ndarray, " n"], subgoals: Int[np.ndarray, "n d"], observations: Int[np.ndarray, "n d"]
    ) -> Prediction:
        asked = [self._imagined(*one) for one in zip(rows, subgoals, observations, strict=True)]
        questions = [(n, g) for n in range(len(asked)) for g in range(len(self._subgoals))]
        heard = np.empty((len(asked), len(self._subgoals), len(self._observations)))
        with ThreadPoolExecutor(self.reader.endpoint.calling.concurrency) as pool:
            found = pool.map(lambda one: self._ask(int(rows[one[0]]), asked[one[0]], one[1]), questions)
            for (n, g), law in zip(questions, found, strict=True):
                self.silent[rows[n]] |= law is None
                heard[n, g] = 1 / heard.shape[2] if law is None else law
        return Prediction(heard)

    def _imagined(self, row: int, subgoals: np.ndarray, observations: np.ndarray) -> Foreseer:
        """What a run has heard, and the steps that are imagined to follow."""
        prompter = Foreseer.of(self.reader.runs[row])
        for g, o in zip(subgoals, observations, strict=True):
            prompter.go_on((self._subgoals[g],), self._observations[o], 0.0)
        return prompter

    def _ask(self, row: int, prompter: Foreseer, g: int) -> Float[np.ndarray, " O"] | None:
        """The law of what is heard after subgoal g."""
        reader, words = self.reader, self._observations
        seeds = [reader.seed(row, g, draw) for draw in range(reader.way.num_answers)]
        turns = prompter.turns((self._subgoals[g],), words)
        return reader.way.probs(Question(prompter, turns, words, reader.place(row), seeds))
