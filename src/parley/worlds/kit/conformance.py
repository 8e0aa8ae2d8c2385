"""What every world must keep, ours or a plugin's: `parley world check module:Class`, and the contract tests."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from parley.core.answered import begun, made, plain, stepped
from parley.core.draws import Draws
from parley.core.errors import FAULTS, BadInput, EnvironmentFailed
from parley.core.latents import Numbered, all_alike
from parley.core.roles import World, forbidden_in
from parley.core.said import Menu
from parley.core.tables import Sentences, Tables
from parley.core.text import fault, inert, shown, whole


def check_world(world: World, num_runs: int = 4, num_episodes: int = 2) -> list[str]:
    """One sentence for everything that is wrong; empty where the world conforms."""
    wrong: list[str] = []
    checks: list[Callable[[], list[str]]] = [
        lambda: misstated(world) or _tables(world),
        lambda: _repeats(world, num_runs, num_episodes),
        lambda: _sentences(world, num_runs, num_episodes),
        lambda: _menu_is_closed(world),
    ]
    for check in checks:
        try:
            wrong += check()
        except EnvironmentFailed:
            raise
        except FAULTS as error:
            wrong.append(fault(error))
        if wrong and check is checks[0]:
            break  # the others trip over it
    return list(dict.fromkeys(wrong))


def walk(world: World, num_runs: int, first_run: int = 0, num_episodes: int = 2) -> list[list[Any]]:
    """Everything said and paid in a few episodes under a fixed rule for choosing subgoals."""
    draws = Draws(11, num_runs, first_run)
    runs = np.arange(first_run, first_run + num_runs)
    envs = made(world, runs % len(world.latents), draws)
    said: list[list[Any]] = []
    for t in range(num_episodes):
        observations, info = begun(envs, t, _tasks(world, t, num_runs))
        said.append(list(observations))
        if "instructions" in info:
            said.append(list(info["instructions"]))
        over = np.zeros(num_runs, dtype=bool)
        for h in range(1, world.horizon + 1):
            menus: list[Menu] = info["menus"]
            _require_different(menus, world.num_actors)
            parts = np.empty((num_runs, 0), dtype=object)
            for listed in menus:
                menu = listed.given(parts, forbidden_in(world))
                told = [_turn(menu, i, run + h) for i, run in enumerate(runs.tolist())]
                parts = np.concatenate([parts, np.array([*told, None], dtype=object)[:-1, None]], axis=1)
            observations, rewards, terminated, truncated, info = stepped(envs, parts, ~over)
            said += [list(observations), rewards.tolist()]
            over = over | np.asarray(terminated) | np.asarray(truncated)
        said.append(list(map(bool, over)))
    plain(envs.close())  # type: ignore[func-returns-value]
    return said


def _require_different(menus: list[Menu], num_actors: int) -> None:
    """Raise `BadInput` where there is not a menu an Actor, or one that holds no texts, or the same subgoal twice."""
    if len(menus) != num_actors:
        raise BadInput(f"num_actors is {num_actors}, but {len(menus)} menus are given: expected one an Actor")
    for menu in menus:
        if strange := [entry for entry in menu.sentences.flat if not isinstance(entry, str)]:
            raise BadInput(f"a menu holds {shown(strange[0], 100)}: expected texts")
        for listed in (menu.row(run) for run in range(max(len(menu.sentences), len(menu.legal)))):
            if len(set(listed)) < len(listed):
                twice = next(entry for i, entry in enumerate(listed) if entry in listed[:i])
                raise BadInput(f"a menu holds {inert(str(twice), 100)!r} twice: expected different subgoals")


def _tasks(world: World, episode: int, num_runs: int) -> Sentences:
    known = world.instructions or ("",)
    return np.full(num_runs, known[episode % len(known)], dtype=object)


def _turn(menu: Menu, run: int, turn: int) -> str:
    """The entry whose turn it is, the next one that is legal where it is not; of any words, always the same."""
    if menu.free:
        return "look"
    said, legal = (rows[run if len(rows) > 1 else 0] for rows in (menu.sentences, menu.legal))
    # Padding, which other runs are the reason of, does not count.
    size = len(said) if len(menu.sentences) == 1 else int(np.flatnonzero(legal)[-1]) + 1
    return str(said[next(m for m in (np.arange(size) + turn) % size if legal[m])])


def names_latent(report: str, latent: str) -> bool:
    """Whether a report names a latent, in whole words, however they are spaced and written.

    >>> [names_latent(said, "red") for said in ("You are tired.", "It is RED!", "an infra-red light", "in room_red")]
    [False, True, False, True]
    >>> [names_latent(said, "1") for said in ("10 steps, 1.5 m", "the lever is at 1.")]
    [False, True]
    """
    words = r"\s+".join(map(re.escape, latent.split()))
    apart = rf"(?<![^\W_])(?<![^\W_]-)(?<!\d\.){words}(?![^\W_])(?!-[^\W_])(?!\.\d)"
    return bool(words) and re.search(apart, report, re.IGNORECASE) is not None


def misstated(world: World) -> list[str]:
    """One sentence for everything that is wrong with what a world says of itself, before anything is made."""
    wrong = []
    if not _text(world.name):
        wrong.append(f"name is {shown(world.name)}: expected a text")
    for what, names in (("latents", world.latents), ("instructions", world.instructions)):
        if not _different(names) or not (len(names) or what == "instructions"):
            wrong.append(f"{what}: expected different sentences, at least one, found {shown(names, 200)}")
    for what in ("horizon", "num_actors"):
        if type(getattr(world, what)) is not int or getattr(world, what) < 1:
            wrong.append(f"{what} is {shown(getattr(world, what))}: expected a whole number of at least 1")
    if not isinstance(world.tables, Tables | None):
        wrong.append(f"tables is a {type(world.tables).__name__}: expected parley.Tables, or None")
    return wrong or [*_prior(world), *_forbidden(world)]


def _text(said: Any) -> bool:
    return isinstance(said, str) and bool(said) and whole(said) == said


def _different(names: Any) -> bool:
    """Whether these are different texts, in an order."""
    if isinstance(names, Numbered):
        return True
    kinds = isinstance(names, Sequence) and not isinstance(names, str)
    return kinds and all(map(_text, names)) and len(set(names)) == len(names)


def _prior(world: World) -> list[str]:
    expected = f"expected {len(world.latents)} probabilities that sum to 1"
    try:
        prior = np.asarray(world.prior, dtype=float)
    except (TypeError, ValueError):
        return [f"prior is {shown(world.prior)}: {expected}"]
    if all_alike(prior) and len(prior) == len(world.latents):
        return []
    if prior.shape != (len(world.latents),) or not (prior >= 0).all() or not abs(prior.sum() - 1) <= 1e-6:
        return [f"prior is {shown(prior.tolist(), 200)}: {expected}"]
    return []


def _forbidden(world: World) -> list[str]:
    """Pairs of sentences that one step may not hold, where a world names some."""
    pairs = getattr(world, "forbidden", ())
    if isinstance(pairs, tuple | list) and all(
        isinstance(p, tuple | list) and [*map(_text, p)] == [1, 1] for p in pairs
    ):
        return []
    return [f"forbidden is {shown(pairs)}: expected pairs of sentences"]


def _tables(world: World) -> list[str]:
    t = world.tables
    if t is None:
        return []
    wrong = []
    for what, names in (("states", t.states), ("observations", t.observations), *(("menus", menu) for menu in t.menus)):
        if len(set(names)) < len(names):
            wrong.append(f"tables: {what} hold a name twice: expected different sentences")
    for name in ("prior", "initial", "transition", "emission"):
        rows = getattr(t, name)
        if (rows < 0).any() or not np.allclose(rows.sum(axis=-1), 1, atol=1e-6):
            wrong.append(f"tables: a row of {name} is no probability distribution")
    for what in ("latents", "instructions", "horizon"):
        if getattr(t, what) != getattr(world, what):
            wrong.append(f"tables: {what} are not those of the world")
    return wrong


def _repeats(world: World, num_runs: int, num_episodes: int) -> list[str]:
    first, again = (walk(world, num_runs, num_episodes=num_episodes) for _ in range(2))
    if first != again:
        at = next(i for i, (a, b) in enumerate(zip(first, again, strict=True)) if a != b)
        return [f"same seed, same run: it said {shown(first[at], 200)}, and with the same seed {shown(again[at], 200)}"]
    part = walk(world, num_runs - num_runs // 2, num_runs // 2, num_episodes)
    if [row[num_runs // 2 :] for row in first] != part:
        return ["a run depends on which other runs it moves with"]
    return []


def _sentences(world: World, num_runs: int, num_episodes: int) -> list[str]:
    said = walk(world, num_runs, num_episodes=num_episodes)
    wrong = []
    heard = {o for row in said for o in row if not isinstance(o, float | bool)}
    if strange := [o for o in heard if not isinstance(o, str)]:
        wrong.append(f"an observation is {shown(strange[0], 100)}: expected a sentence")
    names = [] if isinstance(world.latents, Numbered) or len(world.latents) == 1 else world.latents
    if told := [z for z in names if any(names_latent(o, z) for o in heard if isinstance(o, str))]:
        wrong.append(f"a report names the latent {told[0]!r}")
    if world.tables is not None and (unknown := heard - set(world.tables.observations)):
        wrong.append(f"the tables do not know the observation {min(map(str, unknown))!r}")
    paid = [r for row in said for r in row if isinstance(r, float) and not 0 <= r <= 1]
    if paid and (world.tables is not None or not np.isfinite(paid).all()):
        wrong.append(f"a reward is {paid[0]}: expected a number in [0, 1]")
    if not all(row[-1] for row in said if isinstance(row[-1], bool)):
        wrong.append(f"an episode is not over after its horizon of {world.horizon} steps")
    return wrong


def _menu_is_closed(world: World) -> list[str]:
    envs = made(world, np.zeros(1, dtype=int), Draws(0, 1))
    _, info = envs.reset(options={"episode": 0, "instructions": _tasks(world, 0, 1)})
    if info["menus"][0].free:
        envs.close()
        return []
    nonsense = np.full((1, len(info["menus"])), "a subgoal that nobody knows", dtype=object)
    try:
        envs.step(nonsense)
    except BadInput:
        return []
    finally:
        envs.close()
    return ["a subgoal that is not on the menu is not refused with BadInput"]
