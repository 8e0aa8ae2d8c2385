"""What carries out tasks on other machines: somebody else's engine, by name. We have no scheduler of our own."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

from parley.cluster.account import Account
from parley.core.errors import BadInput, ParleyError
from parley.core.spec import parse_spec

Task = Mapping[str, Any]  # arguments, of types that JSON has
EXPECTED = "expected ray, ray://HOST:PORT, or slurm:partition=...,time=..."


class Lost(ParleyError):
    """A task whose worker died again and again, or could not be started; what it committed stands."""


class Engine(Protocol):
    """Carries out tasks; each may be begun more than once, where its worker dies."""

    name: str  # as after --on
    shares: bool  # whether tasks can share an account

    def carry_out(
        self, function: str, tasks: Sequence[Task], cpus: float, account: Account | None = None
    ) -> Iterator[tuple[int, Any]]:
        """Call `module:function` with each task on some machine; yields (number of the task, what it returned).

        They come in the order in which they end. Closing the iterator stops those that go on. Where there is an
        `account`, tasks are also given `account`, which all of them share. Raises `Lost`.
        """


def engine_of(on: str) -> Engine:
    """The engine that `--on` names; raises `BadInput` where it names none, `MissingExtra` where it is not installed."""
    if on.startswith("ray://") or on == "ray" or on.startswith("ray:"):
        from parley.cluster.on_ray import RayEngine

        return RayEngine(on)
    if on == "slurm" or on.startswith("slurm:"):
        from parley.cluster.on_slurm import SlurmEngine

        return SlurmEngine(on, parse_spec(on, "on")[1])
    raise BadInput(f"on={on!r}: {EXPECTED}")


def call(function: str, task: Task) -> Any:
    """Carry out one task: on the machine on which it is called."""
    module, _, name = function.partition(":")
    return getattr(import_module(module), name)(**task)
