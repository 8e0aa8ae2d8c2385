"""Parley: planning in words over many episodes, measured against an exact oracle."""

import sys

if "gymnasium" in sys.modules:
    import parley.registration  # noqa: F401
