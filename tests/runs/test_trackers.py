"""Hooks for trackers, against their own files on this machine; spans against OpenTelemetry's own names."""

import json
import sqlite3

import numpy as np
import pytest

import parley
from parley.core.errors import MissingExtra
from parley.runs import trackers
from tests.talker import Talker, config

ABOUT = dict(episodes=5, runs=6, seed=1, cohort=2, progress=False)


class Kept(trackers.Curves):
    """A tracker in memory."""

    def begun(self, out, manifest):
        self.numbers, self.status = {}, ""

    def tracked(self, numbers, episode):
        self.numbers[episode] = numbers

    def ended(self, status, numbers):
        self.status, self.totals = status, numbers


def test_curves_are_means_over_all_runs_whatever_the_cohorts(tmp_path):
    kept = Kept()
    run = parley.run("household", out=tmp_path / "r", hooks=[kept], **ABOUT)
    curve = run.curve()
    assert kept.status == "finished" and sorted(kept.numbers) == list(range(5))
    told = [kept.numbers[t] for t in range(5)]
    np.testing.assert_allclose([one["expected_regret"] for one in told], curve.values.mean(axis=0))
    np.testing.assert_allclose([one["cumulative_regret"] for one in told], curve.values.mean(axis=0).cumsum())
    np.testing.assert_allclose([one["return"] for one in told], curve.returns.mean(axis=0))
    assert kept.totals["wall_s"] == run.manifest["totals"]["wall_s"] and "score" not in told[0]


def test_calls_are_counted_and_a_shard_is_a_run_of_its_own(tmp_path):
    from parley.cluster.driver import Options, run_on
    from tests.cluster.serial import Serial

    with Talker() as talker:
        about = config(talker, "letters", runs=2, episodes=2, cohort=1)
        spans = tmp_path / "spans.jsonl"
        run_on(Serial(), about, tmp_path / "r", Options(hooks=(f"otel:{spans}",)))
    told = [json.loads(line) for line in spans.read_text().splitlines()]
    roots = [span for span in told if span["name"] == "invoke_agent endpoint"]
    assert {span["attributes"]["parley.out"][-9:] for span in roots} == {"000000000", "000000001"}


def test_a_tracker_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    with pytest.raises(MissingExtra, match="hook 'wandb' needs the extra 'wandb'"):
        parley.run("household", hooks=["wandb"], **ABOUT)


def test_trackio_keeps_the_curves(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio", reason="trackio is not installed: the extra trackio")
    run = parley.run("household", out=tmp_path / "r", hooks=["trackio:shelf"], **ABOUT)
    assert "hooks_failed" not in run.manifest["totals"]
    (file,) = (tmp_path / "trackio").rglob("shelf.db")
    db = sqlite3.connect(file)
    rows = [json.loads(text) for (text,) in db.execute("SELECT metrics FROM metrics ORDER BY id")]
    db.close()
    curve = run.curve().values.mean(axis=0)
    np.testing.assert_allclose([row["expected_regret"] for row in rows if "episode" in row], curve)
    assert rows[-1]["status"] == "finished"


def test_wandb_keeps_the_curves_offline(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="wandb is not installed: the extra wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    logged = []
    monkeypatch.setattr(wandb.Run, "log", _also(wandb.Run.log, logged))
    run = parley.run("household", out=tmp_path / "r", hooks=["wandb:shelf"], **ABOUT)
    assert "hooks_failed" not in run.manifest["totals"]
    assert [one["episode"] for one in logged if "episode" in one] == list(range(5))
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


def _also(log, logged):
    def both(self, data, *arguments, **named):
        logged.append(data)
        return log(self, data, *arguments, **named)

    return both


def test_mlflow_keeps_the_curves(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # all that mlflow-skinny has
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: the extra mlflow")
    uri = (tmp_path / "mlruns").as_uri()
    run = parley.run("household", out=tmp_path / "r", hooks=[f"mlflow:{uri},experiment=shelf"], **ABOUT)
    assert "hooks_failed" not in run.manifest["totals"], run.manifest["totals"]
    client = mlflow.MlflowClient(tracking_uri=uri)
    (kept,) = client.search_runs([client.get_experiment_by_name("shelf").experiment_id])
    assert kept.info.status == "FINISHED" and kept.data.params["planner"] == "exact"
    told = sorted((one.step, one.value) for one in client.get_metric_history(kept.info.run_id, "expected_regret"))
    np.testing.assert_allclose([value for _, value in told], run.curve().values.mean(axis=0))


def test_spans_follow_the_conventions(tmp_path):
    pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry is not installed: the extra otel")
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

    names = {value for name, value in vars(gen_ai_attributes).items() if name.isupper() and isinstance(value, str)}
    with Talker(fault=_first()) as talker:
        about = config(talker, "letters", runs=2, episodes=2)
        file = tmp_path / "spans.jsonl"
        run = parley.run(
            about.world, about.planner, episodes=2, runs=2, out=tmp_path / "r", hooks=[f"otel:{file},content=true"]
        )
    told = [json.loads(line) for line in file.read_text().splitlines()]
    root = told[-1]
    assert root["parent_id"] is None and root["attributes"]["parley.status"] == "finished"
    assert {span["parent_id"] for span in told[:-1]} == {root["context"]["span_id"]}
    calls = [span for span in told if span["name"].startswith("chat ")]
    assert len(calls) == run.manifest["totals"]["calls"]["calls"]
    assert {name for span in told for name in span["attributes"] if name.startswith("gen_ai.")} <= names
    assert (
        sum(span["attributes"].get("gen_ai.usage.input_tokens", 0) for span in calls)
        == (run.manifest["totals"]["calls"]["prompt_tokens"])
    )
    failed = [span for span in calls if "error.type" in span["attributes"]]
    assert len(failed) == 1 and failed[0]["status"]["status_code"] == "ERROR"
    said = json.loads(
        next(one for one in calls if one["attributes"]["parley.run"] == 0)["attributes"]["gen_ai.input.messages"]
    )
    assert said[0]["role"] == "user" and said[0]["parts"][0]["content"]


def _first():
    """The first call that is no probe fails."""
    said = []

    def fault(body):
        said.append(body)
        return "500" if len(said) == 12 else ""

    return fault
