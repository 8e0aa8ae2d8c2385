"""Baselines for several Actors: each plans for itself, not hearing the others; or one Actor's part is the expert's."""

import numpy as np
from jaxtyping import Float

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.roles import KeptPlanner, State
from parley.core.said import Menu, Opening, Outcome, Proposal
from parley.core.tables import Sentences
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs


class OneOfSeveral(ExactPlanner):
    """Actor k's own planner: hears the report and its own part, and takes the others to do what it would tell them.

    With probability `doubt` they do anything that is allowed: what it sees then never proves it wrong outright.
    """

    def __init__(self, beliefs: Beliefs, actor: int, doubt: float) -> None:
        super().__init__(beliefs)
        self.actor, self.doubt = actor, doubt
        self._sizes = [len(menu) for menu in self.tables.menus]
        index = np.unravel_index(np.arange(self.tables.num_subgoals), self._sizes)
        self._mine = index[actor]  # G: this Actor's part of each joint subgoal

    def marginal(self) -> Float[np.ndarray, "B M"]:
        """What it proposes for itself: the marginal of what it would tell them all."""
        joint = self.joint_proposal().reshape(self.num_runs, *self._sizes)
        return joint.sum(axis=tuple(i + 1 for i in range(len(self._sizes)) if i != self.actor))

    def _advance(self, said: Outcome, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Averaged over what the others may have done; places do not hinge on that, since reports tell the state."""
        mine = self.tables.menu_words[self.actor].encode(said.subgoals)[:, self.actor]
        law = self._others(mine)[:, None, :]  # B 1 G
        every = np.arange(self.tables.num_subgoals)[None, None, :]
        places, probs = self.beliefs.advance(
            said.step, self.place[..., None], self.latent[..., None], every, seen[..., None]
        )
        weighed = law * probs
        likeliest = weighed.argmax(axis=2)[..., None]
        return np.take_along_axis(np.broadcast_to(places, probs.shape), likeliest, axis=2)[..., 0], weighed.sum(axis=2)

    def _others(self, mine: np.ndarray) -> Float[np.ndarray, "B G"]:
        """The probabilities of the joint subgoal, its own part given."""
        fits = self._mine == mine[:, None]
        alike = np.where(fits, self.tables.at_random, 0.0)
        alike = alike / alike.sum(axis=1, keepdims=True)
        told = np.where(fits, self.joint_proposal(), 0.0)
        total = told.sum(axis=1, keepdims=True)
        told = np.where(total > 0, told / np.where(total > 0, total, 1.0), alike)
        return (1 - self.doubt) * told + self.doubt * alike


class Together:
    """K planners. The k-th says Actor k's part. All are kept together and hear the same."""

    def __init__(self, planners: list[KeptPlanner], decode: str) -> None:
        self.planners, self.decode = planners, decode

    def start(self, draws: Draws) -> None:
        for planner in self.planners:
            planner.start(draws)

    def hear(self, said: Opening | Outcome) -> None:
        for planner in self.planners:
            planner.hear(said)

    def snapshot(self) -> State:
        states = [planner.snapshot() for planner in self.planners]
        return {f"{i}.{name}": array for i, state in enumerate(states) for name, array in state.items()}

    def restore(self, state: State) -> None:
        for i, planner in enumerate(self.planners):
            begin = f"{i}."
            mine = {name[len(begin) :]: array for name, array in state.items() if name.startswith(begin)}
            planner.restore(mine)


class DecentralisedPlanner(Together):
    """Each Actor with a planner of its own (`OneOfSeveral`), without the gain of coordination.

    If two Actors may not be told the same, the later one has to choose from the rest. Raises `BadInput` if reports do
    not tell the state: an Actor's reading of them would depend on messages that it did not hear.
    """

    def __init__(self, beliefs: Beliefs, doubt: float = 0.1, decode: str = "sample") -> None:
        tables = beliefs.tables
        if not 0 < doubt <= 1:
            raise BadInput(f"doubt={doubt}: expected a probability above 0, that the others do anything at all")
        if ((tables.emission > 0).sum(axis=1) > 1).any() or any(level.child is None for level in beliefs.levels[:-1]):
            raise BadInput(
                f"planner 'decentralised' needs reports that tell the state, as those of {tables.name!r} do not"
            )
        self.alone = [OneOfSeveral(beliefs, k, doubt) for k in range(tables.num_actors)]
        super().__init__(list(self.alone), decode)

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        law = np.where(menu.legal, self.alone[parts.shape[1]].marginal(), 0.0)
        total = law.sum(axis=1, keepdims=True)
        alike = menu.legal / menu.legal.sum(axis=1, keepdims=True)
        return Proposal(np.where(total > 0, law / np.where(total > 0, total, 1.0), alike))


class SubstitutedPlanner(Together):
    """A planner, but Actor `actor`'s part comes from the expert: how much of the regret was that Actor's."""

    def __init__(self, planner: KeptPlanner, expert: KeptPlanner, actor: int) -> None:
        super().__init__([planner, expert], planner.decode)
        self.actor = actor

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        proposals = [planner.propose(menu, parts) for planner in self.planners]  # both follow the parts
        return proposals[parts.shape[1] == self.actor]
