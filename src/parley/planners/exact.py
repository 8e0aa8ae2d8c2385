"""Exact planners from a family's tables: BAIL, the expert who knows z, and posterior sampling (theory.md 1 and 2)."""

import numpy as np
from jaxtyping import Float, Int

from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.errors import ImpossibleObservation
from parley.core.roles import State
from parley.core.rows import row_max
from parley.core.said import Menu, Opening, Outcome, Proposal
from parley.core.tables import Sentences
from parley.theory.beliefs import Beliefs
from parley.theory.posterior import Evidence, bail, log_total, normalised


class ExactPlanner:
    """What a perfectly pretrained model computes: BAIL, pi(g) = sum_z P(z given pt) pi*_z(g given tau_h, w).

    Keeps log P(z) of the settled past (B, Z). Within the episode it keeps the place of each latent's filter and the
    log-likelihood of the history. See `theory.posterior.Evidence` for what counts as evidence. `label_error` is the
    share of corrupted labels that such a model was trained on.
    """

    log_environment: np.ndarray  # (B, Z), of the current episode, as are the next three
    log_before: np.ndarray  # (B, Z), the same before what was heard last
    log_expert: np.ndarray  # (B, Z)
    log_behaviour: np.ndarray  # (B,)

    def __init__(
        self,
        beliefs: Beliefs,
        evidence: Evidence | None = None,
        decode: str = "sample",
        label_error: float = 0.0,
    ) -> None:
        self.beliefs, self.evidence, self.decode = beliefs, evidence or Evidence(), decode
        self.label_error = label_error
        self.tables = beliefs.tables
        self.all_latents = np.arange(self.tables.num_latents)[None, :]
        self._joint: np.ndarray | None = None

    def start(self, draws: Draws) -> None:
        self.draws = draws
        self.num_runs = draws.num_runs
        self.latent = np.broadcast_to(self.all_latents, (self.num_runs, self.tables.num_latents))
        with np.errstate(divide="ignore"):
            self.settled: Float[np.ndarray, "B Z"] = np.tile(np.log(self.tables.prior), (self.num_runs, 1))
        self.step = 0  # of the next decision; 0 before the first episode
        self.place: np.ndarray = self.latent
        self._begin_episode()

    def hear(self, said: Opening | Outcome) -> None:
        seen = self.tables.observation_words.encode(said.observations)[:, None]
        if isinstance(said, Opening):
            self._settle()
            self.instruction = self.tables.instruction_words.encode(said.instructions)[:, None]
            self.step = 1
            self.place, prob = self.beliefs.begin(self.latent, seen)
            active = np.ones((self.num_runs, 1), dtype=bool)
        else:
            active = said.active[:, None]
            if self.evidence.demonstrator:
                self._weigh_subgoal(self.tables.joint(said.subgoals), said.active)
            place, prob = self._advance(said, seen)
            self.place = place if said.active.all() or place.ndim != self.place.ndim else self._keep(active, place)
            self.step = said.step + 1
        self._unseen = self._log_weights()
        self.log_before = self.log_environment
        with np.errstate(divide="ignore"):
            self.log_environment = self.log_environment + np.where(active, np.log(prob), 0.0)
        self._posterior: np.ndarray | None = None
        self._joint = None
        self._refuse_impossible(said)

    def _advance(self, said: Outcome, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each latent's place after an outcome and P_z(o' given tau_h, g); `seen` (B, 1) is o'."""
        subgoal = self.tables.joint(said.subgoals)[:, None]
        return self.beliefs.advance(said.step, self.place, self.latent, subgoal, seen)

    def _keep(self, active: np.ndarray, place: np.ndarray) -> np.ndarray:
        return np.where(active.reshape(-1, 1, *[1] * (place.ndim - 2)), place, self.place)

    def _settle(self) -> None:
        """An episode is over: what it said joins the past."""
        if self.step:
            self.settled = self._past()
        self._begin_episode()

    def _past(self) -> Float[np.ndarray, "B Z"]:
        """Log weights of the latents after the current episode."""
        weights = self._log_weights()
        return weights - row_max(weights, keepdims=True)

    def _begin_episode(self) -> None:
        """Nothing has been seen and no subgoal heard yet."""
        self.log_environment = np.zeros((self.num_runs, self.tables.num_latents))
        self.log_expert = np.zeros((self.num_runs, self.tables.num_latents))
        self.log_behaviour = np.zeros(self.num_runs)

    def _weigh_subgoal(self, subgoal: np.ndarray, active: np.ndarray) -> None:
        """Count the executed subgoal as evidence: the demonstrator may have been the expert (theory.md section 2)."""
        behaviour = 1 / self.tables.num_subgoals
        experts = self.beliefs.policy(self.step, self.place, self.latent, self.instruction)
        chosen = experts[np.arange(self.num_runs), :, subgoal]
        if self.evidence.mixture == "step":
            self.settled = self.settled + np.where(active[:, None], self.evidence.of_step(chosen, behaviour), 0.0)
        else:
            with np.errstate(divide="ignore"):
                self.log_expert += np.where(active[:, None], np.log(chosen), 0.0)
            self.log_behaviour += np.where(active, np.log(behaviour), 0.0)

    def _log_weights(self) -> Float[np.ndarray, "B Z"]:
        weights = self.settled + self.log_environment
        if self.evidence.demonstrator and self.evidence.mixture == "episode":
            weights = weights + self.evidence.of_episode(self.log_expert, self.log_behaviour)
        return weights

    @property
    def posterior(self) -> Float[np.ndarray, "B Z"]:
        """P(z given pt) of every run."""
        if self._posterior is None:
            self._posterior = normalised(self._log_weights())
        return self._posterior

    def log_likelihood(self) -> Float[np.ndarray, "B 1"]:
        """log P(o given all before) of the observation heard last, by the mixture of all latents."""
        return (log_total(self._log_weights()) - log_total(self._unseen))[:, None]

    def _refuse_impossible(self, said: Opening | Outcome) -> None:
        dead = np.flatnonzero(row_max(self._log_weights()) == -np.inf)
        if len(dead):
            row, step = dead[0], 0 if isinstance(said, Opening) else said.step
            raise ImpossibleObservation(
                f"run {self.draws.first_run + row}, episode {said.episode}, step {step}: no latent of world "
                f"{self.tables.name!r} can give {said.observations[row]!r} there; its tables do not describe this "
                "world. With `floor=0.001` in the world's spec no sentence is impossible"
            )

    def joint_proposal(self) -> Float[np.ndarray, "B G"]:
        """The distribution over joint subgoals."""
        experts = self.beliefs.policy(self.step, self.place, self.latent, self.instruction)
        return bail(self.posterior, corrupted(experts, self.label_error) if self.label_error else experts)

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        """One Actor's conditional distribution, given the parts already chosen for the Actors before it."""
        if self._joint is None or parts.shape[1] == 0:
            self._joint = self.joint_proposal()
        sizes = [len(menu) for menu in self.tables.menus]
        if len(sizes) == 1:
            return Proposal(self._joint)
        given = np.zeros(self.num_runs, dtype=np.intp)
        for k in range(parts.shape[1]):
            given = given * sizes[k] + self.tables.menu_words[k].encode(parts[:, k])
        fits = np.arange(self.tables.num_subgoals) // np.prod(sizes[parts.shape[1] :], dtype=int) == given[:, None]
        joint = np.where(fits, self._joint, 0.0)
        unsaid = joint.sum(axis=1) == 0  # an explorer chose a part that no expert would: go on with the best completion
        if unsaid.any():
            q = self.beliefs.optimal(self.step, self.place, self.latent, self.instruction)
            best = self.beliefs.share(np.where(fits[:, None], q, -np.inf), self.latent)
            joint[unsaid] = bail(self.posterior, best)[unsaid]
        width = sizes[parts.shape[1]]
        before = np.prod(sizes[: parts.shape[1]], dtype=int)
        conditional = joint.reshape(self.num_runs, before, width, -1).sum(axis=(1, 3))
        return Proposal(conditional / conditional.sum(axis=1, keepdims=True))

    def snapshot(self) -> State:
        """Settled log weights, with the episode just finished counted in."""
        return {"settled": self._past() if self.step else self.settled}

    def restore(self, state: State) -> None:
        self.settled, self.step = state["settled"], 0


def corrupted(experts: Float[np.ndarray, "*B G"], share: float) -> Float[np.ndarray, "*B G"]:
    """What a model learns whose labels are, a share of them, the subgoals that are not optimal, all alike."""
    wrong = (experts == 0).astype(float)
    total = wrong.sum(axis=-1, keepdims=True)
    return np.where(total > 0, (1 - share) * experts + share * wrong / np.maximum(total, 1), experts)


class ExpertPlanner(ExactPlanner):
    """pi*_z for the true z: the zero-regret reference. It is told the latents; nothing that plans should be."""

    def __init__(self, beliefs: Beliefs, latents: Int[np.ndarray, " B"], decode: str = "sample") -> None:
        super().__init__(beliefs, decode=decode)
        self.true = latents

    @property
    def posterior(self) -> Float[np.ndarray, "B Z"]:
        return np.eye(self.tables.num_latents)[self.true]


class PosteriorSamplingPlanner(ExactPlanner):
    """Draws one z from the posterior at the start of each episode and follows pi*_z through it."""

    def hear(self, said: Opening | Outcome) -> None:
        super().hear(said)
        if isinstance(said, Opening):
            u = self.draws.uniform(Purpose.PLANNER, said.episode)
            self.believed = np.eye(self.tables.num_latents)[sample_rows(self.posterior, u)]

    def joint_proposal(self) -> Float[np.ndarray, "B G"]:
        experts = self.beliefs.policy(self.step, self.place, self.latent, self.instruction)
        return bail(self.believed, experts)
