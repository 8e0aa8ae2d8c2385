"""A batch of runs as a card reads it: what was lost, and what was proposed beside the exact planner's proposals."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from parley.assemble.scene import beliefs_of
from parley.core.draws import Draws
from parley.core.said import Menu, Opening, Outcome
from parley.core.tables import Tables
from parley.planners.exact import ExactPlanner, ExpertPlanner
from parley.report.statistics import Places, places_of
from parley.report.summary import readable_manifest, reading
from parley.runs.directory import agreeing, storage
from parley.runs.log import LoggedEpisode, StepsLog


@lru_cache(maxsize=32)
def most_lost(tables: Tables) -> Float[np.ndarray, "Z W"]:
    """What the worst planner that knows the latent loses in an episode, on average."""
    worst = beliefs_of(replace(tables, reward=-tables.reward, preference=None)).value
    return beliefs_of(tables).value + worst


@dataclass(frozen=True)
class Openings:
    """The first decisions of all episodes: what the planner, the exact one and the expert propose, and who chose what.

    `weights` are the exact planner's log weights of the latents before each episode, `place` numbers equal openings.
    """

    proposed: Float[np.ndarray, "T R M"]
    exact: Float[np.ndarray, "T R M"]
    expert: Float[np.ndarray, "T R M"]
    chosen: Int[np.ndarray, "T R"]
    place: Int[np.ndarray, "T R"]
    weights: Float[np.ndarray, "T R Z"]
    said: list[Opening]


class Log:
    """The finished run of one arm and batch, in a world of known tables."""

    def __init__(self, out: Path, tables: Tables) -> None:
        self.out, self.tables = out, tables
        self.beliefs = beliefs_of(tables)
        self.manifest = readable_manifest(out)
        self.latents = np.array([tables.latents.index(name) for name in self.manifest["latents"]])
        self.menu = Menu.shared(tables.menus[0])

    @property
    def runs(self) -> int:
        return len(self.latents)

    @property
    def totals(self) -> dict[str, Any]:
        """What the manifest counts: seconds, calls, invalid answers."""
        found: dict[str, Any] = self.manifest["totals"]
        return found

    @cached_property
    def regret(self) -> Float[np.ndarray, "R T"]:
        """Expected regret."""
        with reading(self.out) as reader:
            return reader.episodes("expected_regret")

    @cached_property
    def returns(self) -> Float[np.ndarray, "R T"]:
        """Rewards of an episode, added up."""
        with reading(self.out) as reader:
            return reader.episodes("return")

    @cached_property
    def told(self) -> list[LoggedEpisode]:
        """All episodes, step by step."""
        with storage(self.out), agreeing(self.out):
            log, found = StepsLog(self.out / "run.sqlite", 0, self.runs), list[LoggedEpisode]()
            while (episode := log.episode(len(found))) is not None:
                found.append(episode)
            return found

    @cached_property
    def places(self) -> Places:
        """What every run did at every place (`report.statistics`)."""
        return places_of(self.told, self.runs)

    @cached_property
    def _read(self) -> tuple[Openings, Float[np.ndarray, " R"]]:
        """The openings, and the mean total variation of a run's proposals to the exact planner's, over all steps."""
        exact, expert = ExactPlanner(self.beliefs), ExpertPlanner(self.beliefs, self.latents)
        words, none = self.tables.menu_words[0], np.empty((self.runs, 0), dtype=object)
        draws = Draws(self.manifest["config"]["seed"], self.runs)
        for planner in (exact, expert):
            planner.start(draws)
        rows: dict[str, list[np.ndarray]] = {name: [] for name in ("proposed", "exact", "expert", "chosen", "weights")}
        apart, steps = np.zeros(self.runs), np.zeros(self.runs)
        places: dict[tuple[str, str], int] = {}
        where = []
        for episode in self.told:
            for planner in (exact, expert):
                planner.hear(episode.opening)
            for step in episode.steps:
                said = step.proposals[0].probs
                right = exact.propose(self.menu, none).probs
                apart += np.where(step.active, 0.5 * np.abs(said - right).sum(axis=1), 0.0)
                steps += step.active
                if step.step == 1:
                    chosen = words.encode(step.subgoals[:, 0])
                    known = expert.propose(self.menu, none).probs
                    for name, value in zip(rows, (said, right, known, chosen, exact.settled), strict=True):
                        rows[name].append(value.copy())
                    both = zip(
                        episode.opening.instructions.tolist(), episode.opening.observations.tolist(), strict=True
                    )
                    where.append([places.setdefault(pair, len(places)) for pair in both])
                outcome = Outcome(
                    step.episode,
                    step.step,
                    step.subgoals,
                    self.heard(step.next_observations),
                    step.rewards,
                    step.active,
                )
                for planner in (exact, expert):
                    planner.hear(outcome)
        openings = Openings(
            **{name: np.array(found) for name, found in rows.items()},
            place=np.array(where),
            said=[episode.opening for episode in self.told],
        )
        return openings, apart / np.maximum(steps, 1)

    def heard(self, observations: np.ndarray) -> np.ndarray:
        """What was heard; runs that had ended heard nothing, and any sentence stands for it."""
        return np.where(observations == "", self.tables.observations[0], observations)

    @property
    def openings(self) -> Openings:
        return self._read[0]

    @property
    def apart(self) -> Float[np.ndarray, " R"]:
        """Mean total variation to the exact planner's proposals."""
        return self._read[1]

    def exact_at(self, said: Opening, weights: Float[np.ndarray, "R Z"]) -> Float[np.ndarray, "R M"]:
        """What the exact planner would propose after an opening, had it believed `weights` (logarithms) before it."""
        planner = ExactPlanner(self.beliefs)
        planner.start(Draws(0, self.runs))
        planner.restore({"settled": weights - weights.max(axis=1, keepdims=True)})
        planner.hear(said)
        return planner.propose(self.menu, np.empty((self.runs, 0), dtype=object)).probs
