"""Runs of every kind that are ended at random moments, by SIGKILL, SIGTERM and Ctrl-C, and resumed: the same tables."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parley.execute import RunConfig, run
from parley.runs import recorder
from tests.helpers import tables_of
from tests.talker import Talker

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
ENDED = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130}
STEPS = dict(record="steps", cohort=4, runs=8)
CONFIGS = {
    "exact": RunConfig("household", "exact", "epsilon-greedy:epsilon=0.2", episodes=60, **STEPS),
    "sampling": RunConfig("treasure:n=4", "posterior-sampling", "none", episodes=60, **STEPS),
    "adaptive": RunConfig("shortcut", "exact", "adaptive", episodes=60, **STEPS),
    "transformer": RunConfig("shortcut", "transformer:decode=greedy", "adaptive-proposals", episodes=60, **STEPS),
    "episodes": RunConfig("shortcut", "transformer", "epsilon-greedy:epsilon=0.2", 60, 8, record="episodes", cohort=4),
    "world model": RunConfig("shortcut", "world-model:model=exact", "epsilon-greedy:epsilon=0.2", episodes=40, **STEPS),
    "learned world model": RunConfig("shortcut", "world-model:model=transformer", "none", episodes=30, **STEPS),
    "two Actors": RunConfig("random:actors=2", "exact", "epsilon-greedy:epsilon=0.2", episodes=60, **STEPS),
    "decentralised": RunConfig("team", "decentralised", "none", episodes=40, **STEPS),
    "workers": RunConfig("keys:workers=2", "random", "none", episodes=80, record="steps", cohort=4, runs=4),
}
SCRIPT = """
import sys, time
from pathlib import Path
from parley import execute
from parley.cli.signals import heeded
from parley.runs import recorder
if __name__ == "__main__":
    recorder.SNAPSHOT_S, recorder.COMMIT_S = 0.05, 0.02
    out = Path(sys.argv[1])
    slow = lambda record, runs: time.sleep(float(sys.argv[2]))
    with heeded() as came:
        try:
            print("ready", flush=True)
            if (out / "manifest.json").exists():
                execute.resume(out, slow)
            else:
                execute.run(execute.RunConfig(**eval(sys.argv[3])), out, slow)
            print("done", flush=True)
        except KeyboardInterrupt:
            sys.exit(128 + came[0])
"""


def ended_and_resumed(out: Path, config: RunConfig, times: int, rng: random.Random, slow_s: float) -> list[int]:
    """Carry the run out, ended `times` times at random moments; returns the signals that came before its end."""
    script = out.with_name("script.py")
    script.write_text(SCRIPT)
    came: list[int] = []
    while True:
        command = [sys.executable, str(script), str(out), str(slow_s), repr(vars(config))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline() == "ready\n", process.communicate()[1]
        number = rng.choice(SIGNALS)
        if len(came) < times:
            time.sleep(rng.uniform(0.0, 1.2))
            process.send_signal(number)
        said, wrong = process.communicate(timeout=300)
        if said == "done\n":
            return came
        assert process.returncode == ENDED[number] and "Traceback" not in wrong, wrong
        if number != signal.SIGKILL and (out / "manifest.json").exists():
            manifest = json.loads((out / "manifest.json").read_text())
            killed_before = manifest.get("process", {}).get("pid") != process.pid
            assert manifest["status"] in ("interrupted", "finished") or killed_before
        came.append(number)


def check(kind: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow_s: float = 0.002) -> int:
    for name, value in (("SNAPSHOT_S", 0.05), ("COMMIT_S", 0.02)):
        monkeypatch.setattr(recorder, name, value)
    config, rng = CONFIGS[kind], random.Random(kind)
    run(config, tmp_path / "whole")
    came = ended_and_resumed(tmp_path / "ended", config, times, rng, slow_s)
    assert tables_of(tmp_path / "ended") == tables_of(tmp_path / "whole")
    return len(came)


@pytest.mark.parametrize("kind", ["adaptive", "two Actors", "world model"])
def test_ended_and_resumed(kind, tmp_path, monkeypatch):
    # So slow that 40 episodes last longer than the latest signal takes to come, on the fastest machine.
    assert check(kind, 2, tmp_path, monkeypatch, slow_s=0.04) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", CONFIGS)
def test_ended_eighteen_times_and_resumed(kind, tmp_path, monkeypatch):
    # As above: 30 episodes of two cohorts last longer than 18 signals take to come.
    assert check(kind, 18, tmp_path, monkeypatch, slow_s=0.4) == 18


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["full", "summary"])
def test_a_language_model_behind_a_server_ended_ten_times(memory, tmp_path, monkeypatch):
    with Talker() as talker:
        spec = f"endpoint:model=vllm/m,base_url={talker.base_url},way=parse,memory={memory}"
        config = RunConfig("shortcut", spec, "epsilon-greedy:epsilon=0.2", episodes=12, **STEPS)
        monkeypatch.setitem(CONFIGS, "endpoint", config)
        assert check("endpoint", 10, tmp_path, monkeypatch, slow_s=0.8) == 10
