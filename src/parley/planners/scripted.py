"""Planners without a model: uniform at random, and scripted answers (for tests and for trying the loop)."""

import numpy as np

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.roles import State
from parley.core.rows import row_count
from parley.core.said import Menu, Opening, Outcome, Proposal
from parley.core.tables import Sentences


class RandomPlanner:
    """Proposes every legal subgoal alike."""

    def __init__(self, decode: str = "sample") -> None:
        self.decode = decode

    def start(self, draws: Draws) -> None:
        self.num_runs = draws.num_runs

    def hear(self, said: Opening | Outcome) -> None:
        pass

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        if menu.free:
            raise BadInput("this world takes any words and offers no menu: there is nothing to choose from at random")
        alike = menu.legal / row_count(menu.legal)[:, None]
        return Proposal(alike if len(alike) == self.num_runs else alike.repeat(self.num_runs, axis=0))

    def snapshot(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        pass


class ScriptedPlanner(RandomPlanner):
    """Says the subgoals of a script in turn, in every run and episode; the last one again when the script is over.

    With several Actors one subgoal goes to all of them, or parts joined by " / " to each its own.
    """

    def __init__(self, script: tuple[str, ...], decode: str = "sample") -> None:
        super().__init__(decode)
        if not script:
            raise BadInput("script is empty: a scripted planner needs at least one subgoal")
        self.script = script

    def hear(self, said: Opening | Outcome) -> None:
        self.said = 0 if isinstance(said, Opening) else said.step

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        told = self.script[min(self.said, len(self.script) - 1)].split(" / ")
        sentence = told[min(parts.shape[1], len(told) - 1)]
        if menu.free:
            menu = Menu.shared((sentence,))
        match = np.broadcast_to((menu.sentences == sentence) & menu.legal, (self.num_runs, menu.legal.shape[1]))
        if menu.asked is not None:  # where nobody is asked, anything will do
            match = np.where(menu.asked[:, None], match, menu.legal)
        if not match.any(axis=1).all():
            run = int(np.argmin(match.any(axis=1)))
            if (menu.sentences[run if len(menu.sentences) > 1 else 0] == sentence).any():
                said = " / ".join(parts[run])
                raise BadInput(f"script says {sentence!r}, which is forbidden beside {said!r}: tell that Actor another")
            raise BadInput(f"script says {sentence!r}, which is not in the menu: {', '.join(menu.row(run))}")
        probs = match / match.sum(axis=1, keepdims=True)
        return Proposal(probs, source="scripted", menu=menu)
