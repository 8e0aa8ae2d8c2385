"""The lines that `adaptive-exploration` compares: what a run of each costs, and below what it cannot stay.

A run ends once its remaining regret is known (`theory.rest`). That regret is charged to every class by its value after
this history (`shared`). A line may give a latent up for good once in thousands of runs, and then pay for ever. Charged
to every class, this shows in a few runs. The cost of a false alarm of the sequential test after that is left out. A run
at rest whose bets against the truth stand at w is rejected with probability w / 1,000 at most. Explorers that know
proposals only are shown the menu in an order of its own.

Of the references only epsilon-greedy at the theory's rate depends on T, and expected regret never falls. So the loss of
any other after T' < T episodes is a lower bound of its loss in T. For those that go on exploring, the exploration
episodes by themselves are such a bound, and exactly known.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from jaxtyping import Float, Int

from parley import assemble
from parley.assemble.explorers import trials_of
from parley.core.errors import BadInput
from parley.core.roles import KeptExplorer
from parley.core.said import Choice, EpisodeRecord, Menu, Moment, Proposal
from parley.execute import RunConfig
from parley.experiments.base import expected_regret
from parley.exploration.adaptive import AdaptiveExplorer
from parley.exploration.explorers import EpsilonGreedy
from parley.exploration.persistent import PersistentExplorer
from parley.exploration.posterior import PosteriorExplorer
from parley.exploration.rejection import GuardedExplorer
from parley.loop import Cohort
from parley.planners.exact import ExactPlanner
from parley.theory.chains import DRAWN, Chain, chain, total
from parley.theory.distinguishability import classes_of
from parley.theory.rest import SETTLED, Rest
from parley.theory.traps import traps
from parley.theory.tree import EpisodeTree

Key = tuple[str, str]  # planner and explorer

ADAPTIVE, PROPOSALS = ("exact", "adaptive"), ("exact", "adaptive-proposals")
GREEDY, SAMPLED = ("exact:decode=greedy", "none"), ("exact", "none")
SAMPLING, DECAY = ("exact", "posterior-sampling"), ("exact", "epsilon-greedy:epsilon=1,power=1")
UNIFORM = ("exact", "epsilon-greedy:epsilon=theory")
DESIGNED = ("exact", "epsilon-greedy:epsilon=theory,policy=designed")
LIMIT = ("exact", "bayes-adaptive")
DECODED = {GREEDY: "greedy", SAMPLED: "sample", SAMPLING: DRAWN}
JUDGED = 10_000  # episodes over which a trap is one
EVERY = 50  # episodes between two looks whether a cell is at rest
QUIET = 64  # episodes without a trial after which, proposals or beliefs unmoved, none is made any more


@lru_cache(maxsize=64)
def apart(world: str) -> tuple[tuple[int, ...], Float[np.ndarray, " C"]]:
    """One latent of each class that some policy can tell apart (the others of a class are alike), and their prior."""
    tables = assemble.world(world).tables
    assert tables is not None
    classes = classes_of(assemble.beliefs_of(tables))
    return tuple(group[0] for group in classes.members), classes.prior


def totals_of(config: RunConfig, bar: Callable[[EpisodeRecord, int], None]) -> Float[np.ndarray, "R 1"]:
    """Total expected regret of each run, the classes in turn. Of the optimum: the Bayes regret of its plan, or NaN.

    Where it is exactly known what a run of its class loses on average, that stands for each run.
    """
    if (config.planner, config.explore) == LIMIT:
        return np.array([[_limit(config)]])
    exact = by_chain(config.world, (config.planner, config.explore), config.episodes)
    if exact is not None:
        return np.resize(exact, (config.runs, 1))
    latents = np.array(apart(config.world)[0])
    early = None if "epsilon" in config.explore else _Watch(config, np.resize(np.arange(len(latents)), config.runs))
    around = partial(Shuffled, seed=config.seed) if (config.planner, config.explore) == PROPOSALS else None
    return expected_regret(config, bar, early, latents, around=around).sum(axis=1, keepdims=True)


def by_chain(world: str, key: Key, episodes: int) -> Float[np.ndarray, " C"] | None:
    """What a line that only learns loses under each class, exactly; None where its beliefs are no finite chain."""
    found = _chain(world, DECODED[key]) if key in DECODED else None
    if found is None:
        return None
    return np.array([total(move, loss, episodes)[0] for move, loss in zip(found.move, found.loss.T, strict=True)])


@lru_cache(maxsize=128)
def _chain(world: str, how: str) -> Chain | None:
    tables = assemble.world(world).tables
    assert tables is not None
    if len(tables.instructions) > 1:  # they come in turn here, drawn in a chain
        return None
    beliefs = assemble.beliefs_of(tables)
    return chain(trials_of(beliefs).tree, classes_of(beliefs), how, (0,))


def _limit(config: RunConfig) -> float:
    tables = assemble.world(config.world).tables
    assert tables is not None
    try:
        return assemble.optimum_of(assemble.beliefs_of(tables)).solve(config.episodes).regret
    except BadInput:
        return np.nan


class _Watch:
    """Says of a cell, in whole rounds, whether all its runs are at rest, and their loss in the episodes to come."""

    def __init__(self, config: RunConfig, truth: Int[np.ndarray, " R"]) -> None:
        world = assemble.world(config.world)
        assert world.tables is not None and config.instructions == "cyclic"
        self.config, self.truth, self.num_w = config, truth, len(world.instructions)
        beliefs = assemble.beliefs_of(world.tables)
        self.trials = trials_of(beliefs)
        members, self.prior = classes_of(beliefs).members, classes_of(beliefs).prior
        self.home = np.array([[z in group for group in members] for z in range(len(world.latents))], dtype=float)
        self.still_since = np.zeros(config.runs)  # episode after the last trial

    def __call__(self, cohort: Cohort, record: EpisodeRecord) -> Float[np.ndarray, " R"] | None:
        assert isinstance(cohort.planner, ExactPlanner)
        explorer = cohort.explorer.inner if isinstance(cohort.explorer, Shuffled) else cohort.explorer
        inner = explorer.inner if isinstance(explorer, GuardedExplorer) else explorer
        self.still_since[record.explored] = record.episode + 1
        if record.episode % EVERY != EVERY - 1:
            return None
        if isinstance(explorer, GuardedExplorer) and (explorer.since >= 0).any():
            return None  # a floor of forced exploration
        posterior, remaining = cohort.planner.posterior @ self.home, self.config.episodes - record.episode - 1
        lossless = posterior[np.arange(len(posterior)), self.truth] > 1 - SETTLED  # whatever it still tries is as good
        rows, rest = np.flatnonzero(~lossless), np.zeros(posterior.shape)
        if not len(rows):
            return rest[:, 0]
        if self.config.explore == "posterior-sampling" or isinstance(inner, PersistentExplorer):
            return None  # the next trial may come at any time
        turns = np.bincount(np.arange(record.episode + 1, self.config.episodes) % self.num_w, minlength=self.num_w)
        long_quiet = record.episode + 1 - self.still_since >= QUIET
        if isinstance(inner, PosteriorExplorer):
            belief = inner.belief[rows]
            told = (self.trials.play(belief, w) for w in range(self.num_w))
            found = Rest.of(told, belief, self.truth[rows])
            quiet = (inner.rests(remaining) if isinstance(inner, AdaptiveExplorer) else long_quiet)[rows]
            lossless = found.harmless & (isinstance(inner, AdaptiveExplorer) | long_quiet[rows])
        else:
            belief, how = posterior[rows], cohort.planner.decode if self.config.explore == "none" else "greedy"
            told = (self.trials.imitate(belief, w, how) for w in range(self.num_w))
            found = Rest.of(told, belief, self.truth[rows])
            quiet = long_quiet[rows] | (self.config.explore == "none")
            lossless = np.zeros(len(rows), dtype=bool)
        if not (lossless | (found.frozen & quiet)).all():
            return None
        rest[rows] = np.where(lossless[:, None], 0.0, np.einsum("w,wrc->rc", turns, found.loss))
        return shared(rest, posterior, self.prior)


def shared(
    loss: Float[np.ndarray, "R C"], posterior: Float[np.ndarray, "R C"], prior: Float[np.ndarray, " C"]
) -> Float[np.ndarray, " R"]:
    """The regret to come, charged within every round (one run of each class) to all classes: unbiased, with less luck.

    A run with history h stands for its loss under class c as well, with weight P_c(h) over the sum of all P(h). This is
    multiple importance sampling by the balance heuristic (Veach and Guibas 1995). Subgoals are chosen alike under every
    class, so the posterior over the prior is enough. A class without prior keeps its own run's loss.
    """
    possible, num = prior > 0, len(prior)
    odds = np.where(possible, posterior / np.where(possible, prior, 1.0), 0.0)
    rounds = (odds / odds.sum(axis=1, keepdims=True) * loss).reshape(-1, num, num)  # round, run's class, class
    own = loss.reshape(-1, num, num)[:, np.arange(num), np.arange(num)]
    return np.where(possible, rounds[:, possible].sum(axis=1), own).ravel()


class Shuffled:
    """Another explorer, that is shown each Actor's menu in an order drawn at random once."""

    def __init__(self, inner: KeptExplorer, seed: int) -> None:
        self.inner, self.rng, self.orders = inner, np.random.default_rng(seed), dict[int, np.ndarray]()
        self.start, self.hear = inner.start, inner.hear
        self.snapshot, self.restore = inner.snapshot, inner.restore

    def choose(self, proposal: Proposal, how: str, menu: Menu, moment: Moment) -> Choice:
        if moment.actor not in self.orders:
            self.orders[moment.actor] = self.rng.permutation(proposal.probs.shape[1])
        order = self.orders[moment.actor]
        shown = Menu(menu.sentences[:, order], menu.legal[:, order])
        found = self.inner.choose(replace(proposal, probs=proposal.probs[:, order]), how, shown, moment)
        law = np.empty_like(found.law)
        law[:, order] = found.law
        return Choice(order[found.index], found.explored, law)


@lru_cache(maxsize=4096)  # of all worlds, lines and lengths: asked for again at every look
def floor(world: str, key: Key, episodes: int) -> Float[np.ndarray, " C"] | None:
    """What the exploration episodes of an epsilon-greedy line cost under each class; None where epsilon would be 1."""
    scene = assemble.Scene(world, assemble.world(world), np.zeros(1, int), episodes)
    try:
        explorer = assemble.explorer(key[1], scene)
    except BadInput:
        return None
    assert isinstance(explorer, EpsilonGreedy)
    epsilon = np.array([explorer.epsilon(t) for t in range(episodes)])
    num_w = len(scene.world.instructions)
    share = np.bincount(np.arange(episodes) % num_w, weights=epsilon, minlength=num_w)
    if key == DESIGNED:
        (design,) = assemble.designs_of(scene.beliefs, "designed")
        tree, policy = design.tree, design.policy
    else:
        tree = EpisodeTree(scene.beliefs, apart(world)[0])
        policy = tree.uniform()
    weights = tree.forward(policy)
    return share @ np.array([_paid(tree, weights, w) for w in range(num_w)])


def _paid(tree: EpisodeTree, weights: list[np.ndarray], w: int) -> Float[np.ndarray, " C"]:
    paid = np.zeros(len(tree.latents))
    for mass, loss in zip(weights, tree.loss(w), strict=True):
        paid += np.einsum("ng,ngc->c", mass, loss)
    return paid


@lru_cache(maxsize=64)
def trapped(world: str) -> bool:
    """Whether the exact chain of beliefs says that a greedy planner goes on paying; for `traps` and `shortcut` only.

    `treasure` and `team` have traps as well: `treasure:n=64` has a criterion of its own, the others have none of this
    kind. Elsewhere there is no exact chain to say it.
    """
    if not world.startswith(("shortcut", "traps")):
        return False
    tables = assemble.world(world).tables
    assert tables is not None
    beliefs = assemble.beliefs_of(tables)
    found = traps(beliefs, classes_of(beliefs), JUDGED, decodings=("greedy",))
    return all(e.method == "exact" for e in found.escapes) and found.reveals("greedy") is False
