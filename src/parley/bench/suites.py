"""The suites: which questions a card asks, in which worlds."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from parley import assemble
from parley.assemble.explorers import EXPLORERS
from parley.assemble.memories import MEMORIES
from parley.assemble.planners import PLANNERS
from parley.assemble.registry import parameters
from parley.assemble.scene import Scene
from parley.bench import foreseeing, measures
from parley.bench.arms import UNIFORM, Arm, tables_of
from parley.bench.entries import Entry
from parley.bench.faults import CHEATS, DELUDED, HARMS, INVALID, PLACE, QUESTIONS
from parley.bench.foreseeing import MOST_NATS
from parley.bench.logs import most_lost
from parley.core.errors import BadInput
from parley.core.spec import suggestion

SUITES = ("memory", "exploration", "bayes", "reliability", "world-model")
BANDIT, WEAK = "bandit:arms=4,gap=0.5", "bandit:arms=3,gap=0.1"
UNSEEN = ("generated:kind=ask", "generated:kind=lock")
WORLDS = {
    "memory": (BANDIT, *UNSEEN, "shortcut", "household"),
    "exploration": (BANDIT, "shortcut"),
    "bayes": (BANDIT, "generated:kind=lock"),
    "reliability": (BANDIT,),
    "world-model": ("shortcut",),
}
RANDOM, EXACT = "random", "exact"
STATISTICS = {
    "suffix failure": "share of places whose best arm is not chosen again in the second half of a run",
    "MinFrac": "share of the arm that is chosen least, times the number of arms",
    "GreedyFrac": "share of choices of the arm that was best so far",
    "coverage": "share of the menu that was ever chosen",
}
Left = dict[str, str]  # the parts that are not measured, and the sentence that says why


def entries_of(planner: str, suites: Sequence[str], worlds: Sequence[str] = ()) -> tuple[list[Entry], Left]:
    """The entries of some suites for a planner, in `worlds` instead of the usual ones, if given."""
    PLANNERS.find(planner, trust=True)  # an unknown one is refused before anything is asked of it
    found, left = list[Entry](), Left()
    for suite in suites:
        if suite not in SUITES:
            raise BadInput(f"suite={suite!r}: expected all or one of {', '.join(SUITES)}{suggestion(suite, SUITES)}")
        made = MAKERS[suite]
        for number, world in enumerate(worlds or WORLDS[suite]):
            found += made(planner, world, left, number == 0)
    first_of = {entry.name: entry for entry in reversed(found)}  # regret is asked by two suites
    return [entry for entry in found if first_of[entry.name] is entry], left


def _most(world: str) -> float:
    """The most that an episode can lose on average: the optimal value, less the value of who wants the opposite."""
    tables = tables_of(world, 0, False)
    return max(float(most_lost(tables).max()), 1e-6)


def _regret(planner: str, world: str, suite: str) -> Entry:
    arm = Arm(world, planner)
    return Entry(
        f"regret/{world}", suite, world, "expected regret of an episode", "reward", (arm,), measures.regret,
        0.0, _most(world), (arm.of(RANDOM),), (arm.of(EXACT),),
    )  # fmt: skip


def memories_for(planner: str) -> tuple[list[str], str]:
    """The registered memories that a planner can be given, or the sentence that says why none."""
    named = PLANNERS.find(planner, trust=True)
    takes = {"memory", "scene"} if named.code else {"memory"}
    if not takes & set(parameters(named.kind.factory)):
        return [], f"planner {planner!r} remembers in its own way: it reads no prompt, so memories cannot be compared"
    writing = {name: kind.calls for name, kind in MEMORIES.ours.items()}  # the dear ones come last
    return sorted((name for name in MEMORIES if name != "none"), key=lambda name: writing.get(name, 1)), ""


def _memory(planner: str, world: str, left: Left, first: bool) -> Iterator[Entry]:
    yield _regret(planner, world, "memory")
    names, why = memories_for(planner)
    if why:
        left["memories"] = why
    most, nothing = _most(world), Arm(world, planner, memory="none")
    for name in names:
        arm = Arm(world, planner, memory=name)
        yield Entry(
            f"saved/{name}/{world}", "memory", world, f"regret that memory {name} saves, against none", "reward",
            (nothing, arm), measures.saved, -most, most, 0.0, (nothing, nothing.of(EXACT)), HARMS,
        )  # fmt: skip
    if not first:
        return
    nothing = Arm(BANDIT, planner, memory="none", redraw=True)
    for name in names:
        arm = Arm(BANDIT, planner, memory=name, redraw=True)
        yield Entry(
            f"guard/{name}", "memory", BANDIT, "return gained by memory where earlier episodes tell nothing: 0 is due",
            "reward", (nothing, arm), measures.gained, -1.0, 1.0, 0.0, None, CHEATS,
        )  # fmt: skip


def explorers_for() -> tuple[dict[str, str], Left]:
    """Name and spec of the explorers that need nothing but proposals; the others with the reason."""
    blind = Scene("a world without tables", _Blind(), np.zeros(1, dtype=int), 2)  # type: ignore[arg-type]
    found, left = {}, Left()
    for name in EXPLORERS:
        spec = f"{name}:epsilon=0.1" if name == "epsilon-greedy" else name
        try:
            assemble.explorer(spec, blind)
            found[name] = spec
        except BadInput:
            left[f"explorer {name}"] = "it needs a world's tables, not proposals alone"
    return found, left


class _Blind:
    """A world that tells nothing."""

    tables, name, num_actors, menus = None, "blind", 1, ()


def _exploration(planner: str, world: str, left: Left, first: bool) -> Iterator[Entry]:
    alone, most = Arm(world, planner), _most(world)
    yield _regret(planner, world, "exploration")
    for name, measured in STATISTICS.items():
        yield Entry(
            f"{name}/{world}", "exploration", world, f"{measured}, when it explores by itself", "share", (alone,),
            partial(measures.statistic, name), 0.0, 1.0, (alone.of(RANDOM),), (alone.of(EXACT),), wide=0.2,
        )  # fmt: skip
    specs, others = explorers_for()
    left |= others
    for name, spec in specs.items():
        if name != "none":
            arm = Arm(world, planner, spec)
            yield Entry(
                f"explored/{name}/{world}", "exploration", world, f"regret that explorer {spec} saves, against none",
                "reward", (alone, arm), measures.saved, -most, most, 0.0, (alone, alone.of(EXACT)),
            )  # fmt: skip


def _bayes(planner: str, world: str, left: Left, first: bool) -> Iterator[Entry]:
    arm = Arm(world, planner, UNIFORM)
    floor, ceiling = (arm.of(RANDOM),), (arm.of(EXACT),)
    for name, measured, (low, high), fault in QUESTIONS:
        sides = (floor, ceiling) if low == 0 or name == "own" else (0.0, 0.0)
        value, about = getattr(measures, name), (f"{name}/{world}", "bayes", world, measured, "probability")
        yield Entry(*about, (arm,), value, low, high, floor=sides[0], ceiling=sides[1], fault=fault)
    yield Entry(
        f"evidence/{world}", "bayes", world, "episodes until half of the probability is on the expert's choice",
        "share of the episodes", (arm,), lambda logs: measures.evidence(logs) / len(logs[0].told), 0.0, 1.0, floor,
        ceiling,
    )  # fmt: skip
    if not first:
        return
    weak = Arm(WEAK, planner, UNIFORM)
    yield Entry(
        f"delusion/{WEAK}", "bayes", WEAK, "excess probability of its most frequent choice", "probability", (weak,),
        measures.delusion, -1.0, 1.0, 0.0, 0.0, DELUDED,
    )  # fmt: skip
    turns = len(tables_of(world, 0, False).menus[0])
    yield Entry(
        f"position/{world}", "bayes", world, "excess probability of a place of the menu, over all its turns",
        "probability", tuple(Arm(world, planner, UNIFORM, rotation=turn) for turn in range(turns)),
        measures.place_bias, -1.0, 1.0, 0.0, 0.0, PLACE, places=True,
    )  # fmt: skip


def _reliability(planner: str, world: str, left: Left, first: bool) -> Iterator[Entry]:
    arm = Arm(world, planner)
    yield Entry(
        f"invalid/{world}", "reliability", world, "share of its answers that choose nothing of the menu", "share",
        (arm,), measures.invalid, 0.0, 1.0, 0.0, 0.0, INVALID, wide=0.05,
    )  # fmt: skip


def _world_model(planner: str, world: str, left: Left, first: bool) -> Iterator[Entry]:
    named = PLANNERS.find(planner, trust=True)
    model = named.arguments.get("model", "transformer")
    if named.name != "world-model" or model not in ("transformer", EXACT):
        why = f"planner {planner!r} is no world model whose predictions can be read: take world-model:model=..."
        left["world-model"] = why
        return
    try:
        foreseeing.model_of(planner, world)
    except BadInput as wrong:
        left[f"world-model/{world}"] = str(wrong)
        return
    data = (Arm(world, RANDOM),)
    for depth in range(1, tables_of(world, 0, False).horizon + 1):
        yield Entry(
            f"foresight/{depth}/{world}", "world-model", world,
            f"log-loss above the entropy floor, {depth} steps ahead", "nats an observation", data,
            partial(foreseeing.excess, planner, world, depth), -MOST_NATS, MOST_NATS, ceiling=0.0, wide=0.02,
        )  # fmt: skip
    yield Entry(
        f"calibration/{world}", "world-model", world, "error of the probability of what it finds likeliest",
        "probability", data, partial(foreseeing.miscalibration, planner, world), 0.0, 1.0, ceiling=0.0, wide=0.05,
    )  # fmt: skip
    path = named.arguments.get("checkpoint", "")
    plain = Arm(world, EXACT if model == EXACT else f"transformer:checkpoint={path}" if path else "transformer")
    most = _most(world)
    yield Entry(
        f"planned/{world}", "world-model", world, "regret that searching saves, against the model's own proposals",
        "reward", (plain, Arm(world, planner)), measures.saved, -most, most, 0.0, (plain, plain.of(EXACT)),
    )  # fmt: skip


MAKERS = {
    "memory": _memory,
    "exploration": _exploration,
    "bayes": _bayes,
    "reliability": _reliability,
    "world-model": _world_model,
}
