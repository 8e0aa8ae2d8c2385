"""Short runs in every world and with every kind of part: what was said is what it was, numbers to 1e-9.

Numbers of a language model in float32 to 1e-6: another processor multiplies in another order.

`worlds.json` was written by the version before the worlds got rooms of their own.
"""

import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from parley.execute import RunConfig, run

GOLDEN = Path(__file__).with_name("worlds.json")
MIXED = "epsilon-greedy:epsilon=0.3"
CONFIGS = [
    *((world, "exact", MIXED) for world in ("treasure", "shortcut", "household", "random:seed=4", "weather")),
    *((world, "exact", MIXED) for world in ("team", "team:actors=3", "traps:seed=2", "generated:seed=3")),
    ("generated:seed=5,kind=lock", "exact", MIXED),
    *((world, "exact", MIXED) for world in ("household:low_level=true", "household:floor=0.01,reporter=noisy:0.1")),
    *((world, "exact", MIXED) for world in ("house", "keys", "keys:view=partial", "quest", "sorter-floor", "forage")),
    *((world, "exact", MIXED) for world in ("sorter", "sorter:actor=reach", "house:actor=cloned:0.5,floor=0.001")),
    *((world, "exact", MIXED) for world in ("shortcut:jump=4", "quest:low_level=false,floor=0.01", "keys:workers=2")),
    *((f"{world}:low_level=false", "exact", "none") for world in ("house", "keys", "sorter", "sorter-floor", "forage")),
    *(
        (world, "transformer", "adaptive-proposals")
        for world in ("treasure", "shortcut", "household", "team", "weather")
    ),
    *(("household", planner, "none") for planner in ("exact:decode=greedy", "posterior-sampling", "expert", "random")),
    ("household", "world-model:model=exact", "none"),
    *(("shortcut", "exact", explorer) for explorer in ("posterior-sampling", f"{MIXED},policy=designed")),
    ("team", "decentralised", "none"),
    ("generated:seed=11", "hf:generated", "none"),
]


def said(config: tuple[str, str, str], out: Path) -> dict[str, object]:
    """A digest of all sentences, choices and rewards, and the numbers that they led to."""
    slow = config[0].split(":")[0] in ("house", "keys", "quest", "sorter", "sorter-floor") or "hf" in config[1]
    episodes, runs = (2, 2) if slow else (5, 4)
    run(RunConfig(*config, episodes=episodes, runs=runs, seed=11), out)
    db = sqlite3.connect(out / "run.sqlite")
    columns = "run, episode, step, observation, subgoal, explored, next_observation, reward"
    steps = db.execute(f"SELECT {columns} FROM steps ORDER BY 1, 2, 3").fetchall()
    numbers = db.execute('SELECT sum("return"), sum(optimal_value), sum(expected_regret) FROM episodes').fetchone()
    db.close()
    return {
        "said": hashlib.sha256(repr(steps).encode()).hexdigest()[:24],
        "steps": len(steps),
        "numbers": list(numbers),
    }


@pytest.mark.parametrize("config", CONFIGS, ids=" | ".join)
def test_as_it_was(config, tmp_path):
    golden, now = json.loads(GOLDEN.read_text())[" | ".join(config)], said(config, tmp_path / "r")
    assert (now["said"], now["steps"]) == (golden["said"], golden["steps"])
    near = 1e-6 if config[1].startswith("hf:") else 1e-9
    for ours, theirs in zip(now["numbers"], golden["numbers"], strict=True):
        assert ours is theirs is None or ours == pytest.approx(theirs, abs=near)


if __name__ == "__main__":  # python -m tests.golden.test_worlds writes it anew: say in the log why
    import tempfile

    folder = Path(tempfile.mkdtemp())
    found = {" | ".join(config): said(config, folder / str(i)) for i, config in enumerate(CONFIGS)}
    GOLDEN.write_text(json.dumps(found, indent=0) + "\n")
