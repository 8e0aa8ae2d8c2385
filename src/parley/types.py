"""What parts of one's own are written with, besides the names of `parley` itself: types, streams of random numbers."""

from parley.core.draws import Purpose, sample_rows
from parley.core.roles import State, TextEnvs
from parley.core.said import Prediction, decode
from parley.core.told import Fits

__all__ = ["Fits", "Prediction", "Purpose", "State", "TextEnvs", "decode", "sample_rows"]
