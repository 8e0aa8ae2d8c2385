"""What goes to the log of one lockstep."""

import numpy as np
import pytest

from parley.core.said import Menu
from parley.runs.recorder import _entries

TWO = np.array([["a", "b"], ["c", "d"]], dtype=object)


@pytest.mark.parametrize(
    ("sentences", "legal", "entries"),
    [
        (TWO[:1], [[True, False]], [("a", None)]),  # shared by all runs: there is no padding
        (TWO, [[False, True], [True, False]], [(None, "b"), ("c",)]),
        (TWO, [[True, True]], [("a", "b"), ("c", "d")]),
        (TWO[:1], [[True, False], [True, True]], [("a",), ("a", "b")]),
    ],
)
def test_the_entries_of_a_menu_are_those_of_each_row_without_padding(sentences, legal, entries):
    assert _entries(Menu(sentences, np.array(legal))) == entries
