"""Predictions of a world model, batched, next to a bare forward pass of the same tokens with the same cache.

    python benchmarks/world_model.py [--pairs 20] [--world household] [--runs 64]

The shipped checkpoint has heard half its context in every run. The question is the observation after each subgoal, at
`--runs` histories imagined 0, 1 and 2 steps ahead. The tokens imagined and all subgoals are side by side, in one pass.
Alternately the same number of tokens is appended to the same cache as plain text (and taken back). Printed: predictions
a second (a subgoal at a history is one) and the ratio of speeds, bare pass over prediction times; medians, 95%
bootstrap intervals.
"""

import argparse
import time

import numpy as np
from rich.console import Console
from threadpoolctl import threadpool_limits

from parley import assemble
from parley.core.draws import Draws
from parley.core.said import Opening, Outcome
from parley.data.documents import Documents, sample_documents
from parley.planners.prediction import TransformerWorldModel


def seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def tell(model: TransformerWorldModel, tables, documents: Documents, num_episodes: int) -> None:
    """Have a model hear the first episodes of the documents, one a run."""
    words = [np.array(names, dtype=object) for names in (tables.instructions, tables.observations, tables.subgoals)]
    n, seen, given = len(documents.latents), documents.observations, documents.subgoals
    model.start(Draws(0, n))
    for e in range(num_episodes):
        model.hear(Opening(e, words[0][documents.instructions[:, e]], words[1][seen[:, e, 0]]))
        for h in range(tables.horizon):
            said = words[2][given[:, e, h, None]], words[1][seen[:, e, h + 1]]
            model.hear(Outcome(e, h + 1, *said, np.zeros(n), np.ones(n, dtype=bool)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--world", default="household")
    parser.add_argument("--runs", type=int, default=64)
    args = parser.parse_args()
    tables = assemble.world(args.world).tables
    model = TransformerWorldModel(assemble.shipped(args.world), tables)
    half = model.reader.window // 2
    documents = sample_documents(assemble.beliefs_of(tables), args.runs, half, (0, 7))
    tell(model, tables, documents, half)
    rows, rng, cache = np.arange(args.runs), np.random.default_rng(0), model.reader.cache
    for depth in (0, 1, 2):
        subgoals = rng.integers(tables.num_subgoals, size=(args.runs, depth))
        heard = rng.integers(len(tables.observations), size=(args.runs, depth))
        number = 2 * depth + tables.num_subgoals
        tokens = rng.integers(len(cache.model.embed), size=(args.runs, number))

        def bare(tokens=tokens, number=number) -> None:
            cache.append(tokens, np.full(args.runs, number))
            cache.length = cache.length - number

        def predict(subgoals=subgoals, heard=heard) -> None:
            model.predict(rows, subgoals, heard)

        bare(), predict()
        times = np.array([(seconds(bare), seconds(predict)) for _ in range(args.pairs)])
        ratios = times[:, 0] / times[:, 1]
        draws = np.random.default_rng(1).choice(ratios, (2000, len(ratios)))
        low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
        rate = args.runs * tables.num_subgoals / np.median(times[:, 1])
        Console().print(
            f"{args.world}, {depth} steps ahead: {rate:,.0f} predictions/s; {np.median(ratios):.2f} of the bare pass "
            f"(95% {low:.2f} to {high:.2f}, {len(ratios)} pairs)"
        )


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
