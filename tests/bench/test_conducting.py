"""Cards: floor and ceiling, planted faults, batches that are never run twice, budgets."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from parley.assemble.memories import MEMORIES
from parley.bench import conducting
from parley.bench.arms import Sizes
from parley.bench.budget import Budget
from parley.bench.cards import card_of
from parley.bench.conducting import Bench, Plan
from parley.bench.suites import SUITES, entries_of
from parley.core.errors import BadInput, ParleyError, RunDamaged
from parley.core.said import EpisodeRecord
from parley.report.cards import Card, read_card
from tests.bench.planted import FAULTS

BANDIT = "bandit:arms=4,gap=0.5"
SMALL = Sizes(episodes=6, runs=4, batches=1)
FAST = Sizes(episodes=12, runs=32, batches=2)


def conducted(planner: str, suites: tuple[str, ...], out, sizes: Sizes = SMALL, budget: Budget | None = None) -> Card:
    bench = Bench(Plan(planner, suites, (BANDIT,), sizes), out)
    return card_of(bench, bench.conduct(budget or Budget(), lambda said: None))


@pytest.mark.parametrize(("planner", "share"), [("exact", 1.0), ("random", 0.0)])
def test_the_exact_planner_is_at_the_ceiling_and_random_at_the_floor(planner: str, share: float, tmp_path) -> None:
    card = conducted(planner, SUITES, tmp_path, Sizes(episodes=12, runs=8, batches=1))
    measured = [line for line in card.entries if line.normalised is not None]
    assert {line.suite for line in measured} == {"memory", "exploration", "bayes"}
    for line in measured:
        if not line.name.startswith("explored/"):  # those are of explorers, not of the planner
            assert line.normalised == pytest.approx(share, abs=1e-5), line.name
    for line in card.entries:
        if line.suite == "bayes" and line.floor == line.ceiling == 0.0 and planner == "exact":
            assert line.low <= 0 <= line.high, line.name


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named_and_no_other(name: str, tmp_path) -> None:
    card = conducted(f"tests.bench.planted:{name}", ("bayes",), tmp_path, FAST)
    assert {found.fault for found in card.findings} == {FAULTS[name]}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_named_in_most_seeds(name: str, tmp_path) -> None:
    """At least 37 of 40: a rate of 0.99 fails this with a chance below 0.001."""
    named = 0
    for seed in range(40):
        card = conducted(f"tests.bench.planted:{name}", ("bayes",), tmp_path / str(seed), replace(FAST, seed=seed))
        named += FAULTS[name] in {found.fault for found in card.findings}
        shutil.rmtree(tmp_path / str(seed))
    assert named >= 37


@pytest.mark.parametrize("lost", [False, True])
def test_a_card_that_was_stopped_in_a_run_goes_on_and_ends_as_one_that_was_not(lost: bool, tmp_path) -> None:
    whole = conducted("exact", ("bayes",), tmp_path / "whole")
    heard = []

    def stop(record: EpisodeRecord, runs: int) -> None:
        heard.append(record.episode)
        if len(heard) == 15:  # in the middle of the third run
            raise KeyboardInterrupt

    plan, out = Plan("exact", ("bayes",), (BANDIT,), SMALL), tmp_path / "part"
    with pytest.raises(KeyboardInterrupt):
        Bench(plan, out).conduct(Budget(), lambda said: None, stop)
    (begun,) = [path for path in (out / "runs").glob("*/*/run.sqlite") if '"interrupted"' in manifest_of(path)]
    if lost:
        begun.unlink()  # as if it had been killed in its first moment
    known = card_of(Bench(Plan.read(out), out))  # what is known may be asked at any time
    assert 0 < sum(line.num_runs > 0 for line in known.entries) < len(known.entries)
    again = conducted("exact", ("bayes",), out)
    assert [replace(line, details={}) for line in again.entries] == [replace(one, details={}) for one in whole.entries]


def manifest_of(log: Path) -> str:
    return log.with_name("manifest.json").read_text("utf-8")


def test_nothing_is_run_twice_and_another_plan_is_refused(tmp_path) -> None:
    conducted("random", ("reliability",), tmp_path)
    said: list[str] = []
    Bench(Plan("random", ("reliability",), (BANDIT,), SMALL), tmp_path).conduct(Budget(), said.append)
    assert not said
    with pytest.raises(BadInput, match="another plan"):
        conducted("exact", ("reliability",), tmp_path)


def test_a_spent_budget_ends_it_and_the_card_says_so(tmp_path) -> None:
    card = conducted("exact", ("bayes",), tmp_path, budget=Budget(minutes=1e-9))
    assert "budget" in card.ended
    assert sum(line.num_runs > 0 for line in card.entries) < len(card.entries)
    assert read_card_text(card, tmp_path) == card


def test_a_run_that_outlasts_the_minutes_pauses_and_goes_on_with_the_next_sitting(tmp_path) -> None:
    plan, budget = Plan("exact", ("bayes",), (BANDIT,), SMALL), Budget(minutes=0.02)

    def slow(record: EpisodeRecord, runs: int) -> None:
        time.sleep(0.5)  # a run of six episodes takes longer than the budget

    bench = Bench(plan, tmp_path)
    assert "the budget of 0.02 minutes is spent" in bench.conduct(budget, lambda said: None, slow)
    (begun,) = (tmp_path / "runs").glob("*/*/manifest.json")
    assert json.loads(begun.read_text())["status"] == "interrupted"
    assert 0.02 <= bench.spending.total.minutes < 0.1
    whole = conducted("exact", ("bayes",), tmp_path)
    assert all(line.num_runs for line in whole.entries)


def read_card_text(card: Card, folder) -> Card:
    path = folder / "card.json"
    path.write_text(card.as_json(), "utf-8")
    return read_card(path)


@pytest.mark.parametrize("text", ["", "20x", "0m", "-1m", "1e3t", "٣m", "m"])
def test_a_budget_that_is_none_is_refused(text: str) -> None:
    if text:
        with pytest.raises(BadInput, match="budget="):
            Budget.read(text)
    else:
        assert Budget.read(text) == Budget()


def test_every_registered_memory_is_asked_of_a_planner_that_reads_prompts() -> None:
    entries, left = entries_of("hf:generated", ("memory",), (BANDIT,))
    names = {entry.name for entry in entries}
    assert {f"saved/{name}/{BANDIT}" for name in MEMORIES if name != "none"} <= names
    assert {f"guard/{name}" for name in MEMORIES if name != "none"} <= names
    assert "memories" not in left
    assert "reads no prompt" in entries_of("exact", ("memory",), (BANDIT,))[1]["memories"]


def test_what_cannot_be_measured_is_listed_with_its_sentence(tmp_path) -> None:
    card = conducted("transformer", ("bayes", "world-model"), tmp_path)
    assert not [line for line in card.entries if line.num_runs]
    assert "checkpoint" in card.left_out[f"apart/{BANDIT}"]
    assert "world-model" in card.left_out
    again = card_of(Bench(Plan.read(tmp_path), tmp_path))
    assert again.left_out == card.left_out


def test_a_reference_that_is_refused_is_listed_and_nothing_waits_for_it(tmp_path, monkeypatch) -> None:
    real = conducting.run_batch

    def refusing(due, *others):
        if due[0].planner.startswith("exact"):
            raise BadInput("there are no tables here")
        return real(due, *others)

    monkeypatch.setattr(conducting, "run_batch", refusing)
    card = conducted("random", ("exploration",), tmp_path)
    assert "there are no tables here" in card.left_out.values()


@pytest.mark.parametrize(("world", "said"), [("team", "one Actor"), ("nowhere", "unknown world"), ("x.json", "read")])
def test_a_world_that_has_no_use_here_is_refused_in_one_sentence(world: str, said: str, tmp_path) -> None:
    with pytest.raises(ParleyError, match=said):
        Bench(Plan("exact", ("bayes",), (world,), SMALL), tmp_path)


def test_a_plan_of_somebody_else_imports_nothing_unless_it_is_trusted(tmp_path) -> None:
    plan = Plan("tests.bench.planted:Forgets", ("bayes",), (BANDIT,), SMALL)
    plan.keep(tmp_path)
    assert Plan.trusted(tmp_path, False) == plan  # our own
    stranger = json.loads((tmp_path / "plan.json").read_text()) | {"planner": "tests.bench.planted:Copies"}
    (tmp_path / "plan.json").write_text(json.dumps(stranger))
    with pytest.raises(BadInput, match="would import.*say --trust"):
        Plan.trusted(tmp_path, False)
    assert Plan.trusted(tmp_path, True).planner == "tests.bench.planted:Copies"


def test_a_run_that_was_put_in_the_place_of_another_is_refused(tmp_path) -> None:
    conducted("random", ("reliability",), tmp_path)
    folder = next((tmp_path / "runs").glob("*/000"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["config"]["planner"] = "exact"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunDamaged, match="another run"):
        card_of(Bench(Plan.read(tmp_path), tmp_path))


def test_a_damaged_plan_is_named(tmp_path) -> None:
    for text in ("{", "[]", json.dumps({"format": "parley-bench/1"})):
        (tmp_path / "plan.json").write_text(text)
        with pytest.raises(ParleyError, match=r"plan\.json"):
            Plan.read(tmp_path)
