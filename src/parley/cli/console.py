"""Where the command line writes: tables to standard output, bars and messages to standard error."""

import argparse
from collections.abc import Callable
from typing import Any, Protocol

from rich.console import Console

OUT, ERR = Console(emoji=False), Console(stderr=True, emoji=False)  # text of worlds holds `:words:`


class AddCommand(Protocol):
    """Adds a command that answers by `does`; to the group `to` with a line about it, or to the top level."""

    def __call__(self, name: str, does: Callable[[argparse.Namespace], Any], text: str = "", to: Any = None) -> Any: ...


class AddGroup(Protocol):
    """Adds a group of commands, `parley NAME ACTION`."""

    def __call__(self, name: str) -> Any: ...
