"""What the theory says of a world: the answer of `parley theory WORLD`."""

import math
from collections.abc import Mapping
from typing import Any

from parley.assemble.exploration import designs_of
from parley.assemble.planners import PLANNERS
from parley.assemble.pretrained import pretrained
from parley.assemble.scene import beliefs_of
from parley.assemble.worlds import world
from parley.core.errors import BadInput, MissingExtra
from parley.theory.beliefs import Beliefs
from parley.theory.bounds import pretraining_delta, regret_bound, theory_epsilon
from parley.theory.design import uniform_cost
from parley.theory.distinguishability import Classes, classes_of, eta_of, uniform
from parley.theory.traps import traps
from parley.theory.waste import Greedy, waste

POLICIES = ("uniform", "designed", "cheapest")
NAMED = 5  # groups of merged latents that are named


def theory_summary(
    world_spec: str,
    episodes: int = 1000,
    seed: int = 0,
    pretraining_error: float = 0.0,
    reporter_error: float = 0.0,
    planner: str = "",
) -> dict[str, Any]:
    """Classes, c_Z, eta, epsilon and bound of each exploration policy, and traps; plain data for `--json`.

    `pretraining_error` is a model's total variation to BAIL, `reporter_error` that of a Reporter to the true E: the
    bound adds both in every episode. Of a `planner` that reads a checkpoint it is said up to which T, namely T_p, the
    theory speaks. Infinite and unknown numbers are None. Whether a world reveals itself is None where the simulated
    runs cannot tell. `notes` says why. Raises `BadInput` where the world has no tables.
    """
    if episodes < 1:
        raise BadInput(f"episodes={episodes}: expected at least 1")
    for name, error in (("pretraining_error", pretraining_error), ("reporter_error", reporter_error)):
        if not 0 <= error <= 1:
            raise BadInput(f"{name}={error}: expected a total variation, a number from 0 to 1")
    delta_p = pretraining_delta(pretraining_error, reporter_error)
    tables = world(world_spec).tables
    if tables is None:
        raise BadInput(f"world {world_spec!r} has no exact tables: there is nothing to compute from")
    beliefs = beliefs_of(tables)
    classes = classes_of(beliefs)
    notes: list[str] = []
    spoken = _spoken(planner, world_spec, episodes, notes) if planner else None
    policies = {name: _policy(beliefs, classes, name, episodes, delta_p, notes) for name in POLICIES}
    names = [[tables.latents[z] for z in group] for group in classes.members]
    if any(len(group) > 1 for group in names):
        notes.append(_merged(names))
    found = traps(beliefs, classes, episodes, seed, world_spec)
    pays = _pays(Greedy.of(found.escapes), policies, notes)
    trapped = found.as_json()
    return {
        "world": world_spec,
        "episodes": episodes,
        "pretrained_episodes": spoken,
        "delta_p": delta_p,
        "horizon": tables.horizon,
        "classes": names,
        "num_classes": len(names),
        "c_z": classes.c_z if math.isfinite(classes.c_z) else None,
        **{key: {name: policies[name][key] for name in POLICIES} for key in ("eta", "cost", "epsilon", "bound")},
        "gap": {name: policies[name]["gap"] for name in POLICIES[1:]},
        "verdict": trapped["verdict"],
        "exploring_pays": pays,
        "reveals_itself": trapped["reveals_itself"],
        "late_interval": trapped["late_interval"],
        "traps": trapped["escapes"],
        "notes": notes,
    }


def _spoken(planner: str, world_spec: str, episodes: int, notes: list[str]) -> int | None:
    """T_p of the checkpoint that a planner reads; a note says where T is beyond it, or where it is not known."""
    named = PLANNERS.find(planner)
    found = pretrained(named.name, named.arguments, world_spec)
    if found is None:
        notes.append(f"planner {planner!r} reads no checkpoint of `parley pretrain` here: T_p is not known")
        return None
    notes.extend(filter(None, [found.beyond(episodes)]))
    return found.episodes


def _pays(greedy: Greedy, policies: Mapping[str, Mapping[str, Any]], notes: list[str]) -> bool | None:
    """False where the theory's exploration costs more than deciding greedily; None where that is not known."""
    columns = ({name: one[key] for name, one in policies.items()} for key in ("epsilon", "cost"))
    found = waste(greedy, *columns)
    if found is None:
        return None
    policy, rate = found
    notes.append(
        f"exploring at the theory's rate does not pay in {greedy.episodes:,} episodes: exploration alone ({policy}) "
        f"costs {greedy.episodes * rate:.3g}, deciding greedily at most {greedy.most:.3g} whatever the latent"
    )
    return False


def _merged(names: list[list[str]]) -> str:
    """The classes of more than one latent, by name; long lists are shortened."""
    groups = [group for group in names if len(group) > 1]
    shown = ["; ".join(_listed([f'"{name}"' for name in group], 3) for group in groups[:NAMED])]
    shown += [f"and {len(groups) - NAMED:,} more groups"] if len(groups) > NAMED else []
    same = "latents that no policy can tell apart are merged, as they have the same value under every policy"
    return f"{same}: {'; '.join(shown)}"


def _listed(words: list[str], most: int) -> str:
    """Joined by commas; of more than `most`, one less and how many there are besides.

    >>> _listed(["a", "b"], 3), _listed(["a", "b", "c"], 3), _listed(list("abcdefg"), 3)
    ('a and b', 'a, b and c', 'a, b and 5 more')
    """
    shown = words if len(words) <= most else [*words[: most - 1], f"{len(words) - most + 1:,} more"]
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def _policy(
    beliefs: Beliefs, classes: Classes, name: str, episodes: int, delta_p: float, notes: list[str]
) -> dict[str, Any]:
    """eta of a policy, expected regret of one of its episodes, and the epsilon and bound that follow.

    The paper leaves the constants of the bound open: they are 1 here.
    """
    found: dict[str, Any] = dict.fromkeys(("eta", "cost", "epsilon", "bound", "gap"))
    try:
        if name == "uniform":
            found["eta"] = eta_of(beliefs, uniform(beliefs))
            found["cost"] = uniform_cost(beliefs, classes)
        else:
            designs = designs_of(beliefs, name)
            found["eta"] = min(design.eta for design in designs)
            found["cost"] = sum(design.cost for design in designs) / len(designs)
            found["gap"] = max(design.gap for design in designs)
    except (BadInput, MissingExtra) as missing:
        notes.append(f"{name}: {missing}")
        return found
    if len(classes.members) == 1:
        return {**found, "epsilon": 0.0, "bound": beliefs.tables.horizon**2 * episodes * delta_p}  # nothing to find out
    if found["eta"] > 0 and math.isfinite(classes.c_z):
        sizes = (episodes, beliefs.tables.horizon, found["eta"], len(classes.members), classes.c_z)
        found["epsilon"], found["bound"] = theory_epsilon(*sizes), regret_bound(*sizes, delta_p=delta_p)
    return found
