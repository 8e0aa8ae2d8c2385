"""Beliefs over the hidden state within one episode, and optimal values on them, exact for every latent.

For known z the world is a POMDP: a history tau_h tells of the future only through the belief b_z(s_h). Distinct beliefs
are enumerated level by level (step h = 1..H) and memoised, never the tree of histories. After that, filtering the state
is one gather. If the beliefs of the last steps are too many to store, they are filtered as vectors. That works because
values at the last step are linear in the belief.

Legend: n a node (a belief at one level, of one latent), z latent, s state, g subgoal, o observation, w instruction.
"""

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from jaxtyping import Float, Int

from parley.core.errors import BadInput
from parley.core.said import TIE
from parley.core.tables import Tables

MAX_EDGES = 2**24  # stored (node, subgoal, observation) edges of a level: 200 MB
MAX_WORK = 2**27  # edges that may be walked to value the last level when it is not stored
CHUNK = 2**22  # numbers held at once while a level is expanded


@dataclass
class Level:
    """The beliefs of one step: `child` is -1 where the observation is impossible, absent where beliefs go unstored."""

    latent: Int[np.ndarray, " n"]
    belief: Float[np.ndarray, "n S"]
    child: Int[np.ndarray, "n G O"] | None
    prob: Float[np.ndarray, "n G O"] | None  # P_z(o' given b, g)
    q: Float[np.ndarray, "n W G"]
    policy: Float[np.ndarray, "n W G"]  # pi*_z


class Beliefs:
    """Belief filter, optimal values and optimal policies of all latents of a family.

    A *place* says where a latent's filter stands at a step: an int node, or a belief vector at levels that are not
    stored. Places of impossible histories are node 0 or the last belief: their weight is zero, so they do not matter.

    >>> from parley.worlds.tabular.treasure import treasure
    >>> Beliefs(treasure(n=4)).value.round(3).tolist()[0]
    [1.0]
    """

    def __init__(self, tables: Tables, max_edges: int = MAX_EDGES) -> None:
        self.tables = t = tables
        self.levels: list[Level] = []
        self._max_edges = max_edges
        moved = np.einsum("zsgt,zto,ow->zsgw", t.transition, t.emission, t.reward, optimize=True)
        self._last = np.ascontiguousarray(moved.transpose(0, 1, 3, 2))  # Z S W G: expected pay of one step from s
        self._step = np.ascontiguousarray(t.transition.transpose(0, 2, 1, 3))  # Z G S S'
        self._see = np.ascontiguousarray(t.emission.transpose(0, 2, 1))  # Z O S
        self._open(max_edges)
        self._solve()

    # -- building -------------------------------------------------------------------------------------------------

    def _open(self, max_edges: int) -> None:
        """Enumerate the distinct beliefs of each level, as far as they can be stored."""
        t, (num_g, num_o) = self.tables, (self.tables.num_subgoals, len(self.tables.observations))
        joint = t.initial[:, None, :] * self._see  # Z O S
        self.first_prob = joint.sum(axis=2)  # Z O
        z, o = np.nonzero(self.first_prob > 0)
        nodes, index = _distinct(z, joint[z, o] / self.first_prob[z, o][:, None])
        self.first = np.zeros_like(self.first_prob, dtype=np.intp)
        self.first[z, o] = index
        for h in range(1, t.horizon + 1):
            latent, belief = nodes
            edges = len(latent) * num_g * num_o
            level = Level(latent, belief, None, None, np.empty(0), np.empty(0))
            self.levels.append(level)
            if edges > max_edges:
                if h < t.horizon - 1 or edges > MAX_WORK:
                    raise BadInput(
                        f"world {t.name!r} has {len(latent):,} distinct beliefs at step {h} of {t.horizon}, with "
                        f"{edges:,} continuations (at most {MAX_WORK if h >= t.horizon - 1 else max_edges:,} fit). "
                        "These are too many for exact values, and so for expected regret, with any planner. Use a "
                        "world with a shorter horizon, fewer subgoals or fewer observations"
                    )
                break
            if h == t.horizon:
                level.prob = self._predict(latent, belief)
            else:
                nodes = self._expand(level, max_edges if h < t.horizon - 1 else max_edges // (num_g * num_o))
                if level.child is None:
                    break

    def _chunks(self, latent: np.ndarray) -> list[tuple[int, slice]]:
        """Slices of nodes of one latent, small enough to expand at once (nodes are sorted by latent)."""
        size = max(1, CHUNK // (self._step.shape[1] * self._see.shape[1] * self._step.shape[3]))
        bounds = np.searchsorted(latent, np.arange(self.tables.num_latents + 1))
        return [
            (z, slice(a, min(a + size, bounds[z + 1])))
            for z in range(self.tables.num_latents)
            for a in range(bounds[z], bounds[z + 1], size)
        ]

    def _predict(self, latent: np.ndarray, belief: np.ndarray) -> np.ndarray:
        """P_z(o' given b, g), shape (n, G, O)."""
        prob = np.empty((len(latent), self._step.shape[1], self._see.shape[1]))
        for z, rows in self._chunks(latent):
            prob[rows] = np.einsum("ns,gst->ngt", belief[rows], self._step[z], optimize=True) @ self._see[z].T
        return prob

    def _expand(self, level: Level, max_nodes: int) -> tuple[np.ndarray, np.ndarray]:
        """Fill `child` and `prob` of a level; returns the next level's nodes, or leaves `child` None if too many."""
        prob = self._predict(level.latent, level.belief)
        child = np.full(prob.shape, -1, dtype=np.int32)
        latents, beliefs, total = [], [], 0
        for z in range(self.tables.num_latents):
            found: list[np.ndarray] = []
            where: list[tuple[np.ndarray, ...]] = []
            for _, rows in [chunk for chunk in self._chunks(level.latent) if chunk[0] == z]:
                n, g, o = np.nonzero(prob[rows] > 0)
                moved = np.einsum("ns,gst->ngt", level.belief[rows], self._step[z], optimize=True)
                joint = moved[n, g] * self._see[z][o]
                found.append(joint / joint.sum(axis=1, keepdims=True))
                where.append((n + rows.start, g, o))
            if not found:
                continue
            (_, belief), index = _distinct(np.full(sum(map(len, found)), z), np.concatenate(found))
            child[tuple(np.concatenate(axis) for axis in zip(*where, strict=True))] = index + total
            latents.append(np.full(len(belief), z))
            beliefs.append(belief)
            total += len(belief)
            if total > max_nodes:
                return level.latent, level.belief
        level.child, level.prob = child, prob
        return np.concatenate(latents), np.concatenate(beliefs)

    def _solve(self) -> None:
        """Backward induction over the stored levels: Q*, pi* and V* before the first observation."""
        reward = self.tables.reward
        for depth in range(len(self.levels) - 1, -1, -1):
            level = self.levels[depth]
            level.q = np.empty((len(level.latent), reward.shape[1], self._step.shape[1]))
            for z, rows in self._chunks(level.latent):
                level.q[rows] = np.einsum("ns,swg->nwg", level.belief[rows], self._last[z], optimize=True)
                if level.child is not None:
                    later = self.levels[depth + 1].q.max(axis=2)[np.maximum(level.child[rows], 0)]  # n G O W
                    assert level.prob is not None
                    level.q[rows] += np.einsum("ngo,ngow->nwg", level.prob[rows], later, optimize=True)
                elif depth + 1 < self.tables.horizon:  # one unstored step remains: values are homogeneous in the belief
                    moved = np.einsum("ns,gst->ngt", level.belief[rows], self._step[z], optimize=True)
                    joint = moved[:, :, None, :] * self._see[z]  # n G O S, unnormalised
                    pay = joint @ self._last[z].reshape(len(self._last[z]), -1)
                    best = pay.reshape(*joint.shape[:3], *self._last.shape[2:]).max(axis=4)  # n G O W
                    level.q[rows] += best.sum(axis=2).transpose(0, 2, 1)
            level.policy = self.share(level.q, level.latent[:, None])
        first_value = self.levels[0].q.max(axis=2)[self.first]  # Z O W
        self.value: Float[np.ndarray, "Z W"] = np.einsum("zo,zow->zw", self.first_prob, first_value)

    def refuse_unstored(self, what: str) -> NoReturn:
        """Raise `BadInput` for `what` needs the beliefs of all steps, where those of the last are not stored."""
        t, h, num = self.tables, len(self.levels), len(self.levels[-1].latent)
        edges = t.num_subgoals * len(t.observations)  # of one belief
        follow = f", which up to {num * edges:,} follow" if h < t.horizon else ""
        raise BadInput(
            f"world {t.name!r} has {num:,} distinct beliefs at step {h} of {t.horizon}{follow} (at most "
            f"{self._max_edges // edges:,} fit at the last step), too many for {what}. Use an explorer that needs none "
            "(adaptive-proposals, or a number with policy=uniform, epsilon-greedy:epsilon=0.1), or a world with a "
            "shorter horizon, fewer subgoals or fewer observations"
        )

    def share(self, q: np.ndarray, latent: np.ndarray) -> np.ndarray:
        """pi*_z from values q (..., G): the optimal subgoals alike, or in proportion to the world's preference."""
        tied = q >= q.max(axis=-1, keepdims=True) - TIE
        weights = np.where(tied, self.tables.tie_weights[latent], 0.0)
        total = weights.sum(axis=-1, keepdims=True)
        equally = tied / tied.sum(axis=-1, keepdims=True)
        return np.where(total > 0, weights / np.where(total > 0, total, 1.0), equally)

    # -- following a history --------------------------------------------------------------------------------------

    def begin(self, latent: np.ndarray, observation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places after o_1 and P_z(o_1); `latent` and `observation` broadcast together."""
        return self.first[latent, observation], self.first_prob[latent, observation]

    def advance(
        self, step: int, place: np.ndarray, latent: np.ndarray, subgoal: np.ndarray, observation: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Places after g_h and o_{h+1}, and P_z(o_{h+1} given tau_h, g_h); after the last step places mean nothing."""
        if step <= len(self.levels):
            level = self.levels[step - 1]
            if level.prob is not None:
                prob = level.prob[place, subgoal, observation]
                return (place if level.child is None else np.maximum(level.child[place, subgoal, observation], 0)), prob
            place = level.belief[place]
        joint = (place[..., None, :] @ self._step[latent, subgoal])[..., 0, :] * self._see[latent, observation]
        prob = joint.sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(prob[..., None] > 0, joint / prob[..., None], place), prob

    def optimal(self, step: int, place: np.ndarray, latent: np.ndarray, instruction: np.ndarray) -> np.ndarray:
        """Q*_{z,h}(tau_h, g, w) for all g, shape (..., G)."""
        if step <= len(self.levels):
            return self.levels[step - 1].q[place, instruction]
        return (place[..., None, :] @ self._last[latent, :, instruction])[..., 0, :]

    def policy(self, step: int, place: np.ndarray, latent: np.ndarray, instruction: np.ndarray) -> np.ndarray:
        """pi*_z(g given tau_h, w), shape (..., G)."""
        if step <= len(self.levels):
            return self.levels[step - 1].policy[place, instruction]
        return self.share(self.optimal(step, place, latent, instruction), latent)

    def predict(self, step: int, place: np.ndarray, latent: np.ndarray, subgoal: np.ndarray) -> np.ndarray:
        """P_z(o_{h+1} given tau_h, g_h) for all o, shape (..., O)."""
        if step <= len(self.levels):
            level = self.levels[step - 1]
            if level.prob is not None:
                return level.prob[place, subgoal]
            place = level.belief[place]
        moved = (place[..., None, :] @ self._step[latent, subgoal])[..., 0, :]
        return (self._see[latent] @ moved[..., None])[..., 0]


def _distinct(latent: np.ndarray, belief: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Merge equal beliefs of the same latent (to 1e-12); returns the nodes, sorted by latent, and each row's node."""
    key = np.concatenate([latent[:, None].astype(float), np.round(belief, 12) + 0.0], axis=1)
    packed = np.ascontiguousarray(key).view(np.dtype((np.void, key.shape[1] * 8))).ravel()
    _, first, index = np.unique(packed, return_index=True, return_inverse=True)
    order = np.argsort(latent[first], kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    first = first[order]
    return (latent[first], belief[first]), rank[index]
