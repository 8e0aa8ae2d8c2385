"""Exports in the frameworks themselves, against our own server, each in an environment of its own.

PARLEY_INSPECT_PYTHON and PARLEY_VERIFIERS_PYTHON may name a Python that has the framework and what Parley needs.
Otherwise they are installed from PyPI, which takes minutes; without a network the tests are skipped.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from parley import assemble
from parley.cli import main
from parley.serving.app import Running

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
WORLD = "bandit:arms=3,gap=0.5"
SMALL = ["--suite", "reliability", "--suite", "bayes", "--world", WORLD, "--episodes", "4", "--runs", "2"]
SMALL += ["--batches", "1"]


def python_with(package: str, variable: str, folder: Path) -> Path:
    """The Python of an environment that has a package beside what Parley needs."""
    if named := os.environ.get(variable):
        return Path(named)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "-q", package, "openai", f"{ROOT}[endpoint]"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if found.returncode:
        pytest.skip(f"{package} cannot be installed here: {found.stderr[-300:]}")
    return python


def played(python: Path, program: str, words: list[str], folder: Path, base_url: str) -> str:
    """What a program of the environment says, in a folder that holds the exported file."""
    known = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{folder}", "PARLEY_BASE_URL": base_url}
    command = [str(python.parent / program), *words]
    found = subprocess.run(
        command, cwd=folder, env={**known, "PARLEY_API_KEY": "none"}, capture_output=True, text=True, timeout=500
    )
    assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-2000:]
    return found.stdout


@pytest.mark.timeout(1800)
def test_inspect_eval_makes_the_card_that_parley_bench_makes(tmp_path) -> None:
    python = python_with("inspect-ai", "PARLEY_INSPECT_PYTHON", tmp_path / "venv")
    options = "way=constrained,budget=1000"
    assert main(["bench", "export", "--to", "inspect", *SMALL, "--out", str(tmp_path)]) == 0
    with Running(assemble.shipped("shortcut")) as server:
        spec = f"endpoint:model=parley/shortcut,base_url={server.base_url},api=chat,{options}"
        assert main(["bench", spec, *SMALL, "--out", str(tmp_path / "direct")]) == 0
        words = ["eval", "parley_bench.py", "--model", "openai-api/parley/shortcut", "--display", "plain"]
        words += ["--log-format", "json", "-T", "out=cards", "-T", f"options={options}"]
        played(python, "inspect", words, tmp_path, server.base_url)
    due, found = (
        {line["name"]: line for line in json.loads((tmp_path / path / "card.json").read_text("utf-8"))["entries"]}
        for path in ("direct", "cards/openai-api-parley-shortcut")
    )
    assert {name: line["value"] for name, line in found.items()} == {name: one["value"] for name, one in due.items()}
    assert due[f"moved/{WORLD}"]["value"] > 0
    (log,) = (tmp_path / "logs").glob("*.json")
    told = json.loads(log.read_text("utf-8"))
    assert told["status"] == "success"
    assert {sample["id"] for sample in told["samples"]} == set(due)
    for sample in told["samples"]:
        assert sample["scores"]["share_of_the_way"]["metadata"]["value"] == due[sample["id"]]["value"]


@pytest.mark.timeout(1800)
def test_verifiers_plays_streams_and_scores_them(tmp_path) -> None:
    python = python_with("verifiers", "PARLEY_VERIFIERS_PYTHON", tmp_path / "venv")
    assert main(["bench", "export", "--to", "verifiers", *SMALL, "--out", str(tmp_path)]) == 0
    with Running(assemble.shipped("generated")) as server:
        words = ["parley-bench", "--no-push", "--model", "generated", "--client.base-url", server.base_url]
        words += ["--client.api-key-var", "PARLEY_API_KEY", "--sampling.max-tokens", "4"]
        played(python, "vf-eval", words, tmp_path, server.base_url)
    (path,) = (tmp_path / "outputs").glob("*/traces.jsonl")
    episodes = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len(episodes) == 2
    for episode in episodes:
        assert episode["ok"]
        (trace,) = episode["traces"]
        paid = trace["rewards"]["return"]["score"]
        assert paid + trace["metrics"]["regret"] == pytest.approx(0.75)  # what the best arm pays: the whole was played
        assert 0 <= trace["metrics"]["invalid"] <= 4
