"""The search tree of a decision as the page shows it: what was imagined, how often, and what it is worth."""

from typing import Any

from parley.core.text import inert
from parley.planners.search import Tree
from parley.planners.world_model import WorldModelPlanner

LEAST = 0.005  # observations less probable than this are counted, not listed


def shown_search(planner: WorldModelPlanner, where: str) -> dict[str, Any]:
    """The tree that `planner`, which has one run, grows at the present moment, for the page."""
    tree = planner.tree()
    calls = int(tree.size[0])
    return {"where": inert(where), "calls": calls, "subgoals": _subgoals(tree, planner, 0)}


def _subgoals(tree: Tree, planner: WorldModelPlanner, node: int) -> list[dict[str, Any]]:
    """The subgoals at a node, the most visited first, each with what may be heard then."""
    visits, values, prior = tree.visits[0, node], tree.q[0, node], tree.prior[0, node]
    return [
        {
            "said": inert(planner.subgoals[g]),
            "visits": int(visits[g]),
            "value": float(values[g]),
            "proposed": float(prior[g]),
            "heard": _heard(tree, planner, node, g),
            "rest": float(tree.heard[0, node, g][tree.heard[0, node, g] < LEAST].sum()),
        }
        for g in sorted(range(len(visits)), key=lambda g: (-visits[g], -values[g], g))
    ]


def _heard(tree: Tree, planner: WorldModelPlanner, node: int, g: int) -> list[dict[str, Any]]:
    probs, child = tree.heard[0, node, g], tree.child[0, node, g]
    likely = [o for o in (-probs).argsort(kind="stable") if probs[o] >= LEAST]
    return [
        {
            "said": inert(planner.observations[o]),
            "probability": float(probs[o]),
            "pays": float(tree.asked.pay[0, o]),
            "subgoals": _subgoals(tree, planner, int(child[o])) if child[o] >= 0 else [],
        }
        for o in likely
    ]
