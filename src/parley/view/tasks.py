"""What takes a world, a planner or time: beliefs, search trees, prompts made again, diagnoses, films."""

import base64
import json
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from parley import assemble
from parley.assemble.trust import DEEDS, require_harmless_world
from parley.core.draws import Draws
from parley.core.errors import BadInput, ParleyError
from parley.core.roles import State, World
from parley.core.said import Opening, Outcome
from parley.core.spec import parse_spec
from parley.core.told import Told
from parley.planners.exact import ExactPlanner
from parley.prompting.template import as_text
from parley.report.summary import readable_manifest
from parley.view.log import opened
from parley.view.prompts import marked
from parley.worlds.kit.tabular.jumping import JumpingWorld
from parley.worlds.kit.workers import WorkersWorld

MOST_LATENTS = 12  # that are shown by name
KEPT_EVERY = 64  # episodes between two states from which beliefs go on
MOST_RUNS = 16  # whose states are kept
FILM_EVERY = 8  # low-level actions a picture
SECONDS = 60.0  # for reading a log


def world_of(manifest: dict[str, Any], root: Path | None) -> World:
    """The world of a run, by name; raises `BadInput` for code that is no plugin and files that are not below `root`.

    A stranger's world asks no server and runs no program either.
    """
    spec = manifest["config"]["world"]
    confine(spec, "world", root)
    require_harmless_world(manifest)
    return assemble.world(spec)


def confine(spec: str, what: str, root: Path | None) -> None:
    """Raise `BadInput` where a spec names a file that is not below `root`; None allows any."""
    if root is None:
        return
    head = spec.partition(":")[0]
    try:
        arguments = parse_spec(spec, what, first="first")[1]
    except BadInput:
        arguments = {}
    named = [head] if head.endswith(".json") else []
    named += [
        value.rpartition(":")[2] for key, value in arguments.items() if key in (*DEEDS, "reporter", "actor", "first")
    ]
    for name in named:
        path = Path(name)
        inside = path.resolve().is_relative_to(root)
        if not inside and (path.exists() or path.is_absolute() or name.endswith(".json")):
            raise BadInput(f"{what} {spec!r} names a file outside the directory that is viewed: it is not read")


@dataclass
class Beliefs:
    """The exact posterior of runs, heard from their logs; states are kept, so that a next episode is not far."""

    states: OrderedDict[tuple[str, int], dict[int, State]] = field(default_factory=OrderedDict)

    def of(self, out: Path, root: Path | None, run: int, episode: int) -> dict[str, Any]:
        """P(z given all that was heard) before each step of an episode and after its last one."""
        manifest = readable_manifest(out)
        world = world_of(manifest, root)
        inner = world.world if isinstance(world, WorkersWorld) else world
        if inner.tables is None or getattr(inner, "altered", False) or isinstance(inner, JumpingWorld):
            raise BadInput(
                f"world {manifest['config']['world']!r} has no tables that say what happens in it: there is no exact "
                "posterior"
            )
        kept = self.states.setdefault((str(out), run), {})
        self.states.move_to_end((str(out), run))
        if len(self.states) > MOST_RUNS:
            self.states.popitem(last=False)
        scene = assemble.Scene("", world, np.zeros(1, dtype=int), max(1, episode + 1))
        observer = assemble.planner("exact", scene)
        if not isinstance(observer, ExactPlanner):
            raise BadInput(f"world {manifest['config']['world']!r} has too many joint subgoals for an exact posterior")
        observer.start(Draws(0, 1))
        begin = max((t for t in kept if t <= episode), default=0)
        if begin:
            observer.restore(kept[begin])
        found: list[np.ndarray] = []
        for t, steps in _told(out, run, begin, episode):
            if t > begin and (t % KEPT_EVERY == 0 or t == episode):
                kept[t] = observer.snapshot()
            for said in _heard(t, steps, world.num_actors):
                observer.hear(said)
                if t == episode:
                    found.append(observer.posterior[0].copy())
        for t in [t for t in kept if t % KEPT_EVERY and t != episode]:
            del kept[t]
        return _named(np.array(found), list(world.latents), str(manifest["latents"][run]), world.prior)


def _named(found: np.ndarray, latents: list[str], truth: str, prior: np.ndarray) -> dict[str, Any]:
    """The latents that were ever likely, and the true one, each with its course; the others together."""
    if not found.size:
        raise BadInput("no steps of this episode are recorded (run with --record steps)")
    order = sorted(range(len(latents)), key=lambda z: -found[:, z].max())[:MOST_LATENTS]
    if truth in latents and latents.index(truth) not in order:
        order[-1] = latents.index(truth)
    order.sort()
    rest = np.clip(1 - found[:, order].sum(axis=1), 0, 1)
    rows = [
        {"latent": latents[z], "true": latents[z] == truth, "prior": float(prior[z]), "probability": found[:, z]}
        for z in order
    ]
    return {"latents": rows, "others": len(latents) - len(order), "rest": rest}


def _told(out: Path, run: int, first: int, last: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """The steps of a run's episodes, in one pass over the log."""
    names = ("episode", "step", "observation", "subgoal", "next_observation", "reward")
    with opened(out, SECONDS) as log:
        asked: dict[int, str] = {}
        query = f"{log.select('episodes', ('episode', 'instruction'))} WHERE run = ? AND episode BETWEEN ? AND ?"
        asked.update(log.db.execute(query, (run, first, last)).fetchall())
        query = f"{log.select('steps', names)} WHERE run = ? AND episode BETWEEN ? AND ? ORDER BY episode, step"
        rows = log.db.execute(query, (run, first, last))
        for t, steps in groupby(rows, key=itemgetter(0)):
            yield t, [{**dict(zip(names, row, strict=True)), "instruction": asked.get(t)} for row in steps]


def _heard(t: int, steps: list[dict[str, Any]], actors: int) -> Iterator[Opening | Outcome]:
    """What an episode told its planner."""
    instruction = steps[0]["instruction"]
    if instruction is None:
        raise BadInput("the instruction of an episode that is not finished yet is not in the log: look again later")
    yield Opening(t, _one(instruction), _one(steps[0]["observation"]))
    for step in steps:
        parts = json.loads(step["subgoal"]) if actors > 1 else [step["subgoal"]]
        subgoals, active = np.array([parts], dtype=object), np.ones(1, dtype=bool)
        yield Outcome(t, step["step"], subgoals, _one(step["next_observation"]), np.array([step["reward"]]), active)


def _one(sentence: str) -> np.ndarray:
    return np.array([sentence], dtype=object)


def searched(out: Path, root: Path | None, run: int, episode: int, step: int, live: bool = False) -> dict[str, Any]:
    """The search tree of one decision, grown again; by a model behind a server only where `live` says so."""
    from parley.planners.world_model import WorldModelPlanner
    from parley.report.searches import shown_search

    manifest = readable_manifest(out)
    spec = manifest["config"]["planner"]
    kind, arguments = parse_spec(spec, "planner")
    if kind != "world-model":
        raise BadInput(f"the planner of {out.name} does not search: only `world-model` does")
    if arguments.get("model", "transformer") not in ("exact", "transformer") and not live:
        raise BadInput(
            f"the planner of {out.name} would ask a server: say --live where it may (`parley report --tree ... --live`)"
        )
    world_of(manifest, root)
    confine(spec, "planner", root)
    with assemble.retold(out, run, episode, step, live=live) as planner:
        if not isinstance(planner, WorldModelPlanner):
            raise BadInput(f"the planner of {out.name} does not search: only `world-model` does")
        return shown_search(planner, f"run {run}, episode {episode}, step {step}")


def diagnosed(out: Path, root: Path | None) -> dict[str, Any]:
    """What goes wrong in a run, if anything (`parley diagnose`)."""
    from parley.assemble.diagnosed import diagnosed as judged

    manifest = readable_manifest(out)
    world_of(manifest, root)
    confine(manifest["config"]["planner"], "planner", root)
    return judged(out).as_dict()


def prompted(out: Path, root: Path | None, run: int, episode: int, step: int) -> dict[str, Any]:
    """The transcript that a model in the process read before a decision, made again from the log."""
    manifest = readable_manifest(out)
    kind, arguments = parse_spec(manifest["config"]["planner"], "planner", first="path")
    if kind not in ("hf", "transformer"):
        raise BadInput(f"planner {kind!r} reads no transcript")
    world = world_of(manifest, root)
    told: list[Told] = []
    for t, steps in _told(out, run, 0, episode):
        one = Told(str(steps[0]["instruction"]), (steps[0]["observation"],))
        for row in steps[: step - 1] if t == episode else steps:
            parts = tuple(json.loads(row["subgoal"])) if world.num_actors > 1 else (row["subgoal"],)
            one = one.after(parts, row["next_observation"], row["reward"])
        told.append(one)
    memory = arguments.get("memory", "full")
    left_out = 0
    if memory == "full":
        with opened(out) as log:
            query = f"{log.select('cuts', ('left_out',))} WHERE run = ? AND episode = ? AND step = ?"
            cut = log.db.execute(query, (run, episode, step)).fetchone() if log.has("cuts") else None
        left_out = int(cut[0]) if cut else 0
    kind_of_memory, size = ("window", 0) if memory == "none" else (memory, int(arguments.get("size", 8)))

    def text(of: list[Told]) -> list[tuple[str, str]]:
        return [("", as_text(assemble.prompt_of(world, of, "line", "transcript", kind_of_memory, size)))]

    before = _one_step_less(told)
    return {"left_out": left_out, "messages": marked(text(told[left_out:]), text(before[left_out:]) if before else [])}


def _one_step_less(told: list[Told]) -> list[Told]:
    """What had been told before the decision before."""
    last = told[-1]
    if not last.subgoals:
        return _one_step_less(told[:-1]) if told[:-1] else []
    shorter = Told(last.instruction, last.observations[:-1], last.subgoals[:-1], last.rewards[:-1])
    return [*told[:-1], shorter]


def filmed(out: Path, root: Path | None, run: int, episode: int) -> dict[str, Any]:
    """A film of a physical world's episode, made by playing it again; nothing is kept in the run directory."""
    from parley.report.films import frames_of
    from parley.worlds.kit.film import save_film

    manifest = readable_manifest(out)
    frames = frames_of(out, world_of(manifest, root), run, episode, FILM_EVERY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.gif"
        save_film(frames, path)
        return {"kind": "gif", "data": "data:image/gif;base64," + base64.b64encode(path.read_bytes()).decode()}


BELIEFS = Beliefs()
SEARCHED_LIVE = "searched live"  # of the command `report --live` alone: the viewer never asks a server
TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "believed": BELIEFS.of,
    "searched": searched,
    SEARCHED_LIVE: partial(searched, live=True),
    "diagnosed": diagnosed,
    "prompted": prompted,
    "filmed": filmed,
}


def carry_out(task: str, out: Path, root: Path | None, numbers: list[int]) -> dict[str, Any]:
    """The answer to a task, or the sentence in which it is refused."""
    try:
        return TASKS[task](out, root, *numbers)
    except ParleyError as refused:
        return {"refused": str(refused)}
    except MemoryError:
        return {"refused": "this takes more memory than the viewer allows"}
    except (
        Exception
    ) as wrong:  # a manifest and a log are somebody else's: the next question is answered whatever their content
        return {"refused": f"the run directory does not agree with itself: {type(wrong).__name__}: {wrong}"}
