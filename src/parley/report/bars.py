"""Live progress bars."""

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from parley.core.said import EpisodeRecord
from parley.report.tables import plain


class Bars:
    """Live bars on standard error: episodes done, mean regret of an episode, share of episodes explored, time left."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> "Bars":
        columns = (
            TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=8),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[said]}", table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
        )
        self._progress = Progress(*columns, console=self._console, expand=True)
        self._progress.start()
        return self

    def __exit__(self, wrong: object, *_: object) -> None:
        for bar in self._progress.tasks:
            if wrong is not None and not bar.completed:
                self._progress.update(bar.id, visible=False)  # nothing came of it: only the message is left
        self._progress.stop()

    def begin(self, label: str, total: int, done: int = 0) -> Callable[[EpisodeRecord, int], None]:
        """A bar of `total` episodes over all runs, `done` already; returns what to call with each finished one."""
        bar = self._progress.add_task(plain(label), total=total, completed=done, said="")
        sums = {"regret": 0.0, "explored": 0.0, "episodes": 0.0}

        def finished(record: EpisodeRecord, runs: int) -> None:
            sums["regret"] += float(record.expected_regret.sum())
            sums["explored"] += float(record.explored.sum())
            sums["episodes"] += runs
            said = f"explored {sums['explored'] / sums['episodes']:.0%}"
            if sums["regret"] == sums["regret"]:
                said = f"regret {sums['regret'] / sums['episodes']:.3f} {said}"
            self._progress.update(bar, advance=runs, said=said)

        return finished

    def episodes(self, label: str, total: int, unit: str = "episodes") -> Callable[[int], None]:
        """A bar of episodes that are no part of a run; returns what to call with the number that is done."""
        bar = self._progress.add_task(plain(label), total=total, said=unit)
        return lambda done: self._progress.update(bar, completed=done)

    def documents(self, label: str, total: int) -> Callable[[int], None]:
        """A bar of pretraining documents; returns what to call with the number that was made."""
        bar = self._progress.add_task(plain(label), total=total, said="documents")
        return lambda made: self._progress.update(bar, advance=made)

    def training(self, label: str) -> Callable[[dict[str, float]], None]:
        """A bar of optimiser steps."""
        bar = self._progress.add_task(plain(label), total=None, said="")

        def step(now: dict[str, float]) -> None:
            said = f"loss {now['loss']:.4f}, {now['tokens_s']:,.0f} tokens/s"
            self._progress.update(bar, completed=now["step"], total=now["steps"], said=said)

        return step
