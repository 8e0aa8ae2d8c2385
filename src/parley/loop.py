"""The PAR loop: B runs move in lockstep through T episodes; Planner, Explorer, environment and log take turns."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from parley.core.answered import begun, stepped
from parley.core.draws import Draws
from parley.core.errors import BadInput, NotRepeated, RunDamaged
from parley.core.roles import Explorer, Planner, Recorder, Snapshots, State, TextEnvs
from parley.core.said import Choice, EpisodeRecord, Menu, Moment, Opening, Outcome, Proposal, StepRecord
from parley.core.tables import Sentences
from parley.theory.regret import Meter

ANEW = "this episode had not ended when the run stopped, and the environment cannot repeat it: it was begun anew"


class LoggedEpisode(Protocol):
    """What the log knows of one episode of a cohort; `steps` may stop short of the end."""

    opening: Opening
    steps: list[StepRecord]
    complete: bool


class Log(Protocol):
    """What had been committed before a run was resumed: either steps to hear again, or a snapshot to start from."""

    first_episode: int
    states: list[State] | None  # of planner and explorer, at the start of `first_episode`

    def episode(self, episode: int) -> LoggedEpisode | None: ...


@dataclass
class Cohort:
    """The parts that move together. `meter` is None where the world has neither exact tables nor an expert."""

    draws: Draws
    envs: TextEnvs
    planner: Planner
    explorer: Explorer
    recorder: Recorder
    instructions: Callable[[int], Sentences]  # episode -> (B,)
    num_episodes: int
    horizon: int
    meter: Meter | None = None
    forbidden: tuple[tuple[str, str], ...] = ()  # sentences that may not be told to two Actors in one step
    on_episode: Callable[[EpisodeRecord], None] | None = None
    repeats: bool | None = True  # whether the environment gives the same again; None: nobody has said so
    anew: int = -1  # an episode that is begun anew, since it had not ended and cannot be repeated

    @property
    def decode(self) -> str:
        """How a proposal becomes a subgoal where nobody explores: `sample`, unless the planner says `greedy`."""
        return getattr(self.planner, "decode", "sample")


def run_cohort(cohort: Cohort, log: Log | None = None) -> None:
    """Run all episodes of a cohort; those found in `log` are heard again rather than run."""
    for _ in steps_of(cohort, log):
        pass


def steps_of(cohort: Cohort, log: Log | None = None) -> Iterator[StepRecord]:
    """Run all episodes of a cohort, and yield after every lockstep, when all have heard what came of it."""
    cohort.planner.start(cohort.draws)
    cohort.explorer.start(cohort.draws, cohort.num_episodes, cohort.horizon)
    if log is not None and log.states is not None:
        for part, state in zip((cohort.planner, cohort.explorer), log.states, strict=True):
            assert isinstance(part, Snapshots)  # or there would be none
            part.restore(state)
    for t in range(log.first_episode if log else 0, cohort.num_episodes):
        logged = log.episode(t) if log else None
        if logged is not None and logged.complete:
            _rehear(cohort, logged)
        else:
            yield from _episode(cohort, t, logged)


def _episode(cohort: Cohort, t: int, logged: LoggedEpisode | None) -> Iterator[StepRecord]:
    """One episode; its first steps are taken from `logged` as far as it goes."""
    began = time.perf_counter()
    num_runs, instructions = cohort.draws.num_runs, cohort.instructions(t)
    observations, info = begun(cohort.envs, t, instructions)
    instructions = info.get("instructions", instructions)  # an environment may bring its own
    highest = info.get("max_scores")
    if logged is not None:
        _require(cohort, t, 1, (logged.opening.observations == observations).all(), "another observation")
    _hear(cohort, Opening(t, instructions, observations))
    returns, explored = np.zeros(num_runs), np.zeros(num_runs, dtype=bool)
    active = np.ones(num_runs, dtype=bool)
    for h in range(1, cohort.horizon + 1):
        replayed = logged.steps[h - 1] if logged is not None and h <= len(logged.steps) else None
        if replayed is not None:
            _require(cohort, t, h, (replayed.active == active).all(), "another end of the episode")
            _require(cohort, t, h, _same_menus(replayed, info["menus"]), "another menu")
        menus, parts, proposals, choices = _decide(cohort, info["menus"], Moment(t, h), active, replayed)
        heard, rewards, terminated, truncated, info = stepped(cohort.envs, parts, active)
        explored_now = choices[0].explored
        for choice in choices[1:]:
            explored_now = explored_now | choice.explored
        laws = [choice.law for choice in choices]
        record = StepRecord(t, h, observations, parts, explored_now, proposals, laws, heard, rewards, active, menus)
        record.low_level = info.get("low_level")
        if t == cohort.anew and h == 1 and record.low_level is not None:
            record.low_level.events[:] = [ANEW] * num_runs
        if replayed is None:
            cohort.recorder.step(record)
        else:
            _require(cohort, t, h, (replayed.next_observations == heard)[active].all(), "another observation")
            _require(cohort, t, h, np.allclose(replayed.rewards[active], rewards[active]), "another reward")
            rewards = replayed.rewards  # on another machine the last digits may be others
        _hear(cohort, Outcome(t, h, parts, heard, rewards, active))
        returns += rewards
        explored |= explored_now & active
        active = active & ~(np.asarray(terminated) | np.asarray(truncated))
        observations = heard
        yield record
        if not active.any():
            _require(cohort, t, h, logged is None or h >= len(logged.steps), "a later end of the episode")
            break
    scores = None if highest is None else returns / highest
    _close(
        cohort, EpisodeRecord(t, instructions, explored, returns, *_values(cohort, returns), 0.0, scores=scores), began
    )


def _require(cohort: Cohort, episode: int, step: int, same: bool, what: str) -> None:
    """Raise where the environment, told the same again, does not give what the log holds."""
    if not same:
        said = f"episode {episode}, step {step}: the log holds {what} than the environment gives now"
        raise RunDamaged(said) if cohort.repeats else NotRepeated(episode, said)


def _same_menus(replayed: StepRecord, menus: list[Menu]) -> bool:
    return all(
        menu.free or all(menu.row(run) == logged.row(run) for run in np.flatnonzero(replayed.active).tolist())
        for menu, logged in zip(menus, replayed.menus, strict=True)
    )


def _decide(
    cohort: Cohort, menus: list[Menu], moment: Moment, active: np.ndarray, replayed: StepRecord | None
) -> tuple[list[Menu], Sentences, list[Proposal], list[Choice]]:
    """Choose the joint subgoal (B, K), one Actor's part after another, each given the earlier ones.

    Returns the menus from which it was chosen: where any words may be said, those that the planner brought.
    """
    parts = np.empty((cohort.draws.num_runs, 0), dtype=object)
    proposals, choices, shown = [], [], []
    for k, whole in enumerate(menus):
        menu = _asking(whole.given(parts, cohort.forbidden), active)
        proposal = cohort.planner.propose(menu, parts) if replayed is None else replayed.proposals[k]
        if not np.isfinite(proposal.probs).all():
            raise BadInput(
                f"episode {moment.episode}, step {moment.step}: the planner's proposal holds NaN or infinite "
                "numbers: its weights or its arithmetic are damaged"
            )
        if whole.free:
            whole = _brought(proposal, replayed.menus[k] if replayed is not None else None)
            menu = _asking(whole, active)
        choice = cohort.explorer.choose(proposal, cohort.decode, menu, Moment(moment.episode, moment.step, k))
        if cohort.meter:
            cohort.meter.charge(choice.law, choice.index, active)
        said = menu.say(choice.index)[:, None]
        parts = np.concatenate([parts, said], axis=1) if k else said
        proposals.append(proposal)
        choices.append(choice)
        shown.append(whole)
    if replayed is not None and (replayed.subgoals != parts)[active].any():
        raise RunDamaged(
            f"episode {moment.episode}, step {moment.step}: the log holds another subgoal than is chosen now"
        )
    return shown, parts, proposals, choices


def _asking(menu: Menu, active: np.ndarray) -> Menu:
    return menu if active.all() else replace(menu, asked=active)


def _brought(proposal: Proposal, logged: Menu | None) -> Menu:
    """The words that a proposal is over where any could be said."""
    menu = proposal.menu if logged is None else logged
    if menu is None:
        raise BadInput(
            "this world takes any words and offers no menu, and the planner brings no menu of its own. Take a planner "
            "that answers in its own words (endpoint with actions=free, or scripted)"
        )
    return menu


def _rehear(cohort: Cohort, logged: LoggedEpisode) -> None:
    """Bring planner and explorer to where a logged episode left them; the environment is not needed."""
    for part in (cohort.planner, cohort.explorer):
        part.hear(logged.opening)
    for record in logged.steps:
        for k, (whole, proposal) in enumerate(zip(record.menus, record.proposals, strict=True)):
            menu = whole.given(record.subgoals[:, :k], cohort.forbidden)
            cohort.explorer.choose(proposal, cohort.decode, menu, Moment(record.episode, record.step, k))
        said = Outcome(
            record.episode, record.step, record.subgoals, record.next_observations, record.rewards, record.active
        )
        for part in (cohort.planner, cohort.explorer):
            part.hear(said)


def _hear(cohort: Cohort, said: Opening | Outcome) -> None:
    cohort.planner.hear(said)
    cohort.explorer.hear(said)
    if cohort.meter:
        cohort.meter.hear(said)


def _values(cohort: Cohort, returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Optimal value and expected regret of the episode, NaN where they are unknown."""
    unknown = np.full(len(returns), np.nan)
    return (cohort.meter.optimal_value, cohort.meter.regret) if cohort.meter else (unknown, unknown)


def _close(cohort: Cohort, record: EpisodeRecord, began: float) -> None:
    record.wall_s = time.perf_counter() - began
    kept = [part for part in (cohort.planner, cohort.explorer) if isinstance(part, Snapshots)]
    wanted = len(kept) == 2 and cohort.recorder.wants_snapshot()
    cohort.recorder.episode(record, [part.snapshot() for part in kept] if wanted else None)
    if cohort.on_episode:
        cohort.on_episode(record)
