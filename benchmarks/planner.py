"""Scoring a menu with a language model, next to one forward pass of the same tokens with the same cache.

    python benchmarks/planner.py [--pairs 20] [--prompt 2048]

A Llama (3.2M parameters, random weights) holds a prompt in its cache. 8 candidates of 3 tokens that share nothing are
scored in one tree-masked pass. Alternately, the same 24 tokens are passed once as plain text. Printed: the median of
the ratios over the pairs, with a 95% bootstrap interval.

Then the forward passes of a vectorised evaluation, without world or loop: 16 runs, 500 steps, 4 layers of width 32, one
token a step. They are timed with the numpy cache, and by encoding the whole context anew at each step, in numpy and in
transformers. Re-encoding is timed at every 70th step from the 10th; a quadratic fitted to those times is summed over
all steps.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from parley.models.llama import Llama
from parley.models.pretrained import cache_name
from parley.models.scoring import tree_logprobs


def seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def vectorised(rounds: int = 3, runs: int = 16, steps: int = 500) -> None:
    """Print, for each round, the seconds of all steps with the cache and of re-encoding."""
    sizes = dict(vocab_size=300, hidden_size=32, intermediate_size=88, num_hidden_layers=4, num_attention_heads=2)
    theirs = LlamaForCausalLM(LlamaConfig(**sizes, max_position_embeddings=512)).eval()
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        ours = Llama(Path(folder))
    tokens, some = np.random.default_rng(0).integers(0, 300, (runs, steps)), np.arange(9, steps, 70)

    def by_transformers(upto: int) -> None:
        with torch.inference_mode():
            theirs(torch.from_numpy(tokens[:, :upto]), use_cache=False, logits_to_keep=1)

    def by_numpy(upto: int) -> None:
        ours.cache(runs).append(tokens[:, :upto])

    for _ in range(rounds):
        cache = ours.cache(runs)
        step = np.array([seconds(lambda i=i, cache=cache: cache.append(tokens[:, i : i + 1])) for i in range(steps)])
        line = f"{runs * steps / step.sum():,.0f} steps/s cached; last 20 steps at {np.median(step[-20:]):.1e} s, "
        line += f"first 20 at {np.median(step[:20]):.1e} s"
        for name, anew in (("numpy", by_numpy), ("transformers", by_transformers)):
            fit = np.polyfit(some, [seconds(lambda i=i, anew=anew: anew(int(i) + 1)) for i in some], 2)
            line += f"; re-encoding by {name} x {np.polyval(fit, np.arange(steps)).sum() / step.sum():.0f}"
        Console().print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--prompt", type=int, default=2048)
    args = parser.parse_args()
    torch.manual_seed(0)
    sizes = dict(vocab_size=300, hidden_size=256, intermediate_size=688, num_hidden_layers=4, num_attention_heads=4)
    model = LlamaForCausalLM(LlamaConfig(**sizes, max_position_embeddings=args.prompt + 64)).eval()
    past, candidates = DynamicCache(config=model.config), np.random.default_rng(0).permutation(300)[:24].reshape(8, 3)
    with torch.inference_mode():
        after = model(torch.randint(0, 300, (1, args.prompt)), **{cache_name(model): past}).logits[0, -1]

    def plain() -> None:
        with torch.inference_mode():
            model(torch.from_numpy(candidates.reshape(1, 24)), **{cache_name(model): past})
        past.crop(-24)

    def scored() -> None:
        tree_logprobs(model, past, after, candidates.tolist())

    plain(), scored()
    times = np.array([(seconds(scored), seconds(plain)) for _ in range(args.pairs)])
    ratios = times[:, 0] / times[:, 1]
    draws = np.random.default_rng(1).choice(ratios, (2000, len(ratios)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    tree, bare = np.median(times, axis=0) * 1e3
    Console().print(
        f"8 candidates of 3 tokens after {args.prompt}: {tree:.1f} ms; a pass of 24 tokens: {bare:.1f} ms; "
        f"ratio {np.median(ratios):.2f} (95% {low:.2f} to {high:.2f}, {len(ratios)} pairs)"
    )
    vectorised()


if __name__ == "__main__":
    main()
