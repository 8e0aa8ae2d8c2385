"""Your LLM in your environment: memory, exploration on purpose, and what each is worth, with intervals.

    python examples/explore_with_your_llm.py                                          # the small model that ships
    python examples/explore_with_your_llm.py --planner endpoint:openai/gpt-4o-mini    # yours, with OPENAI_API_KEY

The model that ships reads words: the rules of the world, the menu, and all that happened before. The world here was
made after its training, by a seed that it never saw. Put the name of yours in its place: `my_package:MyWorld`.
"""

import argparse
from collections.abc import Sequence

import parley

WORLD, PLANNER = "generated", "hf:generated"


def main(argv: Sequence[str] | None = None) -> dict[str, parley.Run]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default=WORLD)
    parser.add_argument("--planner", default=PLANNER)
    parser.add_argument("--episodes", type=int, default=16)
    parser.add_argument("--runs", type=int, default=16)
    args = parser.parse_args(argv)
    arms = {
        "random choice": ("random", "none"),
        "no memory": (f"{args.planner},memory=none", "none"),
        "memory": (args.planner, "none"),
        "memory, explores": (args.planner, "adaptive-proposals"),
    }
    runs = {
        name: parley.run(args.world, *arm, episodes=args.episodes, runs=args.runs, seed=1) for name, arm in arms.items()
    }
    for name, run in runs.items():
        returns = run.frame("episodes").group_by("episode").aggregate([("return", "mean")]).sort_by("episode")
        print(f"{name}: return by episode {' '.join(f'{mean:.2f}' for mean in returns['return_mean'].to_pylist())}")
    for name in list(runs)[1:]:
        print(parley.compare(runs["random choice"], runs[name]))
    return runs


if __name__ == "__main__":
    main()
