"""One seeded run, exact: what was said stays the same from version to version, numbers to 1e-9."""

import json
import sqlite3
from pathlib import Path

import pytest

from parley.execute import RunConfig, run

GOLDEN = Path(__file__).with_name("household.json")
CONFIG = RunConfig("household", "exact", "epsilon-greedy:epsilon=0.3", episodes=4, runs=3, seed=7)


def said(out: Path) -> dict[str, list]:
    run(CONFIG, out)
    db = sqlite3.connect(out / "run.sqlite")
    steps = db.execute(
        "SELECT run, episode, step, observation, subgoal, explored, proposal, next_observation, reward FROM steps "
        "ORDER BY run, episode, step"
    ).fetchall()
    episodes = db.execute("SELECT run, episode, instruction, expected_regret FROM episodes ORDER BY 1, 2").fetchall()
    db.close()
    return {
        "steps": [[*row[:6], json.loads(row[6]), *row[7:]] for row in steps],
        "episodes": [list(r) for r in episodes],
    }


def test_golden_run(tmp_path):
    golden, now = json.loads(GOLDEN.read_text()), said(tmp_path / "r")
    assert [row[:6] + row[7:] for row in now["steps"]] == [row[:6] + row[7:] for row in golden["steps"]]
    for ours, theirs in zip(now["steps"], golden["steps"], strict=True):
        assert ours[6] == pytest.approx(theirs[6], abs=1e-9)
    for ours, theirs in zip(now["episodes"], golden["episodes"], strict=True):
        assert ours[:3] == theirs[:3] and ours[3] == pytest.approx(theirs[3], abs=1e-9)


if __name__ == "__main__":  # python -m tests.golden.test_golden writes it anew: say in the log why
    import tempfile

    GOLDEN.write_text(json.dumps(said(Path(tempfile.mkdtemp()) / "r"), indent=0) + "\n")
