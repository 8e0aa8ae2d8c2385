"""How fast the viewer answers on a large log: 64 runs of 10,000 episodes with their steps, about 1.5 GB."""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from parley.core.said import EpisodeRecord, Menu, Proposal, StepRecord
from parley.execute import RunConfig, machine
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=64)
    args = parser.parse_args()
    began = time.perf_counter()
    large_log(args.out, args.episodes, args.runs)
    print(json.dumps({"made_s": time.perf_counter() - began}))
