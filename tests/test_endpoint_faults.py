"""Runs of the endpoint planner against a server that fails, goes down, or costs too much; killed and resumed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from parley import assemble
from parley.core.calls import ANSWERED, RunPaused
from parley.core.errors import RunDamaged
from parley.execute import RunConfig, resume, run
from parley.models.calling import encoded
from parley.runs.ledger import Limits, Prices
from tests.faulty import Faulty
from tests.talker import Talker, call_key, chance, config, is_asked, rows, tables

FAULTS = {
    "parse": ("429", "500", "stall", "truncated", "malformed"),
    "echo": ("429", "500", "stall", "truncated", "malformed", "logprobs"),
}
OUTCOMES = {
    "": "ok",
    "outside": "outside the menu",
    "429": "rate limit (429)",
    "500": "server error (500)",
    "stall": "timeout",
    "truncated": "truncated answer",
    "malformed": "malformed JSON",
    "empty": "no words",
    "logprobs": "wrong number of log-probs",
}
RESUMED = """
import sys
from pathlib import Path
from parley.execute import RunConfig, resume, run
out, spec, runs, episodes = Path(sys.argv[1]), *sys.argv[2:]
if (out / "manifest.json").exists():
    resume(out)
else:
    run(RunConfig("shortcut", spec, runs=int(runs), episodes=int(episodes)), out)
"""


def faulty(way: str, share: float = 0.3, stalls: bool = True, told: bool = True):
    """Fails a share of calls at random; what is said in vain, if `told`, depends on prompt and seed alone."""
    rng = random.Random(1)
    weights = [0.25 * stalls if fault == "stall" else 1 for fault in FAULTS[way]]  # a stall takes the longest

    def fault(body: dict) -> str:
        if not is_asked(body):
            return ""  # not the probe: what it finds is not what is tested here
        if told and way == "parse" and (at := chance(json.dumps(body, sort_keys=True))) < share / 4:
            return "outside" if at < share / 8 else "empty"
        return rng.choices(FAULTS[way], weights)[0] if rng.random() < share else ""

    return fault


def accounted(server: Talker | Faulty, out: Path) -> Counter:
    """What the server did with each call is what the log says of it, attempt by attempt; outcomes are counted.

    On a machine so busy that an answer takes longer than the time-out, the log may say so instead.
    """
    dealt, logged = defaultdict(Counter), defaultdict(Counter)
    for key, outcome in rows(out, "SELECT key, outcome FROM calls WHERE outcome != 'cached'"):
        logged[key][outcome] += 1
    number = sum(map(Counter.total, logged.values()))
    for _ in range(600):  # what was given up may not have been read yet
        if len(server.said) >= number:
            break
        time.sleep(0.1)
    for path, body, fault in server.said:
        dealt[call_key(server.base_url, path, encoded(body) if body else b"")][OUTCOMES[fault]] += 1
    assert dealt.keys() == logged.keys()
    for key, said in logged.items():
        assert said.total() == dealt[key].total()
        late = said - dealt[key]
        assert set(late) <= {"timeout", "cut off"}, (late, dealt[key])  # the rehearsal of a model that knows no chat
    return sum(dealt.values(), Counter())


def check_faults(tmp_path: Path, way: str, runs: int, episodes: int, timeout_s: float) -> None:
    with Talker(fault=faulty(way), stall_s=2 * timeout_s) as talker:
        out = tmp_path / "run"
        run(config(talker, way, runs, episodes, more=f",timeout_s={timeout_s}"), out)
        steps = rows(out, "SELECT run, episode, step FROM steps")
        assert len(steps) == len(set(steps)) == runs * episodes * 3
        assert len(rows(out, "SELECT 1 FROM episodes")) == runs * episodes
        happened = accounted(talker, out)
        assert all(
            happened[OUTCOMES[fault]] for fault in (*FAULTS[way], *(("outside", "empty") if way == "parse" else ()))
        )
        sources = dict(rows(out, "SELECT proposal_source, count(*) FROM steps GROUP BY 1"))
        assert set(sources) <= ({None} if way == "echo" else {"parse: 1 answer", "invalid"})


@pytest.mark.parametrize("way", FAULTS)
def test_a_faulty_server_loses_and_doubles_nothing(tmp_path, way):
    check_faults(tmp_path, way, runs=16, episodes=6, timeout_s=3)


@pytest.mark.parametrize(("way", "more"), [("parse", ",max_tokens=1,api=chat"), ("echo", "")])
def test_a_checkpoint_behind_a_faulty_server_plans_as_behind_a_sound_one(tmp_path, way, more):
    more += f",template=transcript,tokenizer={assemble.shipped('shortcut')},timeout_s=60"
    for name, fault in (("sound", lambda body: ""), ("faulty", faulty(way, stalls=False, told=False))):
        with Faulty("shortcut", fault) as server:
            run(config(server, way, runs=6, episodes=6, more=more, model="shortcut"), tmp_path / name)
            happened = accounted(server, tmp_path / name)
    decided = "SELECT run, episode, step, subgoal, next_observation, reward FROM steps ORDER BY 1, 2, 3"
    assert rows(tmp_path / "faulty", decided) == rows(tmp_path / "sound", decided)
    assert all(happened[OUTCOMES[fault]] for fault in FAULTS[way] if fault != "stall")


@pytest.mark.slow
@pytest.mark.parametrize("way", FAULTS)
def test_a_faulty_server_at_length(tmp_path, way):
    check_faults(tmp_path, way, runs=64, episodes=50, timeout_s=10)


def check_kills(
    tmp_path: Path, runs: int, episodes: int, kills: int, slow_s: float, more=",answers=2", answer=None
) -> None:
    rng = random.Random(2)

    def slowly(body: dict) -> str:
        time.sleep(slow_s)
        return fault(body)

    fault = faulty("parse", stalls=False)
    with Talker(answer=answer, fault=slowly) as talker:
        whole, out = tmp_path / "whole", tmp_path / "killed"
        run(config(talker, "parse", runs, episodes, more=more), whole)
        calls = len(talker.said)
        talker.said.clear()
        spec = config(talker, "parse", more=more).planner
        command = [sys.executable, "-c", RESUMED, str(out), spec, str(runs), str(episodes)]
        done = 0
        while True:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ)
            if done == kills:
                _, said = process.communicate(timeout=600)
                assert process.returncode == 0, said.decode()
                break
            fatal = len(talker.said) + rng.randint(1, calls // (2 * kills))  # so that calls are left for the last kill
            while len(talker.said) < fatal and process.poll() is None:
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            _, said = process.communicate()
            assert process.returncode == -signal.SIGKILL, said.decode()
            done += 1
        assert tables(out) == tables(whole)
        answered = f"outcome IN {ANSWERED}"
        assert rows(out, f"SELECT max(n) FROM (SELECT count(*) n FROM calls WHERE {answered} GROUP BY key)") == [(1,)]
        served = sum(fault in ("", "outside", "empty") for _, _, fault in talker.said)
        committed = rows(out, f"SELECT count(*) FROM calls WHERE {answered}")[0][0]
        assert 0 <= served - committed <= kills * 64


def test_killed_and_resumed(tmp_path):
    check_kills(tmp_path, runs=8, episodes=6, kills=2, slow_s=0.02)


@pytest.mark.slow
def test_killed_ten_times(tmp_path):
    check_kills(tmp_path, runs=64, episodes=50, kills=10, slow_s=0.01)


def test_limits_pause_a_run_that_goes_on_to_the_same_end(tmp_path):
    prices = Prices({"m": {"prompt": 1.0, "completion": 2.0}})
    with Talker() as talker:
        whole = run(config(talker, "parse"), tmp_path / "whole", limits=Limits(prices=prices))
        spent = whole["totals"]["calls"]
        assert spent["cost"] == pytest.approx((spent["prompt_tokens"] + 2 * spent["completion_tokens"]) / 1e6)
        with pytest.raises(RunPaused, match="token_limit=2000 is reached.*parley resume"):
            run(config(talker, "parse"), tmp_path / "cut", limits=Limits(tokens=2000))
        assert json.loads((tmp_path / "cut/manifest.json").read_text())["status"] == "interrupted"
        with pytest.raises(RunPaused, match="cost_limit"):  # on the whole run: what had no price yet gets one
            resume(tmp_path / "cut", limits=Limits(cost=spent["cost"] / 2, prices=prices))
        cut = json.loads((tmp_path / "cut/manifest.json").read_text())["totals"]["calls"]
        assert cut["cost"] == pytest.approx((cut["prompt_tokens"] + 2 * cut["completion_tokens"]) / 1e6)
        before = len(talker.said)
        assert (done := resume(tmp_path / "cut"))["status"] == "finished"
        assert 0 < done["totals"]["calls"]["unpriced"] < spent["calls"]
        assert tables(tmp_path / "cut") == tables(tmp_path / "whole")
        assert len(talker.said) - before < spent["calls"]


def test_a_resumption_says_what_is_not_as_it_was(tmp_path):
    """A template that was changed is refused, as a world file is; another server is told of."""
    template, said = tmp_path / "mine.jinja", []
    template.write_text('{% extends "chat" %}')
    more = f",template={template}"
    with Talker() as talker:
        with pytest.raises(RunPaused):
            run(config(talker, "parse", more=more), tmp_path / "run", limits=Limits(tokens=2000))
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    with Talker() as other:
        manifest["config"]["planner"] = config(other, "parse", more=more).planner
        (tmp_path / "run/manifest.json").write_text(json.dumps(manifest))
        assert resume(tmp_path / "run", warn=said.append, trust=True)["status"] == "finished"
        assert said == [
            f"resumed with another planner, whose answers may differ: base_url was {talker.base_url!r}, "
            f"is {other.base_url!r}"
        ]
        run_again = tmp_path / "again"
        with pytest.raises(RunPaused):
            run(config(other, "parse", more=more), run_again, limits=Limits(tokens=2000))
        template.write_text('{% extends "chat" %}{% block again %}Again!{% endblock %}')
        with pytest.raises(RunDamaged, match="mine.jinja.*is not what it was"):
            resume(run_again)


def test_a_server_that_goes_down_pauses_the_run_until_it_is_back(tmp_path):
    down = [False]
    with Talker(fault=lambda body: "503" if down[0] else "") as talker:
        cfg = config(talker, "parse", runs=4, episodes=20, more="").planner.replace("breaker=1000", "breaker=10")
        cfg = RunConfig("shortcut", cfg, runs=4, episodes=20)

        def progress(record, runs):
            down[0] = down[0] or record.episode == 5  # runs do not go in step

        with pytest.raises(RunPaused, match="10 calls in a row failed|attempts at a call failed"):
            run(cfg, tmp_path / "run", progress)
        down[0] = False
        assert resume(tmp_path / "run")["status"] == "finished"
        run(cfg, tmp_path / "whole")
    assert tables(tmp_path / "run") == tables(tmp_path / "whole")


def test_answers_on_disk_are_not_asked_for_again(tmp_path):
    with Talker() as talker:
        cfg = config(talker, "parse", more=f",cache={tmp_path / 'answers.sqlite'}")
        run(cfg, tmp_path / "first")
        before = len(talker.said)
        run(cfg, tmp_path / "second")
        assert len(talker.said) == before and tables(tmp_path / "first") == tables(tmp_path / "second")
        other = RunConfig(**{**vars(cfg), "seed": 1})
        run(other, tmp_path / "third")
        assert len(talker.said) > before
