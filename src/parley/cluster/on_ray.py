"""`--on ray`: tasks of a Ray cluster (extra `ray`)."""

import os
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from parley.cluster.account import Account
from parley.cluster.engines import Lost, Task, call
from parley.core.errors import BadInput, MissingExtra, ParleyError
from parley.core.spec import parse_spec

RETRIES = 20  # of a task whose worker or node died
PATIENCE_S = 30.0  # for tasks that are to stop, and say what they have saved
ADDRESS = "RAY_ADDRESS"  # which of its clusters Ray takes
AUTH = "RAY_AUTH_MODE"  # with `token`, Ray's client shows the token of RAY_AUTH_TOKEN, or of ~/.ray
STARTS = 3  # of a cluster of its own, which on a busy machine is not there within Ray's 30 s
GONE = "the account of the run's limits is gone with its machine"


class Unreachable(RuntimeError):
    """A unit does not reach the account: it begins again elsewhere, as its own node may be dying.

    No error of this package, so that the unit does not answer it, but Ray sees it.
    """


class RayEngine:
    """`ray`: the cluster that `RAY_ADDRESS` names, else one on this machine alone, for as long as this process lives.

    `ray://HOST:PORT` is a cluster from outside (Ray Client). `ray:cpus=N` sets the cores that a unit takes.
    """

    def __init__(self, on: str) -> None:
        if on.startswith("ray://") and not re.fullmatch(r"ray://[^/:\s]+:[0-9]+", on):
            raise BadInput(f"on={on!r}: expected ray://HOST:PORT, as in ray://head.cluster:10001")
        options = {} if on.startswith("ray://") else parse_spec(on, "on")[1]
        if set(options) - {"cpus"}:
            raise BadInput(f"on={on!r}: ray knows the option cpus= alone")
        try:
            self._cpus = float(options.get("cpus", "0"))
        except ValueError:
            raise BadInput(f"on={on!r}: cpus={options['cpus']!r} is no number") from None
        self.name, self.shares = on, True
        self._ray = _library()

    def carry_out(
        self, function: str, tasks: Sequence[Task], cpus: float, account: Account | None = None
    ) -> Iterator[tuple[int, Any]]:
        ray = self.connected()
        actor = self._shared(account) if account else None
        remote = ray.remote(_task).options(
            num_cpus=self._cpus or cpus, max_retries=RETRIES, retry_exceptions=[Unreachable]
        )
        waiting = {remote.remote(function, dict(task), actor): number for number, task in enumerate(tasks)}
        try:
            while waiting:
                done, _ = ray.wait(list(waiting), num_returns=1)
                yield waiting.pop(done[0]), self._result(done[0])
        finally:
            for one in waiting:
                with suppress(Exception):  # it may have ended meanwhile, or the cluster be gone
                    ray.cancel(one)
            if waiting:
                with suppress(Exception):
                    ray.wait(list(waiting), num_returns=len(waiting), timeout=PATIENCE_S)
            if actor is not None:
                with suppress(Exception):
                    ray.kill(actor)

    def _shared(self, account: Account) -> Any:
        """The account as an actor on the node of the driver: no other node that dies takes it along."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=True)
        options = {"num_cpus": 0, "max_concurrency": 10_000, "scheduling_strategy": here}
        return self._ray.remote(Account).options(**options).remote(*account.limits)

    def connected(self) -> Any:
        """Ray, connected to its cluster. Begins a cluster where there was no cluster to connect to."""
        ray = self._ray
        own = self.name.partition(":")[0] == "ray" and not self.name.startswith("ray://") and ADDRESS not in os.environ
        for left in reversed(range(STARTS if own else 1)):
            if ray.is_initialized():
                break
            quiet = {"logging_level": "ERROR", "log_to_driver": False}
            heard = signal.getsignal(signal.SIGTERM)
            try:
                if own:
                    ray.init("local", include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
                else:
                    ray.init(self.name if self.name.startswith("ray://") else "auto", **quiet)
            except Exception as wrong:  # of many kinds, also plain ones
                ray.shutdown()
                if not left:
                    advice = "" if own or AUTH in os.environ else f"; if it asks for a token, set {AUTH}=token"
                    raise BadInput(f"on={self.name!r}: Ray cannot be reached: {_brief(wrong)}{advice}") from None
            finally:
                if threading.current_thread() is threading.main_thread():
                    signal.signal(
                        signal.SIGTERM, heard
                    )  # Ray's own handler would end us before the finished work is told
        return ray

    def _result(self, reference: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.OutOfMemoryError,
            errors.RaySystemError,
        ) as lost:
            raise Lost(
                f"a worker on {self.name} died {RETRIES + 1} times or could not go on: {_first_line(lost)}; "
                "what it committed stands"
            ) from None
        except errors.RayTaskError as wrong:
            if isinstance(wrong.cause, Unreachable):
                raise Lost(f"{GONE}; what was committed stands") from None
            raise ParleyError(f"a task on {self.name} raised: {_first_line(wrong.cause or wrong)}") from None
        except errors.RayError as lost:
            raise Lost(f"{self.name} is gone: {_first_line(lost)}") from None


def _brief(wrong: object) -> str:
    """What Ray says, on one line: its reason may stand on any."""
    return " ".join(str(wrong).split())[:500] or type(wrong).__name__


def _first_line(wrong: object) -> str:
    return (str(wrong).strip() or type(wrong).__name__).splitlines()[0][:300]


def _task(function: str, task: Task, actor: Any) -> Any:
    return call(function, task if actor is None else {**task, "account": _Remote(actor)})


class _Remote:
    """The account of the run, which is an actor (`account.Banked`)."""

    def __init__(self, actor: Any) -> None:
        self._actor, self._ray = actor, _library()

    def begin(self, unit: str, tokens: int, cost: float) -> int:
        return int(self._asked(self._actor.begin.remote(unit, tokens, cost)))

    def take(self, unit: str, attempt: int) -> str:
        return str(self._asked(self._actor.take.remote(unit, attempt)))

    def give(self, unit: str, attempt: int, tokens: int, cost: float) -> None:
        self._asked(self._actor.give.remote(unit, attempt, tokens, cost))

    def _asked(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayActorError:
            raise Unreachable(GONE) from None


def _library() -> Any:
    try:
        import ray
    except ImportError:
        raise MissingExtra("--on ray", "ray") from None
    return ray
