"""The contracts of planners and explorers, held against short runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parley.assemble.cohorts import cohort_of
from parley.assemble.foreign import Foreign, foreign_explorer, foreign_planner
from parley.assemble.parts import explorer_part, planner_part
from parley.assemble.scene import Scene
from parley.assemble.worlds import world as world_of
from parley.core.draws import Draws
from parley.core.errors import FAULTS
from parley.core.roles import State
from parley.core.said import EpisodeRecord, Opening, StepRecord
from parley.core.text import fault
from parley.loop import run_cohort

NUM_EPISODES, NUM_RUNS, FIRST, FEWER = 4, 5, 2, 3
FALSE_ALARM = 1e-6  # of a true `law`
ALIKE = 1e-5  # of probabilities from single-precision models in batches of other sizes

Make = Callable[[Scene], Any]


@dataclass
class Played:
    """What a short run said, and the states of its parts after each episode."""

    steps: list[StepRecord] = field(default_factory=list)
    episodes: list[EpisodeRecord] = field(default_factory=list)
    states: list[Sequence[State]] = field(default_factory=list)

    def step(self, record: StepRecord) -> None:
        self.steps.append(record)

    def episode(self, record: EpisodeRecord, snapshot: Sequence[State] | None = None) -> None:
        self.episodes.append(record)
        if snapshot is not None:
            self.states.append([{name: array.copy() for name, array in state.items()} for state in snapshot])

    def wants_snapshot(self) -> bool:
        return True


@dataclass
class FromSnapshot:
    """A log that holds nothing but a snapshot."""

    first_episode: int
    states: list[State] | None

    def episode(self, episode: int) -> None:
        return None


def check_planner(given: Any, on: str) -> list[str]:
    """The faults of a planner, by spec or an object, in a world."""
    part, _ = planner_part(given, trust=True), world_of(on, trust=True)
    return Tried(on, part.make, explorer_part(TRYING, trust=False).make).wrong("planner")


def check_explorer(given: Any, on: str) -> list[str]:
    """The faults of an explorer in a world, under a planner that proposes all subgoals alike."""
    exact = world_of(on, trust=True).tables is not None
    planner = planner_part("exact" if exact else "random", trust=False)
    return Tried(on, planner.make, explorer_part(given, trust=True).make).wrong("explorer")


TRYING = "epsilon-greedy:epsilon=0.5"  # so that planners hear of subgoals that they did not propose


@dataclass(frozen=True)
class Tried:
    """A planner and an explorer in a world. One of the two is held to its contract."""

    on: str
    planner: Make
    explorer: Make

    def wrong(self, what: str) -> list[str]:
        """All that is wrong, one sentence each; after what keeps a run from ending nothing else is tried."""
        try:
            first = self.play(NUM_RUNS)
        except FAULTS as wrong:
            return [fault(wrong)]
        found = _explains(first.steps) if what == "explorer" else []
        for check in (self._repeats, self._batches, self._hears_again, self._continues):
            try:
                found += check(first, what)
            except FAULTS as wrong:
                found.append(fault(wrong))
        return list(dict.fromkeys(found))

    def play(self, num_runs: int, first_run: int = 0, log: Any = None) -> Played:
        """A short run; `log` is what it goes on from."""
        world, draws, kept = world_of(self.on, trust=True), Draws(2, num_runs, first_run), Played()
        latents = np.arange(first_run, first_run + num_runs) % len(world.latents)
        scene = Scene(self.on, world, latents, NUM_EPISODES)
        with scene.closing:
            planner, explorer = self.planner(scene), self.explorer(scene)
            planner = planner if isinstance(planner, Foreign) else foreign_planner(planner, "the planner")
            explorer = explorer if isinstance(explorer, Foreign) else foreign_explorer(explorer, "the explorer")
            cohort = cohort_of(scene, draws, planner, explorer, kept)
            scene.closing.callback(cohort.envs.close)
            run_cohort(cohort, log)
        return kept

    def _repeats(self, first: Played, what: str) -> list[str]:
        again = self.play(NUM_RUNS)
        return _differ(first.steps, again.steps, what, slice(None), 0.0, "the same seed gives another run")

    def _batches(self, first: Played, what: str) -> list[str]:
        part, mine = self.play(FEWER, FIRST), slice(FIRST, FIRST + FEWER)
        return _differ(first.steps, part.steps, what, mine, ALIKE, "a run depends on which other runs it moves with")

    def _hears_again(self, first: Played, what: str) -> list[str]:
        log = Replayed(first, NUM_EPISODES // 2)
        again = self.play(NUM_RUNS, log=log)
        rest = [record for record in first.steps if record.episode >= NUM_EPISODES // 2]
        said = "its state is no function of what it heard: after hearing a log again it goes on otherwise"
        return _differ(rest, again.steps, what, slice(None), 0.0, said)

    def _continues(self, first: Played, what: str) -> list[str]:
        if not first.states:
            return []
        half = NUM_EPISODES // 2
        again = self.play(NUM_RUNS, log=FromSnapshot(half, list(first.states[half - 1])))
        rest = [record for record in first.steps if record.episode >= half]
        return _differ(rest, again.steps, what, slice(None), 0.0, "from its snapshot it goes on otherwise")


@dataclass
class Replayed:
    """The log of a run's first episodes."""

    played: Played
    until: int
    first_episode: int = 0
    states: None = None

    def episode(self, episode: int) -> Any:
        if episode >= self.until:
            return None
        steps = [record for record in self.played.steps if record.episode == episode]
        instructions = self.played.episodes[episode].instructions
        return Heard(Opening(episode, instructions, steps[0].observations), steps)


@dataclass
class Heard:
    """One whole episode of a log."""

    opening: Opening
    steps: list[StepRecord]
    complete: bool = True


def _explains(steps: Sequence[StepRecord]) -> list[str]:
    """Whether choices come from the distributions that were given with them, with at most `FALSE_ALARM` false alarms.

    Under them the product of 1 / (entries x probability of the chosen one) is 1 at most on average (a test martingale).
    """
    evidence = 0.0
    for record in steps:
        for k, (menu, law) in enumerate(zip(record.menus, record.laws, strict=True)):
            chosen = (np.asarray(law) * (menu.sentences == record.subgoals[:, k, None])).sum(axis=1)[record.active]
            evidence -= float(np.log(menu.sentences.shape[1] * chosen).sum())
    if evidence <= -np.log(FALSE_ALARM):
        return []
    return ["its choices do not come from the `law` given with them: regret would be computed from the wrong one"]


def _differ(
    ours: Sequence[StepRecord], theirs: Sequence[StepRecord], what: str, rows: slice, within: float, said: str
) -> list[str]:
    """Where two runs differ in what was proposed, or in what was chosen, in rows that go on."""
    known = {(record.episode, record.step): record for record in ours}
    for b in theirs:
        where, a = f"{said} (episode {b.episode}, step {b.step})", known.get((b.episode, b.step))
        if a is None:
            return [where]
        live = a.active[rows] & b.active
        if what == "planner":
            for p, q in zip(a.proposals, b.proposals, strict=True):
                p, q = p.probs[rows][live], q.probs[live]
                size = min(p.shape[1], q.shape[1])  # the rest is padding, which other runs are the reason of
                if not np.allclose(p[:, :size], q[:, :size], rtol=0, atol=within):
                    return [where]
        elif (a.subgoals[rows] != b.subgoals)[live].any() or (a.explored[rows] != b.explored)[live].any():
            return [where]
    return []
