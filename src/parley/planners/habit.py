"""A planner that learns by a rule: what paid best from here is done again, else what was tried least."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from parley.core.codes import one_line
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.roles import State
from parley.core.said import Menu, Opening, Outcome, Proposal
from parley.core.tables import Sentences
from parley.core.told import Told, packed, unpacked

SOON = 0.99  # a pay one step later counts so much: of two ways to the same, the shorter is the better
Place = tuple[str, ...]  # instruction, observation, and the parts of the Actors before


class HabitPlanner:
    """Knows of each run, for every instruction and observation, how often a subgoal was tried, and its best outcome.

    Where something tried paid more than nothing, it proposes the subgoal that paid most to the episode's end. Elsewhere
    it proposes all that were tried least, with equal chances. It needs no latents, no tables and no model. In a world
    that never says the same twice it never learns.
    """

    def __init__(self, decode: str = "sample") -> None:
        self.decode = decode

    def start(self, draws: Draws) -> None:
        self._runs = [_Habits() for _ in range(draws.num_runs)]

    def hear(self, said: Opening | Outcome) -> None:
        if isinstance(said, Opening):
            for run, instruction, seen in zip(self._runs, said.instructions, said.observations, strict=True):
                run.begin(str(instruction), str(seen))
            return
        for i, run in enumerate(self._runs):
            if said.active[i]:
                run.go_on(tuple(map(str, said.subgoals[i])), str(said.observations[i]), float(said.rewards[i]))

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        if menu.free:
            raise BadInput("this world takes any words and offers no menu: there is nothing to have tried")
        shape = (len(self._runs), menu.sentences.shape[1])
        sentences, legal = np.broadcast_to(menu.sentences, shape), np.broadcast_to(menu.legal, shape)
        before = one_line(parts) if parts.shape[1] else [""] * len(self._runs)
        probs = np.zeros(shape)
        for i, run in enumerate(self._runs):
            probs[i, legal[i]] = run.proposal(before[i], sentences[i, legal[i]].tolist())
        return Proposal(probs)

    def snapshot(self) -> State:
        """Everything that was heard."""
        return {"heard": packed([run.told for run in self._runs])}

    def restore(self, state: State) -> None:
        """Hear it all again."""
        for run, episodes in zip(self._runs, unpacked(state["heard"]), strict=True):
            for told in episodes:
                run.begin(told.instruction, told.observations[0])
                for said in zip(told.subgoals, told.observations[1:], told.rewards, strict=True):
                    run.go_on(*said)


class _Habits:
    """What one run has tried, and what came of it."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.tried: dict[Place, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.best: dict[Place, dict[str, float]] = defaultdict(dict)

    def begin(self, instruction: str, observation: str) -> None:
        """An episode begins; nothing has been done in it."""
        self.told.append(Told(instruction, (observation,)))
        self._done: list[tuple[Place, str, float]] = []  # with what was paid in the episode before it
        self._paid = 0.0

    def go_on(self, parts: tuple[str, ...], observation: str, paid: float) -> None:
        """A subgoal was carried out: what has been paid since earlier ones is theirs too."""
        now, before = self.told[-1], ""
        for part in parts:
            place: Place = (now.instruction, now.observations[-1], before)
            self.tried[place][part] += 1
            self._done.append((place, part, self._paid))
            before = f"{before}\n{part}" if before else part
        self.told[-1] = now.after(parts, observation, paid)
        self._paid += paid
        for steps, (place, part, earlier) in enumerate(reversed(self._done)):
            since = (self._paid - earlier) * SOON**steps
            self.best[place][part] = max(self.best[place].get(part, -np.inf), since)

    def proposal(self, before: str, menu: Sequence[str]) -> Float[np.ndarray, " M"]:
        """The probability distribution over one run's menu."""
        now = self.told[-1]
        place = (now.instruction, now.observations[-1], before)
        paid = np.array([self.best[place].get(part, 0.0) for part in menu])
        count = np.array([self.tried[place][part] for part in menu])
        chosen = paid >= paid.max() if paid.max() > 0 else count <= count.min()
        return chosen / chosen.sum()
