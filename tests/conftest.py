"""What all tests share: no hypothesis example is timed, and in CI the examples are the same each time."""

import os

from hypothesis import settings

settings.register_profile("parley", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("parley")
