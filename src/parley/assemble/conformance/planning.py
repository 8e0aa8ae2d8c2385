"""The contracts of planners and explorers, held against short runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from parley.assemble.explorers import explorer as explorer_of
from parley.assemble.planners import planner as planner_of
from parley.assemble.scene import Scene
from parley.assemble.schedule import Schedule
from parley.assemble.worlds import world as world_of
from parley.core.checks import check_choice, check_proposal
from parley.core.draws import Draws
from parley.core.errors import ParleyError
from parley.core.roles import Snapshots, State, forbidden_in
from parley.core.said import Choice, EpisodeRecord, Menu, Moment, Opening, Outcome, Proposal, StepRecord
from parley.core.tables import Sentences
from parley.core.text import inert
from parley.loop import Cohort, run_cohort

NUM_EPISODES, NUM_RUNS, FIRST, FEWER = 4, 5, 2, 3
ALIKE = 1e-5  # of probabilities from single-precision models in batches of other sizes

Make = Callable[[Scene], Any]


@dataclass
class Played:
    """What a short run said, and the states of its parts after each episode."""

    steps: list[StepRecord] = field(default_factory=list)
    episodes: list[EpisodeRecord] = field(default_factory=list)
    states: list[Sequence[State]] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)

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


def check_planner(spec: str, on: str) -> list[str]:
    """The faults of a planner in a world."""
    tried = Tried(on, lambda scene: planner_of(spec, scene, trust=True), lambda scene: explorer_of(TRYING, scene))
    return tried.wrong("planner")


def check_explorer(spec: str, on: str) -> list[str]:
    """The faults of an explorer in a world, under a planner that proposes all subgoals alike."""
    exact = world_of(on, trust=True).tables is not None
    tried = Tried(
        on,
        lambda scene: planner_of("exact" if exact else "random", scene),
        lambda scene: explorer_of(spec, scene, trust=True),
    )
    return tried.wrong("explorer")


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
        except ParleyError as wrong:
            return [str(wrong)]
        except Exception as wrong:
            return [inert(f"it raised {type(wrong).__name__}: {wrong}", 300)]
        found = list(dict.fromkeys(first.altered))
        for check in (self._repeats, self._batches, self._hears_again, self._continues):
            try:
                found += check(first, what)
            except Exception as wrong:
                found.append(inert(f"it raised {type(wrong).__name__}: {wrong}", 300))
        return found

    def play(self, num_runs: int, first_run: int = 0, log: Any = None) -> Played:
        """A short run; `log` is what it goes on from."""
        world, draws, kept = world_of(self.on, trust=True), Draws(2, num_runs, first_run), Played()
        latents = np.arange(first_run, first_run + num_runs) % len(world.latents)
        scene = Scene(self.on, world, latents, NUM_EPISODES)
        with scene.closing:
            planner, explorer = self.planner(scene), self.explorer(scene)
            cohort = Cohort(
                draws=draws,
                envs=world.make(latents, draws),
                planner=_watched(planner, kept, "planner", num_runs),
                explorer=_watched(explorer, kept, "explorer", num_runs),
                recorder=kept,
                instructions=Schedule("cyclic", world.instructions, draws),
                num_episodes=NUM_EPISODES,
                horizon=world.horizon,
                forbidden=forbidden_in(world),
            )
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


class Watched:
    """A planner or explorer whose answers are checked, and before whose eyes nothing may change."""

    def __init__(self, part: Any, kept: Played, what: str, num_runs: int) -> None:
        self.part, self._kept, self._what, self._runs = part, kept, what, num_runs
        self.decode = getattr(part, "decode", "sample")

    def start(self, draws: Draws, *more: int) -> None:
        self.part.start(draws, *more)

    def hear(self, said: Opening | Outcome) -> None:
        before = {name: value.copy() for name, value in vars(said).items() if isinstance(value, np.ndarray)}
        self.part.hear(said)
        for name, value in before.items():
            if (getattr(said, name) != value).any():
                self._kept.altered.append(f"the {self._what} alters what it hears: {name} of an {type(said).__name__}")

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        proposal: Proposal = self.part.propose(menu, parts)
        check_proposal(proposal, menu, self._runs, self._what)
        return replace(proposal, probs=np.array(proposal.probs, dtype=float))

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        before = proposal.probs.copy()
        choice: Choice = self.part.choose(proposal, how, menu, moment)
        check_choice(choice, menu, self._runs, self._what)
        if (proposal.probs != before).any():
            self._kept.altered.append(f"the {self._what} alters the proposal that it is given")
        if (choice.law[np.arange(self._runs), choice.index] <= 0).any():
            self._kept.altered.append(f"the {self._what} chose what has no weight in the distribution that it gives")
        return choice


class WatchedKeeping(Watched):
    """The same of a part that keeps its state."""

    def snapshot(self) -> State:
        state: State = self.part.snapshot()
        return state

    def restore(self, state: State) -> None:
        self.part.restore(state)


def _watched(part: Any, kept: Played, what: str, num_runs: int) -> Watched:
    return (WatchedKeeping if isinstance(part, Snapshots) else Watched)(part, kept, what, num_runs)


def _differ(
    ours: Sequence[StepRecord], theirs: Sequence[StepRecord], what: str, rows: slice, within: float, said: str
) -> list[str]:
    """Where two runs differ in what was proposed, or in what was chosen."""
    for a, b in zip(ours, theirs, strict=True):
        where = f"{said} (episode {a.episode}, step {a.step})"
        if what == "planner":
            for p, q in zip(a.proposals, b.proposals, strict=True):
                if not np.allclose(p.probs[rows], q.probs, rtol=0, atol=within):
                    return [where]
        elif (a.subgoals[rows] != b.subgoals).any() or (a.explored[rows] != b.explored).any():
            return [where]
    return []
