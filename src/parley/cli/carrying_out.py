"""What `run` and `resume` have in common: options, warnings, films, and the table at the end."""

import argparse
from pathlib import Path
from typing import Any

from parley import assemble
from parley.assemble.pretrained import pretrained
from parley.cli.console import ERR, OUT
from parley.cluster.addressed import brought
from parley.core.errors import BadInput, ParleyError
from parley.core.paths import address
from parley.execute import RunConfig
from parley.report.films import chosen, physical_of, render
from parley.report.room import no_room
from parley.report.summary import Curves, reading
from parley.report.tables import calls_line, invalid_line, plain, summary_table
from parley.runs.hooks import in_vain
from parley.runs.ledger import Limits, Prices

Films = list[tuple[int, int]]  # run, episode


def shared_options(c: Any) -> None:
    """Options of both run and resume."""
    c.add_argument(
        "--hook",
        action="append",
        default=[],
        metavar="NAME",
        help="a hook, which is told what happens: a plugin or module:Name (default: none)",
    )
    c.add_argument(
        "--on",
        metavar="WHERE",
        help="ray, ray://HOST:PORT or slurm:partition=...,time=..., see docs/scale.md (default: here)",
    )
    c.add_argument(
        "--token-limit",
        type=int,
        default=0,
        metavar="N",
        help="pause once calls took so many tokens (default: 0, no limit)",
    )
    c.add_argument(
        "--cost-limit",
        type=float,
        default=0.0,
        metavar="X",
        help="pause once calls cost so much (default: 0, no limit)",
    )
    c.add_argument(
        "--prices", type=Path, metavar="FILE", help="a table of prices, see docs/endpoints.md (default: none)"
    )
    c.add_argument(
        "--render",
        metavar="RUN:EPISODE,...",
        help="keep films of these episodes (physical worlds; 0:-1: the last; default: none)",
    )
    c.add_argument(
        "--render-kind",
        default="gif",
        choices=["gif", "mp4"],
        help="of films; mp4 needs the extra video (default: gif)",
    )
    c.add_argument("--render-every", type=int, default=8, metavar="N", help="low-level actions a picture (default 8)")


def beyond_of(config: RunConfig) -> str | None:
    """Whether a checkpoint is run for more episodes than the theory speaks of. Only our planners say what they read."""
    planners = assemble.PLANNERS
    if config.planner.partition(":")[0].strip() not in planners.ours:
        return None
    planner = planners.find(config.planner)
    found = pretrained(planner.name, planner.arguments, config.world)
    return found.beyond(config.episodes) if found else None


def to_render(args: argparse.Namespace, config: RunConfig, trust: bool) -> list[tuple[int, int]]:
    """The episodes to film. Faults in them are told before the run begins."""
    if args.render is None:
        return []
    parts = config.parts(trust)
    physical_of(parts.world, "--render")
    if args.render_every < 1:
        raise BadInput(f"--render-every {args.render_every}: expected at least 1")
    if config.resolved(parts).record != "steps":
        raise BadInput("--render plays recorded steps again: add --record steps")
    return chosen(args.render, config.runs, config.episodes)


def limits_of(args: argparse.Namespace) -> Limits:
    return Limits(args.token_limit, args.cost_limit, Prices.read(args.prices) if args.prices else Prices())


def warn(said: str) -> None:
    ERR.print(f"[yellow]parley:[/] {plain(said)}", soft_wrap=True)


def finished(out: Path) -> int:
    """Episodes that all runs have behind them; 0 where the log cannot be read, which resuming judges."""
    try:
        with reading(out) as reader:
            return reader.episodes("explored").size
    except ParleyError:
        return 0


def closing(args: argparse.Namespace, manifest: dict[str, Any], films: Films, trust: bool) -> Any:
    """The films, and the table at the end."""
    for said in in_vain(manifest):
        warn(said)
    made: list[str] = []
    if films:
        world = assemble.world(manifest["config"]["world"], trust)
        made = [str(path) for path in render(args.out, world, films, args.render_kind, args.render_every)]
    here, named = brought(args.out), address(args.out) or str(args.out)
    curves = Curves.read(here)
    kept = manifest["config"]["record"]
    if not args.json and not args.quiet:
        OUT.print(summary_table([curves.summary()], f"{manifest['config']['world']} ({named})"))
        if "calls" in manifest["totals"]:
            OUT.print(calls_line(manifest["totals"]["calls"]), soft_wrap=True, highlight=False)
        for path in made:
            OUT.print(f"film: {plain(path)}", soft_wrap=True, highlight=False)
        ERR.print(
            f"recorded: {kept}. Look at it:  parley {'show' if address(args.out) else 'view'} {plain(named)}",
            soft_wrap=True,
        )
    kinds = ("calls", "decisions", "invalid")
    told = {name: manifest["totals"][name] for name in kinds if name in manifest["totals"]}
    filmed = {"films": made} if made else {}
    answer = {"out": named, "record": kept, **curves.summary().as_dict(), **told, **filmed}
    wrong = invalid_line(manifest["totals"], named)
    if wrong and told["invalid"] == told["decisions"]:
        raise ParleyError(wrong, answer)
    if wrong:
        ERR.print(f"[yellow]parley:[/] {plain(wrong)}", soft_wrap=True)
    if said := no_room(here / "run.sqlite", manifest["config"]):
        warn(said)
    return answer
