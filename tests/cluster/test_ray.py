"""`--on ray`: the bits of one process, whatever dies; one account of calls over all workers."""

import json
import os
import random
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from parley import assemble
from parley.bench.arms import Sizes
from parley.bench.budget import Budget
from parley.bench.cards import card_of
from parley.bench.conducting import Bench, Plan
from parley.cluster.account import Account
from parley.cluster.addressed import brought
from parley.cluster.documents import make_documents, spread
from parley.cluster.driver import Options, resume_on, run_on
from parley.cluster.engines import Lost, engine_of
from parley.cluster.on_ray import RayEngine
from parley.core.calls import RunPaused
from parley.data.dataset import DataConfig
from parley.data.make import make
from parley.execute import RunConfig, run
from parley.experiments.base import conduct
from parley.experiments.cells import measuring
from parley.experiments.known import EXPERIMENTS
from parley.runs.directory import read_manifest
from parley.runs.ledger import Limits
from parley.runs.shards import connect
from tests.bucket import Bucket
from tests.cluster.serial import all_of
from tests.talker import Talker, config

ray = pytest.importorskip("ray", reason="Ray is not installed: the extra ray")
# A Ray that did not start in time, on a busy machine, leaves its processes to themselves; it is begun again.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <function Popen.__del__")
# As if the machine were ours: Ray kills workers where others need memory, and gives them the lowest priority but four.
ALONE = {"RAY_memory_monitor_refresh_ms": "0", "RAY_worker_niceness": "0"}
EXPLORE = "epsilon-greedy:epsilon=0.2"
RUNS = {
    "exact": RunConfig("household", "exact", EXPLORE, 6, 10, 3, cohort=4),
    "transformer": RunConfig("shortcut", "transformer", EXPLORE, 8, 6, 3, cohort=2),
}


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def bucket():
    """An object store, which workers know from their environment."""
    with Bucket() as store:
        yield store


@pytest.fixture(scope="module")
def two_workers(monkeypatch_module, bucket):
    """A Ray of this machine with two cores, which engines of this process find."""
    for name, value in {**ALONE, **bucket.environment}.items():
        monkeypatch_module.setenv(name, value)
    engine = engine_of("ray:cpus=1")
    engine.connected()
    yield engine
    ray.shutdown()


def workers() -> list[int]:
    """The processes that carry out units, of Rays that this process or one of its children began."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cmdline").read_bytes().startswith(b"ray::_task") and os.getpid() in ancestors(int(path.name)):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def ancestors(pid: int) -> list[int]:
    found = []
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        found.append(pid)
    return found


@pytest.mark.parametrize("name", RUNS)
def test_tables_are_those_of_one_process(tmp_path, two_workers, name):
    run(RUNS[name], tmp_path / "one")
    manifest = run_on(two_workers, RUNS[name], tmp_path / "many")
    assert manifest["status"] == "finished" and manifest["on"] == "ray:cpus=1"
    assert all_of(tmp_path / "many", connect) == all_of(tmp_path / "one")


def test_shards_are_put_into_an_object_store(tmp_path, two_workers, bucket):
    pytest.importorskip("obstore", reason="obstore is not installed: the extra objects")
    out = Path("s3://runs/many")
    run(RUNS["exact"], tmp_path / "one")
    assert run_on(two_workers, RUNS["exact"], out)["status"] == "finished"
    assert all_of(brought(out), connect) == all_of(tmp_path / "one")
    assert len([key for key in bucket.objects if key.startswith("runs/many/shards/") and "log-" in key]) >= 3


@pytest.mark.slow
def test_an_endpoint_planner_hears_the_same_and_workers_share_their_limits(tmp_path, two_workers):
    with Slow(0.2) as talker:  # long enough for calls to meet on a busy machine
        about = config(talker, "letters", runs=8, episodes=3, cohort=2, more=",timeout_s=30")
        about = replace(about, planner=about.planner.replace("concurrency=64", "concurrency=3"))
        run(about, tmp_path / "one")
        talker.most = 0
        manifest = run_on(two_workers, about, tmp_path / "many")
        assert all_of(tmp_path / "many", connect) == all_of(tmp_path / "one")
        assert 1 < talker.most <= 3, "calls in flight over all workers are as many as the planner's concurrency"
        calls = manifest["totals"]["calls"]
        spent = calls["prompt_tokens"] + calls["completion_tokens"]
        limit = spent // 2
        with pytest.raises(RunPaused, match=f"token_limit={limit} is reached"):
            run_on(two_workers, about, tmp_path / "limited", Options(Limits(tokens=limit)))
        stopped = read_manifest(tmp_path / "limited")
        assert stopped["status"] == "interrupted" and stopped["error"].startswith("paused: token_limit")
        with closing(connect(tmp_path / "limited" / "run.sqlite")) as db:
            taken = db.execute(
                "SELECT sum(prompt_tokens + completion_tokens), max(prompt_tokens) FROM calls"
            ).fetchone()
        assert limit <= taken[0] <= limit + 3 * (taken[1] + 64), "at most the calls in flight come on top"
        asked = len(talker.said)
        resume_on(two_workers, tmp_path / "limited")
        assert all_of(tmp_path / "limited", connect) == all_of(tmp_path / "one")
        ok = "SELECT count(*) FROM calls WHERE outcome = 'ok' AND run >= 0"
        with closing(connect(tmp_path / "limited" / "run.sqlite")) as db:
            assert len(talker.said) - asked < db.execute(ok).fetchone()[0], "what was answered is not asked again"


def test_the_cells_of_an_experiment_are_those_of_one_process(tmp_path, two_workers):
    class Small:
        """Two cells of an experiment of ours."""

        NAME, CLAIM = "linear-regret", ""

        @staticmethod
        def cells(quick):
            return [replace(cell, episodes=20, runs=4) for cell in EXPERIMENTS["linear-regret"].cells(True)[:2]]

        @staticmethod
        def analyse(cells, regrets):
            return EXPERIMENTS["linear-regret"].analyse(cells, regrets)

        figure = EXPERIMENTS["linear-regret"].figure

    bars = []

    def begin(label, total):
        return lambda *done: bars.append((label, *done))

    here, _ = conduct(Small, tmp_path / "here", True, begin)
    local, bars[:] = len(bars), []
    there, _ = conduct(Small, tmp_path / "there", True, begin, measuring(two_workers, begin))
    assert there == here and local == 40 and bars == [("linear-regret", 1), ("linear-regret", 2)]


class Slow(Talker):
    """Takes some time for an answer, and knows how many it has been asked for at once at most."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.now, self.most = seconds, 0, 0

    def reply(self, path, body):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        try:
            return super().reply(path, body)
        finally:
            with self.lock:
                self.now -= 1


def answered(out: Path) -> set[tuple]:
    """The calls that have been committed, whoever is writing."""
    found = set()
    for path in out.glob("shards/*/run.sqlite"):
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
                found |= set(db.execute("SELECT run, episode, step, key, answer FROM calls WHERE outcome = 'ok'"))
        except sqlite3.OperationalError:
            pass  # it is just being made
    return found


def test_pretraining_data_are_those_of_one_process(tmp_path, two_workers, monkeypatch):
    config = DataConfig("shortcut", documents=3000, episodes=12, chat=1)
    tables = assemble.world(config.world).tables
    here = make(tables, config, tmp_path / "one")
    there = make(tables, config, tmp_path / "many", spread=spread(two_workers, tmp_path / "many"))
    assert len(here["files"]) > 1 and there == here
    (tmp_path / "many" / here["files"][0]["file"]).unlink()
    manifest = json.loads((tmp_path / "many" / "data.json").read_text())
    (tmp_path / "many" / "data.json").write_text(json.dumps({**manifest, "status": "started", "world_sha256": "0"}))
    monkeypatch.chdir(tmp_path)  # the unit changes the directory; the test is to end where it began
    assert "is another one on this machine" in make_documents(str(tmp_path / "many"), 0, str(tmp_path))


def test_a_card_is_that_of_one_process(tmp_path, two_workers):
    plan = Plan("exact", ("memory",), ("shortcut",), Sizes(episodes=4, runs=4, batches=2))
    cards = []
    for name, engine in (("one", None), ("many", two_workers)):
        bench = Bench(plan, tmp_path / name)
        card = card_of(bench, bench.conduct(Budget(), lambda said: None, engine=engine))
        cards.append(replace(card, spent={}, entries=[replace(line, details={}) for line in card.entries]))
    assert cards[0] == cards[1] and cards[0].entries[0].num_runs > 0
    for run_of in sorted((tmp_path / "one" / "runs").glob("*/*")):
        assert all_of(run_of) == all_of(tmp_path / "many" / run_of.relative_to(tmp_path / "one"))


@pytest.mark.slow
def test_workers_are_killed_and_nothing_is_lost_or_there_twice(tmp_path, two_workers):
    with Slow(0.01) as talker:
        about = config(talker, "letters", runs=8, episodes=6, cohort=2, more=",timeout_s=30")
        run(about, tmp_path / "one")
        kept: set[tuple] = set()
        killed: list[int] = []

        def kill() -> None:
            while len(killed) < 3 and not over.wait(0.4):
                for pid in workers()[:1]:
                    kept.update(answered(tmp_path / "many"))
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

        over = threading.Event()
        killer = threading.Thread(target=kill)
        killer.start()
        run_on(two_workers, about, tmp_path / "many")
        over.set()
        killer.join()
        assert killed
        assert all_of(tmp_path / "many", connect) == all_of(tmp_path / "one")
        assert kept <= answered(tmp_path / "many"), "what was answered is kept"
        with closing(connect(tmp_path / "many" / "run.sqlite")) as db:
            again = "SELECT count(*) - count(DISTINCT run || ' ' || key) FROM calls WHERE outcome = 'ok' AND run >= 0"
            assert db.execute(again).fetchone()[0] == 0, "and not asked again"


@pytest.mark.slow
def test_workers_are_killed_and_nothing_is_lost_in_an_object_store(tmp_path, two_workers, bucket):
    pytest.importorskip("obstore", reason="obstore is not installed: the extra objects")
    out, killed = Path("s3://runs/killed"), []
    with Slow(0.01) as talker:
        about = config(talker, "letters", runs=8, episodes=6, cohort=2, more=",timeout_s=30")
        run(about, tmp_path / "one")
        over = threading.Event()

        def kill() -> None:
            while len(killed) < 3 and not over.wait(0.4):
                for pid in workers()[:1]:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

        killer = threading.Thread(target=kill)
        killer.start()
        run_on(two_workers, about, out)
        over.set()
        killer.join()
    assert killed and all_of(brought(out), connect) == all_of(tmp_path / "one")


class Accountless(RayEngine):
    """A Ray whose account dies at once."""

    def _shared(self, account):
        actor = super()._shared(account)
        ray.kill(actor)
        return actor


@pytest.mark.slow
def test_a_run_whose_account_is_gone_goes_on_when_it_is_resumed(tmp_path, two_workers):
    with Slow(0.01) as talker:
        about = config(talker, "letters", runs=4, episodes=2, cohort=2, more=",timeout_s=30")
        run(about, tmp_path / "one")
        with pytest.raises(Lost, match="the account of the run's limits is gone.*`parley resume"):
            run_on(Accountless("ray:cpus=1"), about, tmp_path / "many")
        assert read_manifest(tmp_path / "many")["status"] == "interrupted"
        resume_on(two_workers, tmp_path / "many")
    assert all_of(tmp_path / "many", connect) == all_of(tmp_path / "one")


def test_an_account_gives_back_what_a_dead_unit_had_taken():
    import asyncio

    async def story() -> None:
        account = Account(tokens=100, in_flight=2, spent=(10, 0.0))
        first = await account.begin("a", 0, 0.0)
        assert await account.take("a", first) == "" and await account.take("a", first) == ""
        other = await account.begin("b", 0, 0.0)
        waits = asyncio.create_task(account.take("b", other))
        await asyncio.sleep(0.01)
        assert not waits.done()
        second = await account.begin("a", 30, 0.0)  # it was killed, and is taken up: its log holds 30 tokens
        assert await asyncio.wait_for(waits, 1) == ""
        await account.give("a", first, 1000, 0.0)  # late, from the one that was killed
        assert (await account.state())["tokens"] == 30 and (await account.state())["most_in_flight"] == 2
        await account.give("b", other, 60, 0.0)
        assert "token_limit=100 is reached: 100 tokens" in await account.take("a", second)

    asyncio.run(story())


@contextmanager
def head(folder, environment):
    """A Ray that is begun by its own command, with a server for clients; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--num-cpus=2", "--include-dashboard=false", "--object-store-memory=100000000", "--disable-usage-stats"]
    options += ["--port=0", f"--ray-client-server-port={port}", f"--temp-dir={folder}", "--block"]
    command = [str(Path(sys.executable).parent / "ray"), "start", "--head", *options]
    with open(folder / "head.log", "w") as log:
        started = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        until = time.monotonic() + 300
        while "Ray runtime started" not in (folder / "head.log").read_text():
            assert started.poll() is None and time.monotonic() < until, (folder / "head.log").read_text()[-2000:]
            time.sleep(0.5)
        yield f"ray://127.0.0.1:{port}"
    finally:
        started.terminate()
        started.wait(60)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_cluster_from_outside_finds_the_same(tmp_path):
    pytest.importorskip("grpc", reason="Ray's client is not installed: the extra ray")
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment = {**os.environ, **ALONE, **token, "PYTHONPATH": ":".join(sys.path)}
    with Slow(0.01) as talker, tempfile.TemporaryDirectory(prefix="ray-") as folder:  # sockets need a short path
        asked = config(talker, "letters", runs=8, episodes=3, cohort=2, more=",timeout_s=30")
        with head(Path(folder), environment) as address:
            for name, about in (("exact", RUNS["exact"]), ("endpoint", asked)):
                run(about, tmp_path / name)
                out = tmp_path / f"{name}-many"
                command = [sys.executable, "-c", DRIVER, str(out), json.dumps(vars(about)), address]
                done = subprocess.run(command, capture_output=True, text=True, env=environment)
                assert done.stdout == "done\n", done.stderr[-2000:]
                assert read_manifest(out)["on"] == address
                assert all_of(out, connect) == all_of(tmp_path / name)


DRIVER = """
import json, sys
from pathlib import Path
from parley.cluster.driver import resume_on, run_on
from parley.cluster.engines import engine_of
from parley.execute import RunConfig
out, about = Path(sys.argv[1]), json.loads(sys.argv[2])
engine = engine_of((sys.argv[3:] or ["ray"])[0])
resume_on(engine, out) if (out / "manifest.json").is_file() else run_on(engine, RunConfig(**about), out)
print("done", flush=True)
"""


def below(pid: int, words: bytes) -> list[int]:
    """The descendants of a process whose command line has `words`."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if words in (path / "cmdline").read_bytes() and pid in ancestors(int(path.name)):
                found.append(int(path.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_twenty_kills_of_workers_raylets_and_drivers_lose_and_double_nothing(tmp_path):
    kinds = [*["worker"] * 12, *["raylet"] * 4, *["driver"] * 4]
    random.Random(1).shuffle(kinds)
    done, kept, heard, rng = dict.fromkeys(kinds, 0), set(), 0, random.Random(2)
    with Slow(0.2) as talker:
        about = config(talker, "letters", runs=64, episodes=6, cohort=1, more=",timeout_s=30")
        run(about, tmp_path / "one")
        alone = len(talker.said)
        calm = {**os.environ, **ALONE}
        while True:
            command = [sys.executable, "-c", DRIVER, str(tmp_path / "many"), json.dumps(vars(about))]
            driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=calm)
            while kinds and driver.poll() is None:
                kept |= answered(tmp_path / "many")
                if len(kept) < heard + 8:  # since the last kill, units have got on
                    time.sleep(0.1)
                    continue
                time.sleep(rng.uniform(0.0, 0.5))
                units, kind = below(driver.pid, b"ray::_task"), kinds[-1]
                found = {"worker": units, "raylet": below(driver.pid, b"/raylet/raylet"), "driver": [driver.pid]}[kind]
                kept |= answered(tmp_path / "many")
                heard = len(kept)
                try:
                    os.kill(rng.choice(found), signal.SIGKILL)
                except (ProcessLookupError, IndexError):
                    continue
                done[kinds.pop()] += 1
                if kind != "worker":
                    break
            try:
                said, _ = driver.communicate(timeout=None if not kinds and kind == "worker" else 120)
            except subprocess.TimeoutExpired:
                driver.kill()
                said, _ = driver.communicate()
            if said == "done\n":
                break
    assert done == {"worker": 12, "raylet": 4, "driver": 4}
    assert all_of(tmp_path / "many", connect) == all_of(tmp_path / "one")
    assert kept and kept <= answered(tmp_path / "many")
    with closing(connect(tmp_path / "many" / "run.sqlite")) as db:
        again = "SELECT count(*) - count(DISTINCT run || ' ' || key) FROM calls WHERE outcome = 'ok' AND run >= 0"
        assert db.execute(again).fetchone()[0] == 0
    print(f"calls: {alone} in one process, {len(talker.said) - alone} with {sum(done.values())} kills")


EIGHT = """
import os, signal, sys, threading, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from parley.cluster.driver import run_on
from parley.cluster.engines import engine_of
from tests.cluster.test_ray import below
from tests.talker import config
from types import SimpleNamespace
nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 80 << 20})
others = [nodes.add_node(num_cpus=1, object_store_memory=80 << 20) for _ in range(7)]
ray.init(nodes.address, logging_level="ERROR", log_to_driver=False)
about = config(SimpleNamespace(base_url=sys.argv[2]), "letters", runs=24, episodes=6, cohort=1, more=",timeout_s=30")
def lose():
    while len(below(os.getpid(), b"ray::_task")) < 4:
        time.sleep(0.2)
    for node in others[:2]:
        os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)
    print("lost", flush=True)
threading.Thread(target=lose, daemon=True).start()
run_on(engine_of("ray:cpus=1"), about, Path(sys.argv[1]))
print("nodes", sum(node["Alive"] for node in ray.nodes()), flush=True)
ray.shutdown()
nodes.shutdown()
"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_eight_nodes_of_which_two_are_lost(tmp_path):
    with Slow(0.2) as talker:
        about = config(talker, "letters", runs=24, episodes=6, cohort=1, more=",timeout_s=30")
        run(about, tmp_path / "one")
        command = [sys.executable, "-c", EIGHT, str(tmp_path / "many"), talker.base_url]
        environment = {**os.environ, **ALONE, "PYTHONPATH": ":".join([*sys.path])}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert {"lost", "nodes 6"} <= set(done.stdout.splitlines()), done.stderr[-2000:]
    assert all_of(tmp_path / "many", connect) == all_of(tmp_path / "one")
