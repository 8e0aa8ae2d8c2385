"""Calls of a planner's endpoint, next to a bare client loop on the same server, at the same concurrency.

    python benchmarks/endpoint.py [--pairs 10] [--calls 1280] [--concurrency 64] [--latency-ms 100 0]

The server is another process that answers after a fixed time. One side of a pair is `Endpoint.ask` with the ledger of a
run (every call committed to its SQLite file). The other is the same number of `httpx2.Client.post` and `json.loads`.
Both have as many threads as the concurrency, and prompts of 4,000 characters that differ from call to call. Timed
alternately; printed: milliseconds a call, and the median of the ratios of wall times with a 95% bootstrap interval. At
a latency of 0 both sides are bound by the processor alone, which is not how models answer.
"""

import argparse
import asyncio
import json
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from parley.core.calls import Place
from parley.models.calling import Calling, Request
from parley.models.endpoint import Endpoint
from parley.models.providers import Server
from parley.runs.ledger import CallLedger
from parley.runs.store import RunStore

ANSWER = json.dumps(
    {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "B. try the back door"}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 6, "prompt_tokens_details": {"cached_tokens": 990}},
    }
).encode()
TEXT = "you stand in the hall\n> walk on along the corridor\n" * 80


def serve(port: int) -> None:
    """A server whose path says how many milliseconds an answer takes."""

    async def answer(request):
        await request.body()
        await asyncio.sleep(int(request.path_params["ms"]) / 1000)
        return Response(ANSWER, media_type="application/json")

    app = Starlette(routes=[Route("/{ms}/chat/completions", answer, methods=["POST"])])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", backlog=4096)


@contextmanager
def serving() -> Iterator[int]:
    """The server in a process of its own; yields its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    server.start()
    for _ in range(600):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    try:
        yield port
    finally:
        server.kill()


def body(number: int, kind: str) -> dict:
    messages = [{"role": "system", "content": TEXT}, {"role": "user", "content": f"{kind} {number}"}]
    return {"model": "m", "messages": messages, "max_tokens": 32, "temperature": 1, "seed": number}


def bare(url: str, calls: range, threads: int) -> float:
    """Wall time of a plain client loop."""
    limits = httpx2.Limits(max_connections=threads, max_keepalive_connections=threads)
    with httpx2.Client(limits=limits, timeout=60) as client, ThreadPoolExecutor(threads) as pool:

        def ask(number: int) -> str:
            answer = client.post(f"{url}/chat/completions", json=body(number, "bare"))
            return json.loads(answer.content)["choices"][0]["message"]["content"]

        list(pool.map(ask, range(-threads, 0)))  # connections are made
        began = time.perf_counter()
        list(pool.map(ask, calls))
        return time.perf_counter() - began


def ours(url: str, calls: range, threads: int) -> float:
    """Wall time of the endpoint, with its ledger."""
    with tempfile.TemporaryDirectory() as folder:
        entries = {"config": {"record": "steps"}, "latents": [], "horizon": 1, "machine": {}}
        store, ledger = RunStore.create(Path(folder) / "run", **entries), CallLedger()
        ledger.attach(store)
        endpoint = Endpoint(Server("m", url), Calling(concurrency=threads), ledger)

        def ask(number: int) -> str:
            request = Request("chat/completions", body(number, "ours"), TEXT, "propose", Place(number, 0, 1))
            return endpoint.ask(request, lambda answer: answer["choices"][0]["message"]["content"])

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(ask, range(-threads, 0)))
            began = time.perf_counter()
            list(pool.map(ask, calls))
            took = time.perf_counter() - began
        endpoint.close()
        store.close()
        return took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--calls", type=int, default=1280)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency-ms", type=int, nargs="+", default=[100, 0])
    args = parser.parse_args()
    with serving() as port:
        compare(port, args)


def compare(port: int, args: argparse.Namespace) -> None:
    """Both sides in turn, at each latency."""
    rng = np.random.default_rng(0)
    for ms in args.latency_ms:
        url, ratios, each = f"http://127.0.0.1:{port}/{ms}", [], {"ours": [], "bare": []}
        for pair in range(args.pairs + 1):  # the first pair warms up
            calls = range(pair * args.calls, (pair + 1) * args.calls)
            order = (ours, bare) if pair % 2 else (bare, ours)
            took = {side.__name__: side(url, calls, args.concurrency) for side in order}
            if pair:
                ratios.append(took["ours"] / took["bare"])
                for name, seconds in took.items():
                    each[name].append(1000 * seconds / args.calls)
        means = [np.median(rng.choice(ratios, len(ratios))) for _ in range(2000)]
        low, high = np.quantile(means, [0.025, 0.975])
        print(
            f"latency {ms} ms, {args.concurrency} threads: ours {np.median(each['ours']):.2f} ms a call, bare "
            f"{np.median(each['bare']):.2f}; ratio {np.median(ratios):.3f} [{low:.3f}, {high:.3f}], {args.pairs} pairs"
        )


if __name__ == "__main__":
    main()
