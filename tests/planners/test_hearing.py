"""The options of how a choice is heard."""

import pytest

from parley.core.errors import BadInput
from parley.planners.hearing import Hearing


def test_hearings_out_of_bounds():
    with pytest.raises(BadInput, match="max_tokens=0"):
        Hearing(max_tokens=0)
