"""How beliefs move from one episode to the next when BAIL (or posterior sampling) acts on them: an exact Markov chain.

A state is a belief over latents at the start of an episode. The possible outcomes of an episode are the ends of its
tree, each a vector of likelihoods. So from the prior the chain is enumerated, where it is finite (beliefs equal to
1e-12 are one).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from parley.core.said import decode
from parley.theory.distinguishability import Classes
from parley.theory.posterior import bail
from parley.theory.tree import EpisodeTree

MAX_BELIEFS = 300
DRAWN = "drawn"  # posterior sampling (Thompson 1933)
PAYS = 0.01  # an episode that costs more regret than this counts as costing something


@dataclass(frozen=True)
class Chain:
    """The chain from the prior (state 0) of one decoding, instructions drawn alike from some; m beliefs.

    A decoding is that of BAIL (`greedy`, `sample`), or `DRAWN`: one latent an episode, and its expert.
    """

    belief: Float[np.ndarray, "m C"]
    loss: Float[np.ndarray, "m C"]  # expected regret of an episode, under each latent
    move: Float[np.ndarray, "C m m"]  # distribution of the next belief, under each latent


def chain(tree: EpisodeTree, classes: Classes, how: str, instructions: tuple[int, ...]) -> Chain | None:
    """Enumerate the chain; None where it has more than `MAX_BELIEFS` beliefs, or the tree does not go to the end."""
    if not tree.whole:
        return None
    losses = [tree.loss(w) for w in instructions]
    experts = [_experts(tree, w) for w in instructions]
    found = {_key(classes.prior): 0}
    beliefs, rows = [classes.prior], []
    for belief in beliefs:  # grows while it is walked
        loss, ends = np.zeros(len(belief)), np.zeros(len(tree.ends))
        for expert, losing in zip(experts, losses, strict=True):
            paid, reached = _episode(tree, belief, how, expert, losing)
            loss, ends = loss + paid / len(instructions), ends + reached / len(instructions)
        row: dict[int, np.ndarray] = {}
        for end in np.flatnonzero(ends > 0):
            likelihood = tree.ends[end] ** 2
            after = belief * likelihood
            if not after.sum() > 0:
                continue  # no latent believed possible says this
            after = after / after.sum()
            where = found.setdefault(_key(after), len(found))
            if where == len(beliefs):
                beliefs.append(after)
            row[where] = row.get(where, 0.0) + ends[end] * len(belief) * likelihood
        if len(found) > MAX_BELIEFS:
            return None
        rows.append((loss, row))
    move = np.zeros((len(classes.prior), len(beliefs), len(beliefs)))
    for i, (_, row) in enumerate(rows):
        for j, mass in row.items():
            move[:, i, j] = mass
    return Chain(np.array(beliefs), np.array([loss for loss, _ in rows]), move)


def _key(belief: np.ndarray) -> bytes:
    return (np.round(belief, 12) + 0.0).tobytes()


def _experts(tree: EpisodeTree, w: int) -> list[Float[np.ndarray, "n C G"]]:
    levels = tree.beliefs.levels
    return [level.policy[nodes.place, w] for nodes, level in zip(tree.steps, levels, strict=True)]


def _episode(
    tree: EpisodeTree, belief: np.ndarray, how: str, experts: list[np.ndarray], losses: list[np.ndarray]
) -> tuple[Float[np.ndarray, " C"], Float[np.ndarray, " ends"]]:
    """Expected regret under each latent of an episode begun with a belief, and the mass of each end."""
    if how == DRAWN:
        one = [_episode(tree, certain, "sample", experts, losses) for certain in np.eye(len(belief))]
        return belief @ np.array([paid for paid, _ in one]), belief @ np.array([at for _, at in one])
    at, paid = tree.start(), np.zeros(len(belief))
    for h, (nodes, expert, loss) in enumerate(zip(tree.steps, experts, losses, strict=True)):
        posterior = belief * nodes.root**2
        total = posterior.sum(axis=1, keepdims=True)
        posterior = np.where(total > 0, posterior / np.where(total > 0, total, 1.0), belief)
        mass = at[:, None] * decode(bail(posterior, expert), how)
        paid += mass.ravel() @ loss.reshape(-1, len(belief))
        at = tree.follow(h + 1, mass)
    return paid, at


@dataclass(frozen=True)
class Fate:
    """What becomes of a planner under one true latent, from the prior, in `episodes` episodes."""

    paying: float  # expected number of them that cost more than PAYS
    paying_spread: float  # standard deviation of that number
    cost: float  # expected regret
    late: float  # expected regret an episode in the last tenth of them
    stuck: float  # probability of paying for ever
    belief: Float[np.ndarray, " C"]  # in which most is lost in the end
    spread: float  # standard deviation of a run's regret, each episode charged what its belief makes it lose

    @property
    def escape(self) -> float:
        """`paying`, where there is an end to it; inf where some episodes are paid for ever."""
        return np.inf if self.stuck > 1e-9 else self.paying


def fate(found: Chain, c: int, episodes: int) -> Fate:
    """The fate under latent c: closed classes of beliefs give the limit, powers of the chain give the rest.

    The expected escape time without an end would be of no use. Each time that an open door jams (probability 1/5), the
    belief in it falls by a factor of 5. So does the rate of trying it, and the mean is infinite though no class is
    closed.
    """
    move, loss = found.move[c], found.loss[:, c]
    pays = loss > PAYS
    stuck = _stuck(move, pays)
    last = max(1, episodes // 10)
    cost, before = (float(total(move, loss, n)[0]) for n in (episodes, episodes - last))
    paying = float(total(move, pays.astype(float), episodes)[0])
    end = np.linalg.matrix_power(move, episodes)[0]
    worst = int(np.argmax(end * loss)) if (end * loss).max() > 0 else int(np.argmax(end))
    spread, paying_spread = (_spread(move, counted, episodes) for counted in (loss, pays.astype(float)))
    return Fate(paying, paying_spread, cost, (cost - before) / last, stuck, found.belief[worst], spread)


def _spread(move: Float[np.ndarray, "m m"], loss: Float[np.ndarray, " m"], episodes: int) -> float:
    """Standard deviation, from state 0, of what a run loses (or counts): first and second moments, backwards."""
    mean, square = np.zeros(len(loss)), np.zeros(len(loss))
    for _ in range(episodes):
        later = move @ mean
        mean, square = loss + later, loss**2 + 2 * loss * later + move @ square
    return float(np.sqrt(max(0.0, square[0] - mean[0] ** 2)))


def _stuck(move: Float[np.ndarray, "m m"], pays: Bool[np.ndarray, " m"]) -> float:
    """Probability, from state 0, of ending in a closed class in which some belief pays."""
    reach = _closure(move > 0)
    recurrent = ~(reach & ~reach.T).any(axis=1)
    trap = recurrent & (reach & pays).any(axis=1)
    passing = ~recurrent & (reach & trap).any(axis=1)
    if not passing[0]:
        return float(trap[0])
    inside = np.eye(passing.sum()) - move[np.ix_(passing, passing)]
    return float(np.linalg.solve(inside, move[np.ix_(passing, trap)].sum(axis=1))[0])


def _closure(edges: Bool[np.ndarray, "m m"]) -> Bool[np.ndarray, "m m"]:
    reach = edges | np.eye(len(edges), dtype=bool)
    while True:
        further = (reach.astype(np.float32) @ reach.astype(np.float32)) > 0
        if (further == reach).all():
            return reach
        reach = further


def total(move: Float[np.ndarray, "m m"], loss: Float[np.ndarray, " m"], episodes: int) -> Float[np.ndarray, " m"]:
    """sum over t < episodes of move^t loss, by doubling."""
    value, power = np.zeros(len(loss)), np.eye(len(loss))
    for bit in bin(episodes)[2:]:
        value, power = value + power @ value, power @ power
        if bit == "1":
            value, power = loss + move @ value, power @ move
    return value
