"""Cards on a cluster: those of one process, whatever the order in which batches end; budgets hold over all of them."""

import json
from dataclasses import replace

import pytest

from parley.bench.arms import Sizes
from parley.bench.batches import run_batch
from parley.bench.budget import Budget
from parley.bench.cards import Card, card_of
from parley.bench.conducting import Bench, Plan
from parley.cli import main
from parley.core.errors import BadInput
from parley.runs.ledger import CallLedger
from tests.bench.test_conducting import BANDIT, SMALL
from tests.cluster.serial import Serial
from tests.talker import Talker

BOTH = ("here", "there")
PLAN = Plan("exact", ("memory", "exploration"), (BANDIT,), replace(SMALL, batches=2))


def card(plan: Plan, out, engine=None, budget: Budget | None = None) -> Card:
    bench = Bench(plan, out)
    return card_of(bench, bench.conduct(budget or Budget(), lambda said: None, engine=engine))


def without_times(of: Card) -> Card:
    return replace(of, spent={}, entries=[replace(line, details={}) for line in of.entries])


def test_a_card_is_that_of_one_process(tmp_path) -> None:
    here = card(PLAN, tmp_path / "here")
    there = card(PLAN, tmp_path / "there", Serial(seed=1))
    assert without_times(there) == without_times(here) and any(line.num_runs for line in here.entries)
    runs = [sorted(str(one.relative_to(tmp_path / at)) for one in (tmp_path / at).glob("runs/*/*")) for at in BOTH]
    assert runs[0] == runs[1]
    assert {path.rpartition("/")[2] for path in runs[0]} == {"000", "001"}, "never more batches than were asked for"


def test_a_batch_that_was_stopped_goes_on_elsewhere(tmp_path) -> None:
    whole = card(PLAN, tmp_path / "whole")
    bench = Bench(PLAN, tmp_path / "part")
    PLAN.keep(bench.out)
    heard = []

    def stop(record, runs) -> None:
        heard.append(record)
        if len(heard) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch((bench.entries[0].arms[0], 0), PLAN.sizes, bench.out, CallLedger(None), stop)
    assert without_times(card(PLAN, bench.out, Serial())) == without_times(whole)


def test_what_cannot_be_run_is_said_of_its_entries_alone(tmp_path) -> None:
    plan = replace(PLAN, planner="transformer", suites=("reliability", "bayes"))  # which has no checkpoint for bandits
    here, there = (card(plan, tmp_path / name, engine) for name, engine in (("here", None), ("there", Serial())))
    assert without_times(there) == without_times(here) and "checkpoint" in there.left_out[f"invalid/{BANDIT}"]


def test_limits_on_tokens_need_what_counts_over_all_machines(tmp_path, capsys) -> None:
    with Talker() as talker:
        planner = f"endpoint:model=ollama/letters,base_url={talker.base_url}"
        plan = Plan(planner, ("reliability",), (BANDIT,), Sizes(4, 2, 1))
        with pytest.raises(BadInput, match="limits need --on ray"):
            card(plan, tmp_path / "a", Serial(), Budget(tokens=1000))
    assert main(["bench", "exact", "--out", str(tmp_path / "b"), "--on", "lsf"]) == 2
    assert "expected ray, ray://HOST:PORT" in capsys.readouterr().err


def test_the_command_sends_batches(tmp_path, monkeypatch, capsys) -> None:
    engine = Serial(seed=2)
    monkeypatch.setattr("parley.cli.benching.engine_of", lambda on: engine)
    asked = ["bench", "exact", "--suite", "reliability", "--episodes", "4", "--runs", "2", "--batches", "1"]
    assert main([*asked, "--out", str(tmp_path / "a"), "--on", "ray", "--json"]) == 0
    there = json.loads(capsys.readouterr().out)
    assert main([*asked, "--out", str(tmp_path / "b"), "--json"]) == 0
    here = json.loads(capsys.readouterr().out)
    for one in (here, there):
        one["spent"], one["entries"] = {}, [line | {"details": {}} for line in one["entries"]]
    assert there == here and here["entries"][0]["num_runs"] == 2
