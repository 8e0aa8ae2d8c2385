"""The server: what it says to whom, that it never leaves its directory and never writes into it, and live events."""

import asyncio
import http.client
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from parley.core.errors import BadInput
from parley.execute import RunConfig, run
from parley.view.answers import Answers
from parley.view.app import Viewer, refusal
from parley.view.found import Found
from parley.view.laboratory import Laboratory
from parley.view.watch import Watch
from tests.view.test_log import state


@pytest.fixture(scope="module")
def viewer(runs, tmp_path_factory):
    with Viewer(runs, notes=tmp_path_factory.mktemp("notes") / "notes.sqlite") as served:
        yield served


def request(viewer, path, method="GET", body=None, **headers):
    """Status, headers and body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


def get(viewer, question, **asked):
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in asked.items())
    status, _, content = request(viewer, f"/api/{question}?{query}")
    return status, json.loads(content)


def test_page_and_answers(viewer):
    status, headers, content = request(viewer, "/")
    assert status == 200 and b'<div id="app">' in content
    assert "default-src 'none'" in headers["content-security-policy"] and "unsafe" not in str(headers)
    assert headers["x-content-type-options"] == "nosniff" and headers["cross-origin-resource-policy"] == "same-origin"
    for path in ("/app.js", "/app.css"):
        assert request(viewer, path)[0] == 200
    status, answer = get(viewer, "runs")
    assert status == 200 and len(answer["runs"]) == 16
    assert get(viewer, "nothing")[0] == 400 and get(viewer, "run")[0] == 400
    assert request(viewer, "/film?id=keys&name=run1-episode1.gif")[1]["content-type"] == "image/gif"
    assert request(viewer, "/picture?id=experiments/linear-regret&file=figure.png")[2].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "headers, allowed",
    [
        ({"Host": "127.0.0.1:{port}"}, True),
        ({"Host": "localhost:{port}"}, True),
        ({"Host": "localhost:9999"}, True),  # through a tunnel
        ({"Host": "evil.example"}, False),
        ({"Host": "evil.example:{port}"}, False),
        ({"Host": "127.0.0.1.evil.example:{port}"}, False),
        ({"Host": "localhost.evil.example"}, False),
        ({"Host": "192.168.0.7:{port}"}, False),
        ({"Host": "[::1]:{port}"}, True),
        ({"Origin": "http://127.0.0.1:{port}"}, True),
        ({"Origin": "https://127.0.0.1:{port}"}, False),
        ({"Origin": "http://localhost:{port}"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Sec_Fetch_Site": "cross-site"}, False),
        ({"Sec_Fetch_Site": "same-site"}, False),
        ({"Sec_Fetch_Site": "same-origin"}, True),
        ({"Sec_Fetch_Site": "none"}, True),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}, False),
    ],
)
def test_other_hosts_and_other_origins_get_nothing(headers, allowed, viewer):
    named = {name: value.format(port=viewer.port) for name, value in headers.items()}
    for path in ("/api/runs", "/app.js", "/film?id=keys&name=run1-episode1.gif"):
        status, given, content = request(viewer, path, **named)
        assert (status == 200) == allowed, (path, content)
        if not allowed:
            assert status == 403 and b"shortcut" not in content
            assert "access-control-allow-origin" not in given


def test_a_link_from_elsewhere_opens_the_page_and_nothing_else(viewer):
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert request(viewer, "/", **link)[0] == 200
    assert request(viewer, "/", **{**link, "Sec_Fetch_Dest": "iframe"})[0] == 403
    assert request(viewer, "/", **{**link, "Sec_Fetch_Mode": "no-cors"})[0] == 403


@pytest.mark.parametrize("host, given, allowed", [("0.0.0.0", "10.1.2.3:80", True), ("0.0.0.0", "evil.example", False)])
def test_a_server_open_to_all_is_asked_by_address(host, given, allowed):
    scope = {"headers": [(b"host", given.encode())], "path": "/", "scheme": "http"}
    assert (refusal(scope, host) == "") == allowed
    assert refusal({**scope, "headers": [(b"host", b"localhost"), (b"host", b"localhost")]}, host)


def test_nothing_is_written_by_others(viewer):
    body = json.dumps({"id": "team", "note": "mine", "tags": ["good"]})
    assert request(viewer, "/api/notes", "PUT", body, Origin="http://evil.example")[0] == 403
    assert request(viewer, "/api/notes", "PUT", body, Sec_Fetch_Site="cross-site")[0] == 403
    assert get(viewer, "run", id="team")[1]["note"] == ""
    status, _, content = request(viewer, "/api/notes", "PUT", body)
    assert status == 200 and json.loads(content)["tags"] == ["good"]
    for wrong in (
        "",
        "[]",
        "{}",
        '{"id": "team"}',
        json.dumps({"id": "nowhere", "note": "", "tags": []}),
        "[" * 60_000,
    ):
        assert request(viewer, "/api/notes", "PUT", wrong)[0] == 400
    assert request(viewer, "/api/notes", "PUT", "x" * 70_000)[0] == 413
    for method in ("POST", "DELETE", "PATCH", "OPTIONS"):
        assert request(viewer, "/api/runs", method)[0] == 405


OUTSIDE = [
    "..",
    "../",
    "../../etc/passwd",
    "/etc/passwd",
    "shortcut/../../outside",
    "shortcut/greedy/../../..",
    "%2e%2e/outside",
    "..\\outside",
    "shortcut\x00",
    "file:///etc/passwd",
    "outside",
    "linked",
    "linked-run",
]


def test_no_route_leaves_the_directory(tmp_path):
    """Neither by names that climb, nor by links, wherever they stand."""
    outside, root = tmp_path / "outside", tmp_path / "root"
    run(RunConfig("shortcut", "exact", episodes=2, runs=1), outside / "secret")
    root.mkdir()
    run(RunConfig("shortcut", "exact", episodes=2, runs=1), root / "shortcut" / "greedy")
    (outside / "secret" / "note.png").write_bytes(b"\x89PNG secret")
    (root / "linked").symlink_to(outside)
    (root / "linked-run").symlink_to(outside / "secret")
    half = root / "half"
    half.mkdir()
    (half / "manifest.json").symlink_to(outside / "secret" / "manifest.json")
    films = root / "shortcut" / "greedy" / "films"
    films.mkdir()
    (films / "run0-episode0.gif").symlink_to(outside / "secret" / "note.png")
    experiment = root / "experiment"
    experiment.mkdir()
    (experiment / "cells.json").write_text("{}")
    (experiment / "figure.png").symlink_to(outside / "secret" / "note.png")
    (experiment / "finding.json").symlink_to(outside / "secret" / "manifest.json")
    (experiment / f"cell-{'0' * 16}.npz").symlink_to(outside / "secret" / "run.sqlite")
    with Viewer(root) as viewer:
        assert [row["id"] for row in get(viewer, "runs")[1]["runs"]] == ["shortcut/greedy"]
        for name in OUTSIDE:
            for question in ("run", "heat", "episode", "beliefs", "experiment", "cell"):
                status, answer = get(viewer, question, id=name, run=0, episode=0, metric="return", file="figure.png")
                assert status == 400 and set(answer) == {"error"}, (question, name, answer)
            for path in (f"/film?id={quote(name)}&name=run0-episode0.gif", f"/picture?id={quote(name)}&file=note.png"):
                assert request(viewer, path)[0] == 400
            assert request(viewer, f"/{quote(name)}")[0] in (400, 404)
        for name in ("run0-episode0.gif", "../run.sqlite", "..%2Frun.sqlite", "run.sqlite"):
            assert request(viewer, f"/film?id=shortcut/greedy&name={name}")[0] == 400
        for name in ("figure.png", "../shortcut/greedy/x.png", "..%2F..%2Foutside%2Fsecret%2Fnote.png", "cells.json"):
            status, _, content = request(viewer, f"/picture?id=experiment&file={name}")
            assert status == 400 and b"secret" not in content.replace(b"outside/secret", b"")
        assert "claim" in get(viewer, "experiment", id="experiment")[1]
        assert get(viewer, "cell", id="experiment", file=f"cell-{'0' * 16}.npz")[0] == 400


@pytest.mark.parametrize(
    "world",
    [
        "{outside}/world.json",
        "../outside/world.json",
        "household:reporter=learned:{outside}",
        "evil:Evil",
        "json:loads",
    ],
)
def test_a_manifest_names_no_file_outside_and_no_code(world, tmp_path):
    """Worlds of a stranger's manifest: no file outside is read, nothing that is no plugin is imported."""
    outside, root = tmp_path / "outside", tmp_path / "root"
    run(RunConfig("shortcut", "exact", episodes=8, runs=2), root / "r")
    outside.mkdir()
    (outside / "world.json").write_text("{}")
    for place in (root, root / "r"):
        (place / "evil.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')\nclass E: ...\n")
        (place / "json.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')\n")
    path = root / "r" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["config"]["world"] = world.format(outside=outside)
    path.write_text(json.dumps(manifest))
    here = os.getcwd()
    os.chdir(root)
    laboratory = Laboratory(root)
    try:
        for task, numbers in (("believed", [0, 1]), ("diagnosed", []), ("searched", [0, 1, 1]), ("filmed", [0, 1])):
            assert "refused" in laboratory.ask(task, root / "r", *numbers)
    finally:
        laboratory.close()
        os.chdir(here)
    assert not (tmp_path / "pwned").exists()


def test_a_world_too_large_for_any_machine_ends_one_process_only(tmp_path):
    run(RunConfig("treasure:n=4", "exact", episodes=8, runs=2), tmp_path / "r")
    path = tmp_path / "r" / "manifest.json"
    path.write_text(path.read_text().replace("treasure:n=4", "treasure:n=4000000"))
    laboratory = Laboratory(tmp_path, seconds=20)
    assert "refused" in laboratory.ask("believed", tmp_path / "r", 0, 1)
    path.write_text(path.read_text().replace("treasure:n=4000000", "treasure:n=4"))
    assert "latents" in laboratory.ask("believed", tmp_path / "r", 0, 1)
    laboratory.close()


def test_looking_leaves_run_directories_as_they_are(runs, viewer):
    before = {path: state(path) for path in sorted(runs.glob("**/")) if (path / "manifest.json").exists()}
    assert len(before) == 16
    for name in ("shortcut/adaptive", "lm/thinking", "keys", "search"):
        for question in ("run", "episode", "calls", "beliefs", "tree", "diagnosis", "first", "episodes", "heat"):
            get(viewer, question, id=name, run=0, episode=1, step=1, event="explored", metric="return")
    assert {path: state(path) for path in before} == before


def events(viewer, until, seconds=30):
    """Messages until one makes `until` true."""
    connection = http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=seconds)
    connection.request("GET", "/api/events")
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    began = time.monotonic()
    try:
        for line in answer:
            assert time.monotonic() - began < seconds, "nothing of that kind was told"
            if line.startswith(b"data: ") and until(message := json.loads(line[6:])):
                return message, time.monotonic() - began
    finally:
        connection.close()
    raise AssertionError("the events ended")


def test_events_tell_of_new_rows_of_new_runs_and_of_their_end(tmp_path):
    out = tmp_path / "runs" / "live"
    (tmp_path / "runs").mkdir()
    command = [sys.executable, "-m", "parley", "run", "--world", "household", "--episodes", "3000", "--runs", "8"]
    with Viewer(tmp_path / "runs") as viewer:
        process = subprocess.Popen([*command, "--record", "steps", "--out", str(out)], stderr=subprocess.DEVNULL)
        try:

            def row(message):
                return next((one for one in message.get("runs", []) if one["id"] == "live"), None)

            found, _ = events(viewer, lambda m: (r := row(m)) and r["status"] == "running" and r["progress"])
            done = row(found)["progress"]["done"]
            found, _ = events(viewer, lambda m: (r := row(m)) and r["progress"] and r["progress"]["done"] > done)
            assert row(found)["progress"]["total"] == 24_000
            process.kill()
            process.wait()
            found, _ = events(viewer, lambda m: (r := row(m)) and r["status"] == "interrupted")
            assert "parley resume" in row(found)["error"]
            files = state(out)
            get(viewer, "episode", id="live", run=1, episode=1)
            assert state(out) == files
            shutil.rmtree(out)
            found, _ = events(viewer, lambda m: "live" in m.get("gone", []))
        finally:
            process.kill()
            process.wait()


def test_nobody_looks_when_nobody_listens(runs):
    with Viewer(runs) as viewer:
        events(viewer, lambda message: True)
        until = time.monotonic() + 20
        while any("parley-watch" in t.name for t in threading.enumerate()) and time.monotonic() < until:
            time.sleep(0.1)
        before = os.times()
        time.sleep(3)
        after = os.times()
        assert after.user - before.user + after.system - before.system < 0.5


def test_an_open_port_and_a_missing_directory_are_said(runs, tmp_path):
    with Viewer(runs) as viewer, pytest.raises(BadInput, match="cannot be opened"):
        Viewer(runs, port=viewer.port)
    with pytest.raises(BadInput, match="no such directory"):
        Found(tmp_path / "nowhere")


def test_a_status_that_nobody_wrote_is_damage(tmp_path):
    run(RunConfig("shortcut", "exact", episodes=2, runs=1), tmp_path / "a")
    for name, change in (
        ("status", {"status": "odd"}),
        ("latents", {"latents": 3}),
        ("config", {"config": {}}),
        ("world", {"config": {"world": 7, "planner": [], "explore": {}, "record": None}}),
    ):
        shutil.copytree(tmp_path / "a", tmp_path / name)
        path = tmp_path / name / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "manifest.json").write_text("")
    shutil.copytree(tmp_path / "a", tmp_path / "no log")
    (tmp_path / "no log" / "run.sqlite").unlink()
    shutil.copytree(tmp_path / "a", tmp_path / "garbage")
    (tmp_path / "garbage" / "run.sqlite").write_bytes(b"garbage" * 500)
    with Viewer(tmp_path) as viewer:
        rows = {row["id"]: row for row in get(viewer, "runs")[1]["runs"]}
        assert len(rows) == 8 and rows["a"]["error"] == ""
        for name in ("status", "latents", "config", "world", "empty"):
            assert rows[name]["status"] == "damaged" and rows[name]["error"]
            assert get(viewer, "heat", id=name, metric="return")[0] in (400, 422)
        for name in ("no log", "garbage"):
            assert rows[name]["error"] and get(viewer, "heat", id=name, metric="return")[0] in (400, 422)


def test_a_failed_run_says_why_and_a_resumed_one_forgets_it(tmp_path):
    from parley.runs.directory import at_work, process
    from parley.runs.store import RunStore

    run(RunConfig("shortcut", "exact", episodes=2, runs=1), tmp_path / "r")
    store = RunStore.open(tmp_path / "r")
    written = json.loads((tmp_path / "r" / "manifest.json").read_text())
    assert written["status"] == "started" and at_work(written["process"])
    assert not at_work({**process(), "pid": 2**22 + 1}) and not at_work({**process(), "began": 1})
    assert at_work({**process(), "host": "elsewhere"}) is None and at_work({}) is None
    store.close("failed", "the server is on fire")
    with Viewer(tmp_path) as viewer:
        row = get(viewer, "run", id="r")[1]
        assert (row["status"], row["error"]) == ("failed", "the server is on fire")
        RunStore.open(tmp_path / "r").close("finished")
        row = get(viewer, "run", id="r")[1]
        assert (row["status"], row["error"]) == ("finished", "") and "process" not in row["manifest"]


def test_a_look_reads_what_has_changed_and_no_more(runs, tmp_path):
    shutil.copytree(runs / "shortcut" / "exact", tmp_path / "a")
    shutil.copytree(runs / "team", tmp_path / "b")
    with Viewer(tmp_path) as viewer:
        watch = Watch(viewer.answers)
        first = watch.look()
        assert {row["id"] for row in first[0]["runs"]} == {"a", "b"}
        assert watch.look() == []
        db = sqlite3.connect(tmp_path / "a" / "run.sqlite")
        db.execute('UPDATE episodes SET "return" = 5 WHERE rowid = 1')
        db.execute("INSERT INTO low_level VALUES (0, 0, 1, 3, 'stumbled')")
        db.commit()
        told = watch.look()
        assert [row["id"] for row in told[0]["runs"]] == ["a"] and told[0]["runs"][0]["numbers"]["faults"] == 1
        db.close()


def test_the_command(runs, tmp_path):
    command = [sys.executable, "-m", "parley", "view", str(runs), "--port", "0", "--json"]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
    try:
        said = json.loads(process.stdout.readline())
        assert said["directory"] == str(Path(runs).resolve())
        connection = http.client.HTTPConnection(said["url"].removeprefix("http://").rstrip("/"), timeout=30)
        connection.request("GET", "/api/runs")
        assert connection.getresponse().status == 200
        assert (tmp_path / "parley" / "notes.sqlite").exists()
        connection.close()
        connection.request("GET", "/api/events")  # somebody goes on looking
        listened = connection.getresponse()
        assert listened.readline().startswith(b": the viewer listens")
    finally:
        process.send_signal(2)
        _, errors = process.communicate(timeout=30)
    assert "Traceback" not in errors and "Cancelled" not in errors
    while line := listened.readline():
        assert line.startswith((b"data:", b":", b"\n"))  # it ended whole
    connection.close()


def test_a_look_that_fails_is_not_the_last(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("parley.view.watch.TICK_S", 0.01)
    watch, looks = Watch(Answers(Found(tmp_path), None, lambda *asked: {})), []

    def look():
        looks.append(1)
        if len(looks) == 1:
            raise ValueError("a file that nobody expected")
        return [{"runs": [], "gone": ["one"]}]

    watch.look = look

    async def first() -> bytes:
        events = watch.events()
        await anext(events)
        return await asyncio.wait_for(anext(events), 30)

    assert b"one" in asyncio.run(first()) and "the next one follows" in caplog.text
