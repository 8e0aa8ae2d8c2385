"""Concrete worlds put together from their parts, and the Gymnasium environments made of them."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parley.actors.cloned import ClonedActor, ClonedPolicy, clone
from parley.actors.cloned_walker import ClonedWalk, ClonedWalker, clone_walk
from parley.actors.foragers import Foragers
from parley.actors.grid import GridActor
from parley.actors.grid_search import GridSearchActor
from parley.actors.pick_place import PickPlaceActor, straight
from parley.actors.pushing import PushActor
from parley.actors.reaching import SHIPPED, ReachPolicy
from parley.actors.typist import TypistActor
from parley.actors.waypoints import WaypointActor
from parley.core.errors import BadInput, MissingExtra
from parley.core.roles import World
from parley.core.tables import Tables
from parley.pretraining.reporter import ReporterRecipe, pretrain_reporter
from parley.reporters.forage import ForageReporter, basket
from parley.reporters.house import HouseReporter, posture
from parley.reporters.keys import KeysReporter, PartialKeysReporter, spot
from parley.reporters.learned import LearnedReporter, LowLevelReporter
from parley.reporters.quest import QuestReporter, turn
from parley.reporters.sorter import FloorReporter, SorterReporter
from parley.reporters.template import HouseholdReporter
from parley.worlds import sorter, sorter_floor
from parley.worlds.composed import ComposedWorld, Script, TextEnv
from parley.worlds.forage import BASKETS, TAKES, forage
from parley.worlds.forage import mechanism as forage_mechanism
from parley.worlds.forage import sentence as sentence_of
from parley.worlds.forage_env import ForageGrid
from parley.worlds.house import Mansion, mansion_tables, postures, sentence
from parley.worlds.house_env import HouseMaze
from parley.worlds.household import House, household
from parley.worlds.household_env import HouseholdGrid
from parley.worlds.keys import SECRETS, Rules, mechanism, rules_tables, spots
from parley.worlds.keys_env import KeysGrid
from parley.worlds.physical import Abstraction, PhysicalWorld
from parley.worlds.quest import COLOURS, quest, turns
from parley.worlds.quest import mechanism as quest_mechanism
from parley.worlds.quest_env import QuestGame
from parley.worlds.single import SingleRun
from parley.worlds.sorter_env import SorterArm
from parley.worlds.sorter_floor_env import FloorArm, stored
from parley.worlds.sorter_layout import places
from parley.worlds.tabular.env import TabularWorld
from parley.worlds.tabular.reported import ReportedWorld, mixed, with_floor
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.treasure import treasure

if TYPE_CHECKING:
    from parley.worlds.parallel_run import ParallelRun


def household_low_level(
    tables: Tables,
    house: House,
    actor: ClonedPolicy | None = None,
    reporter: LearnedReporter | None = None,
    altered: bool = False,
) -> ComposedWorld:
    """The household run on its real low level; `tables` are those of `house`, unless they are `altered`.

    Actor and Reporter may have an error.
    """
    script = Script.of(tables)
    voice = LowLevelReporter(reporter, house) if reporter else None

    def text_env(latent: int) -> TextEnv:
        acting = ClonedActor(house, actor) if actor else GridActor(house)
        return TextEnv(HouseholdGrid(house, latent), acting, HouseholdReporter(house), script, voice)

    return ComposedWorld(tables, text_env, altered=altered or bool(actor or reporter))


def reporter_of(spec: str, tables: Tables, world: str, view: str) -> LearnedReporter:
    """The Reporter of `learned:PATH`, or of `learned:PAIRS`, trained on the spot from so many pairs."""
    kind, _, rest = spec.partition(":")
    if kind != "learned" or not rest:
        raise BadInput(f"reporter={spec!r}: expected learned:PATH, learned:PAIRS or noisy:SHARE")
    if rest.isdigit():
        return pretrain_reporter(tables, world, ReporterRecipe(view=view, pairs=int(rest)))
    return LearnedReporter.load(Path(rest))


def reported_world(tables: Tables, world: str, spec: str) -> ReportedWorld:
    """The world of `tables` heard through a learned Reporter, or one that errs with probability `share`."""
    kind, _, rest = spec.partition(":")
    if kind != "noisy":
        return ReportedWorld(tables, reporter_of(spec, tables, world, "tables").emission(tables))
    try:
        share = float(rest)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise BadInput(f"reporter={spec!r}: expected noisy:SHARE with a share between 0 and 1")
    return ReportedWorld(tables, mixed(tables.emission, share))


def cloned_of(spec: str) -> float | Path:
    """Of `cloned:SHARE` the share of optimal demonstrations from which to clone on the spot; of `cloned:PATH` the path.

    Raises `BadInput` for anything else.
    """
    kind, _, rest = spec.partition(":")
    if kind != "cloned" or not rest:
        raise BadInput(f"actor={spec!r}: expected cloned:PATH, or cloned:SHARE of optimal demonstrations")
    try:
        return float(rest)
    except ValueError:
        return Path(rest)


def actor_of(spec: str, house: House) -> ClonedPolicy:
    """The cloned Actor of `household`."""
    source = cloned_of(spec)
    return ClonedPolicy.load(source) if isinstance(source, Path) else clone(house, source)


def walk_of(spec: str) -> ClonedWalk:
    """The cloned Actor of `house`."""
    source = cloned_of(spec)
    return ClonedWalk.load(source) if isinstance(source, Path) else clone_walk(source)


def household_world(low_level: bool = True, **settings: Any) -> TabularWorld:
    """The household, run on its real low level or on its tables; `settings` are those of `House`."""
    tables = household(**settings)
    return household_low_level(tables, House(**settings)) if low_level else TabularWorld(tables)


def make_household(latent: str | int | None = None, **settings: Any) -> SingleRun:
    """`parley/Household-v0`."""
    return SingleRun(household_world(**settings), latent)


def make_shortcut(latent: str | int | None = None, **settings: Any) -> SingleRun:
    """`parley/Shortcut-v0`."""
    return SingleRun(TabularWorld(shortcut(**settings)), latent)


def make_treasure(latent: str | int | None = None, **settings: Any) -> SingleRun:
    """`parley/Treasure-v0`."""
    return SingleRun(TabularWorld(treasure(**settings)), latent)


def house_world(actor: str = "", floor: float = 0.0, **settings: Any) -> PhysicalWorld:
    """The house in MuJoCo physics (extra `mujoco`), with its abstract tables; `settings` are those of `Mansion`.

    `actor` is a cloned one: `cloned:SHARE` or `cloned:PATH`. It does what the tables call impossible; `floor` is then
    the probability with which they let any sentence be said.
    """
    mansion = Mansion(**settings)
    tables = with_floor(mansion_tables(mansion), floor) if floor else mansion_tables(mansion)
    script, walk = Script.of(tables), walk_of(actor) if actor else None

    def text_env(latent: int) -> TextEnv:
        low, acting = HouseMaze(mansion, mansion.plans[latent]), ClonedWalker(walk) if walk else WaypointActor()
        return TextEnv(low, acting, HouseReporter(), script, max_actions=400)

    room = {said: at for said, (at, _) in zip(tables.states, postures(), strict=True)}
    goals = {subgoal: i for i, subgoal in enumerate(tables.subgoals)}
    abstraction = Abstraction(
        state=lambda raw: sentence(*posture(raw)),
        mechanism=lambda z, s, g: mansion.plans[z].mechanism(room[s], goals[g]),
    )
    world = PhysicalWorld.of(tables, text_env, abstraction)
    return replace(world, altered=True) if floor or walk else world


def keys_world(**settings: Any) -> PhysicalWorld:
    """The keys on a MiniGrid (extra `minigrid`), with their abstract tables; `settings` are those of `Rules`."""
    rules = Rules(**settings)
    tables = rules_tables(rules)
    script = Script.of(tables)

    def text_env(latent: int) -> TextEnv:
        voice = PartialKeysReporter(rules) if rules.view == "partial" else KeysReporter(rules)
        return TextEnv(KeysGrid(rules, SECRETS[latent]), GridSearchActor(), voice, script, max_actions=400)

    at = dict(zip(tables.states, spots(), strict=True))
    abstraction = Abstraction(
        state=lambda raw: str(spot(raw)),
        mechanism=lambda z, s, g: mechanism(SECRETS[z], at[s], g),
        unlikely={"the right key opens": KeysGrid.stuck},
    )
    return PhysicalWorld.of(tables, text_env, abstraction)


def sorter_world(actor: str = "", **settings: Any) -> PhysicalWorld:
    """The robot arm in MuJoCo physics (extra `mujoco`), with its abstract tables; `settings` are those of `Rules`.

    `actor` is `reach`, the learned way of reaching that comes with the package, or `reach:PATH`; else a script reaches.
    """
    rules = sorter.Rules(**settings)
    tables = sorter.rules_tables(rules)
    script = Script.of(tables)
    kind, _, path = actor.partition(":")
    if kind not in ("", "reach"):
        raise BadInput(f"actor={actor!r}: expected reach or reach:PATH (of `parley pretrain-reach --out PATH`)")
    reach = ReachPolicy.load(Path(path) if path else SHIPPED) if kind else straight

    def text_env(latent: int) -> TextEnv:
        low = SorterArm(rules, sorter.PLANS[latent])
        return TextEnv(low, PickPlaceActor(reach), SorterReporter(), script, max_actions=400)

    at = dict(zip(tables.states, sorter.states(), strict=True))
    abstraction = Abstraction(
        state=lambda raw: sorter.sentence(places(raw["blocks"])),
        mechanism=lambda z, s, g: sorter.mechanism(sorter.PLANS[z], at[s], g),
    )
    return PhysicalWorld.of(tables, text_env, abstraction)


def quest_world(**settings: Any) -> PhysicalWorld:
    """The text adventure in TextWorld (extra `text`), with its abstract tables; `settings` are those of `quest`."""
    tables = quest(**settings)
    script = Script.of(tables)

    def text_env(latent: int) -> TextEnv:
        return TextEnv(QuestGame(COLOURS[latent]), TypistActor(), QuestReporter(), script, max_actions=10)

    at = dict(zip(tables.states, turns(), strict=True))
    abstraction = Abstraction(
        state=lambda raw: str(turn(raw)),
        mechanism=lambda z, s, g: quest_mechanism(COLOURS[z], at[s], g),
    )
    return PhysicalWorld.of(tables, text_env, abstraction)


def sorter_floor_world(**settings: Any) -> PhysicalWorld:
    """The arm at a rough or an icy table (extra `mujoco`); `settings` are those of `sorter_floor.Rules`."""
    rules = sorter_floor.Rules(**settings)
    tables = sorter_floor.floor_tables(rules)
    script = Script.of(tables)

    def text_env(latent: int) -> TextEnv:
        return TextEnv(FloorArm(rules, latent), PushActor(), FloorReporter(), script, max_actions=400)

    at = dict(zip(tables.states, sorter_floor.STATES, strict=True))
    abstraction = Abstraction(
        state=lambda raw: sorter_floor.sentence(stored(raw)),
        mechanism=lambda z, s, g: sorter_floor.mechanism(z, at[s], g),
    )
    return PhysicalWorld.of(tables, text_env, abstraction)


def forage_world() -> PhysicalWorld:
    """Three foragers on a grid (extra `forage`), with their abstract tables."""
    tables = forage()
    script = Script.of(tables)
    at, parts = dict(zip(tables.states, BASKETS, strict=True)), {g: tuple(g.split(" / ")) for g in tables.subgoals}
    abstraction = Abstraction(
        state=lambda raw: sentence_of(basket(raw)),
        mechanism=lambda z, s, g: forage_mechanism(TAKES[z], at[s], parts[g]),
    )

    def text_env(latent: int) -> TextEnv:
        return TextEnv(ForageGrid(TAKES[latent]), Foragers(), ForageReporter(), script, max_actions=200)

    return PhysicalWorld.of(tables, text_env, abstraction)


def parallel_env(world: World, latent: str | int | None = None) -> "ParallelRun":
    """One run of a world with tables as a PettingZoo `ParallelEnv`, an agent for each Actor (extra `pettingzoo`).

    `latent` is a name, an index, or None, as in `SingleRun`.
    """
    try:
        from parley.worlds.parallel_run import ParallelRun
    except ImportError:
        raise MissingExtra("a PettingZoo environment", "pettingzoo") from None
    run = SingleRun(world, latent)
    assert world.tables is not None  # or else SingleRun had raised
    return ParallelRun(run, world.tables)
