"""How fast the viewer answers on a large log: 64 runs of 10,000 episodes with their steps, about 1.5 GB.

`--slowdown PAIRS`: the cost of an open viewer to a run that goes on. `--beside PYTHON`: compared in a browser with
`inspect view` on a log of as many samples. PYTHON is an interpreter in which inspect-ai is installed.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import numpy as np

from parley.assemble.conditions import machine
from parley.core.said import EpisodeRecord, Menu, Proposal, StepRecord
from parley.execute import RunConfig
from parley.runs.store import RunStore
from parley.worlds.household.world import household


def large_log(out: Path, episodes: int, runs: int, status: str = "finished", seed: int = 0) -> None:
    """A log as a run in `household` writes it, by the recorder of runs; what was said is drawn at random."""
    tables = household().tables
    rng, horizon = np.random.default_rng(seed), 2 * tables.horizon  # two of its episodes in one
    config = RunConfig("household", "exact", "epsilon-greedy:epsilon=0.1", episodes, runs, seed, record="steps")
    names = [tables.latents[z] for z in rng.integers(tables.num_latents, size=runs)]
    entries = dict(config={**asdict(config), "cohort": runs}, latents=names, horizon=horizon, machine=machine())
    store = RunStore.create(out, **entries, menus=[list(menu) for menu in tables.menus], inputs={})
    recorder, menu = store.recorder(0, 0, runs), Menu.shared(tables.menus[0])
    words, sentences = np.array(tables.menus[0], dtype=object), np.array(tables.observations, dtype=object)
    asked, active = np.array(tables.instructions, dtype=object), np.ones(runs, dtype=bool)
    for t in range(episodes):
        explored, total = rng.random(runs) < 0.1 + 0.3 * (t < 50), np.zeros(runs)
        for h in range(1, horizon + 1):
            probs = rng.dirichlet(np.full(len(words), 0.2), size=runs)
            chosen = probs.argmax(axis=1)
            reward = (rng.random(runs) < 0.3) * (h == horizon)
            total += reward
            said, heard = sentences[rng.integers(len(sentences), size=(2, runs))]
            record = StepRecord(
                t, h, said, words[chosen][:, None], explored, [Proposal(probs)], [probs], heard, reward, active, [menu]
            )
            recorder.step(record)
        regret = rng.random(runs) / (1 + t / 50)
        instructions = asked[np.full(runs, t % len(asked))]
        recorder.episode(EpisodeRecord(t, instructions, explored, total, np.ones(runs), regret, 0.02))
    store.close(status, wall_s=1.0)


def asked(viewer: str, question: str, **parameters: object) -> tuple[float, int]:
    """Seconds and bytes of one answer."""
    began = time.perf_counter()
    with urlopen(f"{viewer}api/{question}?{urlencode(parameters)}", timeout=120) as answer:
        content = answer.read()
    return time.perf_counter() - began, len(content)


def memory_mb(pid: int) -> float:
    """The largest resident memory of a process so far, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1000


@contextmanager
def served(root: Path) -> Iterator[tuple[str, int]]:
    """Address and process id of a viewer."""
    command = [sys.executable, "-m", "parley", "view", str(root), "--port", "0", "--json"]
    with tempfile.TemporaryDirectory() as state:
        environment = {**os.environ, "XDG_STATE_HOME": state}
        server = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        assert server.stdout
        try:
            yield json.loads(server.stdout.readline())["url"], server.pid
        finally:
            server.terminate()
            server.wait()


def measured(root: Path, run: str, episodes: int, runs: int) -> None:
    """Each view of a log that no one has read yet; twice, as the first of list and heat map does the reading."""
    with served(root) as (url, pid):
        asked(url, "experiments")  # it has begun
        before = processor_s(pid)
        show("heat map, asked before all else", *asked(url, "heat", id=run, metric="regret", columns=600))
        show("... processor time of the server", processor_s(pid) - before, 0)
    with served(root) as (url, pid):
        show("list of runs", *asked(url, "runs"))
        began = time.perf_counter()
        while not json.loads(urlopen(f"{url}api/runs").read())["runs"][0]["numbers"]:
            time.sleep(0.05)
        show("its numbers, read meanwhile", time.perf_counter() - began, 0)
        show("heat map, first time", *asked(url, "heat", id=run, metric="regret", columns=600))
        show("heat map again", *asked(url, "heat", id=run, metric="return", columns=600))
        show("list of the worst episodes", *asked(url, "episodes", id=run, sort="worst"))
        show("curve", *asked(url, "compare", ids=json.dumps([run])))
        for episode in (0, episodes // 2, episodes - 1):
            show(f"episode {episode:,}", *asked(url, "episode", id=run, run=runs // 2, episode=episode))
        show("first time that words were heard", *asked(url, "first", id=run, event="heard", text="drawer"))
        print(f"{'memory of the server':36} {memory_mb(pid):8.0f} MB")


def slowed(pairs: int, episodes: int) -> None:
    """A run alone and with its page open, alternately: ratios of wall time and of processor time."""
    ratios = []
    for pair in range(pairs):
        found = {}
        for looking in (False, True) if pair % 2 == 0 else (True, False):
            with tempfile.TemporaryDirectory() as folder:
                found[looking] = looked_at(Path(folder), episodes) if looking else carried_out(Path(folder), episodes)
        wall, processor = (found[True][i] / found[False][i] for i in range(2))
        share = found[True][2] / found[True][1]  # what it costs where there is one core for both
        ratios.append((wall, processor))
        times = f"run alone {found[False][0]:6.1f} s, looked at {found[True][0]:6.1f} s"
        ratios_said = f"wall {wall:.3f}, processor {processor:.3f}"
        print(f"{times}: {ratios_said}; the viewer used {share:.1%} of the run's processor time", flush=True)
    log = np.log(np.array(ratios))
    half = 1.96 * log.std(axis=0, ddof=1) / np.sqrt(pairs) if pairs > 1 else np.full(2, np.nan)
    for name, mean, width in zip(("wall", "processor"), log.mean(axis=0), half, strict=True):
        print(f"{name:10} x{np.exp(mean):.3f} [{np.exp(mean - width):.3f}, {np.exp(mean + width):.3f}]")


def carried_out(root: Path, episodes: int) -> tuple[float, float]:
    """Wall time and processor time of a run in a process of its own."""
    command = [sys.executable, "-m", "parley", "run", "--world", "household", "--episodes", str(episodes)]
    command += ["--runs", "64", "--record", "steps", "--explore", "epsilon-greedy:epsilon=0.1", "--json"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--out", str(root / "live")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    used = os.wait4(process.pid, 0)[2]
    return time.perf_counter() - began, used.ru_utime + used.ru_stime


def looked_at(root: Path, episodes: int) -> tuple[float, float, float]:
    """The same while a window shows the run, and the viewer's own processor time."""
    over = threading.Event()
    with served(root) as (url, pid):
        window = threading.Thread(target=open_window, args=(url, over))
        window.start()
        before = processor_s(pid)
        wall, processor = carried_out(root, episodes)
        took = processor_s(pid) - before
        over.set()
        window.join()
    return wall, processor, took


def open_window(url: str, over: threading.Event) -> None:
    """What an open page of a run asks: news, and when there are any its views anew, as often as viewer/src/api.ts."""
    with urlopen(f"{url}api/events", timeout=120) as events:
        while not over.is_set() and (line := events.readline()):
            if not line.startswith(b"data:") or b'"live"' not in line:
                continue
            began, took = time.perf_counter(), 0.0
            for question, more in (
                ("run", {}),
                ("heat", {"metric": "regret", "order": "run", "columns": 600}),
                ("episodes", {"sort": "worst", "only": "all"}),
            ):
                took = max(took, asked(url, question, id="live", **more)[0])
            asked(url, "compare", ids='["live"]', metric="regret", way="cumulative")
            over.wait(max(0.0, max(0.9, 15 * took) - (time.perf_counter() - began)))


def beside(python: str, root: Path, episodes: int, runs: int) -> None:
    """Both viewers in a browser that has nothing kept: the log opened, then an episode of it (a sample, there)."""
    from playwright.sync_api import sync_playwright

    samples, logs = episodes * runs, root / "inspect"
    logs.mkdir(exist_ok=True)
    if not (log := logs / f"{samples}.eval").exists():
        steps, writer = 2 * household().tables.horizon, Path(__file__).with_name("inspect_log.py")
        subprocess.run([python, str(writer), str(log), str(samples), str(steps)], check=True)
    at = f"{runs // 2}/{episodes // 2}/1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        with served(root) as (url, pid):
            drawn = "document.querySelector('h1') && !document.querySelector('.waiting')"
            show_opened("parley view", browser, f"{url}#/run/large", drawn, f"{url}#/run/large/{at}", drawn)
            print(f"{'memory of its server':36} {memory_mb(pid):8.0f} MB")
        with inspect_served(python, logs) as (url, pid):
            listed = f"document.body.innerText.includes('{samples} rows')"
            one = f"{url}#/tasks/{log.name}/samples/sample/episode-{samples // 2}/1/"
            show_opened("inspect view", browser, f"{url}#/tasks/{log.name}", listed, one, SAID)
            print(f"{'memory of its server':36} {memory_mb(pid):8.0f} MB")
        browser.close()


FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SAID = "document.body.innerText.includes('look in drawer')"
PATIENCE_S = 300
UNTIL = """() => new Promise(done => {
    const look = () => { if (%s) done(true); else setTimeout(look, 10); };
    setTimeout(() => done(false), %d);
    look();
})"""


def show_opened(name: str, browser: Any, log: str, listed: str, episode: str, said: str) -> None:
    """Seconds until the log is shown, and until an episode of it is: in a new window each, three times."""
    for what, url, seen in ((f"{name}: the log", log, listed), (f"{name}: an episode", episode, said)):
        took = []
        for _ in range(3):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            page, began = context.new_page(), time.perf_counter()
            page.goto(url)
            shown = page.evaluate(UNTIL % (seen, 1000 * PATIENCE_S))
            took.append(time.perf_counter() - began if shown else float("inf"))
            context.close()
            if not shown:
                print(f"{what:36} not shown within {PATIENCE_S} s", flush=True)
                break
        else:
            print(f"{what:36} " + " ".join(f"{s:8.3f}" for s in took) + " s", flush=True)


@contextmanager
def inspect_served(python: str, logs: Path) -> Iterator[tuple[str, int]]:
    """Address and process id of `inspect view`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "-m", "inspect_ai", "view", "start", "--log-dir", str(logs), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(10 * PATIENCE_S):
            with suppress(OSError), urlopen(url, timeout=5):
                break
            time.sleep(0.1)
        else:
            sys.exit("inspect view did not begin")
        yield url, server.pid
    finally:
        server.terminate()
        server.wait()


def processor_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(what: str, took: float, size: int) -> None:
    """One line."""
    print(f"{what:36} {took:8.3f} s {size / 1000:10,.0f} kB", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--under", type=Path, help="a directory to keep the log in, for the next time")
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--slowdown", type=int, metavar="PAIRS", help="what an open viewer costs a run that goes on")
    parser.add_argument("--beside", metavar="PYTHON", help="a Python with inspect-ai: its viewer, beside ours")
    args = parser.parse_args()
    if args.slowdown:
        slowed(args.slowdown, min(args.episodes, 2_000))
        sys.exit()
    with tempfile.TemporaryDirectory() as folder:
        root = args.under or Path(folder)
        if not (root / "large" / "manifest.json").exists():
            large_log(root / "large", args.episodes, args.runs)
        size = (root / "large" / "run.sqlite").stat().st_size / 1e9
        print(f"{args.runs} runs of {args.episodes:,} episodes, {size:.2f} GB")
        if args.beside:
            beside(args.beside, root, args.episodes, args.runs)
        else:
            measured(root, "large", args.episodes, args.runs)
