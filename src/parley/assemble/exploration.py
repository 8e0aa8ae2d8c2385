"""Exploration policies by name, and the theory's epsilon for them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from parley.assemble.scene import Scene
from parley.core.errors import BadInput
from parley.core.paths import read_json
from parley.core.spec import suggestion
from parley.exploration.designed import DesignedPolicy
from parley.exploration.explorers import (
    Policy,
    uniform_policy,
    weighted_policy,
)
from parley.theory.beliefs import Beliefs
from parley.theory.bounds import least_episodes, theory_epsilon
from parley.theory.design import Design, cheapest, design
from parley.theory.distinguishability import classes_of, eta_of, uniform, weighted


@dataclass(frozen=True)
class ExplorationPolicy:
    """pi_e as an explorer takes it, and its eta, computed when asked for."""

    eta: Callable[[], float]
    policy: Policy = uniform_policy
    listener: DesignedPolicy | None = None


def exploration_policy(scene: Scene, name: str) -> ExplorationPolicy:
    """`uniform`, `designed` (the largest eta), `cheapest` (the least regret for its eta), or a file of weights."""
    if name == "uniform":
        return ExplorationPolicy(lambda: eta_of(scene.beliefs, uniform(scene.beliefs)))
    if name in ("designed", "cheapest"):
        designs = designs_of(scene.beliefs, name)
        listener = DesignedPolicy(scene.beliefs.tables, designs)
        return ExplorationPolicy(lambda: min(found.eta for found in designs), listener=listener)
    weights, said = _read_weights(name, scene), f"policy={name!r}"
    policy = weighted_policy(weights, said)
    if scene.world.tables is not None:
        _require_weight(weights, scene.world.tables.menus, said)
        given = eta_of(scene.beliefs, weighted(scene.beliefs, weights), said)
        return ExplorationPolicy(lambda: given, policy)
    return ExplorationPolicy(lambda: eta_of(scene.beliefs, uniform(scene.beliefs)), policy)


@lru_cache(maxsize=8)
def designs_of(beliefs: Beliefs, name: str) -> tuple[Design, ...]:
    """The design with the largest eta; or, one for each instruction, that with the least regret for its eta."""
    classes = classes_of(beliefs)
    if name == "designed":
        return (design(beliefs, classes),)
    return tuple(cheapest(beliefs, classes, instruction=w) for w in range(len(beliefs.tables.instructions)))


def _read_weights(path: str, scene: Scene) -> dict[str, float]:
    """An exploration policy from a JSON file: an object of subgoals and their weights, which need not sum to one."""
    example = 'a JSON object of subgoals and weights, {"walk on": 2, "try the door": 1}, which need not sum to 1'
    if not Path(path).is_file():
        raise BadInput(
            f"policy={path!r} is neither 'uniform', 'designed' or 'cheapest' nor a file: give one of these names, or a "
            f"file that holds {example}"
        )
    try:
        weights = read_json(Path(path))
    except OSError as wrong:
        raise BadInput(f"policy={path!r}: the file cannot be read: {wrong.strerror}") from None
    except ValueError as wrong:
        raise BadInput(f"policy={path!r}: the file is no JSON ({wrong}): expected {example}") from None
    if not isinstance(weights, dict) or not weights:
        raise BadInput(f"policy={path!r}: expected {example}")
    menus = scene.world.tables.menus if scene.world.tables else ()
    known = {subgoal for menu in menus for subgoal in menu}
    for subgoal in weights:
        if known and subgoal not in known:
            raise BadInput(f"policy={path!r}: {subgoal!r} is no subgoal of the world{suggestion(subgoal, known)}")
    return weights


def _require_weight(weights: dict[str, float], menus: tuple[tuple[str, ...], ...], said: str) -> None:
    for k, menu in enumerate(menus):
        if not any(weights.get(subgoal, 0.0) > 0 for subgoal in menu):
            whose = f" of Actor {k + 1}" if len(menus) > 1 else ""
            raise BadInput(
                f"{said}: no subgoal{whose} has a positive weight: give one to at least one of "
                f"{', '.join(map(repr, menu))} (weights need not sum to 1)"
            )


def epsilon_of_theory(beliefs: Beliefs, num_episodes: int, eta: float) -> float:
    """The theory's epsilon for an exploration policy of that eta, c_Z and |Z| over merged classes.

    Raises `BadInput` where there are so few episodes that the formula gives 1: nothing but exploration.
    """
    classes, horizon = classes_of(beliefs), beliefs.tables.horizon
    if len(classes.members) == 1:
        return 0.0  # nothing to find out
    epsilon = theory_epsilon(num_episodes, horizon, eta, len(classes.members), classes.c_z)
    if epsilon == 1.0:
        least = least_episodes(horizon, eta, len(classes.members), classes.c_z)
        raise BadInput(
            f"episodes={num_episodes} are too few for the theory's epsilon, which would be 1 (exploration only): "
            f"run at least {least}, or give a number, epsilon-greedy:epsilon=0.1"
        )
    return epsilon
