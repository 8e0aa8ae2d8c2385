"""Names to parts: the dictionaries of worlds, planners and explorers, and the only wiring between them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.errors import BadInput
from parley.core.roles import Explorer, Planner, World
from parley.core.spec import bind, parse_spec, suggestion
from parley.core.tables import Sentences, Tables
from parley.exploration.adaptive import AdaptiveExplorer
from parley.exploration.designed import DesignedPolicy
from parley.exploration.explorers import (
    EpsilonGreedy,
    NoExploration,
    OwnPlan,
    Policy,
    schedule,
    uniform_policy,
    weighted_policy,
)
from parley.exploration.optimal import OptimalExplorer
from parley.exploration.proposals import ProposalsExplorer
from parley.exploration.rejection import Believer, GuardedExplorer
from parley.planners.exact import ExactPlanner, ExpertPlanner, PosteriorSamplingPlanner
from parley.planners.scripted import RandomPlanner, ScriptedPlanner
from parley.planners.transformer import TransformerPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.bounds import least_episodes, theory_epsilon
from parley.theory.design import Design, cheapest, design
from parley.theory.distinguishability import classes_of, eta_of, uniform, weighted
from parley.theory.optimum import Optimum
from parley.theory.posterior import Evidence
from parley.theory.trials import Trials
from parley.worlds.household import House, household
from parley.worlds.tabular.env import TabularWorld
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.reported import with_floor
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.traps import traps
from parley.worlds.tabular.treasure import treasure
from parley.worlds.tabular.world_file import load_world

CHECKPOINTS = Path(__file__).parent / "checkpoints"


@dataclass
class Scene:
    """What planners and explorers of one cohort may be built from."""

    spec: str
    world: World
    latents: Int[np.ndarray, " B"]
    num_episodes: int
    planner: Planner | None = None  # once it is made: explorers may listen to its predictions

    @cached_property
    def beliefs(self) -> Beliefs:
        if self.world.tables is None:
            raise BadInput(f"world {self.spec!r} has no exact tables: exact planners and oracles need them")
        return beliefs_of(self.world.tables)


@lru_cache(maxsize=8)
def beliefs_of(tables: Tables) -> Beliefs:
    """Beliefs are dear to build and never change: shared by the planners, explorers and meters of a process."""
    return Beliefs(tables)


# -- worlds -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """One name on the command line: a factory, whose signature is its documentation, and a line about it."""

    factory: Callable[..., Any]
    line: str
    cohort: int = 1024  # for planners: runs that move together by default


WORLDS: dict[str, Kind] = {
    "treasure": Kind(treasure, "n chests, one of which may hold gold: imitation alone has linear regret"),
    "shortcut": Kind(shortcut, "a safe corridor, and a back door that is usually locked"),
    "household": Kind(
        household, "fetch things kept in places that depend on the house; seen through a fallible Reporter"
    ),
    "random": Kind(random_family, "a random family of given sizes and seed"),
    "traps": Kind(traps, "random families with a planted trap, or their twins without"),
}

ALTERATIONS = ("floor", "reporter", "actor")  # arguments of every world: what its tables do not say


@lru_cache(maxsize=8)
def world(spec: str) -> World:
    """The world of a spec, or of a world file (`path/to/world.json`)."""
    if spec.endswith(".json"):
        return TabularWorld(load_world(spec))
    kind, arguments = parse_spec(spec, "world")
    if kind not in WORLDS and not kind.endswith(".json"):
        raise BadInput(f"unknown world {kind!r}{suggestion(kind, WORLDS)} (or the path of a .json world file)")
    altered: dict[str, str] = {key: arguments.pop(key) for key in ALTERATIONS if key in arguments}
    if kind.endswith(".json"):
        return _altered(kind, load_world(kind), None, altered)
    low_level = arguments.pop("low_level", "false").lower() in ("true", "1", "yes") if kind == "household" else False
    factory = WORLDS[kind].factory
    bound = bind(factory, arguments, f"world {kind!r}")
    return _altered(kind, factory(**bound), House(**bound) if low_level else None, altered)


def _altered(kind: str, tables: Tables, house: House | None, settings: dict[str, str]) -> World:
    """The world, with a floor under what can be said, and an Actor or a Reporter that has an error."""
    from parley.gym import actor_of, household_low_level, reported_world, reporter_of

    try:
        floor = float(settings.get("floor", 0))
    except ValueError:
        raise BadInput(f"world {kind!r}: floor={settings['floor']!r}: expected a probability") from None
    tables = with_floor(tables, floor) if "floor" in settings else tables
    reporter, actor = settings.get("reporter"), settings.get("actor")
    if actor and house is None:
        raise BadInput(f"world {kind!r}: actor={actor!r} needs the real low level: household:low_level=true")
    if house is None:
        return reported_world(tables, kind, reporter) if reporter else TabularWorld(tables)
    learned = reporter_of(reporter, tables, kind, "grid") if reporter else None
    return household_low_level(tables, house, actor_of(actor, house) if actor else None, learned, altered=floor > 0)


# -- planners -----------------------------------------------------------------------------------------------------


def exact(
    scene: Scene, evidence: str = "environment", rho: float = 0.0, mixture: str = "episode", decode: str = "sample"
) -> Planner:
    return ExactPlanner(scene.beliefs, Evidence(evidence, rho, mixture), decode)


def expert(scene: Scene, decode: str = "sample") -> Planner:
    return ExpertPlanner(scene.beliefs, scene.latents, decode)


def posterior_sampling(scene: Scene, decode: str = "sample") -> Planner:
    return PosteriorSamplingPlanner(scene.beliefs, decode=decode)


def at_random(scene: Scene, decode: str = "sample") -> Planner:
    return RandomPlanner(decode)


def scripted(scene: Scene, script: str, decode: str = "sample") -> Planner:
    return ScriptedPlanner(tuple(filter(None, script.split("|"))), decode)


def transformer(scene: Scene, checkpoint: str = "", decode: str = "sample") -> Planner:
    path = Path(checkpoint) if checkpoint else CHECKPOINTS / parse_spec(scene.spec, "world")[0]
    if not checkpoint and not path.is_dir():
        shipped = ", ".join(sorted(p.name for p in CHECKPOINTS.iterdir() if p.is_dir()))
        raise BadInput(
            f"no checkpoint ships for world {scene.spec!r} (only for {shipped}): train one with `parley pretrain` "
            "and name it, transformer:checkpoint=PATH"
        )
    planner = TransformerPlanner(path, decode=decode)
    if scene.world.tables is not None:
        planner.require(scene.world.tables)
    return planner


PLANNERS: dict[str, Kind] = {
    "exact": Kind(exact, "BAIL from the world's tables: what a perfectly pretrained model computes"),
    "expert": Kind(expert, "knows z: the zero-regret reference"),
    "posterior-sampling": Kind(posterior_sampling, "draws one z an episode from the exact posterior"),
    "random": Kind(at_random, "proposes every legal subgoal alike"),
    "scripted": Kind(scripted, "says the subgoals of a script in turn: scripted:script=one|two"),
    "transformer": Kind(
        transformer, "a pretrained Llama-architecture model; alone: the checkpoint that ships", cohort=64
    ),
}


def planner(spec: str, scene: Scene) -> Planner:
    """The planner of a spec, for one cohort."""
    kind, arguments = parse_spec(spec, "planner")
    if kind not in PLANNERS:
        raise BadInput(f"unknown planner {kind!r}{suggestion(kind, PLANNERS)}")
    factory = PLANNERS[kind].factory
    bound = bind(factory, arguments, f"planner {kind!r}", skip=["scene"])
    if bound.get("decode", "sample") not in ("sample", "greedy"):
        raise BadInput(f"planner {spec!r}: decode={bound['decode']!r}: expected 'sample' or 'greedy'")
    scene.planner = factory(scene, **bound)
    return scene.planner


# -- explorers ----------------------------------------------------------------------------------------------------


def none(scene: Scene) -> Explorer:
    return NoExploration()


def epsilon_greedy(
    scene: Scene, epsilon: float | str = "theory", power: float = 0.0, per: str = "episode", policy: str = "uniform"
) -> Explorer:
    found = exploration_policy(scene, policy)
    if epsilon == "theory":
        if power:
            raise BadInput(
                f"power={power} contradicts epsilon=theory, which is constant in a run: give a number for epsilon"
            )
        epsilon = epsilon_of_theory(scene.beliefs, scene.num_episodes, found.eta())
    return EpsilonGreedy(schedule(float(epsilon), power), per, found.policy, found.listener)


@dataclass(frozen=True)
class ExplorationPolicy:
    """pi_e as an explorer takes it, and its eta, computed when asked for."""

    eta: Callable[[], float]
    policy: Policy = uniform_policy
    listener: DesignedPolicy | None = None


def exploration_policy(scene: Scene, name: str) -> ExplorationPolicy:
    """`uniform`, `designed` (the largest eta), `cheapest` (the least regret for its eta), or a file of weights."""
    if name == "uniform":
        return ExplorationPolicy(lambda: eta_of(scene.beliefs, uniform(scene.beliefs)))
    if name in ("designed", "cheapest"):
        designs = designs_of(scene.beliefs, name)
        listener = DesignedPolicy(scene.beliefs.tables, designs)
        return ExplorationPolicy(lambda: min(found.eta for found in designs), listener=listener)
    weights = _read_weights(name, scene)
    policy = weighted_policy(weights)
    if scene.world.tables is not None:
        given = eta_of(scene.beliefs, weighted(scene.beliefs, weights))
        return ExplorationPolicy(lambda: given, policy)
    return ExplorationPolicy(lambda: eta_of(scene.beliefs, uniform(scene.beliefs)), policy)


@lru_cache(maxsize=8)
def designs_of(beliefs: Beliefs, name: str) -> tuple[Design, ...]:
    """The design with the largest eta; or, one for each instruction, that with the least regret for its eta."""
    classes = classes_of(beliefs)
    if name == "designed":
        return (design(beliefs, classes),)
    return tuple(cheapest(beliefs, classes, instruction=w) for w in range(len(beliefs.tables.instructions)))


def _read_weights(path: str, scene: Scene) -> dict[str, float]:
    """An exploration policy from a JSON file: an object of subgoals and their weights."""
    try:
        weights = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as wrong:
        raise BadInput(
            f"policy={path!r}: expected 'uniform', 'designed', 'cheapest', or a JSON file of subgoals and weights "
            f"({wrong})"
        ) from None
    if not isinstance(weights, dict) or not weights:
        raise BadInput(f"policy={path!r}: expected a JSON object of subgoals and weights")
    menus = scene.world.tables.menus if scene.world.tables else ()
    known = {subgoal for menu in menus for subgoal in menu}
    for subgoal in weights:
        if known and subgoal not in known:
            raise BadInput(f"policy={path!r}: {subgoal!r} is no subgoal of the world{suggestion(subgoal, known)}")
    return weights


def epsilon_of_theory(beliefs: Beliefs, num_episodes: int, eta: float) -> float:
    """The theory's epsilon for an exploration policy of that eta, c_Z and |Z| over merged classes.

    Raises `BadInput` where there are so few episodes that the formula gives 1: nothing but exploration.
    """
    classes, horizon = classes_of(beliefs), beliefs.tables.horizon
    if len(classes.members) == 1:
        return 0.0  # nothing to find out
    epsilon = theory_epsilon(num_episodes, horizon, eta, len(classes.members), classes.c_z)
    if epsilon == 1.0:
        least = least_episodes(horizon, eta, len(classes.members), classes.c_z)
        raise BadInput(
            f"episodes={num_episodes} are too few for the theory's epsilon, which would be 1 (exploration only): "
            f"run at least {least}, or give a number, epsilon-greedy:epsilon=0.1"
        )
    return epsilon


def adaptive(scene: Scene, prudence: float = 2.0, caution: float = 0.5) -> Explorer:
    beliefs = scene.beliefs
    if beliefs.tables.num_actors > 1:
        raise BadInput(f"explorer 'adaptive': world {scene.spec!r} has several Actors; it explores for one")
    if not prudence > 0:
        raise BadInput(f"prudence={prudence}: expected a positive number (1 is Bayesian, more is for the worst case)")
    found = AdaptiveExplorer(beliefs, classes_of(beliefs), trials_of(beliefs), ExactPlanner(beliefs), prudence, caution)
    return GuardedExplorer(found, found, uniform_policy)


@lru_cache(maxsize=8)
def trials_of(beliefs: Beliefs) -> Trials:
    """Dear to build, and the same for every cohort."""
    return Trials(beliefs, classes_of(beliefs))


def adaptive_proposals(scene: Scene, patience: float = 2.0) -> Explorer:
    if not patience > 0:
        raise BadInput(f"patience={patience}: expected a positive number of trials")
    found = ProposalsExplorer(patience)
    if isinstance(scene.planner, Believer):
        return GuardedExplorer(found, scene.planner, uniform_policy)
    return found


def bayes_adaptive(scene: Scene) -> Explorer:
    beliefs = scene.beliefs
    if beliefs.tables.num_actors > 1:
        raise BadInput(f"explorer 'bayes-adaptive': world {scene.spec!r} has several Actors; it explores for one")
    return OptimalExplorer(optimum_of(beliefs), ExactPlanner(beliefs))


@lru_cache(maxsize=8)
def optimum_of(beliefs: Beliefs) -> Optimum:
    return Optimum(beliefs, classes_of(beliefs))


def own_posterior_sampling(scene: Scene) -> Explorer:
    return OwnPlan(PosteriorSamplingPlanner(scene.beliefs))


EXPLORERS: dict[str, Kind] = {
    "adaptive": Kind(
        adaptive,
        "exploits the exact posterior; tries a latent for an episode where finding out is worth its cost",
    ),
    "adaptive-proposals": Kind(
        adaptive_proposals, "tries what the proposals leave open and no longer learn about; for any planner"
    ),
    "bayes-adaptive": Kind(
        bayes_adaptive, "the optimum by dynamic programming over beliefs, for tiny worlds: the limit"
    ),
    "posterior-sampling": Kind(
        own_posterior_sampling, "follows, for an episode, the expert of a latent drawn from the exact posterior"
    ),
    "none": Kind(none, "executes the planner's proposals"),
    "epsilon-greedy": Kind(
        epsilon_greedy,
        "explores a share epsilon of episodes (per=step: of steps): a number, a power of t (power=0.5), the theory's; "
        "by policy=uniform, designed (the largest eta), cheapest (the least regret for its eta), or a file of weights",
    ),
}


def explorer(spec: str, scene: Scene) -> Explorer:
    """The explorer of a spec, for one cohort."""
    kind, arguments = parse_spec(spec, "explorer")
    if kind not in EXPLORERS:
        raise BadInput(f"unknown explorer {kind!r}{suggestion(kind, EXPLORERS)}")
    factory = EXPLORERS[kind].factory
    return factory(scene, **bind(factory, arguments, f"explorer {kind!r}", skip=["scene"]))


# -- instructions and latents ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Schedule:
    """Which instruction each run gets in each episode: `cyclic`, `random`, `fixed:NAME|INDEX`, or `list:A|B|...`."""

    spec: str
    instructions: tuple[str, ...]
    draws: Draws
    order: tuple[int, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        kind, _, rest = self.spec.partition(":")
        if kind not in ("cyclic", "random", "fixed", "list") or bool(rest) != (kind in ("fixed", "list")):
            raise BadInput(
                f"instructions={self.spec!r}: expected cyclic, random, fixed:NAME, or list:NAME|NAME|... "
                "(a name may be the index, counted from 0)"
            )
        chosen = rest.split("|") if rest else range(len(self.instructions))
        order = tuple(index_of(str(name), self.instructions, "instruction") for name in chosen)
        object.__setattr__(self, "order", order)

    def __call__(self, episode: int) -> Sentences:
        names = np.array(self.instructions, dtype=object)
        if self.spec == "random":
            return names[(self.draws.uniform(Purpose.INSTRUCTION, episode) * len(names)).astype(int)]
        return np.full(self.draws.num_runs, names[self.order[episode % len(self.order)]], dtype=object)


def index_of(name: str, names: tuple[str, ...], what: str) -> int:
    """The index that `name` stands for: itself one of `names`, or an index counted from 0."""
    if name in names:
        return names.index(name)
    if name.isdigit() and int(name) < len(names):
        return int(name)
    raise BadInput(f"{what} {name!r}: expected a name or an index below {len(names)}{suggestion(name, names)}")


def draw_latents(world: World, draws: Draws, latent: str | None) -> Int[np.ndarray, " B"]:
    """The latent of every run: the named one, all in turn (`each`), or drawn from the prior."""
    if latent == "each" and latent not in world.latents:
        return np.arange(draws.num_runs) % len(world.latents)
    if latent is not None:
        return np.full(draws.num_runs, index_of(latent, world.latents, "latent"))
    return sample_rows(np.tile(world.prior, (draws.num_runs, 1)), draws.uniform(Purpose.LATENT))
