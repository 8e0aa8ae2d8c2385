"""The errors a user can meet; each message names the argument, the value, what was expected and what to do."""

from typing import Any

from parley.core.installing import install_command

FAULTS = (Exception, SystemExit)  # what somebody else's code may raise: one that calls `exit` ends no run


class ParleyError(Exception):
    """Something this program could not do; `exit_code` is what the command line returns.

    `details` is what `--json` answers besides the message.
    """

    exit_code = 1

    def __init__(self, message: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.details = details or {}


class BadInput(ParleyError, ValueError):
    """An argument or a file that cannot be used as it is."""

    exit_code = 2


class MissingExtra(ParleyError, ImportError):
    """A part was asked for whose optional dependencies are not installed."""

    def __init__(self, part: str, extra: str) -> None:
        super().__init__(f"{part} needs the extra {extra!r}: install it with  {install_command(extra)}")
        self.extra = extra


class ImpossibleObservation(ParleyError):
    """Every latent gives an observation probability zero: the tables do not describe this world."""


class RunDamaged(BadInput):
    """A run directory that is incomplete, foreign, or does not agree with itself."""


class EnvironmentFailed(ParleyError):
    """A low-level environment raised, died or gave NaN or infinite numbers, and repeating its episode did not help."""


class NotRepeated(RunDamaged):
    """An environment did not give again what the log holds of an episode that had not ended."""

    def __init__(self, episode: int, message: str) -> None:
        super().__init__(message)
        self.episode = episode
