"""Counter-based randomness: a number depends on its address alone."""

import numpy as np
import pytest

from parley.core.draws import Draws, Purpose, sample_rows
from parley.core.errors import BadInput
from parley.core.spec import bind, parse_spec
from parley.core.tables import Vocabulary


def test_a_run_takes_the_same_number_in_any_cohort():
    whole = Draws(5, 100).uniform(Purpose.STATE, 7, 3)
    np.testing.assert_array_equal(whole[40:60], Draws(5, 20, first_run=40).uniform(Purpose.STATE, 7, 3))


def test_streams_differ_in_every_coordinate():
    base = Draws(5, 1000).uniform(Purpose.STATE, 7, 3)
    others = [
        Draws(6, 1000).uniform(Purpose.STATE, 7, 3),
        Draws(5, 1000).uniform(Purpose.COIN, 7, 3),
        Draws(5, 1000).uniform(Purpose.STATE, 8, 3),
        Draws(5, 1000).uniform(Purpose.STATE, 7, 4),
        Draws(5, 1000).uniform(Purpose.STATE, 7, 3, part=1),
    ]
    for other in others:
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.15 and not np.isin(base, other).any()


def test_rows_are_sampled_in_proportion_and_never_off_the_support():
    rows = np.tile([0.0, 0.25, 0.0, 0.75, 0.0], (100_000, 1))
    index = sample_rows(rows, Draws(0, 100_000).uniform(Purpose.SUBGOAL))
    assert set(index) == {1, 3} and abs((index == 3).mean() - 0.75) < 0.01
    assert sample_rows(np.array([[0.0, 1.0, 0.0]]), np.array([0.0])) == 1


def test_specs():
    assert parse_spec("epsilon-greedy:epsilon=0.1,per=step", "explorer")[1] == {"epsilon": "0.1", "per": "step"}
    for wrong in ("a:b", "a:b=1,b=2", "a:=1"):
        with pytest.raises(BadInput):
            parse_spec(wrong, "world")

    def factory(n: int, p: float | None = None, planted: bool = True, name: str = "") -> None: ...

    assert bind(factory, {"n": "3", "p": "0.5", "planted": "false"}, "world") == dict(n=3, p=0.5, planted=False)
    with pytest.raises(BadInput, match="'m'"):
        bind(factory, {"m": "3"}, "world")
    with pytest.raises(BadInput, match="'n' is required"):
        bind(factory, {}, "world")
    with pytest.raises(BadInput, match="n='x'"):
        bind(factory, {"n": "x"}, "world")


def test_the_types_of_somebody_elses_arguments():
    """Few annotate theirs: a default says as much. `point` holds "int", and is no number."""

    def bare(length=2, tells=False, rate=0.5, text="x", none=None): ...

    given = {"length": "3", "tells": "true", "rate": "1", "text": "4", "none": "5"}
    assert bind(bare, given, "world") == dict(length=3, tells=True, rate=1.0, text="4", none="5")
    with pytest.raises(BadInput, match="length='x': expected a whole number"):
        bind(bare, {"length": "x"}, "world")

    def named(place: "point | None" = None, number: "int | None" = None): ...  # noqa: F821

    assert bind(named, {"place": "3", "number": "3"}, "world") == dict(place="3", number=3)

    def any_of_them(length: int, *more: int, **others: int): ...

    assert bind(any_of_them, {"length": "1", "x": "2"}, "world") == dict(length=1, x=2)
    with pytest.raises(BadInput, match="'length' is required"):
        bind(any_of_them, {"others": "2"}, "world")
    with pytest.raises(BadInput, match="no argument 'scene'"):
        bind(any_of_them, {"length": "1", "scene": "2"}, "world", skip=["scene"])


def test_vocabulary_names_an_unknown_sentence():
    words = Vocabulary(("yes", "no"), "observation")
    said = np.array(["no", "yes"], dtype=object)
    assert words.encode(said).tolist() == [1, 0] == words.encode(said).tolist()
    with pytest.raises(BadInput, match="'perhaps'"):
        words.encode(np.array(["perhaps"], dtype=object))


@pytest.mark.parametrize("seed", [0, 7, 2**63 + 5, 2**64 - 1, 2**127 + 2**63 + 1])
def test_numbers_are_those_of_a_new_stream_at_its_address(seed):
    """Whatever was drawn before: the generator is one for all, set to each stream's beginning."""
    Draws(3, 5).uniform(Purpose.COIN, 1)
    found = Draws(seed, 9).uniform(Purpose.STATE, 100_000, 3, part=2)
    key = np.array([seed % 2**64, seed // 2**64], dtype=np.uint64)
    counter = np.array([0, (2 << 32) | 3, 100_000, int(Purpose.STATE)], dtype=np.uint64)
    np.testing.assert_array_equal(found, np.random.Generator(np.random.Philox(key=key, counter=counter)).random(9))
