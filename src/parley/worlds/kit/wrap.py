"""`parley.wrap`: the one way to make a world with a low level, from any environment in Gymnasium's words."""

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import product
from typing import Any

from parley.core.answered import quietly
from parley.core.errors import FAULTS, BadInput
from parley.core.roles import Actor, Reporter
from parley.core.spec import suggestion
from parley.core.tables import Tables
from parley.core.text import shown, whole
from parley.worlds.kit.describe import Described, in_words
from parley.worlds.kit.given import environment
from parley.worlds.kit.hidden import Hidden, count, hidden_of, listed_in, prior_of
from parley.worlds.kit.joint_actor import JointActor
from parley.worlds.kit.joint_reporter import JointReporter
from parley.worlds.kit.parallel import ParallelLow
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.script import FREE, Info, Own, Script
from parley.worlds.kit.skills import Skilled, Typist
from parley.worlds.kit.text_env import TextEnv

TASK = "collect as much reward as you can"  # where neither the user nor the environment names one
HORIZON = 100  # where neither of them says how long an episode is

Menu = Sequence[str] | Callable[[Any, Info], Any] | str
Describe = Callable[[Any], str] | Reporter | Mapping[str, Any]
Words = str | Sequence[str] | Callable[[Any, Info], str]


def wrap(
    make_env: Callable[..., Any],
    *,
    variations: Sequence[Any] | Mapping[str, Any] | None = None,
    horizon: int | None = None,
    menu: Menu | None = None,
    skills: Mapping[str, Any] | Callable[[], Actor] | None = None,
    describe: Describe | Callable[[], Reporter] | None = None,
    instruction: Words | None = None,
    max_score: float | Callable[[Info], float | None] | None = None,
    says_reward: bool | None = None,
    reward: Callable[[str, str], float] | None = None,
    observations: Sequence[str] = (),
    seeded_by: str = "episode",
    rest: Mapping[str, Any] | None = None,
    max_actions: int = 1000,
    tables: Tables | None = None,
    prior: Sequence[float] | None = None,
    deterministic: bool | None = None,
    name: str = "",
    **more: Any,
) -> PhysicalWorld:
    """A world from any environment whose `reset` and `step` are Gymnasium's, or PettingZoo's.

    Args:
        make_env: makes the environment of a variation, `make_env(variation)`; `make_env()` without variations.
        variations: what is hidden: a range, a sequence, or a mapping from names. Each run has one, drawn by `prior`.
        horizon: the most subgoals of an episode. None: the environment's own limit where it has one, else 100.
        menu: what can be told at a step: a list, a function of (observation, info), or "free": any words. None:
            `info["admissible_commands"]`, or the names of `skills`.
        skills: what the subgoals do: a mapping from names to generators, policies, lists of actions or actions
            (`kit.skills`), or what makes an `Actor`. None: the subgoal itself is the action. For several agents a
            mapping from agents to such mappings. describe: a function of the raw state to words, a `Reporter`, or what
            makes one. None: texts as they are, numbers and dictionaries of them plainly, MiniGrid's view as a list of
            the visible objects.
        instruction: the task, or a function of (observation, info) to that of an episode; or several tasks. None:
            `info["goal"]`, `info["instruction"]` or the observation's "mission", else "collect as much reward ...".
        max_score: the highest return, or a function of `info` at reset. None: `info["max_score"]`, where there is one.
        says_reward: whether a reward is told after the report. None: where the environment itself pays.
        reward: what an observation pays under an instruction. None: what the environment pays.
        observations: all that can be reported, where that is known.
        seeded_by: "episode": the environment has another seed in every episode. "variation": always that of the
            variation: itself if it is a number, else its place. Without `variations` each run draws one of 2**31.
        rest: what each agent does whose own skill has ended before the others'.
        max_actions: the most actions of one subgoal.
        tables: the world's abstract model, where there is one: its words, latents and prior are the world's.
        deterministic: whether the same seed and actions lead to the same again. False: an episode that was not
            finished is begun anew on resuming. None: found out then.
        more: further fields of `PhysicalWorld`.

    Raises: BadInput: an argument cannot be used. If the environment later gives something unusable, that raises
        `EnvironmentFailed`.
    """
    if not callable(make_env):
        raise BadInput(
            f"make_env={shown(make_env)}: expected a function that makes an environment, or a class. Each run makes "
            "its own: write `lambda: ...` before what made this one"
        )
    if not isinstance(name, str):
        raise BadInput(f"name={shown(name)}: expected a text")
    if seeded_by not in ("episode", "variation"):
        raise BadInput(f"seeded_by={seeded_by!r}: expected 'episode' or 'variation'")
    own = {"more", "latents", "script", "text_env"}
    known = {*inspect.signature(wrap).parameters, *(field.name for field in fields(PhysicalWorld))} - own
    if strange := [key for key in more if key not in known]:
        raise BadInput(f"wrap: no argument {strange[0]!r}{suggestion(strange[0], known)}")
    if not count(max_actions):
        raise BadInput(f"max_actions={max_actions!r}: expected a whole number of at least 1")
    hidden = hidden_of(variations, seeded_by == "variation", tables)
    acts = _acting(skills, rest)
    script = (
        Script.of(tables)
        if tables is not None
        else _script(make_env, hidden, acts, horizon, menu, instruction, max_score, says_reward, reward, observations)
    )
    speaks = _speaking(describe, acts.agents)

    def text_env(latent: int) -> TextEnv:
        low = _made(make_env, hidden, latent)
        if acts.agents and not isinstance(low, ParallelLow):
            raise BadInput(
                f"skills are those of {list(acts.agents)}: "
                f"make_env gave a {type(low).__name__}, no environment of agents"
            )
        if isinstance(low, ParallelLow) and acts.menus and set(low.possible_agents) != set(acts.agents):
            raise BadInput(
                f"skills are those of {list(acts.agents)}: expected those of {low.possible_agents}, by agent"
            )
        seed = hidden.seed(latent) if seeded_by == "variation" else None
        return TextEnv(low, acts.make(), speaks(), script, max_actions=max_actions, low_seed=seed)

    return PhysicalWorld(
        name=name or (tables.name if tables is not None else getattr(make_env, "__name__", "wrapped")),
        script=script,
        latents=tables.latents if tables is not None else hidden.names,
        prior=prior_of(prior, tables, len(hidden.names)),
        text_env=text_env,
        tables=tables,
        deterministic=deterministic if tables is None else True,
        **more,
    )


def _made(make_env: Callable[..., Any], hidden: Hidden, latent: int) -> Any:
    """The low-level environment of a latent."""
    given = [] if hidden.values is None else [hidden.values[latent]]
    call = f"make_env({', '.join(map(repr, given)):.80})"
    env = environment(quietly(lambda: make_env(*given), lambda said: BadInput(f"{call} raised {said}")))
    return ParallelLow(env) if hasattr(env, "possible_agents") else env


@dataclass(frozen=True)
class Acting:
    """How subgoals are carried out: what makes the Actor, the menu of each agent, and whose they are."""

    make: Callable[[], Actor]
    menus: tuple[tuple[str, ...], ...] = ()
    agents: tuple[str, ...] = ()


def _acting(skills: Any, rest: Mapping[str, Any] | None) -> Acting:
    if skills is None:
        return Acting(Typist)
    if not isinstance(skills, Mapping):
        if callable(skills):
            return Acting(skills)
        raise BadInput(f"skills={shown(skills)}: expected a mapping from names to skills, or what makes an Actor")
    if skills and all(isinstance(own, Mapping) for own in skills.values()):
        agents = tuple(skills)
        if rest is None:
            raise BadInput(
                "skills of several agents need `rest=`: what each does whose own skill has ended. A skill that is one "
                "action, a dictionary, stands in a list: [{...}]"
            )
        # Their faults are reported now.
        menus = tuple(tuple(actor.skills) for actor in map(Skilled, skills.values()))
        JointActor({agent: Typist() for agent in agents}, rest)
        return Acting(lambda: JointActor({agent: Skilled(own) for agent, own in skills.items()}, rest), menus, agents)
    names = tuple(Skilled(skills).skills)  # their faults are reported now
    return Acting(lambda: Skilled(skills), (names,))


def _speaking(describe: Any, agents: tuple[str, ...]) -> Callable[[], Reporter]:
    """What makes the Reporter of one environment."""
    if agents:
        each = describe if isinstance(describe, Mapping) else dict.fromkeys(agents, describe)
        if strange := [agent for agent in each if agent not in agents]:
            raise BadInput(f"describe names {strange[0]!r}: expected {', '.join(map(str, agents))}")
        makers = {agent: _speaking(each.get(agent), ()) for agent in agents}
        return lambda: JointReporter({agent: make() for agent, make in makers.items()})
    if describe is None:
        return lambda: Described(in_words)
    if hasattr(describe, "report"):
        return describe if isinstance(describe, type) else lambda: describe
    if not callable(describe):
        raise BadInput(f"describe={shown(describe)}: expected a function of the raw state to words, or a Reporter")
    if isinstance(describe, type) or not _takes_nothing(describe):
        return lambda: Described(describe)

    def made() -> Reporter:
        reporter: Reporter = describe()
        if not hasattr(reporter, "report"):
            raise BadInput(f"describe() gave {shown(reporter)}: expected a Reporter, or a function of the raw state")
        return reporter

    return made


def _takes_nothing(function: Callable[..., Any]) -> bool:
    try:
        return not inspect.signature(function).parameters
    except ValueError:  # some of Python's own do not tell
        return False


def _script(
    make_env: Callable[..., Any],
    hidden: Hidden,
    acts: Acting,
    horizon: int | None,
    menu: Menu | None,
    instruction: Words | None,
    max_score: Any,
    says_reward: bool | None,
    reward: Callable[[str, str], float] | None,
    observations: Sequence[str],
) -> Script:
    """What can be said in the world, as far as it is known before anything happens."""
    listed, source = _offered(menu, acts)
    brought = instruction is None or callable(instruction)
    tasks: tuple[str, ...] = ()
    if not brought:
        tasks = (whole(instruction),) if isinstance(instruction, str) else _texts("instruction", instruction, "texts")
    if len(set(tasks)) < len(tasks) or not all(isinstance(w, str) and w for w in tasks):
        raise BadInput(f"instruction={shown(instruction, 200)}: expected a text, different texts, or a function to one")
    if reward is not None and not callable(reward):
        raise BadInput(f"reward={shown(reward)}: expected a function of (observation, instruction)")
    own = Own(
        menu=source,
        instruction=None if tasks else instruction if callable(instruction) else _goal,
        max_score=max_score if callable(max_score) else partial(_highest, max_score),
        says_reward=reward is None if says_reward is None else says_reward,
    )
    parts = acts.menus if len(acts.menus) > 1 else ()
    steps = _limit(make_env, hidden, acts) if horizon is None else horizon
    if not count(steps):
        raise BadInput(f"horizon={steps!r}: expected a whole number of at least 1")
    return Script(listed, listed_in("observations", observations), tasks, int(steps), reward, parts, own=own)


def _texts(what: str, given: Any, expected: str) -> tuple[Any, ...]:
    """The members of a collection of texts, as a log keeps them."""
    return tuple(whole(one) if isinstance(one, str) else one for one in listed_in(what, given, expected))


def _offered(menu: Menu | None, acts: Acting) -> tuple[tuple[str, ...], Any]:
    """The menu where it is always the same, and where it is not, what gives it."""
    if menu is None:
        joint = tuple(" / ".join(parts) for parts in product(*acts.menus)) if acts.menus else ()
        return joint, None if joint else _admissible
    if acts.agents:
        raise BadInput("menu: several agents are told the names of their skills: leave it out")
    if callable(menu) or (isinstance(menu, str) and menu == FREE and not acts.menus):
        return (), menu
    if isinstance(menu, str | bytes | Mapping):
        hint = "the names of skills" if acts.menus else f"a list, a function of (observation, info), or {FREE!r}"
        raise BadInput(f"menu={shown(menu)}: expected {hint}; names and what they do are `skills=`")
    listed = _texts("menu", menu, f"a list, a function of (observation, info), or {FREE!r}")
    if not listed or len(set(listed)) < len(listed) or not all(isinstance(s, str) and s.strip() for s in listed):
        raise BadInput(f"menu={shown(list(listed), 200)}: expected different texts, at least one")
    if acts.menus and (strange := [one for one in listed if one not in acts.menus[0]]):
        raise BadInput(f"menu: there is no skill {strange[0]!r}: expected some of {', '.join(acts.menus[0])}")
    return listed, None


def _limit(make_env: Callable[..., Any], hidden: Hidden, acts: Acting) -> int:
    """The environment's own limit, where an action is a subgoal."""
    if acts.make is not Typist:
        return HORIZON
    env = _made(make_env, hidden, 0)
    steps: Any = None
    with contextlib.suppress(*FAULTS):  # it may have none, or a broken one
        steps = env.spec.max_episode_steps
    with contextlib.suppress(*FAULTS):
        env.close()
    return int(steps) if count(steps) else HORIZON


def _admissible(state: Any, info: Info) -> Any:
    if "admissible_commands" not in info:
        raise BadInput(
            'nobody says what can be told: there is no info["admissible_commands"]. Give `menu=`, a list, a function '
            f"of (observation, info), or {FREE!r} where the environment takes any words; or `skills=`"
        )
    return info["admissible_commands"]


def _highest(said: float | None, info: Info) -> Any:
    return info.get("max_score") if said is None else said


def _goal(state: Any, info: Info) -> str:
    mission = state.get("mission") if isinstance(state, Mapping) else None
    told = (str(one) for one in (info.get("goal"), info.get("instruction"), mission) if one is not None)
    return next(filter(None, told), TASK)
