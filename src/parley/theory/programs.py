"""Linear programs over the realisation weights of an episode tree, by HiGHS and by generating policies.

Maximise eta - trade * cost subject to affinity_p <= 1 - eta for each pair p, cost_k <= cost <= budget for each cost k.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput, MissingExtra, ParleyError
from parley.theory.tree import EpisodeTree

MAX_ROUNDS = 500  # policies generated at most
OVERSPENT = 1e3  # eta that a unit of regret over the budget costs
TOO_LITTLE = "no exploration policy keeps to this budget in the worst case: allow more regret"
Weights = list[np.ndarray]  # (n, G) a step


@dataclass(frozen=True)
class Functional:
    """What a policy is judged by, linear in its realisation weights: affinities of pairs and costs."""

    tree: EpisodeTree
    overlap: Float[np.ndarray, "n G P"]  # at the last step
    costs: list[Float[np.ndarray, "n G K"]]

    @property
    def num_entries(self) -> int:
        """Nonzero coefficients of the linear program."""
        flow = sum(np.count_nonzero(nodes.child >= 0) + nodes.child[..., :1].size for nodes in self.tree.steps)
        return int(np.count_nonzero(self.overlap) + sum(map(np.count_nonzero, self.costs)) + flow)

    def evaluate(self, policy: Weights) -> tuple[Float[np.ndarray, " P"], Float[np.ndarray, " K"]]:
        """Affinities and costs of a policy, exact."""
        weights = self.tree.forward(policy)
        costs = sum(np.einsum("ng,ngk->k", w, c) for w, c in zip(weights, self.costs, strict=True))
        return np.einsum("ng,ngp->p", weights[-1], self.overlap), np.asarray(costs)

    def respond(self, pairs: Float[np.ndarray, " P"], costs: Float[np.ndarray, " K"]) -> tuple[Weights, float]:
        """The deterministic policy of least pairs . affinity + costs . cost, and that least value."""
        policy: Weights = []
        value = np.zeros(0)
        for h in range(len(self.tree.steps) - 1, -1, -1):
            nodes = self.tree.steps[h]
            q = self.costs[h] @ costs
            if h == len(self.tree.steps) - 1:
                q = q + self.overlap @ pairs
            else:
                q = q + (nodes.mass * np.where(nodes.child >= 0, value[nodes.child], 0.0)).sum(axis=2)
            policy.insert(0, np.eye(q.shape[1])[q.argmin(axis=1)])
            value = q.min(axis=1)
        seen = self.tree.first >= 0
        return policy, float(self.tree.first_mass[seen] @ value[self.tree.first[seen]])


def program(functional: Functional, trade: float, budget: float) -> tuple[Weights, float]:
    """Realisation weights of the best policy by one linear program, and a proven upper bound of the objective."""
    sparse = _scipy().sparse
    tree, overlap = functional.tree, functional.overlap
    sizes = [len(cost) * cost.shape[1] for cost in functional.costs]
    start = np.cumsum([0, *sizes])
    num, num_pairs, num_costs = int(start[-1]), overlap.shape[-1], functional.costs[0].shape[-1]
    above = sparse.hstack(
        [
            sparse.csr_array((num_pairs, start[-2])),
            sparse.csr_array(overlap.reshape(sizes[-1], num_pairs).T),
            np.tile([1.0, 0.0], (num_pairs, 1)),
        ]
    )
    spend = np.concatenate([cost.reshape(-1, num_costs) for cost in functional.costs]).T
    below = sparse.hstack([sparse.csr_array(spend), np.tile([0.0, -1.0], (num_costs, 1))])
    flow, mass = _flow(tree, start, sparse)
    solved = _solve(
        np.r_[np.zeros(num), -1.0, trade],
        sparse.vstack([above, below]).tocsr(),
        np.r_[np.ones(num_pairs), np.zeros(num_costs)],
        sparse.hstack([flow, sparse.csr_array((flow.shape[0], 2))]).tocsr(),
        mass,
        [*[(0, None)] * num, (None, 1), (0, None if budget == np.inf else budget)],
    )
    weights = [solved.x[a:b].reshape(-1, overlap.shape[1]) for a, b in zip(start[:-1], start[1:], strict=True)]
    dual = -solved.ineqlin.marginals
    return weights, _bound(functional, dual[:num_pairs], dual[num_pairs:], trade, budget)[0]


def _flow(tree: EpisodeTree, start: np.ndarray, sparse: Any) -> tuple[Any, np.ndarray]:
    """What leaves a node as subgoals is what comes to it: one row a node."""
    num_g = tree.beliefs.tables.num_subgoals
    sizes = [len(nodes.place) for nodes in tree.steps]
    row = np.cumsum([0, *sizes])
    mass = np.zeros(row[-1])
    seen = tree.first >= 0
    np.add.at(mass, tree.first[seen], tree.first_mass[seen])
    rows, columns, values = [], [], []
    for h, nodes in enumerate(tree.steps):
        rows.append(np.repeat(np.arange(sizes[h]), num_g) + row[h])
        columns.append(np.arange(sizes[h] * num_g) + start[h])
        values.append(np.ones(sizes[h] * num_g))
        n, g, o = np.nonzero(nodes.child >= 0)
        if h + 1 < len(sizes):
            rows.append(nodes.child[n, g, o] + row[h + 1])
            columns.append(n * num_g + g + start[h])
            values.append(-nodes.mass[n, g, o])
    where = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_array((np.concatenate(values), where), shape=(row[-1], start[-1])), mass


def generate(functional: Functional, trade: float, budget: float, tolerance: float) -> tuple[Weights, float]:
    """The same by generating policies: a small program mixes those found so far, its duals ask for the next one.

    Stops when the best mixture is within `tolerance` of the least of all bounds found, or after `MAX_ROUNDS`.
    """
    num_pairs, num_costs = functional.overlap.shape[-1], functional.costs[0].shape[-1]
    alike = np.full(num_costs, 1 / num_costs)
    policies = [functional.tree.uniform(), functional.respond(np.zeros(num_pairs), alike)[0]]
    affinities, costs = (list(column) for column in zip(*map(functional.evaluate, policies), strict=True))
    bound, best, mixture = np.inf, -np.inf, np.zeros(0)
    over = 0.0
    for _ in range(MAX_ROUNDS):
        mixture, best, over, pairs, prices = _mix(np.array(affinities), np.array(costs), trade, budget)
        least, policy = _bound(functional, pairs, prices, trade, budget)
        bound = min(bound, least)
        if bound - best <= tolerance:
            break
        affinity, cost = functional.evaluate(policy)
        policies.append(policy)
        affinities.append(affinity)
        costs.append(cost)
    if over > 1e-7:
        raise BadInput(TOO_LITTLE)
    used = [(share, policies[i]) for i, share in enumerate(mixture) if share > 0]
    paths = [[share * at for at in functional.tree.forward(policy)] for share, policy in used]
    return [np.sum(at, axis=0) for at in zip(*paths, strict=True)], bound


def _mix(
    affinities: Float[np.ndarray, "m P"], costs: Float[np.ndarray, "m K"], trade: float, budget: float
) -> tuple[np.ndarray, float, float, np.ndarray, np.ndarray]:
    """The best mixture of m policies, its objective, and the dual weights of pairs and costs.

    Spending over the budget (third) is allowed at a prohibitive price, so that a mixture always exists.
    """
    (num, num_pairs), num_costs = affinities.shape, costs.shape[1]
    above = np.hstack([affinities.T, np.tile([1.0, 0.0, 0.0], (num_pairs, 1))])
    below = np.hstack([costs.T, np.tile([0.0, -1.0, -1.0], (num_costs, 1))])
    solved = _solve(
        np.r_[np.zeros(num), -1.0, trade, trade + OVERSPENT],
        np.vstack([above, below]),
        np.r_[np.ones(num_pairs), np.zeros(num_costs)],
        np.r_[np.ones(num), np.zeros(3)][None],
        np.ones(1),
        [*[(0, None)] * num, (None, 1), (0, None if budget == np.inf else budget), (0, None)],
    )
    dual = -solved.ineqlin.marginals
    mixture = np.maximum(solved.x[:num], 0.0)
    return mixture / mixture.sum(), -float(solved.fun), float(solved.x[-1]), dual[:num_pairs], dual[num_pairs:]


def _bound(
    functional: Functional, pairs: np.ndarray, prices: np.ndarray, trade: float, budget: float
) -> tuple[float, Weights]:
    """An upper bound of the objective from dual weights (weak duality holds for any), and the best response to them.

    eta - trade cost <= 1 - pairs . affinity - trade cost for weights that sum to one; prices above `trade` are what the
    budget adds.
    """
    pairs = np.maximum(pairs, 0.0)
    pairs = pairs / pairs.sum() if pairs.sum() > 0 else np.full(len(pairs), 1 / max(1, len(pairs)))
    prices = np.maximum(prices, 0.0)
    extra = prices.sum() - trade
    if prices.sum() > 0 and (budget == np.inf or extra < 0):
        prices, extra = prices * trade / prices.sum(), 0.0
    elif prices.sum() == 0:
        prices, extra = np.full(len(prices), trade / len(prices)), 0.0
    policy, least = functional.respond(pairs, prices)
    room = extra * budget if extra > 0 else 0.0
    return 1 - least + room, policy


def _solve(objective: np.ndarray, above: Any, limits: np.ndarray, equal: Any, sums: np.ndarray, bounds: list) -> Any:
    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    solved = _scipy().optimize.linprog(
        objective, above, limits, equal, sums, bounds=bounds, method="highs", options=options
    )
    if solved.status == 2:
        raise BadInput(TOO_LITTLE)
    if solved.status != 0:
        raise ParleyError(f"the linear program of the exploration policy was not solved: {solved.message}")
    return solved


def _scipy() -> Any:
    try:
        import scipy.optimize
        import scipy.sparse
    except ImportError:
        raise MissingExtra("designing an exploration policy", "theory") from None
    return scipy
