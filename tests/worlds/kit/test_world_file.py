"""World files: an exact round trip, and each way in which one can be broken."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.core.errors import BadInput
from parley.worlds.household.tables import House, house_tables
from parley.worlds.kit.tabular.world_file import dump_world, load_world, parse_world
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.shortcut import shortcut
from parley.worlds.tabular.traps import traps
from parley.worlds.tabular.treasure import treasure


@pytest.mark.parametrize("tables", [shortcut(), treasure(5), house_tables(House()), traps(), random_family(seed=3)])
def test_round_trip_is_exact(tables, tmp_path):
    path = tmp_path / "world.json"
    path.write_text(dump_world(tables))
    again = load_world(path)
    for name in ("prior", "initial", "transition", "emission", "reward"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tables, name))
    for name in ("name", "horizon", "states", "observations", "menus", "latents", "instructions"):
        assert getattr(again, name) == getattr(tables, name)
    assert (again.preference is None) == (tables.preference is None)


def broken(change) -> str:
    entries = json.loads(dump_world(random_family(latents=2, states=2, observations=2, subgoals=2)))
    change(entries)
    return json.dumps(entries)


def put(field, *index, value):
    def change(entries):
        target = entries
        for key in (field, *index)[:-1]:
            target = target[key]
        target[(field, *index)[-1]] = value

    return change


@pytest.mark.parametrize(
    "change, said",
    [
        (put("prior", value=[0.5, 0.6]), r"prior sums to 1.1"),
        (put("prior", value=[1e308, 1e308]), r"prior sums to inf"),
        (put("transition", 1, 0, 1, value=[0.5, 0.4]), r"transition\[1\]\[0\]\[1\] sums to 0.9"),
        (put("emission", 0, 1, 0, value=-0.25), r"emission\[0\]\[1\]\[0\] is -0.25"),
        (put("initial", 0, value=[1.0]), r"initial\[0\] has length 1: expected a list of length 2"),
        (put("reward", 1, 0, value=float("nan")), r"reward\[1\]\[0\] is NaN"),
        (put("reward", 0, 1, value=1.5), r"reward\[0\]\[1\] is 1.5: expected a number in \[0, 1\]"),
        (put("reward", 0, 1, value=float("inf")), r"reward\[0\]\[1\] is Infinity"),
        (put("reward", 0, 1, value=10**400), r"reward\[0\]\[1\] is 1000"),
        (put("subgoals", 1, value="subgoal 0"), r'subgoals\[1\] is "subgoal 0", the same name as subgoals\[0\]'),
        (put("subgoals", 1, value="\ud800"), r'subgoals\[1\] is "\\ud800": half a surrogate'),
        (put("extra", value=1), 'unknown field "extra"'),
        (lambda e: e.pop("reward"), "field 'reward' is missing"),
        (put("horizon", value=0), "horizon is 0"),
        (put("horizon", value=True), "horizon is true"),
        (put("horizon", value=2.0), "horizon is 2.0"),
        (put("prior", 0, value="half"), r'prior\[0\] is "half": expected a number'),
        (put("prior", 0, value=True), r"prior\[0\] is true: expected a number"),
        (put("states", value="hall"), "states is"),
        (put("states", value=[]), "states is"),
        (put("states", 0, value=7), r"states\[0\] is 7"),
        (put("format", value="parley-world/9"), "parley-world/9"),
        (put("name", value=3), "name is 3"),
        (put("preference", value=[[1, 1], [1, -1]]), r"preference\[1\]\[1\] is -1"),
        (put("preference", value=[[1, 1], [1e308, 1e308]]), r"preference\[1\] sums to more than"),
        (put("emission", value=3), "emission is 3"),
    ],
)
def test_each_break_is_named(change, said):
    with pytest.raises(BadInput, match=said):
        parse_world(broken(change))


def test_files_that_are_not_world_files(tmp_path):
    whole = dump_world(shortcut())
    for text in (whole[: len(whole) // 2], "", "[]", "[" * 100_000, '{"horizon": ' + "9" * 5000 + "}"):
        with pytest.raises(BadInput):
            parse_world(text)
    with pytest.raises(BadInput, match='field "format" is given twice'):
        parse_world('{"format": 1, "format": 2}')
    with pytest.raises(BadInput, match="cannot be read"):
        load_world(tmp_path / "nowhere.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="UTF-8"):
        load_world(tmp_path / "bytes.json")
    with pytest.raises(BadInput, match="2 Actors"):
        dump_world(random_family(actors=2))


@settings(max_examples=200)
@given(st.data())
def test_mutations_are_refused_or_still_a_world(data):
    """Any change of one place gives either a valid world or `BadInput`, never another exception."""
    entries = json.loads(dump_world(random_family(latents=2, states=2, observations=2, subgoals=2)))
    field = data.draw(st.sampled_from(sorted(entries)))
    junk = st.one_of(
        st.none(),
        st.booleans(),
        st.floats(),
        st.integers(),
        st.just(10**400),
        st.text(max_size=3),
        st.just([]),
        st.just({}),
    )
    target, key = entries, field
    while isinstance(target[key], list) and target[key] and data.draw(st.booleans()):
        target, key = target[key], data.draw(st.integers(0, len(target[key]) - 1))
    target[key] = data.draw(junk)
    try:
        tables = parse_world(json.dumps(entries))
    except BadInput:
        return
    np.testing.assert_allclose(tables.transition.sum(axis=-1), 1, atol=1e-6)
