"""What a language model says at decisions of documents, beside what the exact planner says there.

Documents are given, so that all ways of hearing one model are judged at the same decisions and from the same scores.
Calibrations are subtractions, and temperatures divisions, that need no further look at the model.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Opening, Outcome
from parley.core.tables import Tables
from parley.data.documents import Documents, sample_documents
from parley.execute import RunConfig
from parley.planners.exact import ExactPlanner
from parley.planners.hearing import Hearing
from parley.planners.local import LocalPlanner
from parley.theory.posterior import bail

WIDE = 16  # lines of a menu, at most
KINDS = ("none", "contextual", "pmi")
ORDERS = 2
PARTS = (*(f"{what} {order}" for what in ("scores", "contextual", "pmi") for order in range(ORDERS)), "bail", "loss")


@dataclass(frozen=True)
class Judged(RunConfig):
    """A cell of decisions: `runs` documents of `episodes`, drawn by uniform behaviour; `planner` says who is asked."""


def judge(config: Judged) -> Float[np.ndarray, "N W"]:
    """A row for each decision: each of `PARTS`, `WIDE` numbers wide, NaN beyond the menu.

    `loss` is what choosing a line costs in expected return (units of reward), by the posterior of the latent.
    """
    world = assemble.world(config.world)
    if world.tables is None or world.num_actors > 1:
        raise BadInput(f"world {config.world!r}: decisions are judged in worlds with tables and one Actor")
    scene = assemble.Scene(config.world, world, np.zeros(config.runs, dtype=np.intp), config.episodes)
    made = assemble.planner(config.planner, scene)
    assert isinstance(made, LocalPlanner)
    documents = sample_documents(scene.beliefs, config.runs, config.episodes, (config.seed, 7), behaviour="uniform")
    with scene.closing:
        asked = {kind: _heard_as(made, replace(made.hearing, calibrate=kind, permutations=ORDERS)) for kind in KINDS}
        return _judged(asked, scene.beliefs.tables, documents, ExactPlanner(scene.beliefs))


def _heard_as(planner: LocalPlanner, hearing: Hearing) -> LocalPlanner:
    memory = planner.memory
    return LocalPlanner(planner.model, hearing, planner.prompting, planner.renderer.chat is not None, memory)


def _judged(
    asked: dict[str, LocalPlanner], tables: Tables, documents: Documents, exact: ExactPlanner
) -> Float[np.ndarray, "N W"]:
    n, num_episodes, horizon = documents.subgoals.shape
    menu, seen = tables.menus[0], np.array(tables.observations, dtype=object)[documents.observations]
    tasks = np.array(tables.instructions, dtype=object)[documents.instructions]
    chosen = np.array(menu, dtype=object)[documents.subgoals]
    raw, rows = asked["none"], []
    for planner in (raw, exact):
        planner.start(Draws(0, n))
    bases = {kind: _bases(planner, menu, n) for kind, planner in asked.items() if kind != "none"}
    raw.start(Draws(0, n))
    for e in range(num_episodes):
        said: Opening | Outcome = Opening(e, tasks[:, e], seen[:, e, 0])
        for h in range(horizon):
            raw.hear(said)
            exact.hear(said)
            scores = raw.scores(range(n), [menu] * n, [()] * n)
            law, value = exact.joint_proposal(), _values(exact)
            for i in range(n):
                parts = [*scores[i], *bases["contextual"], *bases["pmi"], law[i], value[i].max() - value[i]]
                rows.append(np.concatenate([_wide(part) for part in parts]))
            said = Outcome(e, h + 1, chosen[:, e, h, None], seen[:, e, h + 1], np.zeros(n), np.ones(n, dtype=bool))
        raw.hear(said)
        exact.hear(said)
    return np.array(rows)


def _bases(planner: LocalPlanner, menu: tuple[str, ...], n: int) -> Float[np.ndarray, "P M"]:
    planner.start(Draws(0, n))
    return planner.bases(0, menu, ())


def _values(exact: ExactPlanner) -> Float[np.ndarray, "B G"]:
    """Expected return of each subgoal, the latent by its posterior, followed by the expert of each latent."""
    values = exact.beliefs.optimal(exact.step, exact.place, exact.latent, exact.instruction)
    return bail(exact.posterior, values)


def _wide(values: np.ndarray) -> np.ndarray:
    if len(values) > WIDE:
        raise BadInput(f"a menu of {len(values)} lines is wider than {WIDE}")
    return np.pad(values.astype(float), (0, WIDE - len(values)), constant_values=np.nan)


def parts(found: Float[np.ndarray, "N W"]) -> dict[str, Float[np.ndarray, "N M"]]:
    """The parts of judged decisions by name."""
    return {name: found[:, i * WIDE : (i + 1) * WIDE] for i, name in enumerate(PARTS)}
