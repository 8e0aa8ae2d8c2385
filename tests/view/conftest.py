"""The real runs that the tests of the viewer look at: made once, for all processes of a test run."""

import os
import time
from pathlib import Path

import pytest

from tests.view.made import make_all


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Path:
    """A directory of real runs and experiments; nobody may change it."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    root, done = shared / "viewed", shared / "viewed-done"
    try:
        root.mkdir()
    except FileExistsError:  # another process makes them
        until = time.monotonic() + 300
        while not done.exists():
            assert time.monotonic() < until, "another process did not make the runs"
            time.sleep(0.1)
        return root
    make_all(root)
    done.touch()
    return root
