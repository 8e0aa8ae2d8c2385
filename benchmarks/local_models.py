"""A decision of a published language model for several runs, next to the bare forward pass of its new tokens.

    python benchmarks/local_models.py [--model smollm2] [--runs 16] [--context 1024] [--pairs 5] [--llama-cpp]

Each run holds a prompt of so many tokens. A decision reads an observation of `--new` tokens and scores a menu of 6
lines (`models.rows`: one pass that reads, one tree pass). Two passes are timed beside it, alternately, in one process
and with one thread. One is transformers' pass of the new tokens only, in one batch with one cache. The other has the
new tokens and those of the tree. With `--llama-cpp` the new tokens by bare llama.cpp, in float32 too, one call for all
runs. Printed: medians of the ratios over the pairs, with 95% bootstrap intervals.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from transformers import DynamicCache

from parley.models.dequantised import as_float_gguf
from parley.models.language_model import LanguageModel, Loading, load, named_directory
from parley.models.pretrained import cache_name
from parley.models.scoring import Tree
from parley.models.weights import gguf_file

TEXT = "> look in the cupboard\nthere is nothing in it\n"
MENU = [f"> {verb} the {place}\n" for verb in ("look in", "ask about") for place in ("cupboard", "drawer", "red box")]


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def interval(ratios: list[float]) -> str:
    rng = np.random.default_rng(0)
    drawn = np.median(rng.choice(ratios, (2000, len(ratios))), axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{np.median(ratios):.2f} [{low:.2f}, {high:.2f}]"


def bare(model: str, prompt: list[int], runs: int, new: list[int]) -> Callable[[], None]:
    """A pass of `new` tokens for each run, behind a prompt that all have a copy of, by transformers."""
    _, network = load(named_directory(model), "float32")
    name = cache_name(network)
    cache = DynamicCache()
    with torch.inference_mode():
        network(input_ids=torch.tensor([prompt]), use_cache=True, logits_to_keep=1, **{name: cache})
    cache.batch_repeat_interleave(runs)
    tokens = torch.tensor([new] * runs)

    def work() -> None:
        with torch.inference_mode():
            network(input_ids=tokens, use_cache=True, logits_to_keep=1, **{name: cache})
        cache.crop(-len(new))

    return work


def by_llama_cpp(model: str, prompt: list[int], runs: int, new: list[int]) -> Callable[[], None]:
    """The same by bare llama.cpp, in this process."""
    from parley.models.llama_cpp import LlamaCpp

    llama = LlamaCpp(str(as_float_gguf(gguf_file(model))), 1)
    llama.begin(runs, 2 ** int(np.ceil(np.log2(len(prompt) + len(new) + 1))))
    for row in range(runs):
        llama.decode([(row, 0, prompt)])

    def work() -> None:
        llama.decode([(row, len(prompt), new) for row in range(runs)])
        for row in range(runs):
            llama.cut(row, len(prompt))

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--new", type=int, default=24)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--llama-cpp", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = LanguageModel(args.model, Loading(packed=True))
    prompt = model.text.encode(TEXT * args.context)[: args.context]
    new = model.text.plain(TEXT * args.new)[: args.new]
    lines = [model.text.continuation(TEXT, line) for line in MENU]
    tree = Tree.of(lines)
    inner = len(tree.inner(among=True))
    rows = model.rows(args.runs)
    rows.read([prompt] * args.runs)
    solid, state = [*rows._solid], [list(held) for held in rows.held]

    def decide() -> None:
        begins = [prompt + new] * args.runs
        for row in range(args.runs):  # no two runs have heard the same: nothing is copied
            rows.held[row], rows._solid[row] = state[row], solid[row]
        rows._feed([(row, new) for row in range(args.runs)])
        rows._solid = [len(held) for held in rows.held]
        rows.score(begins, [lines] * args.runs, among=True)
        for row in range(args.runs):
            rows._cut(row, len(prompt))

    beside = {
        f"{len(new)} new tokens, transformers": bare(args.model, prompt, args.runs, new),
        f"{len(new)} new tokens and {inner} of the tree, transformers": bare(
            args.model, prompt, args.runs, new + new[:1] * inner
        ),
    }
    if args.llama_cpp:
        beside[f"{len(new)} new tokens, llama.cpp"] = by_llama_cpp(args.model, prompt, args.runs, new)
    for work in (decide, *beside.values()):
        work()
    ratios: dict[str, list[float]] = {name: [] for name in beside}
    took = []
    for _ in range(args.pairs):
        took.append(seconds(decide))
        for name, work in beside.items():
            ratios[name].append(took[-1] / seconds(work))
    out = Console(width=150)
    out.print(f"{args.runs} runs, context {args.context}: {np.median(took):.2f} s a decision of all runs")
    for name, found in ratios.items():
        out.print(f"  ours / {name}: {interval(found)}")


if __name__ == "__main__":
    main()
