"""The five roles as protocols, and the recorder that keeps what they said. Everything is batch-first."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from parley.core.draws import Draws
from parley.core.said import Choice, EpisodeRecord, Menu, Moment, Opening, Outcome, Prediction, Proposal, StepRecord
from parley.core.tables import Sentences, Tables

State = dict[str, np.ndarray]


class Actor(Protocol):
    """Runs a subgoal: chooses low-level actions from raw states until the subgoal's end."""

    def begin(self, subgoal: str) -> None:
        """Take up a subgoal; forget the last one."""

    def act(self, state: Any) -> Any | None:
        """The next low-level action, or None when the subgoal is at its end (done, failed or given up)."""


class Reporter(Protocol):
    """Says in one sentence what the state looks like."""

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The sentence o ~ E(. given s)."""


@runtime_checkable
class Planner(Protocol):
    """Hears all that is said, and proposes a distribution over subgoals. Never sees states or the latent.

    Optional: `decode`, "sample" (the default) or "greedy"; `about`, what the manifest says of it; and `Snapshots`.
    """

    def start(self, draws: Draws) -> None:
        """Begin the runs of a cohort; forget everything."""

    def hear(self, said: Opening | Outcome) -> None:
        """Take in what was said; the whole state of a planner is a function of this."""

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        """Propose Actor k's part of the subgoal, given the parts (B, k) already chosen for the Actors before it."""


@runtime_checkable
class Snapshots(Protocol):
    """A Planner or Explorer whose state can be kept. Without it a run is resumed by hearing its whole log again."""

    def snapshot(self) -> State:
        """The state at the end of an episode, as plain arrays, from which `restore` continues bit-identically."""

    def restore(self, state: State) -> None:
        """Continue from a snapshot; called after `start`."""


class KeptPlanner(Planner, Snapshots, Protocol):
    """A Planner with all that is optional: parts of other planners and explorers."""

    decode: str


class WorldModel(Protocol):
    """Says what would be heard if a subgoal were given; hears all that is said, as a Planner does."""

    def start(self, draws: Draws) -> None: ...

    def hear(self, said: Opening | Outcome) -> None: ...

    def predict(
        self, rows: Int[np.ndarray, " n"], subgoals: Int[np.ndarray, "n d"], observations: Int[np.ndarray, "n d"]
    ) -> Prediction:
        """What comes after each subgoal, in runs `rows`, had d steps gone on as imagined: subgoals and observations.

        Indices are into the world's subgoals and observations, in the order in which the model was given them.
        """

    def snapshot(self) -> State: ...

    def restore(self, state: State) -> None: ...


class Explorer(Protocol):
    """Turns a proposal into the subgoal that is executed."""

    def start(self, draws: Draws, num_episodes: int, horizon: int) -> None: ...

    def hear(self, said: Opening | Outcome) -> None: ...

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        """Choose one subgoal a run; `how` is the planner's decoding, `sample` or `greedy`."""


class KeptExplorer(Explorer, Snapshots, Protocol):
    """An Explorer whose state can be kept."""


class TextEnvs(Protocol):
    """The vectorised text environment (a `gymnasium.vector.VectorEnv`): one step is one whole subgoal."""

    num_envs: int

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Sentences, dict[str, Any]]:
        """Begin `options["episode"]` under `options["instructions"]` (B,).

        The info has "menus": one `Menu` an Actor. It has "instructions" (B,) if the episodes bring their own. It has
        "max_scores" (B,) if the highest return is known, NaN where it is not.
        """

    def step(self, actions: Sentences) -> tuple[Sentences, Any, Any, Any, dict[str, Any]]:
        """Carry out the subgoals (B, K); rows whose episode has ended are left alone and pay 0."""

    def close(self) -> None: ...


class World(Protocol):
    """A family of worlds, one for each latent: says what can be said in it and makes its environments."""

    @property
    def name(self) -> str: ...

    @property
    def latents(self) -> Sequence[str]: ...

    @property
    def prior(self) -> np.ndarray: ...

    @property
    def instructions(self) -> tuple[str, ...]:
        """Empty where every episode brings its own (`info["instructions"]` of `TextEnvs.reset`)."""

    @property
    def horizon(self) -> int: ...

    @property
    def num_actors(self) -> int: ...

    @property
    def tables(self) -> Tables | None: ...

    def make(self, latents: Int[np.ndarray, " B"], draws: Draws) -> TextEnvs:
        """The vectorised text environment of the runs of `draws`, run i in the world of latent `latents[i]`."""


def repeats(world: World) -> bool | None:
    """Whether a world gives the same again for the same seed and subgoals; None: nobody has said so."""
    found: bool | None = getattr(world, "deterministic", True)
    return found


def forbidden_in(world: World) -> tuple[tuple[str, str], ...]:
    """Pairs of sentences that may not be told to two Actors in one step, by a world's tables or by its own word."""
    found = world.tables.forbidden if world.tables else getattr(world, "forbidden", ())
    return tuple(found)


class Recorder(Protocol):
    """Keeps what the loop reports, for one cohort."""

    def step(self, record: StepRecord) -> None: ...

    def episode(self, record: EpisodeRecord, snapshot: "Sequence[State] | None" = None) -> None: ...

    def wants_snapshot(self) -> bool:
        """Whether planner and explorer state should come with the next episode."""
