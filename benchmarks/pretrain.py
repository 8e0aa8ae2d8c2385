"""Tokens a second of `parley pretrain` next to a bare loop on the same model, batch and precision.

    python benchmarks/pretrain.py [--pairs 10] [--steps 20] [--world household] [--size 0.3M]
                                   [--precision float32|bfloat16|auto] [--batch N] [--compiled] [--peak TFLOPS]

The bare loop has its batch in memory and does nothing but forward, backward, clipping and the optimiser's step. The
other is the loop of `parley pretrain`, that draws documents as it goes. They take turns; printed is the median of the
ratios of their speeds over the pairs, with a 95% bootstrap interval. On a GPU it also prints the share of the peak that
the model's arithmetic reaches (6 operations a parameter and
token). The option `--peak` names the peak in TFLOP/s.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
import transformers
from rich.console import Console

from parley import assemble
from parley.data.documents import sample_documents
from parley.training.architecture import build_model
from parley.training.columns import Columns
from parley.training.loop import Place, Training, use_bfloat16
from parley.training.recipe import PRESETS, Recipe, size_of
from parley.training.tokenizer import world_tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=20, help="of each turn")
    parser.add_argument("--world", default="household")
    parser.add_argument("--size", default="0.3M")
    parser.add_argument("--precision", default="auto", help="where bfloat16 is faster is for a run of each to say")
    parser.add_argument("--batch", type=int, help="documents a step (default: the world's preset)")
    parser.add_argument("--compiled", action="store_true", help="the model goes through torch.compile, in both loops")
    parser.add_argument("--peak", type=float, help="of the GPU, TFLOP/s")
    args = parser.parse_args()
    tables = assemble.world(args.world).tables
    assert tables is not None
    beliefs, tokenizer = assemble.beliefs_of(tables), world_tokenizer(tables)
    columns, place = Columns(tables, tokenizer), Place.here(torch)
    recipe = replace(PRESETS.get(args.world, Recipe()), **size_of(args.size), precision=args.precision)
    recipe = replace(recipe, batch=args.batch or recipe.batch)
    tokens = recipe.batch * columns.length(recipe.episodes)
    recipe = replace(recipe, tokens=tokens * args.steps * (args.pairs + 1))
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(0)
    model = build_model(transformers, tokenizer, recipe, columns.length(recipe.episodes))
    training = Training(torch, model, columns, recipe, place, compiled=args.compiled)
    narrow = use_bfloat16(torch, recipe, place.device)
    batch = columns.prepare(torch, sample_documents(beliefs, recipe.batch, recipe.episodes, (1,)), place.device)
    kind = place.device.partition(":")[0]

    def wait() -> None:
        if kind == "cuda":
            torch.cuda.synchronize()

    def bare() -> None:
        for _ in range(args.steps):
            training.optimiser.zero_grad(set_to_none=True)
            with torch.autocast(kind, dtype=torch.bfloat16, enabled=narrow):
                loss = sum(columns.losses(torch, model, batch))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            training.optimiser.step()
        wait()

    def source(step: int):
        return sample_documents(beliefs, recipe.batch, recipe.episodes, (0, 0, step), stratified=True)

    steps = training.run(source)

    def ours() -> None:
        for _ in range(args.steps):
            next(steps)
        wait()

    def seconds(work) -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    bare(), ours()
    pairs = np.array([(seconds(bare), seconds(ours)) for _ in range(args.pairs)])
    ratios, rng = pairs[:, 0] / pairs[:, 1], np.random.default_rng(0)
    low, high = np.quantile([np.median(rng.choice(ratios, len(ratios))) for _ in range(2000)], [0.025, 0.975])
    speed = tokens * args.steps / np.median(pairs[:, 1])
    number = sum(p.numel() for p in model.parameters())
    line = f"{number:,} parameters on {place.device}, {'bfloat16' if narrow else 'float32'}: {speed:,.0f} tokens/s, "
    line += f"{np.median(ratios):.3f} [{low:.3f}, {high:.3f}] of the bare loop"
    line += f", {args.pairs} pairs of {args.steps} steps"
    if args.peak:
        line += f"; {6 * number * speed / (args.peak * 1e12):.0%} of the peak"
    Console().print(line)


if __name__ == "__main__":
    main()
