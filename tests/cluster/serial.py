"""What the engines are compared with: units in this process, in an order of its own, each perhaps more than once."""

import json
import random
import sqlite3
from pathlib import Path

from parley.cluster.engines import call

COLUMNS = {
    "episodes": "run, episode, instruction, explored, return, optimal_value, regret, expected_regret, score",
    "steps": "run, episode, step, observation, subgoal, explored, proposal, proposal_source, answers, law, menu, "
    "next_observation, reward",
    "low_level": "run, episode, step, actions, event",
    "cuts": "run, episode, step, left_out",
    "menus": "menu, subgoals",
}


class Serial:
    """Carries tasks out here, in the order of `seed`; they travel as JSON, as they do to other machines."""

    name, shares = "serial", False

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def carry_out(self, function, tasks, cpus, account=None):
        order = list(enumerate(tasks))
        random.Random(self.seed).shuffle(order)
        for number, task in order:
            yield number, call(function, json.loads(json.dumps(task)))


def all_of(out: Path, connect=sqlite3.connect) -> dict[str, list[tuple]]:
    """Everything in a run's tables besides times, in the order of the keys."""
    db = connect(out / "run.sqlite")
    rows = {name: sorted(db.execute(f"SELECT {of} FROM {name}"), key=repr) for name, of in COLUMNS.items()}
    db.close()
    return rows
