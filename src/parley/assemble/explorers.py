"""The explorers by name."""

from functools import lru_cache
from math import inf

from parley.assemble.exploration import epsilon_of_theory, exploration_policy
from parley.assemble.foreign import foreign_explorer
from parley.assemble.registry import Kind, Registry
from parley.assemble.scene import Scene
from parley.core.errors import BadInput
from parley.core.roles import Explorer, KeptExplorer
from parley.exploration.adaptive import AdaptiveExplorer
from parley.exploration.committing import ExploreThenCommit
from parley.exploration.explorers import (
    EpsilonGreedy,
    NoExploration,
    OwnPlan,
    schedule,
    uniform_policy,
)
from parley.exploration.information import InformationDirected
from parley.exploration.optimal import OptimalExplorer
from parley.exploration.persistent import PersistentExplorer
from parley.exploration.proposals import ProposalsExplorer
from parley.exploration.rejection import FALSE_ALARM, Believer, GuardedExplorer
from parley.planners.exact import ExactPlanner, PosteriorSamplingPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import classes_of
from parley.theory.optimum import Optimum
from parley.theory.sampled import SampledTrials
from parley.theory.trials import Trials

ALIKE = 0.5  # of situations in open text, see `exploration.situations`


def none(scene: Scene) -> KeptExplorer:
    """Executes the planner's proposals."""
    return NoExploration()


def epsilon_greedy(
    scene: Scene, epsilon: float | str = "theory", power: float = 0.0, per: str = "episode", policy: str = "uniform"
) -> KeptExplorer:
    """Explores a share epsilon of episodes (per=step: of steps). The share is a number, a power of t (power=0.5), or
    the theory's. The policy is uniform, designed (the largest eta), cheapest (the least regret for its eta), or a JSON
    file. The file gives subgoals with weights, which need not sum to 1.
    """
    found = exploration_policy(scene, policy)
    if epsilon == "theory":
        if power:
            raise BadInput(
                f"power={power} contradicts epsilon=theory, which is constant in a run: give a number for epsilon"
            )
        epsilon = epsilon_of_theory(scene.beliefs, scene.num_episodes, found.eta())
    return EpsilonGreedy(schedule(float(epsilon), power), per, found.policy, found.listener)


def adaptive(
    scene: Scene,
    prudence: float = 2.0,
    caution: float = 0.5,
    between: str = "posterior",
    false_alarm: float = FALSE_ALARM,
) -> KeptExplorer:
    """Exploits the exact posterior; tries a latent for an episode where finding out is worth its cost."""
    beliefs = scene.beliefs
    if not 0 < prudence < inf:
        raise BadInput(
            f"prudence={prudence}: expected a positive finite number (1 is Bayesian, more is for the worst case)"
        )
    if not 0 <= caution <= 1:
        raise BadInput(f"caution={caution}: expected a number from 0 (the world's prior) to 1 (equal beliefs)")
    if between not in ("posterior", "proposals"):
        raise BadInput(
            f"between={between!r}: expected what decides between trials: 'posterior' (greedily on the exact one) or "
            "'proposals' (the planner's own)"
        )
    reader, owns = _reader(scene)
    classes, trials, obeys = classes_of(beliefs), trials_of(beliefs), between == "proposals"
    found = AdaptiveExplorer(beliefs, classes, trials, reader, prudence, caution, obeys, owns)
    return _watched(found, found, false_alarm)


def explore_then_commit(scene: Scene, policy: str = "designed", confidence: float = 0.99) -> KeptExplorer:
    """Explores by a policy until the exact posterior is certain, then exploits it."""
    beliefs = scene.beliefs
    reader, owns = _reader(scene)
    chosen = exploration_policy(scene, policy)
    return ExploreThenCommit(
        beliefs, classes_of(beliefs), reader, chosen.policy, chosen.listener, confidence=confidence, owns=owns
    )


def information_directed(scene: Scene) -> KeptExplorer:
    """Plays, for an episode, the mixture of policies with the least regret squared over information gain."""
    beliefs = scene.beliefs
    reader, owns = _reader(scene)
    return InformationDirected(beliefs, classes_of(beliefs), trials_of(beliefs), reader, owns)


def _reader(scene: Scene) -> tuple[ExactPlanner, bool]:
    """What follows the exact posterior: the run's own planner where it does, else one of the explorer's (True)."""
    mine, beliefs = scene.planner, scene.beliefs
    if type(mine) is ExactPlanner and mine.beliefs is beliefs and not mine.evidence.demonstrator:
        return mine, False
    return ExactPlanner(beliefs), True


def _watched(found: KeptExplorer, believer: object, false_alarm: float) -> KeptExplorer:
    """The explorer under the sequential test, if anybody foretells what it can be held to.

    At a share of 0 nothing could ever be rejected, so there is no test either.
    """
    if not 0 <= false_alarm < 1:
        raise BadInput(
            f"false_alarm={false_alarm}: expected the share of runs in which a right model may be rejected, at least 0 "
            "and below 1. At 0 a wrong model is never rejected either, and no exploration is forced"
        )
    if false_alarm and isinstance(believer, Believer):
        return GuardedExplorer(found, believer, uniform_policy, false_alarm)
    return found


@lru_cache(maxsize=8)
def trials_of(beliefs: Beliefs) -> Trials:
    """Exact where the tree of an episode can be written down, else by simulation; the same for every cohort."""
    try:
        return Trials(beliefs, classes_of(beliefs))
    except BadInput:
        return SampledTrials(beliefs, classes_of(beliefs))


def adaptive_proposals(scene: Scene, patience: float = 2.0, false_alarm: float = FALSE_ALARM) -> KeptExplorer:
    """Tries what the proposals leave open and no longer learn about; for any planner."""
    if not 0 < patience < inf:
        raise BadInput(f"patience={patience}: expected a positive finite number of trials")
    return _watched(ProposalsExplorer(patience), scene.planner, false_alarm)


def persistent_proposals(
    scene: Scene,
    patience: float = 2.0,
    floor: float = 1.0,
    caution: float = 0.5,
    alike: float | str = "auto",
    false_alarm: float = FALSE_ALARM,
) -> KeptExplorer:
    """The same, and a floor of trials, so that no subgoal is given up for good; for any planner. Situations whose
    words are alike by BM25 (alike=0.5) count as one; alike=1, which auto is where the world has tables, as they are.
    """
    if not 0 < patience < inf:
        raise BadInput(f"patience={patience}: expected a positive finite number of trials")
    if not 0 <= floor < inf:
        raise BadInput(f"floor={floor}: expected trials per square root of visits, at least 0 and finite")
    if not 0 <= caution <= 1:
        raise BadInput(f"caution={caution}: expected a number from 0 (the shares as they are) to 1 (equal above 1 / T)")
    least = (ALIKE if scene.world.tables is None else 1.0) if alike == "auto" else float(alike)
    if not 0 < least <= 1:
        raise BadInput(f"alike={alike}: expected auto, or a share of a situation's BM25 above 0 and at most 1")
    return _watched(PersistentExplorer(patience, floor, caution, least), scene.planner, false_alarm)


def bayes_adaptive(scene: Scene) -> KeptExplorer:
    """The optimum by dynamic programming over beliefs, for tiny worlds: the limit."""
    beliefs = scene.beliefs
    if beliefs.tables.num_actors > 1:
        raise BadInput(f"explorer 'bayes-adaptive': world {scene.spec!r} has several Actors: use adaptive")
    return OptimalExplorer(optimum_of(beliefs), ExactPlanner(beliefs))


@lru_cache(maxsize=8)
def optimum_of(beliefs: Beliefs) -> Optimum:
    return Optimum(beliefs, classes_of(beliefs))


def own_posterior_sampling(scene: Scene) -> KeptExplorer:
    """Follows, for an episode, the expert of a latent drawn from the exact posterior."""
    return OwnPlan(PosteriorSamplingPlanner(scene.beliefs))


EXPLORERS = Registry(
    "explorer",
    {
        "adaptive": Kind(adaptive),
        "adaptive-proposals": Kind(adaptive_proposals),
        "persistent-proposals": Kind(persistent_proposals),
        "explore-then-commit": Kind(explore_then_commit),
        "information-directed": Kind(information_directed),
        "bayes-adaptive": Kind(bayes_adaptive),
        "posterior-sampling": Kind(own_posterior_sampling),
        "none": Kind(none),
        "epsilon-greedy": Kind(epsilon_greedy),
    },
)


def explorer(spec: str, scene: Scene, trust: bool = False) -> Explorer:
    """The explorer of a spec, for one cohort."""
    named = EXPLORERS.find(spec, trust)
    made: Explorer = EXPLORERS.make(named, {"scene": scene})
    return foreign_explorer(made, f"explorer {named.name!r}") if named.code else made
