"""Hooks for experiment trackers: wandb, trackio (which speaks as wandb does) and MLflow."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.calls import Call
from parley.core.errors import BadInput, MissingExtra
from parley.core.said import EpisodeRecord
from parley.core.text import inert
from parley.runs.hooks import Hook


class Curves(Hook, ABC):
    """Tells a tracker the mean over runs of every episode, once all runs of the log have ended it.

    `begun(out, manifest)`, `tracked(numbers, episode)` and `ended(status, numbers)` are the tracker's. An episode that
    had been recorded for some runs before the resumption is not told.
    """

    def begin(self, out: Path, manifest: Mapping[str, Any]) -> None:
        self._runs = manifest.get("shard", {}).get("num_runs", manifest["config"]["runs"])
        self._waiting: dict[int, list[EpisodeRecord]] = {}
        self._regret, self._calls = 0.0, {"calls": 0, "prompt_tokens": 0, "completion_tokens": 0}
        self.begun(out, manifest)

    def episode(self, record: EpisodeRecord, first_run: int) -> None:
        told = self._waiting.setdefault(record.episode, [])
        told.append(record)
        if sum(len(one.returns) for one in told) == self._runs:
            self.tracked(self._means(self._waiting.pop(record.episode)), record.episode)

    def _means(self, told: list[EpisodeRecord]) -> dict[str, float]:
        columns = {
            "return": [one.returns for one in told],
            "explored": [one.explored for one in told],
            "score": [one.scores for one in told if one.scores is not None],
            "expected_regret": [one.expected_regret for one in told],
            "regret": [one.optimal_value - one.returns for one in told],
        }
        means = {name: float(np.concatenate(arrays).mean()) for name, arrays in columns.items() if arrays}
        found = {name: value for name, value in means.items() if value == value}  # without unknown values (NaN)
        lost = found.get("expected_regret", found.get("regret"))
        if lost is not None:
            self._regret += lost
            found["cumulative_regret"] = self._regret
        return {**found, **({name: float(n) for name, n in self._calls.items()} if self._calls["calls"] else {})}

    def call(self, call: Call) -> None:
        self._calls["calls"] += 1
        self._calls["prompt_tokens"] += call.usage.prompt or 0
        self._calls["completion_tokens"] += call.usage.completion or 0

    def end(self, manifest: Mapping[str, Any]) -> None:
        calls = manifest["totals"].get("calls", {})
        numbers = {"wall_s": manifest["totals"]["wall_s"], **{f"total_{name}": value for name, value in calls.items()}}
        self.ended(str(manifest["status"]), numbers)

    @abstractmethod
    def begun(self, out: Path, manifest: Mapping[str, Any]) -> None:
        """Tell the tracker that the run begins."""

    @abstractmethod
    def tracked(self, numbers: Mapping[str, float], episode: int) -> None:
        """Tell it the means of an episode."""

    @abstractmethod
    def ended(self, status: str, numbers: Mapping[str, float]) -> None:
        """Tell it how the run ended."""


class Wandb(Curves):
    """Curves of episodes, configuration and totals, in Weights & Biases: wandb:project=NAME (extra wandb).

    Every run directory is a run of the tracker; the shards of one run are a group.
    """

    module = "wandb"

    def __init__(self, project: str = "parley", name: str = "") -> None:
        self._module, self._project, self._name = _library(self.module), project, name

    def begun(self, out: Path, manifest: Mapping[str, Any]) -> None:
        group, name = _names(out, manifest, self._name)
        self._run = self._module.init(project=self._project, name=name, group=group, config=_configuration(manifest))

    def tracked(self, numbers: Mapping[str, float], episode: int) -> None:
        self._run.log({"episode": episode, **numbers}, step=episode)

    def ended(self, status: str, numbers: Mapping[str, float]) -> None:
        self._run.log({"status": status, **numbers})
        self._run.finish(*self.exit_code(status))

    def exit_code(self, status: str) -> tuple[int, ...]:
        return (0 if status == "finished" else 1,)


class Trackio(Wandb):
    """Curves of episodes, configuration and totals, in trackio: trackio:project=NAME (extra trackio)."""

    module = "trackio"

    def exit_code(self, status: str) -> tuple[int, ...]:
        return ()


class Mlflow(Curves):
    """Curves of episodes, configuration and totals, in MLflow: mlflow:uri=URI,experiment=NAME (extra mlflow).

    Without `uri`, MLflow decides (`MLFLOW_TRACKING_URI`). The shards of one run have the same tag `parley.group`.
    """

    FINISHED = {"finished": "FINISHED", "failed": "FAILED"}

    def __init__(self, uri: str = "", experiment: str = "parley", name: str = "") -> None:
        mlflow = _library("mlflow")
        try:
            self._client = mlflow.MlflowClient(tracking_uri=uri or None)
        except mlflow.exceptions.MlflowException as wrong:
            raise BadInput(f"hook mlflow: uri={uri!r} cannot be used: {inert(str(wrong), 400)}") from None
        self._experiment, self._name = experiment, name

    def begun(self, out: Path, manifest: Mapping[str, Any]) -> None:
        group, name = _names(out, manifest, self._name)
        known = self._client.get_experiment_by_name(self._experiment)
        number = known.experiment_id if known else self._client.create_experiment(self._experiment)
        self._run = self._client.create_run(number, run_name=name, tags={"parley.group": group}).info.run_id
        for key, value in _configuration(manifest).items():
            self._client.log_param(self._run, key, value)

    def tracked(self, numbers: Mapping[str, float], episode: int) -> None:
        for key, value in numbers.items():
            self._client.log_metric(self._run, key, value, step=episode)

    def ended(self, status: str, numbers: Mapping[str, float]) -> None:
        for key, value in numbers.items():
            self._client.log_metric(self._run, key, float(value))
        self._client.set_terminated(self._run, status=self.FINISHED.get(status, "KILLED"))


def _names(out: Path, manifest: Mapping[str, Any], name: str) -> tuple[str, str]:
    """The group and the name of a run directory; of a shard, the run and the shard in it."""
    whole = out.resolve()
    if "shard" not in manifest:
        return name or whole.name, name or whole.name
    run = name or whole.parent.parent.name
    return run, f"{run}/{whole.name}"


def _configuration(manifest: Mapping[str, Any]) -> dict[str, Any]:
    versions = {f"version.{name}": value for name, value in manifest["versions"].items()}
    return {**manifest["config"], **manifest.get("shard", {}), **versions}


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise MissingExtra(f"hook {name!r}", name) from None
