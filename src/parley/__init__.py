"""Parley: planning in words over many episodes, measured against an exact oracle."""

from parley.registration import register_envs

register_envs()
