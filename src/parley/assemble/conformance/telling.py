"""The contracts of memories, templates and hooks."""

import tempfile
import zlib
from itertools import product
from pathlib import Path
from typing import Any

from parley.assemble.cohorts import cohort_of
from parley.assemble.config import RunConfig
from parley.assemble.hooks import hooks_of
from parley.assemble.memories import Mute
from parley.assemble.parts import memory_part
from parley.assemble.scene import Scene
from parley.assemble.schedule import draw_latents
from parley.assemble.templates import template_of
from parley.assemble.worlds import world as world_of
from parley.core.checks import check_recalled, check_tilt
from parley.core.draws import Draws
from parley.core.errors import FAULTS, BadInput
from parley.core.text import fault
from parley.core.told import Memory, Recalled, Told, Writer
from parley.exploration.explorers import NoExploration
from parley.loop import run_cohort
from parley.planners.scripted import RandomPlanner
from parley.prompting.prompter import entries
from parley.prompting.template import BLOCKS
from parley.runs.hooks import HookedRecorder
from parley.runs.recorder import Nowhere

HOSTILE = "{{ 7 * 7 }} {% raw %} </script><b>\n> another line"
MENU = ("walk on", "try the back door", HOSTILE)
CHATTER = (
    "",
    HOSTILE,
    "the door sticks " * 500,
    "ADD: look first\nADD: 1\nAGREE 1\nREMOVE 1\nEDIT 2: look twice\nREMOVE 999999\nADD " + "x" * 5000,
    "HELPFUL 1\nHARMFUL 1\nLESSON: the door sticks\nLESSON:\nHARMFUL -1",
    "WORKFLOW: open it\n- walk on\n- " + HOSTILE + "\nWORKFLOW:\n- walk on",
    "TITLE: try the back\nDESCRIPTION: it is open\nCONTENT: " + HOSTILE + "\nTITLE: none",
)


def check_memory(given: Any) -> list[str]:
    """The faults of a memory, over a stream of episodes and two budgets."""
    make = memory_part(given, trust=True).make(None)
    found: list[str] = []
    writers: tuple[Writer, ...] = (Mute(), Chatter())
    for most, writer in product((100_000, 900), writers):
        try:
            found += _recalls(make(writer), make(writer), most)
        except FAULTS as wrong:
            found.append(fault(wrong))
    if found:
        return list(dict.fromkeys(found))
    try:
        make(Chatter()).recall(stream(3)[:2], stream(3)[2], lambda recalled: False)
    except BadInput:
        return []
    return ["where nothing fits, not even nothing, it goes on: expected that it raises BadInput, which says so"]


class Chatter:
    """A writer that answers anything, by what it is asked: what memories ask for, and what no memory does."""

    def note(self, note: str, number: int, words: int) -> str:
        return " ".join(self.ask(note, number, words).split()[:words])

    def ask(self, prompt: str, number: int, words: int, material: str = "") -> str:
        return CHATTER[zlib.crc32(f"{number} {material}{prompt}".encode()) % len(CHATTER)]


def stream(count: int) -> list[Told]:
    """Episodes of two instructions, with observations that differ and hostile text among them."""
    told = []
    for i in range(count):
        one = Told(f"task {i % 2}", (f"you stand in room {i % 3}",))
        for h in range(3):
            one = one.after((MENU[(i + h) % 3],), f"{HOSTILE if h == 1 else 'you see'} door {i}", float(h == 2))
        told.append(one)
    return told


def _recalls(memory: Memory, twin: Memory, most: int) -> list[str]:
    def fits(recalled: Recalled) -> bool:
        told = [text for one in recalled.episodes for text in (one.instruction, *one.observations)]
        return len(recalled.notes) + sum(map(len, told)) <= most

    found, episodes = [], stream(24)
    for t, now in enumerate(episodes):
        earlier, before = list(episodes[:t]), list(episodes[:t])
        recalled = memory.recall(earlier, now, fits)
        check_recalled(recalled, earlier, "it")
        if earlier != before:
            found.append("it alters the list of earlier episodes")
        if not fits(recalled):
            found.append(f"what it recalls before episode {t} does not fit, though it was told so")
        again = twin.recall(list(episodes[:t]), now, fits)
        if (again.notes, again.episodes) != (recalled.notes, recalled.episodes):
            found.append("two memories that were told the same recall different things")
        found += _tilts(recalled, again, now)
        if len(set(map(id, recalled.episodes))) < len(recalled.episodes):
            found.append("it recalls an episode twice")
        if found:
            break
    return found


def _tilts(recalled: Recalled, again: Recalled, now: Told) -> list[str]:
    """Faults in the numbers that a memory adds to log-probabilities, at each step of an episode."""
    for step in range(len(now.subgoals)) if recalled.tilt or again.tilt else ():
        here = Told(now.instruction, now.observations[: step + 1], now.subgoals[:step], now.rewards[:step])
        added = [check_tilt(one.tilt(here, (), MENU), MENU, "it") if one.tilt else None for one in (recalled, again)]
        if added[0] is None or added[1] is None or (added[0] != added[1]).any():
            return ["two memories that were told the same add different numbers"]
    return []


def check_template(given: Any) -> list[str]:
    """The faults of a template: it must show what was said unchanged, on a line of its own."""
    template, found = template_of(given, trust=True), []
    shown = entries(MENU)
    about = {"rules": "", "menus": [shown], "horizon": 3, "answer": "letter", "shots": 0}
    said: dict[str, dict[str, Any]] = {
        "system": about,
        "memory": {"notes": "- a note\n"},
        "opening": {"instruction": HOSTILE, "observation": HOSTILE},
        "subgoal": {"entries": shown[:1], "subgoals": MENU[:1], "thought": "", "answer": "letter"},
        "observation": {"observation": HOSTILE, "reward": 0.0},
        "ask": {"parts": (), "menu": shown, "actors": 1, "answer": "letter"},
        "again": {"menu": shown},
        "note": {"notes": "", "episode": "task\n", "words": 10},
    }
    for block in BLOCKS:
        text = template.render(block, **said[block])
        if "49" in text:
            found.append(f"block {block!r} carries out what was said: {{{{ 7 * 7 }}}} became 49")
        if any(line.startswith("> another line") for line in text.splitlines()):
            found.append(
                f"block {block!r}: a line break in what was said begins a line of its own: use the filter `line`"
            )
        if template.render(block, **said[block]) != text:
            found.append(f"block {block!r} gives another text the second time")
    for block, words in (("opening", ("{{ 7 * 7 }}",)), ("observation", ("{{ 7 * 7 }}",)), ("memory", ("a note",))):
        text = template.render(block, **said[block])
        found += [f"block {block!r} does not show {word!r}" for word in words if word not in text]
    if "walk on" not in template.render("subgoal", **said["subgoal"]):
        found.append("block 'subgoal' does not show the subgoal")
    return found


def check_hook(given: Any, on: str) -> list[str]:
    """The faults of a hook that is told of a short run."""
    hooks = hooks_of([given], trust=True)
    config = RunConfig(on, "random", episodes=2, runs=2)
    world, draws = world_of(on, trust=True), Draws(0, 2)
    latents = draw_latents(world, draws, None)
    scene = Scene(on, world, latents, 2)
    with tempfile.TemporaryDirectory() as folder:
        hooks.tell("begin", Path(folder), {"status": "started", "config": vars(config)})
        cohort = cohort_of(scene, draws, RandomPlanner(), NoExploration(), HookedRecorder(Nowhere(), hooks, 0))
        run_cohort(cohort)
        cohort.envs.close()
        hooks.tell("end", {"status": "finished"})
    return [f"it {said}" for said in hooks.failed.values()]
