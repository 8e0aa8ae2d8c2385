"""Real runs of every kind that the viewer shows: with tables, of language models, of a search, filmed."""

import json
from pathlib import Path

import parley
from parley import assemble
from parley.bench.cards import NUMBERS
from parley.cli import main
from parley.execute import RunConfig, run
from parley.planners.scripted import ScriptedPlanner
from parley.runs.ledger import Limits, Prices
from parley.serving.app import Running
from tests.talker import SHARED, Talker, menu_of
from tests.worlds.odd import Doors

CARDS = Path(__file__).parents[2] / "docs" / "bench"
PLANNERS = {
    "greedy": ("transformer:decode=greedy", "none"),
    "epsilon-greedy": ("transformer:decode=greedy", "epsilon-greedy:epsilon=0.1"),
    "adaptive": ("transformer", "adaptive-proposals"),
    "exact": ("exact", "none"),
}


def thinking(text: str, seed: int) -> str:
    """An answer with its reasoning before it."""
    menu = menu_of(text) or ["nothing"]
    return (
        f"The last try taught me something.\nI take the {'first' if seed % 2 else 'last'}.\nAnswer: {menu[-(seed % 2)]}"
    )


def make_runs(root: Path, episodes: int = 24, runs: int = 12) -> None:
    """The runs, each in a directory below `root`."""
    for name, (planner, explore) in PLANNERS.items():
        world, latent = "shortcut", "the back door is open"
        config = RunConfig(world, planner, explore, episodes=episodes, runs=runs, seed=1, latent=latent)
        run(config, root / "shortcut" / name)
    run(RunConfig("household", "exact", "adaptive", episodes=12, runs=6, seed=2), root / "household" / "adaptive")
    search = "world-model:model=exact,budget=40"
    run(RunConfig("shortcut", search, "none", episodes=6, runs=2, seed=3), root / "search")
    run(RunConfig("team", "exact", "none", episodes=6, runs=2, seed=3), root / "team")
    run(RunConfig("household", "exact", "none", episodes=30, runs=4, record="episodes"), root / "episodes-only")
    with Running(assemble.shipped("shortcut"), "shortcut") as server:
        planner = f"endpoint:model=parley/shortcut,base_url={server.base_url}"
        prices = Prices({"shortcut": {"prompt": 0.25, "cached": 0.025, "completion": 2.0}})
        run(
            RunConfig("shortcut", planner, "none", episodes=4, runs=2, seed=4),
            root / "lm" / "echo",
            None,
            Limits(prices=prices),
        )
    for name, seed in (("one", 1), ("other", 1), ("third", 2)):  # scores, and no optimum
        run(RunConfig("tests.worlds.odd:doors", "random", episodes=12, runs=6, seed=seed), root / "doors" / name)
    world = parley.wrap(lambda z: Doors(z), variations=range(3), menu="free", horizon=4, name="free")
    words = ScriptedPlanner(("open the red door",))
    parley.run(world, words, episodes=4, runs=3, latent="each", out=root / "free", progress=False)
    with Talker(can={"chat"}, answer=thinking) as talker:
        planner = f"endpoint:model=vllm/m,base_url={talker.base_url},way=parse,think=true,answers=2,{SHARED}"
        run(RunConfig("shortcut", planner, "adaptive-proposals", episodes=4, runs=2, seed=4), root / "lm" / "thinking")
    with Talker(can={"chat", "letters"}, fault=flaky()) as talker:
        planner = f"endpoint:model=vllm/m,base_url={talker.base_url},way=letters,{SHARED}"
        run(RunConfig("shortcut", planner, "none", episodes=4, runs=2, seed=4), root / "lm" / "letters")


def flaky():
    """Every seventh call fails with a server's error."""
    seen = {"calls": 0}

    def fault(body: dict) -> str:
        seen["calls"] += 1
        return "500" if seen["calls"] % 7 == 0 else ""

    return fault


def make_film(root: Path) -> None:
    """A physical run of which one episode is filmed."""
    command = ["run", "--world", "keys:horizon=2", "--planner", "random", "--episodes", "3", "--runs", "2", "--json"]
    assert main([*command, "--render", "1:1", "--out", str(root / "keys")]) == 0


def make_experiment(root: Path) -> None:
    """A finished experiment, and one whose last cell is not computed."""
    out = root / "experiments" / "linear-regret"
    assert main(["experiment", "run", "linear-regret", "--quick", "--out", str(out), "--json"]) == 0
    half = root / "experiments" / "half"
    half.mkdir()
    for path in out.iterdir():
        (half / path.name).write_bytes(path.read_bytes())
    (half / "finding.json").unlink()
    planned = json.loads((half / "cells.json").read_text())
    (half / planned["cells"][-1]["file"]).unlink()


def make_cards(root: Path) -> None:
    """Cards of ours, one of them without runs of its last entry, and one whose numbers are no numbers."""
    (root / "cards").mkdir()
    for name in ("exact-0", "random-0"):
        (root / "cards" / f"{name}.json").write_bytes((CARDS / f"{name}.json").read_bytes())
    begun = json.loads((CARDS / "generated-0.json").read_text("utf-8"))
    begun["entries"][-1] |= {**dict.fromkeys(NUMBERS), "num_runs": 0, "decided": "", "details": {}}
    (root / "cards" / "generated-0.json").write_text(json.dumps(begun), "utf-8")
    broken = json.loads((CARDS / "exact-1.json").read_text("utf-8"))
    broken["entries"][0]["value"] = "high"
    (root / "cards" / "broken.json").write_text(json.dumps(broken), "utf-8")
    (root / "cards" / "other.json").write_text('{"format": "parley-bench/1"}', "utf-8")


def make_all(root: Path) -> None:
    """Everything."""
    make_cards(root)
    make_runs(root)
    make_film(root)
    make_experiment(root)
