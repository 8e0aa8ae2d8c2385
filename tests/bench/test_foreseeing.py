"""The suite of world models: what they foretell of runs, beside the exact one."""

import numpy as np
import pytest

from parley import assemble
from parley.bench.arms import Arm, Sizes, config_of, tables_of
from parley.bench.budget import Budget
from parley.bench.cards import card_of
from parley.bench.conducting import Bench, Plan
from parley.bench.foreseeing import documents_of
from parley.bench.logs import Log
from parley.bench.suites import entries_of
from parley.execute import run
from parley.report.cards import Line

HOUSEHOLD = "household"


def card(planner: str, out, world: str = HOUSEHOLD, runs: int = 8) -> dict[str, Line]:
    bench = Bench(Plan(planner, ("world-model",), (world,), Sizes(episodes=6, runs=runs, batches=1)), out)
    for entry in bench.entries:
        if not entry.name.startswith("planned"):
            assert not bench.advance(entry, Budget())
    return {line.name: line for line in card_of(bench).entries}


def test_the_exact_model_is_at_the_entropy_floor_and_one_that_forgets_is_above(tmp_path) -> None:
    depths = range(1, tables_of(HOUSEHOLD, 0, False).horizon + 1)
    exact = card("world-model:model=exact", tmp_path / "exact")
    forgets = card("world-model:model=exact,forget=0.2", tmp_path / "forgets")
    for depth in depths:
        assert exact[f"foresight/{depth}/{HOUSEHOLD}"].value == pytest.approx(0, abs=0.02)  # it leaves out the unlikely
    assert exact[f"calibration/{HOUSEHOLD}"].value == pytest.approx(0, abs=1e-9)
    assert forgets[f"foresight/1/{HOUSEHOLD}"].value > 0.01
    assert forgets[f"calibration/{HOUSEHOLD}"].value > 0.01


def test_a_pretrained_model_foretells_what_its_world_does(tmp_path) -> None:
    found = card("world-model", tmp_path, "shortcut")
    assert found["foresight/1/shortcut"].value == pytest.approx(0, abs=0.05)
    assert found["calibration/shortcut"].value < 0.05


def test_the_runs_are_read_as_documents_word_for_word(tmp_path) -> None:
    config = config_of(Arm(HOUSEHOLD, "random"), Sizes(episodes=4, runs=3), 0, tmp_path)
    run(config, tmp_path / "run")
    tables = assemble.world(HOUSEHOLD).tables
    log = Log(tmp_path / "run", tables)
    documents = documents_of(log)
    assert documents.subgoals.shape == (3, 4, tables.horizon)
    assert np.array_equal(documents.latents, log.latents)
    names = np.array(tables.observations, dtype=object)
    for t, episode in enumerate(log.told):
        assert np.array_equal(names[documents.observations[:, t, 0]], episode.opening.observations)
        for h, step in enumerate(episode.steps):
            assert np.array_equal(names[documents.observations[:, t, h + 1]], step.next_observations)
            menu = np.array(tables.menus[0], dtype=object)
            assert np.array_equal(menu[documents.subgoals[:, t, h]], step.subgoals[:, 0])


def test_planning_is_worth_something_or_it_is_said_who_does_not_plan() -> None:
    entries, _ = entries_of("world-model:model=exact", ("world-model",), ("shortcut",))
    planned = {entry.name: entry for entry in entries}["planned/shortcut"]
    assert {arm.planner for arm in planned.arms} == {"exact", "world-model:model=exact"}
    for planner in ("random", "exact", "world-model:model=openai/x"):
        entries, left = entries_of(planner, ("world-model",))
        assert not entries
        assert "is no world model" in left["world-model"]


@pytest.mark.parametrize(
    ("planner", "world", "said"),
    [
        ("world-model", "bandit:arms=4,gap=0.5", "no checkpoint ships"),
        ("world-model:checkpoint=household", "shortcut", "household"),
        ("world-model:search=greedy", "shortcut", "expected expectimax or tree"),
    ],
)
def test_a_model_that_does_not_fit_is_left_out_with_its_sentence(planner: str, world: str, said: str) -> None:
    entries, left = entries_of(planner, ("world-model",), (world,))
    assert not entries
    assert said in left[f"world-model/{world}"]
