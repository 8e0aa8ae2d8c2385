"""Arguments of the public functions: plain types hold, numpy's numbers are numbers, all else is left alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parley.core.arguments import plainly
from parley.core.errors import BadInput


@plainly
def takes(
    count: int = 1,
    share: float = 0.5,
    name: str | None = None,
    out: str | Path = "x",
    sure: bool = False,
    part: str | list = "",
    thing: Any = None,
) -> list:
    """Says what it was given."""
    return [count, share, name, out, sure, part, thing]


@pytest.mark.parametrize(
    "given, kept",
    [
        ({"count": np.int64(3)}, 3),
        ({"share": 2}, 2),
        ({"share": np.float32(0.25)}, 0.25),
        ({"share": np.int8(4)}, 4),
        ({"name": None}, None),
        ({"out": Path("y")}, Path("y")),
        ({"sure": True}, True),
        ({"part": 3}, 3),
        ({"thing": b"x"}, b"x"),
    ],
)
def test_what_fits_is_passed_on(given, kept):
    (name,) = given
    found = takes(**given)[list(takes.__wrapped__.__annotations__).index(name)]
    assert found == kept and type(found) is type(kept)


@pytest.mark.parametrize(
    "given, said",
    [
        ({"count": "3"}, "count='3': expected a whole number, found str"),
        ({"count": 2.0}, "count=2.0: expected a whole number, found float"),
        ({"count": True}, "count=True: expected a whole number, found bool"),
        ({"count": None}, "count=None: expected a whole number, found NoneType"),
        ({"share": "x"}, "share='x': expected a number"),
        ({"share": np.array([1, 2])}, "share=.*expected a number, found ndarray"),
        ({"name": 3}, "name=3: expected a text or None"),
        ({"out": 3}, "out=3: expected a text or a path"),
        ({"out": b"x"}, "out=b'x': expected a text or a path"),
        ({"sure": 1}, "sure=1: expected True or False"),
    ],
)
def test_what_does_not_fit_is_one_sentence(given, said):
    with pytest.raises(BadInput, match=said):
        takes(**given)
