"""Generated families: whole and different from each other; nothing of them depends on anything but kind and seed."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.core.errors import BadInput
from parley.data.dataset import world_digest
from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import classes_of
from parley.theory.traps import traps
from parley.worlds.generated.family import START, Sketch, tables_of
from parley.worlds.generated.kinds import BEGIN
from parley.worlds.generated.pairs import PAIRS
from parley.worlds.generated.words import Words, lexicon
from parley.worlds.generated.world import ANY, EVALUATED, HELD_OUT, KINDS, LANGUAGES, TRAINED, generated
from parley.worlds.kit.conformance import check_world
from parley.worlds.kit.tabular.env import TabularWorld


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_families_of_every_kind_are_whole(kind, language):
    for seed in range(12):
        t = generated(seed, kind, language)
        for rows in (t.prior, t.initial, t.transition, t.emission):
            assert (rows >= 0).all()
            np.testing.assert_allclose(rows.sum(axis=-1), 1, atol=1e-9)
        assert ((t.reward >= 0) & (t.reward <= 1)).all() and t.reward.max() > 0
        assert 2 <= t.num_latents <= 6 and all(2 <= len(menu) <= 9 for menu in t.menus) and 1 <= t.horizon <= 6
        assert t.num_actors == (2 if kind in PAIRS else 1)
        for names in (t.states, t.observations, t.latents, t.instructions, *t.menus):
            assert len(set(names)) == len(names) and all(name == name.strip() for name in names)
        assert Beliefs(t).value.max() <= 1 + 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_a_family_conforms(kind):
    assert check_world(TabularWorld(generated(7, kind, "varied"))) == []


def test_families_of_todays_kinds_are_what_they_were():
    golden = json.loads(Path("tests/golden/generated.json").read_text())
    assert golden.pop("") == [world_digest(generated(seed)) for seed in range(12)]
    for kind, digests in golden.items():
        assert digests == [world_digest(generated(seed, kind)) for seed in (0, 1, 2, EVALUATED)], kind


def test_other_words_change_nothing_but_words():
    """Priors, rewards and what can be gained stay; phrases differ from family to family, some heard in two ways."""
    heard, doubled = {}, 0
    for seed in range(60):
        plain, varied = generated(seed, ANY), generated(seed, ANY, "varied")
        np.testing.assert_allclose(Beliefs(plain).value, Beliefs(varied).value, atol=1e-9)
        assert plain.latents == varied.latents and plain.states == varied.states
        doubled += len(varied.observations) > len(plain.observations)
        start = varied.observations[int(varied.emission[0, 0].argmax())]
        if plain.observations[int(plain.emission[0, 0].argmax())] == BEGIN:
            heard[start] = heard.get(start, 0) + 1
    assert len(heard) > 8 and max(heard.values()) < 15 and 3 < doubled < 30


def test_kinds_are_drawn_alike_and_those_held_out_never():
    drawn = [generated(seed, ANY) for seed in range(300)]
    assert sum(t.num_actors == 2 for t in drawn) > 20 and max(t.horizon for t in drawn) == 6
    assert not any("key" in t.rules or t.rules.endswith("knows") for t in drawn)


@settings(deadline=None)  # how long it takes is the machine's affair
@given(st.integers(0, 10**12))
def test_a_family_is_a_function_of_its_seed(seed):
    assert world_digest(generated(seed)) == world_digest(generated(seed))


def test_families_differ_from_each_other():
    seeds = [*range(200), *range(EVALUATED, EVALUATED + 100)]
    assert len({world_digest(generated(seed)) for seed in seeds}) == len(seeds)
    drawn = [generated(seed).rules for seed in range(60)]
    assert len({rules.split(" ")[0] for rules in drawn}) >= 4  # kinds are mixed


def test_what_is_hidden_matters_and_some_kinds_have_traps():
    """Experts of latents differ at the first step; `route` has traps nearly always, `levers` hardly ever."""
    losing, trapped = dict.fromkeys(TRAINED, 0), dict.fromkeys(("route", "levers"), 0)
    for kind in TRAINED:
        for seed in range(12):
            beliefs = Beliefs(generated(seed, kind))
            experts = [level.policy.argmax(axis=-1) for level in beliefs.levels[:1]][0]  # n W, at the first step
            losing[kind] += len({tuple(row) for row in experts}) > 1
    for kind in trapped:
        for seed in range(8):
            beliefs = Beliefs(generated(seed, kind))
            trapped[kind] += traps(beliefs, classes_of(beliefs), 32).reveals("greedy") is False
    assert min(losing.values()) >= 4 and trapped["route"] >= 5 > trapped["levers"]


def test_two_stages_of_a_lock_need_the_key_that_fits():
    t = generated(3, "lock")
    start, fits = 0, t.latents[0].split(" for ")[0]
    take, box = t.menus[0].index(f"take the {fits}"), next(i for i, g in enumerate(t.menus[0]) if g.startswith("open"))
    held = int(t.transition[0, start, take].argmax())
    opened = t.emission[0, int(t.transition[0, held, box].argmax())].argmax()
    assert t.observations[opened].endswith("opens")
    assert "nothing" in t.observations[t.emission[0, int(t.transition[0, start, box].argmax())].argmax()]


def test_words_are_said_once_and_come_from_the_lexicon():
    words = Words(np.random.default_rng(0))
    said = words.some("place", 20) + words.some("place", 20) + [words.one("thing") for _ in range(20)]
    assert len(set(said)) == len(said) and set(said) <= {w for group in lexicon().values() for w in group}
    every = [word for group in lexicon().values() for word in group]
    assert len(every) == len(set(every)) > 900


def test_states_that_are_reached_last_lead_nowhere():
    """A counter that never ends is cut at the horizon, and every row still sums to one."""
    sketch = Sketch(
        kind="count",
        rules="",
        menu=("on",),
        instructions=("go",),
        latents=("only",),
        prior=np.ones(1),
        horizon=2,
        step=lambda z, s, g: [(1.0, (1 if s == START else s[0] + 1,))],
        say=lambda s: f"at {s[0]}",
        pay=lambda o, w: float(o == "at 2"),
    )
    t = tables_of(sketch)
    assert len(t.states) == 3 and t.transition[0, 2, 0, 2] == 1 and Beliefs(t).value[0, 0] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((-1,), "seed=-1"), ((0, "finds"), "did you mean 'find'"), ((0, "", "odd"), "expected plain")],
)
def test_bad_input(arguments, said):
    with pytest.raises(BadInput, match=said):
        generated(*arguments)


def test_held_out_kinds_are_never_drawn():
    assert not set(TRAINED) & set(HELD_OUT)
    assert not any("key" in t.rules for t in map(generated, range(100)))
