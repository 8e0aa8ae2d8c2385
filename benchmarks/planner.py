"""Scoring a menu with a language model, next to one forward pass of the same tokens with the same cache.

    python benchmarks/planner.py [--pairs 20] [--prompt 2048]

A Llama (3.2M parameters, random weights) holds a prompt in its cache; 8 candidates of 3 tokens that share nothing are
scored in one tree-masked pass and, alternately, the same 24 tokens are passed once as plain text. Printed: the median
of the ratios over the pairs, with a 95% bootstrap interval.
"""

import argparse
import time

import numpy as np
import torch
from rich.console import Console
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from parley.models.scoring import tree_scores


def seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


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
        after = model(torch.randint(0, 300, (1, args.prompt)), past_key_values=past).logits[0, -1]

    def plain() -> None:
        with torch.inference_mode():
            model(torch.from_numpy(candidates.reshape(1, 24)), past_key_values=past)
        past.crop(-24)

    def scored() -> None:
        tree_scores(model, past, after, candidates.tolist())

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


if __name__ == "__main__":
    main()
