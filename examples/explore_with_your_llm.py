"""Your LLM in your environment: memory, exploration on purpose, and a learning curve at the end.

    parley serve generated &                       # or any OpenAI-compatible server, with OPENAI_API_KEY
    python examples/explore_with_your_llm.py --model parley/generated --base-url http://127.0.0.1:8000/v1

The environment here is FrozenLake, wrapped in examples/bring_your_own_world.py; put the name of yours in its place.
"""

import argparse
import tempfile
from pathlib import Path

from parley.execute import RunConfig, run
from parley.report.summary import reading

WORLD = "examples.bring_your_own_world:lake"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="openai/gpt-4o-mini")
    parser.add_argument("--base-url", default="", help="default: OPENAI_BASE_URL, or the provider's")
    parser.add_argument("--template", default="chat", help="stated for `parley serve generated`")
    parser.add_argument("--episodes", type=int, default=16)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    for explorer in ("none", "adaptive-proposals"):
        out = (args.out or Path(tempfile.mkdtemp())) / explorer
        where = f",base_url={args.base_url}" if args.base_url else ""
        # The three lines: a model behind a server with all that happened in its prompt, an explorer, and their run.
        planner = f"endpoint:model={args.model},template={args.template},normalise=menu,memory=full{where}"
        run(RunConfig(WORLD, planner, explorer, episodes=args.episodes, runs=args.runs), out)
        with reading(out) as reader:
            returns = reader.episodes("return")
        curve = " ".join(f"{mean:.2f}" for mean in returns.mean(axis=0))
        print(f"{explorer}: mean return {returns.mean():.3f}, by episode {curve}\n  parley report {out}")


if __name__ == "__main__":
    main()
