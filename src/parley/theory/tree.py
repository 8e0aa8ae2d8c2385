"""The observation-subgoal tree of one episode, histories merged where they mean the same under every latent.

A history tau_h matters only through two things. One is each latent's belief over states (a place of `Beliefs`). The
other is the likelihoods of the latents, up to a common factor. Histories that agree in both are one *node*: the future
has the same distribution after them. So a policy on nodes can do all that a policy on histories can (by convexity).
Sums over histories become sums over nodes. Likelihoods are kept as `root`, the square roots of the posterior from equal
weights. Hellinger distances need the roots, and 1e-13 rounded to 0 would be an error of 3e-7 in them.

Legend: n a node of one step, c a latent of those followed (one of each class), p an unordered pair of latents.
Likewise, g is a subgoal and o an observation. `mass` is the probability under equal weights on the latents.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs

MAX_NODES = 200_000  # of one step
MAX_OVERLAP = 2**27  # numbers: 1 GB
CHUNK = 2**22  # numbers held at once


@dataclass
class Nodes:
    """The nodes of one step; `child` is -1 where no latent gives the observation."""

    place: Int[np.ndarray, "n C"]
    root: Float[np.ndarray, "n C"]
    child: Int[np.ndarray, "n G O"]
    mass: Float[np.ndarray, "n G O"]  # of o_{h+1} given the node and g_h


class EpisodeTree:
    """All histories of an episode, step by step.

    `ends` are the roots after the last observation (n, C). Without `to_the_end` the tree keeps nothing of that
    observation. Raises `BadInput` if a step has more than `max_nodes` nodes. If the tree may stop `short`, it ends
    before that step instead, and `end_place` says where its ends stand.
    """

    ends: Float[np.ndarray, "n C"]

    def __init__(
        self,
        beliefs: Beliefs,
        latents: tuple[int, ...],
        to_the_end: bool = False,
        max_nodes: int = MAX_NODES,
        short: bool = False,
    ) -> None:
        if beliefs.levels[-1].prob is None:
            beliefs.refuse_unstored("the tree of its episode")
        self.beliefs, self.latents = beliefs, np.array(latents)
        self.pairs: Int[np.ndarray, "2 P"] = np.array(np.triu_indices(len(latents), 1))
        self.steps: list[Nodes] = []
        self._edges: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray, int]] = {}
        probs = beliefs.first_prob[self.latents].T  # O C
        self.first, self.first_mass, place, root = self._open(probs, beliefs.first[self.latents].T)
        for h in range(1, beliefs.tables.horizon + 1):
            self._refuse(h, len(place), max_nodes)
            if h < beliefs.tables.horizon or to_the_end:
                try:
                    place, root = self._expand(h, place, root, max_nodes, short)
                except BadInput:
                    if not short or h == 1:
                        raise
                    break
            else:
                nothing = np.zeros((len(place), beliefs.tables.num_subgoals, 0))
                self.steps.append(Nodes(place, root, nothing.astype(np.int32), nothing))
        self.ends, self.end_place = root, place

    @property
    def whole(self) -> bool:
        """Whether it goes to the episode's last step."""
        return len(self.steps) == self.beliefs.tables.horizon

    @property
    def num_nodes(self) -> int:
        return sum(len(nodes.place) for nodes in self.steps)

    @property
    def _name(self) -> str:
        return self.beliefs.tables.name

    def _refuse(self, h: int, num: int, most: int) -> None:
        if num > most:
            horizon = self.beliefs.tables.horizon
            where = f"at step {h} of {horizon}" if h <= horizon else "at its end"
            raise BadInput(
                f"the episode tree of world {self._name!r} has {num:,} nodes {where} (at most "
                f"{most:,} fit). Use a shorter horizon or fewer observations, or an explorer that needs no tree "
                "(adaptive-proposals, or epsilon-greedy with policy=uniform)"
            )

    def _open(self, probs: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The node of each first observation (-1: impossible), its mass, and the nodes."""
        mass = probs.mean(axis=1)
        seen = np.flatnonzero(mass > 0)
        root = np.sqrt(probs[seen] / probs[seen].sum(axis=1, keepdims=True))
        place, root, index = _distinct(np.where(root > 0, places[seen], 0), root)
        first = np.full(len(mass), -1)
        first[seen] = index
        return first, mass, place, root

    def _expand(
        self, h: int, place: np.ndarray, root: np.ndarray, max_nodes: int, short: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Append the nodes of step h; returns those of step h + 1 (after the last step the place is 0)."""
        level = self.beliefs.levels[h - 1]
        assert level.prob is not None
        shape = (len(place), *level.prob.shape[1:])
        child, mass = np.full(shape, -1, dtype=np.int32), np.zeros(shape)
        places, roots = [place[:0]], [root[:0]]
        for rows in self._chunks(len(place)):
            joint = root[rows, :, None, None] ** 2 * level.prob[place[rows]]  # n C G O
            mass[rows] = joint.sum(axis=1)
            n, g, o = np.nonzero(mass[rows] > 0)
            weight = np.sqrt(joint[n, :, g, o] / mass[rows][n, g, o][:, None])
            n = n + rows.start
            later = np.zeros_like(place[n]) if level.child is None else level.child[place[n], g[:, None], o[:, None]]
            new_place, new_root, index = _distinct(np.where(weight > 0, later, 0), weight)
            offset = sum(map(len, places))
            child[n, g, o] = index + offset
            places.append(new_place)
            roots.append(new_root)
            self._refuse(h + 1, len(new_place), max_nodes)
            self._refuse(h + 1, (offset + len(new_place)) // 50, max_nodes)  # chunks are yet to be merged
        next_place, next_root, index = _distinct(np.concatenate(places), np.concatenate(roots))
        if short:
            self._refuse(h + 1, len(next_place), max_nodes)
        child = np.where(child >= 0, index[np.maximum(child, 0)], -1)
        self.steps.append(Nodes(place, root, child, mass))
        return next_place, next_root

    def _chunks(self, num: int) -> list[slice]:
        assert self.beliefs.levels[0].prob is not None
        size = max(1, CHUNK // (len(self.latents) * self.beliefs.levels[0].prob[0].size))
        return [slice(a, min(a + size, num)) for a in range(0, num, size)]

    # -- what policies do on the tree -----------------------------------------------------------------------------

    def overlap(self) -> Float[np.ndarray, "n G P"]:
        """sqrt(P_z P_z') summed over the last observation, for a visit of unit mass to a node of the last step."""
        nodes, prob = self.steps[-1], self.beliefs.levels[len(self.steps) - 1].prob
        assert prob is not None
        a, b = self.pairs
        if (size := len(nodes.place) * prob.shape[1] * len(a)) > MAX_OVERLAP:
            raise BadInput(
                f"world {self._name!r}: {len(a):,} pairs of latents at {len(nodes.place):,} nodes make {size:,} "
                f"numbers (at most {MAX_OVERLAP:,} fit): use fewer latents, a shorter horizon, or policy=uniform"
            )
        found = np.empty((len(nodes.place), prob.shape[1], len(a)))
        for rows in self._chunks(len(nodes.place)):
            part = (nodes.root[rows, :, None, None] * np.sqrt(prob[nodes.place[rows]])).transpose(0, 2, 1, 3)
            found[rows] = (part @ part.transpose(0, 1, 3, 2))[:, :, a, b]
        return found * len(self.latents)

    def loss(self, instruction: int | None = None) -> list[Float[np.ndarray, "n G C"]]:
        """Regret under each latent of playing g at a node, for a visit of unit mass; None: mean over instructions."""
        found = []
        for nodes, level in zip(self.steps, self.beliefs.levels, strict=False):  # the tree may end short
            regret = level.q.max(axis=2, keepdims=True) - level.q  # belief W G
            chosen = regret.mean(axis=1) if instruction is None else regret[:, instruction]
            found.append((chosen[nodes.place] * nodes.root[:, :, None] ** 2).transpose(0, 2, 1) * len(self.latents))
        return found

    def forward(self, policy: list[Float[np.ndarray, "n G"]]) -> list[Float[np.ndarray, "n G"]]:
        """Mass of each (node, subgoal) when the policy plays: its realisation weights, summed over histories."""
        at, found = self.start(), []
        for law in policy:
            found.append(at[:, None] * law)
            at = self.follow(len(found), found[-1])
        return found

    def start(self) -> Float[np.ndarray, " n"]:
        """Mass of the nodes of the first step."""
        seen = self.first >= 0
        return np.bincount(self.first[seen], weights=self.first_mass[seen])

    def follow(self, step: int, mass: Float[np.ndarray, "n G"]) -> Float[np.ndarray, " m"]:
        """Mass of what comes after step `step` (nodes of the next, or the ends), from that of its subgoals."""
        source, target, prob, num = self.edges(step)
        return np.bincount(target, weights=mass.ravel()[source] * prob, minlength=num)

    def edges(self, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """The possible continuations of a step, flat: (node, subgoal) as n G + g, what follows, its mass, and how many
        follow.
        """
        if step not in self._edges:
            nodes = self.steps[step - 1]
            num = len(self.steps[step].place) if step < len(self.steps) else len(self.ends)
            n, g, o = np.nonzero(nodes.child >= 0)
            source, target = n * nodes.child.shape[1] + g, nodes.child[n, g, o].astype(np.intp)
            found = source, target, nodes.mass[n, g, o], num
            if len(source) > CHUNK:
                return found
            self._edges[step] = found
        return self._edges[step]

    def uniform(self) -> list[Float[np.ndarray, "n G"]]:
        """Every subgoal alike at every node."""
        law = self.beliefs.tables.at_random
        return [np.tile(law, (len(nodes.place), 1)) for nodes in self.steps]


def _distinct(place: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge rows with the same places and the same roots (to 1e-12); returns both, and each row's node."""
    if not len(place):
        return place, root, np.zeros(0, dtype=np.intp)
    key = np.ascontiguousarray(np.concatenate([place.astype(float), np.round(root, 12) + 0.0], axis=1))
    packed = key.view(np.dtype((np.void, key.shape[1] * 8))).ravel()
    _, first, index = np.unique(packed, return_index=True, return_inverse=True)
    return place[first], root[first], index
