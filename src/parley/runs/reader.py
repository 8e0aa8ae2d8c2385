"""What tables, figures and pages show of a run, read while it goes on or after."""

from pathlib import Path
from typing import Any

import numpy as np

from parley.core.errors import BadInput, RunDamaged
from parley.runs.cells import check_column, check_row, numbers_of
from parley.runs.log import known_menu, read_menus
from parley.runs.shards import connect
from parley.runs.texts import Reader

ROWS = 100_000  # read at once


class RunReader:
    """One log, open for reading."""

    def __init__(self, out: Path) -> None:
        self._db = connect(out / "run.sqlite")

    def episodes(self, column: str) -> np.ndarray:
        """One column of the episodes that every run has finished, shape (runs, episodes); NaN where unknown."""
        return self.columns(column)[0]

    def columns(self, *names: str) -> list[np.ndarray]:
        """Several columns as `episodes` gives one, in one pass over the file."""
        known = {row[1] for row in self._db.execute("PRAGMA table_info(episodes)")}
        if not known:
            raise RunDamaged("run.sqlite holds no table of episodes: it is no log of a run")
        for name in names:
            if name not in known and name != "score":
                raise BadInput(f"column {name!r}: expected one of {', '.join(sorted(known))}")
        finished = dict(self._db.execute("SELECT run, COUNT(*) FROM episodes GROUP BY run ORDER BY run"))
        if not finished:
            return [np.zeros((0, 0)) for _ in names]
        shortest, row_of = min(finished.values()), {run: row for row, run in enumerate(finished)}
        types = [object if name == "instruction" else float for name in names]
        found = [np.empty((len(finished), shortest), dtype=kind) for kind in types]
        # In the order of the file: a sort, or a look-up of each row by key, takes many times as long.
        wanted = ", ".join(f'"{name}"' if name in known else "NULL" for name in names)  # no scores in earlier versions
        rows = self._db.execute(f"SELECT run, episode, {wanted} FROM episodes WHERE episode < ?", (shortest,))
        count = 0
        while some := rows.fetchmany(ROWS):
            runs, episodes, *values = zip(*some, strict=True)
            for name, numbers in (("run", runs), ("episode", episodes)):
                check_column(name, numbers)
            count += len(some)
            at = np.array([row_of[run] for run in runs]), np.array(episodes)
            for column, name, one in zip(found, names, values, strict=True):
                check_column(name, one)
                column[at] = np.array(one, dtype=column.dtype)
        if count != len(finished) * shortest:
            raise RunDamaged(f"run.sqlite holds {count} of the first {shortest} episodes of {len(finished)} runs")
        return found

    def runs(self) -> list[int]:
        """The runs that have finished any episode: the rows of `episodes`."""
        return [row[0] for row in self._db.execute("SELECT DISTINCT run FROM episodes ORDER BY run")]

    def instruction(self, run: int, episode: int) -> str:
        """The instruction of an episode that has ended; empty where it has not."""
        query = "SELECT instruction FROM episodes WHERE run = ? AND episode = ?"
        row = self._db.execute(query, (run, episode)).fetchone()
        return "" if row is None else str(row[0])

    def trace(self, run: int, episode: int) -> list[dict[str, Any]]:
        """The steps of one episode, as dictionaries of the columns of `steps`, the menu spelt out."""
        menus, steps = read_menus(self._db), []
        names = ["step", "observation", "subgoal", "explored", "proposal", "proposal_source", "law"]
        names += ["menu", "next_observation", "reward"]
        query = f"SELECT {', '.join(names)} FROM steps WHERE run = ? AND episode = ? ORDER BY step"
        for row in self._db.execute(query, (run, episode)):
            check_row(names, row)
            step = dict(zip(names, row, strict=True))
            step["menu"] = known_menu(menus, step["menu"])
            for name in ("proposal", "law"):
                step[name] = numbers_of(step[name], name) if step[name] is not None else None
            steps.append(step)
        return steps

    def prompt(self, run: int, episode: int, step: int) -> str | None:
        """The prompt that was sent for a decision, a text or JSON of messages; None where no call was made for it."""
        query = (
            "SELECT prompt FROM calls WHERE run = ? AND episode = ? AND step = ? AND purpose LIKE 'propose%' "
            "ORDER BY calls.rowid LIMIT 1"
        )
        row = self._db.execute(query, (run, episode, step)).fetchone()
        return None if row is None else Reader(self._db).read(row[0])

    def close(self) -> None:
        self._db.close()
