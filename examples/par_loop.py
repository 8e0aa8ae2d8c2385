"""The paper in one file: worlds, BAIL, epsilon-greedy exploration and regret, flat, without `parley.loop`.

He, Chen, Zhang and Yang (ICML 2024, arXiv 2405.19883). Every run has one hidden latent z. A perfectly pretrained
planner performs Bayesian aggregated imitation learning (BAIL): it mixes the experts of all latents by its posterior,

    pi_BAIL(g given history) = sum over z of P(z given history) * pi*_z(g given this episode, instruction).

    python examples/par_loop.py                       # the house with the back door, open, without and with exploration
    python examples/par_loop.py treasure 0.1 200      # world, epsilon, episodes

The numbers are those of `parley.run` with the same seed, since both read the same streams of random numbers.
"""

import sys
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

import parley
from parley.types import Purpose

TIE = 1e-9  # optimal values that differ by less tie


@dataclass(eq=False)
class World:
    """One latent of a family: an initial distribution, P(s' given s, g), E(o given s), and pay r(o, w)."""

    initial: np.ndarray  # S
    transition: np.ndarray  # S G S
    emission: np.ndarray  # S O
    reward: np.ndarray  # O W
    horizon: int
    taste: np.ndarray  # G: how its expert shares itself among equally good subgoals
    values: dict[tuple[int, int, bytes], np.ndarray] = field(default_factory=dict)

    def begin(self, observation: int) -> tuple[np.ndarray, float]:
        """The belief over states after o_1, and the probability of o_1."""
        joint = self.initial * self.emission[:, observation]
        return weigh(joint)

    def move(self, belief: np.ndarray, subgoal: int, observation: int) -> tuple[np.ndarray, float]:
        """The belief after one more subgoal and observation, and the probability of that observation."""
        return weigh(belief @ self.transition[:, subgoal] * self.emission[:, observation])

    def q(self, step: int, belief: np.ndarray, instruction: int) -> np.ndarray:
        """Q*(belief, g) for every subgoal: pay now, and the optimal value of what comes (expectimax, memoised)."""
        key = (step, instruction, np.round(belief, 12).tobytes())
        if key not in self.values:
            seen = np.einsum("s,sgt,to->go", belief, self.transition, self.emission)  # P(o' given belief, g)
            found = seen @ self.reward[:, instruction]
            if step < self.horizon:
                for g, o in zip(*np.nonzero(seen > 0), strict=True):
                    then, _ = self.move(belief, int(g), int(o))
                    found[g] += seen[g, o] * self.q(step + 1, then, instruction).max()
            self.values[key] = found
        return self.values[key]

    def expert(self, step: int, belief: np.ndarray, instruction: int) -> np.ndarray:
        """pi*_z: uniform over the optimal subgoals, or shared among them by taste."""
        q = self.q(step, belief, instruction)
        best = (q >= q.max() - TIE).astype(float)
        share = best * self.taste
        return share / share.sum() if share.sum() > 0 else best / best.sum()


def weigh(joint: np.ndarray) -> tuple[np.ndarray, float]:
    """A distribution and its total weight; an impossible history keeps any distribution, since its weight is 0."""
    total = float(joint.sum())
    return (joint / total if total > 0 else np.eye(len(joint))[-1]), total


@dataclass
class Family:
    """A family of worlds, one for each latent, with its prior and its words."""

    tables: parley.Tables

    @cached_property
    def worlds(self) -> list[World]:
        t = self.tables
        tastes = t.tie_weights
        parts = zip(t.initial, t.transition, t.emission, tastes, strict=True)
        return [World(start, move, see, t.reward, t.horizon, taste) for start, move, see, taste in parts]


def draw(probabilities: np.ndarray, u: float) -> int:
    """One index by inversion of a uniform number."""
    total = np.cumsum(probabilities)
    return min(int((total <= u * total[-1]).sum()), len(total) - 1)


class Luck:
    """Run r's random numbers: the r-th of every stream (seed, purpose, episode, step)."""

    def __init__(self, seed: int, run: int) -> None:
        self.draws = parley.Draws(seed, 1, run)

    def __call__(self, purpose: Purpose, episode: int = 0, step: int = 0) -> float:
        return float(self.draws.uniform(purpose, episode, step)[0])


class Bail:
    """The planner: knows the family, never the latent. Its state is a posterior and one filter a latent."""

    def __init__(self, family: Family) -> None:
        self.family = family
        with np.errstate(divide="ignore"):
            self.log_weight = np.log(family.tables.prior)

    def open(self, observation: int) -> None:
        """An episode begins: o_1 is evidence."""
        self._weigh([world.begin(observation) for world in self.family.worlds])

    def hear(self, subgoal: int, observation: int) -> None:
        """A subgoal is an intervention, no evidence; what was heard after it is."""
        filters = zip(self.family.worlds, self.beliefs, strict=True)
        self._weigh([world.move(belief, subgoal, observation) for world, belief in filters])

    def propose(self, step: int, instruction: int) -> np.ndarray:
        """The experts of all latents, mixed by the posterior."""
        filters = zip(self.family.worlds, self.beliefs, strict=True)
        experts = np.array([world.expert(step, belief, instruction) for world, belief in filters])
        return self.posterior @ experts

    @property
    def posterior(self) -> np.ndarray:
        weight = np.exp(self.log_weight - self.log_weight.max())
        return weight / weight.sum()

    def _weigh(self, filtered: list[tuple[np.ndarray, float]]) -> None:
        self.beliefs = [belief for belief, _ in filtered]
        with np.errstate(divide="ignore"):
            self.log_weight = self.log_weight + np.log([probability for _, probability in filtered])


class EpsilonGreedy:
    """With probability epsilon an episode's subgoals are drawn uniformly (pi_e); else they follow the planner."""

    def __init__(self, epsilon: float, luck: Luck) -> None:
        self.epsilon, self.luck = epsilon, luck

    def open(self, episode: int) -> None:
        self.exploring = self.luck(Purpose.COIN, episode) < self.epsilon
        self.weight = self.epsilon  # P(exploring given what was executed in this episode): who looks on infers the coin

    def choose(self, proposal: np.ndarray, greedy: bool, episode: int, step: int) -> tuple[int, np.ndarray]:
        """The subgoal that is executed, and its distribution with the coin averaged out."""
        best = proposal >= proposal.max() - TIE
        own = best / best.sum() if greedy else proposal
        uniform = np.full(len(own), 1 / len(own))
        subgoal = draw(uniform if self.exploring else own, self.luck(Purpose.SUBGOAL, episode, step))
        law = self.weight * uniform + (1 - self.weight) * own
        self.weight *= uniform[subgoal] / law[subgoal]
        return subgoal, law


def one_run(
    family: Family, latent: int, luck: Luck, explorer: EpsilonGreedy, episodes: int, greedy: bool
) -> np.ndarray:
    """Expected regret by episode: the sum over h of E_g[V* - Q*(g)] along the path, by the true latent's tables."""
    true, planner, regret = family.worlds[latent], Bail(family), np.zeros(episodes)
    for t in range(episodes):
        instruction = t % len(family.tables.instructions)
        state = draw(true.initial, luck(Purpose.STATE, t, 0))
        seen = draw(true.emission[state], luck(Purpose.OBSERVATION, t, 0))
        planner.open(seen)
        explorer.open(t)
        belief, _ = true.begin(seen)
        for h in range(1, true.horizon + 1):
            proposal = planner.propose(h, instruction)
            subgoal, law = explorer.choose(proposal, greedy, t, h)
            q = true.q(h, belief, instruction)
            regret[t] += q.max() - law @ q
            state = draw(true.transition[state, subgoal], luck(Purpose.STATE, t, h))  # the Actor acts ...
            seen = draw(true.emission[state], luck(Purpose.OBSERVATION, t, h))  # ... and the Reporter says what came
            planner.hear(subgoal, seen)
            belief, _ = true.move(belief, subgoal, seen)
    return regret


def par_loop(
    world: str, epsilon: float, episodes: int, runs: int, seed: int, greedy: bool = True, latent: int | None = None
) -> np.ndarray:
    """Expected regret by run and episode; unless told, each run draws its latent from the prior."""
    tables = parley.make(world).tables
    assert tables is not None and tables.num_actors == 1
    family, found = Family(tables), []
    for run in range(runs):
        luck = Luck(seed, run)
        z = draw(tables.prior, luck(Purpose.LATENT)) if latent is None else latent
        found.append(one_run(family, z, luck, EpsilonGreedy(epsilon, luck), episodes, greedy))
    return np.array(found)


def main(world: str = "shortcut", epsilon: str = "0.1", episodes: str = "64", runs: str = "16") -> None:
    """Print the regret of greedy BAIL without exploration and with it."""
    latent = 1 if world == "shortcut" else 0  # the unlikely one: the open back door, the gold
    print(f"{world}, {runs} runs of {episodes} episodes: expected regret of a run")
    for share in (0.0, float(epsilon)):
        total = par_loop(world, share, int(episodes), int(runs), seed=1, latent=latent).sum(axis=1)
        half = 1.96 * total.std(ddof=1) / len(total) ** 0.5
        print(f"  epsilon = {share:<5} {total.mean():7.2f} ± {half:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
