"""What a card would take, before it is begun: decisions, calls, tokens and minutes, from a pilot."""

from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from parley.assemble.estimate import Estimate, estimate
from parley.assemble.planners import PLANNERS
from parley.bench.arms import Arm, config_of
from parley.bench.conducting import Bench
from parley.core.errors import BadInput
from parley.report.tables import plain

KNOWN = ("random", "exact")  # floor and ceiling: no model is asked


def planned(bench: Bench) -> list[dict[str, Any]]:
    """A row a world, of a remote planner also a memory: how many arms, and what a batch of them takes, if known."""
    arms = dict.fromkeys(arm for entry in bench.entries for arm in entry.arms if arm.planner not in KNOWN)
    groups: dict[tuple[str, str], list[Arm]] = {}
    for arm in arms:
        by_memory = (arm.memory or "") if PLANNERS.find(arm.planner, trust=True).kind.remote else ""
        groups.setdefault((arm.world, by_memory), []).append(arm)
    return [_row(bench, world, memory, group) for (world, memory), group in groups.items()]


def _row(bench: Bench, world: str, memory: str, arms: list[Arm]) -> dict[str, Any]:
    row: dict[str, Any] = {"world": world, "memory": memory, "arms": len(arms), "sentence": ""}
    try:
        config = config_of(Arm(world, arms[0].planner, memory=memory or None), bench.plan.sizes, 0, bench.out)
        found = estimate(config, config.parts(trust=True))
    except BadInput as wrong:
        found, row["sentence"] = Estimate(0, 0, None, None), str(wrong)
    tokens, minutes = found.prompt_tokens, None if found.wall_s is None else found.wall_s / 60
    return row | {
        "decisions": found.decisions * len(arms),
        "calls": found.calls * len(arms),
        "prompt_tokens": None if tokens is None else tokens * len(arms),
        "minutes": None if minutes is None else round(minutes * len(arms), 3),
    }


def plan_table(rows: list[dict[str, Any]], bench: Bench, budget: str) -> Table:
    """The plan in the terminal: what one batch of everything takes."""
    sizes = bench.plan.sizes
    title = f"plan: {len(bench.entries)} entries; a batch is {sizes.runs} runs of {sizes.episodes} episodes"
    table = Table(title=plain(title), title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for i, name in enumerate(("world", "memory", "arms", "decisions", "calls", "prompt tokens", "minutes")):
        table.add_column(name, justify="right" if i > 1 else "left", overflow="fold")
    for row in rows:
        numbers = [row["arms"], row["decisions"], row["calls"], row["prompt_tokens"], row["minutes"]]
        shown = ["-" if one is None else f"{one:,.3g}" if isinstance(one, float) else f"{one:,}" for one in numbers]
        table.add_row(plain(row["world"]), plain(row["memory"]), *shown)
    total = [sum(row[name] or 0 for row in rows) for name in ("calls", "prompt_tokens", "minutes")]
    said = (
        f"one batch: {total[0]:,} calls, {total[1]:,} prompt tokens, {total[2]:.2g} minutes; at most {sizes.batches} "
    )
    said += f"batches of an entry, fewer where it is decided; budget: {budget or 'none'}"
    said = "\n".join([said, *dict.fromkeys(row["sentence"] for row in rows if row["sentence"])])
    table.caption, table.caption_justify = "\n".join(map(plain, said.splitlines())), "left"
    return table
