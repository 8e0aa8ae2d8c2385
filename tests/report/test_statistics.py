"""What choices say without tables, and what a diagnosis makes of it: never healthy where the log shows otherwise."""

import json
import sqlite3

import pytest

from parley.core.errors import BadInput
from parley.execute import RunConfig, run
from parley.experiments.claims.diagnosis import diagnosed
from parley.report.signatures import EXCESS_TRIALS, EXPLORE, HEALTHY, NEXT, PRETRAINING, TRIED, Diagnosis, Evidence
from parley.report.statistics import Place, against_chance, left_behind, statistics

MENU = ("a", "b")


def place(arms: str, returns: list[float]) -> Place:
    menu = [MENU.index(arm) for arm in arms]
    return Place(MENU, list(range(len(arms))), menu, returns, [False] * len(arms))


# Arms, their returns, and: suffix failure, MinFrac, GreedyFrac, coverage, repetition.
CASES = [
    ("aaaabbbb" + "b" * 8, [1.0] * 4 + [0.0] * 12, (1, 0.5, 3 / 15, 1, 14 / 15)),  # knew better, never went back
    ("abababab" + "abababab", [1.0, 0.0] * 8, (0, 1, 7 / 15, 1, 0)),  # tries all alike to the end
    ("abababab" + "aaaaaaaa", [1.0, 0.0] * 4 + [1.0] * 8, (0, 0.5, 11 / 15, 1, 7 / 15)),  # finds out, then commits
    ("aaaaaaaa" + "aaaaaaaa", [0.0] * 16, (None, 0, 1, 0.5, 1)),  # tries one thing only: nobody knows of the other
]


@pytest.mark.parametrize(("arms", "returns", "expected"), CASES)
def test_statistics(arms, returns, expected):
    found = statistics([{("", ""): place(arms, returns)}], len(arms))
    names = ("suffix failure", "MinFrac", "GreedyFrac", "coverage", "repetition")
    assert [found.get(name) for name in names] == [None if x is None else pytest.approx(x) for x in expected]


def test_places_that_are_met_once_are_not_judged():
    places = [{(str(i),): Place(MENU, [i], [0], [1.0], [False]) for i in range(20)}]
    assert statistics(places, 20) == {} and against_chance(places, 20, 0.25) is None
    assert left_behind(place("aaaabbbbbbbb", [1.0] * 4 + [0.0] * 8), 12) is True


def test_late_returns_below_chance_are_seen():
    bad = [{("",): place("abababab" + "b" * 8, [1.0, 0.0] * 4 + [0.0] * 8)}]
    chance = against_chance(bad, 16, 0.25)
    assert chance is not None and chance.worse and chance.late == 0.0 and chance.random == pytest.approx(0.5)


@pytest.mark.parametrize("tables", [True, False])
@pytest.mark.parametrize(
    ("planner", "explore", "runs", "not_healthy"),
    [
        ("exact", "epsilon-greedy:epsilon=1.0", 4, EXCESS_TRIALS),  # nothing but trials, to the end
        ("exact:decode=greedy", "none", 1, EXPLORE),  # one run alone is judged too
    ],
)
def test_what_loses_as_much_as_chance_is_never_healthy(planner, explore, runs, not_healthy, tables, tmp_path):
    latent = None if runs > 1 else "1"
    run(
        RunConfig("shortcut", planner, explore, episodes=60, runs=runs, seed=3, latent=latent, record="steps"),
        tmp_path / "r",
    )
    found = diagnosed(tmp_path / "r", tables_too=tables)
    assert found.signature != HEALTHY
    if tables:
        assert found.signature == not_healthy
    assert {"coverage", "repetition", "GreedyFrac"} <= set(found.statistics)
    json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("signature", "explorer"), [(EXPLORE, "adaptive:floor=0.1"), (EXPLORE, "epsilon-greedy:epsilon=0.1")]
)
def test_no_advice_to_do_what_is_done_already(signature, explorer):
    found = Diagnosis(signature, "", {}, [], Evidence("", {}, 0.0), explorer)
    assert found.try_next == TRIED[signature] and explorer.partition(":")[0] not in found.try_next
    assert Diagnosis(signature, "", {}, [], Evidence("", {}, 0.0), "none").try_next == NEXT[signature]
    assert Diagnosis(PRETRAINING, "", {}, [], Evidence("", {}, 0.0), explorer).try_next == NEXT[PRETRAINING]


def cohorts_apart(out, episodes):
    """A run of two cohorts that was stopped when the one had ended `episodes`, the other 20."""
    config = RunConfig("shortcut", "exact", "adaptive", episodes=20, runs=4, cohort=2, record="steps")
    run(config, out)
    db = sqlite3.connect(out / "run.sqlite")
    with db:
        for table in ("steps", "episodes"):
            db.execute(f"DELETE FROM {table} WHERE run >= 2 AND episode >= ?", (episodes,))
        db.execute("DELETE FROM seals WHERE first_run = 2 AND episode >= ?", (episodes,))
    db.close()
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, "status": "interrupted"}))
    return out


def test_cohorts_that_stand_at_different_episodes_are_read_as_far_as_all_are(tmp_path):
    whole = diagnosed(cohorts_apart(tmp_path / "r", 12))
    assert len(next(iter(whole.evidence.curves.values()))) == 12
    with pytest.raises(BadInput, match="5 episodes that all runs have ended"):
        diagnosed(cohorts_apart(tmp_path / "short", 5))


def test_a_lost_row_of_any_cohort_is_noticed(tmp_path):
    out = cohorts_apart(tmp_path / "r", 20)
    db = sqlite3.connect(out / "run.sqlite")
    with db:
        db.execute("DELETE FROM steps WHERE run = 3 AND episode = 7 AND step = 1")
    db.close()
    with pytest.raises(Exception, match="runs from 2, episode 7, step 1"):
        diagnosed(out)
