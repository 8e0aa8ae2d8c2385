"""How the carrying out of a run ended, and why: what its manifest says of it, and what the caller is told."""

from types import TracebackType

from parley.core.calls import RunPaused
from parley.core.errors import BadInput, ParleyError
from parley.core.text import raised


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after everything that was finished has been saved."""


class Ending:
    """How the body of a `with` ends: the `status` and `error` of a manifest, and whether it was bad input.

    A pause and Ctrl-C are raised again as what a caller is told; `run` is what the command that goes on names.
    """

    def __init__(self, run: str) -> None:
        self.status, self.error = "failed", ""
        self.refused = False
        self.saved = f"what was finished is saved: `parley resume {run}` goes on"

    def __enter__(self) -> "Ending":
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, at: TracebackType | None) -> None:
        self.refused = isinstance(wrong, BadInput)
        if wrong is None:
            self.status = "finished"
        elif isinstance(wrong, RunPaused):
            self.status, self.error = "interrupted", f"paused: {wrong}"
            raise RunPaused(f"{self.error}; {self.saved}") from wrong
        elif isinstance(wrong, KeyboardInterrupt):
            self.status = "interrupted"
            raise Interrupted from wrong
        else:
            self.error = str(wrong) if isinstance(wrong, ParleyError) else raised(wrong, 1000)
