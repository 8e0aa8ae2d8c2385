"""The design of an exploration policy: the largest eta, or the best trade of eta against the regret it incurs.

1 - D_H^2 between two latents is linear in a policy's realisation weights (theory.md section 4; sequence form after
Koller, Megiddo and von Stengel 1996). The policy's regret under each latent is linear in them as well. So the policy
with the largest eta solves a linear program over the episode tree, exactly. For larger trees, policies are generated
one by one. Each is the best response (dynamic programming) to the dual weights of a small program that mixes the
earlier ones.

With either method, `Design.eta` is the exact eta of the policy that is returned. `Design.bound` is a proven upper bound
for every policy, from the dual weights. Neither trusts a solver's tolerance.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.programs import Functional, generate, program
from parley.theory.tree import EpisodeTree

MAX_ENTRIES = 1_000_000  # nonzero coefficients of a linear program; a minute or so


@dataclass(frozen=True)
class Goal:
    """What a policy is designed for: eta - `trade` * cost, the cost at most `budget`.

    cost: the expected regret of an exploration episode, `over` the "prior" or in the "worst" case over latents. It is
    under one instruction (its index), or on average over all of them.
    """

    trade: float = 0.0
    budget: float = np.inf
    over: str = "prior"
    instruction: int | None = None

    def __post_init__(self) -> None:
        if self.over not in ("prior", "worst"):
            raise BadInput(f"over={self.over!r}: expected 'prior' or 'worst'")
        if not 0 <= self.trade < np.inf:
            raise BadInput(f"trade={self.trade}: expected a finite price of one unit of regret, not negative")
        if not self.budget >= 0:
            raise BadInput(f"budget={self.budget}: expected a bound on expected regret, not negative")


@dataclass(frozen=True)
class Design:
    """A designed policy: distributions over subgoals at the nodes of each step of the tree.

    `bound`: no policy has a larger eta - trade * cost within the budget; `gap` is what may be missing to it.
    """

    tree: EpisodeTree
    policy: list[Float[np.ndarray, "n G"]]
    eta: float
    cost: float
    bound: float
    goal: Goal
    method: str

    @property
    def gap(self) -> float:
        return max(0.0, self.bound - (self.eta - self.goal.trade * self.cost))


def design(
    beliefs: Beliefs, classes: Classes, goal: Goal | None = None, method: str = "auto", tolerance: float = 1e-6
) -> Design:
    """The best policy for a goal; by default the largest eta.

    `method`: "exact" (one linear program; refused where it is too large), "iterative" (stops when the gap is below
    `tolerance`), or "auto": exact where it fits. Raises `BadInput` where nothing keeps to the budget.
    """
    if method not in ("auto", "exact", "iterative"):
        raise BadInput(f"method={method!r}: expected 'auto', 'exact' or 'iterative'")
    tree, goal = EpisodeTree(beliefs, tuple(group[0] for group in classes.members)), goal or Goal()
    functional = _functional(tree, classes, goal)
    entries = functional.num_entries
    if method == "exact" and entries > MAX_ENTRIES:
        raise BadInput(
            f"the linear program for world {beliefs.tables.name!r} has {entries:,} coefficients over "
            f"{tree.num_nodes:,} nodes (at most {MAX_ENTRIES:,}): use method=iterative, which reports an optimality gap"
        )
    _require_affordable(functional, goal)
    if method == "iterative" or entries > MAX_ENTRIES:
        weights, bound = generate(functional, goal.trade, goal.budget, tolerance)
        return _settle(functional, goal, weights, bound, "iterative")
    weights, bound = program(functional, goal.trade, goal.budget)
    return _settle(functional, goal, weights, bound, "exact")


def cheapest(beliefs: Beliefs, classes: Classes, over: str = "prior", instruction: int | None = None) -> Design:
    """The policy that pays the least expected regret for a unit of eta (Dinkelbach 1967: a few programs).

    What telling latents apart costs in all is about log(odds) / eta episodes at this cost each.
    """
    best = design(beliefs, classes, Goal(over=over, instruction=instruction))
    for _ in range(20):
        if best.cost <= 1e-9:
            break
        price = best.eta / best.cost
        found = design(beliefs, classes, Goal(price, np.inf, over, instruction))
        if found.eta - price * found.cost <= 1e-7 or found.eta <= 1e-6:  # no better ratio than that of `best`
            break
        best = found
    return best


def uniform_cost(beliefs: Beliefs, classes: Classes) -> float:
    """Expected regret of an episode of uniform exploration, mean over the prior and over instructions."""
    tree = EpisodeTree(beliefs, tuple(group[0] for group in classes.members))
    weights = tree.forward(tree.uniform())
    return float(sum(np.einsum("ng,ngc->c", w, at) @ classes.prior for w, at in zip(weights, tree.loss(), strict=True)))


def _functional(tree: EpisodeTree, classes: Classes, goal: Goal) -> Functional:
    loss = tree.loss(goal.instruction)
    share = classes.prior[:, None] if goal.over == "prior" else np.eye(len(classes.prior))
    return Functional(tree, tree.overlap(), [at @ share for at in loss])


def _require_affordable(functional: Functional, goal: Goal) -> None:
    if goal.budget < np.inf and functional.costs[0].shape[-1] == 1:
        nothing = np.zeros(functional.overlap.shape[-1])
        least = functional.respond(nothing, np.ones(1))[1]
        if goal.budget < least:
            raise BadInput(
                f"budget={goal.budget}: not knowing the latent costs {least:.6g} an episode under every policy; "
                "allow at least that much"
            )


def _settle(functional: Functional, goal: Goal, weights: list[np.ndarray], bound: float, method: str) -> Design:
    """Realisation weights as probabilities of subgoals; nodes that are not reached get the uniform distribution.

    Joint subgoals that are forbidden get none; `bound` was found as if they were allowed, and holds all the same.
    """
    policy, alike = [], functional.tree.beliefs.tables.at_random
    for at in weights:
        at = np.where(alike > 0, np.maximum(at, 0.0), 0.0)
        total = at.sum(axis=1, keepdims=True)
        policy.append(np.where(total > 0, at / np.where(total > 0, total, 1.0), alike))
    affinity, costs = functional.evaluate(policy)
    eta = 1 - float(affinity.max(initial=0.0))
    return Design(functional.tree, policy, eta, float(costs.max()), min(1.0, bound), goal, method)
