"""How many calls are in flight: what a server says of itself is followed, and its refusals where it says nothing."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median

import pytest

from parley.execute import run
from parley.models import turns
from parley.models.turns import FIRST, MOST, AdaptiveTurns, Load, Turns, load_of
from tests.talker import Talker, config, tables

VLLM = """# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_running{engine="0",model_name="m"} 8.0
vllm:num_requests_waiting{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="1",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 9.0
"""


@pytest.mark.parametrize(
    ("pages", "load"),
    [
        ({}, Load(0, None)),
        ({"metrics": VLLM}, Load(0, 5)),
        ({"metrics": "llamacpp:requests_processing 4\nllamacpp:requests_deferred 1.2e+1\n"}, Load(0, 12)),
        ({"props": json.dumps({"total_slots": 4}), "metrics": "llamacpp:requests_deferred 0\n"}, Load(4, 0)),
        ({"props": "<html>", "metrics": "<html>"}, Load(0, None)),
        ({"props": "[]"}, Load(0, None)),
        ({"props": '{"total_slots": "many"}'}, Load(0, None)),
        ({"props": '{"total_slots": -1}', "metrics": "vllm:num_requests_waiting much"}, Load(0, None)),
    ],
)
def test_what_servers_say_is_read(pages, load):
    assert load_of(lambda name: pages.get(name, "")) == load


def settled(capacity: float, says: str, looks: int = 60) -> list[int]:
    """The limits, look by look, of one who always has more calls to make, at a server of `capacity` places."""
    now, found = [0.0], []

    def look() -> Load:
        waiting = max(0, int(adaptive.limit) - int(capacity))
        return {"waiting": Load(0, waiting), "places": Load(int(capacity), None), "nothing": Load()}[says]

    adaptive = AdaptiveTurns(look, lambda: now[0])
    for _ in range(looks):
        now[0] += 2.0
        for _ in range(int(adaptive.limit)):
            adaptive.__enter__()
        refused = says == "nothing" and adaptive.limit > capacity
        for _ in range(adaptive.in_flight):
            adaptive.__exit__()
        adaptive.answered(refused)
        found.append(int(adaptive.limit))
    return found


@pytest.mark.parametrize("capacity", [1, 3, 16, 100])
@pytest.mark.parametrize("says", ["waiting", "nothing"])
def test_the_limit_stays_near_what_the_server_takes(capacity, says):
    limits = settled(capacity, says)
    assert max(limits[20:]) <= capacity + 1 and min(limits) >= 1
    assert sum(limits[20:]) / len(limits[20:]) >= 0.7 * capacity


def test_places_are_taken_as_they_are_said_and_nothing_goes_beyond_the_most():
    assert set(settled(7, "places")[1:]) == {7}
    assert settled(10**9, "waiting")[-1] == MOST


def test_who_has_few_calls_to_make_learns_nothing():
    now = [0.0]
    adaptive = AdaptiveTurns(lambda: Load(0, 0), lambda: now[0])
    for _ in range(20):
        now[0] += 2.0
        with adaptive:
            pass
        adaptive.answered(False)
    assert adaptive.limit == FIRST


@pytest.mark.parametrize("kind", ["fixed", "adaptive"])
def test_no_more_run_at_a_time_than_the_limit(kind):
    gate = Turns(3) if kind == "fixed" else AdaptiveTurns(lambda: Load(3, None))
    now, most, lock = 0, 0, threading.Lock()

    def one(_) -> None:
        nonlocal now, most
        with gate:
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.002)
            with lock:
                now -= 1
        gate.answered(False)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(100)))
    assert gate.in_flight == 0 and 2 <= most <= max(3, FIRST if kind == "adaptive" else 3)


class Places(Talker):
    """Answers so many at a time, lets the others wait, and says how many those are, as vLLM does."""

    def __init__(self, places: int) -> None:
        super().__init__()
        self.places = threading.Semaphore(places)
        self.within, self.seen = 0, []

    def reply(self, path, body):
        if path == "/metrics":
            with self.lock:
                waiting = max(0, self.within - 4)
            self.seen.append(waiting)
            return 200, f'vllm:num_requests_waiting{{engine="0"}} {waiting}.0\n'.encode()
        if path == "/props":
            return 404, {"detail": "Not Found"}
        with self.lock:
            self.within += 1
        try:
            with self.places:
                time.sleep(0.01)
                return super().reply(path, body)
        finally:
            with self.lock:
                self.within -= 1


def test_a_run_follows_its_server_and_finds_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "LOOK_S", 0.05)
    with Places(4) as server:
        fixed = config(server, "letters", runs=16, episodes=5, cohort=1)
        adaptive = replace(fixed, planner=fixed.planner.replace("concurrency=64", "concurrency=0"))
        run(adaptive, tmp_path / "adaptive")
        assert len(server.seen) > 5 and median(server.seen[3:]) <= 4, "its queue stays short"
        server.seen.clear()
        run(fixed, tmp_path / "fixed")
        assert not server.seen, "who names a number asks nothing"
    assert tables(tmp_path / "adaptive") == tables(tmp_path / "fixed")
