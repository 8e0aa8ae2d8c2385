"""Tables for the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from parley.core.text import inert, inert_lines
from parley.report.folding import Folding
from parley.report.signatures import Diagnosis
from parley.report.summary import Summary

TOLERATED = 0.05  # share of decisions without a usable answer that needs no warning


def plain(text: str) -> str:
    """Text that can neither act on the terminal nor be read as markup."""
    return escape(inert(text))


def whole(text: str) -> str:
    """The same of all lines of a text, however long; further lines are indented."""
    return escape(inert_lines(text).replace("\n", "\n    "))


def summary_table(summaries: Sequence[Summary], title: str) -> Table:
    """One row a run directory: regret with its interval, return, exploration, growth; or the world's scores."""
    if summaries and all(s.scores is not None for s in summaries):
        return _scores_table(summaries, title)
    table = Table(title=plain(title), title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("planner, explorer")
    for name in ("runs", "regret of a run", "return", "explored", "growth"):
        table.add_column(name, justify="right", no_wrap=True)
    table.caption = "95% intervals over runs; growth: regret ~ T^growth over the last half"
    for s in summaries:
        table.add_row(
            Folding(s.label),
            f"{s.runs} x {s.episodes}",
            s.regret_text,
            f"{s.mean_return:.3f}",
            f"{s.explored:.1%}",
            plain(s.slope_text),
        )
    return table


def _scores_table(summaries: Sequence[Summary], title: str) -> Table:
    table = Table(title=plain(title), title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("planner, explorer")
    measure = summaries[0].measure if len({s.measure for s in summaries}) == 1 else "score or return"
    for name in ("runs", measure, "learnt", "success", "until", "explored"):
        table.add_column(name, justify="right", no_wrap=True)
    lines = ["95% intervals over runs; learnt: the last quarter of the episodes less the first"]
    lines.append("until: episodes that half of the runs take to succeed once")
    references = {name: value for s in summaries if s.scores for name, value in s.scores.references.items()}
    if references:
        lines.append(
            "others reach: " + ", ".join(f"{inert(name, 40)} {value:.3g}" for name, value in references.items())
        )
    table.caption = escape("\n".join(lines))
    table.caption_justify = "left"
    for s in summaries:
        if s.scores is not None:
            numbers = s.scores.text, s.scores.gain_text, s.scores.success_text, s.scores.speed_text
            table.add_row(Folding(s.label), f"{s.runs} x {s.episodes}", *numbers, f"{s.explored:.1%}")
    return table


def calls_line(calls: Mapping[str, Any]) -> str:
    """What the calls of a run took."""
    cached = calls["cached_tokens"] / max(1, calls["prompt_tokens"])
    line = (
        f"{calls['calls']:,} calls: {calls['prompt_tokens']:,} prompt tokens ({cached:.1%} from the server's cache), "
    )
    line += f"{calls['completion_tokens']:,} completion tokens"
    if "counted" in calls:
        line += f" (of {calls['counted']:,} calls counted by us, at most: the server does not tell them)"
    without = f", without {calls['unpriced']:,} calls that have no price" if "unpriced" in calls else ""
    return line + (f", cost {calls['cost']:.4f}{without}" if "cost" in calls else "")


def invalid_line(totals: Mapping[str, Any], out: str = "") -> str:
    """A warning on a run in which many decisions rest on no usable answer; empty where few do."""
    decisions, invalid = totals.get("decisions", 0), totals.get("invalid", 0)
    if not invalid or invalid <= TOLERATED * decisions:
        return ""
    if invalid == decisions:
        said = f"no answer of the planner could be used: all {decisions:,} proposals were uniform"
    else:
        share = f"{invalid:,} of {decisions:,} decisions ({invalid / decisions:.0%})"
        said = f"{share} rest on no usable answer: there the proposal was uniform"
    return f"{said}; what was asked:  parley prompt {out or 'RUN'} --episode 0 --step 1"


def verdicts_table(rows: Sequence[Mapping[str, Any]], world: str, within: float) -> Table:
    """What `world verify` found: the pooled mechanisms, and of those given the subgoal before what does not hold."""
    table = Table(title=plain(f"{world}: tables and physics"), title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("mechanism, and what went before", overflow="fold")
    for name in ("visits", "TV", "99% limits", "verdict"):
        table.add_column(name, justify="right", no_wrap=True)
    table.caption = f"holds: the upper limit is at most {within:g}; differs: the lower limit is above it"
    for row in rows:
        if row["before"] and row["verdict"] == "holds":
            continue
        what = row["mechanism"] + (f", after: {row['before']}" if row["before"] else "")
        what += f" ({row['worst']})" if row["lower"] > 0 else ""
        limits = f"{row['lower']:.4f} to {row['upper']:.4f}"
        table.add_row(plain(what), str(row["visits"]), f"{row['tv']:.4f}", limits, row["verdict"])
    return table


def names_table(title: str, rows: Sequence[tuple[str, str, str]]) -> Table:
    """Names, their arguments, and a line about each."""
    table = Table(title=title, title_justify="left")
    for column in ("name", "arguments (defaults)", "what it is"):
        table.add_column(column)
    for row in rows:
        table.add_row(*map(plain, row))
    return table


def runs_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """Run directories: how they ended, and what was run in them."""
    table = Table(title="runs", title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for column in ("run", "status", "world", "planner", "explorer", "runs"):
        table.add_column(column, no_wrap=column in ("status", "runs"))
    for one in found:
        size = f"{one['runs']} x {one['episodes']}" if {"runs", "episodes"} <= one.keys() else ""
        texts = [str(one.get(name, "")) for name in ("run", "status", "world", "planner", "explore")]
        run, status, *parts = texts
        table.add_row(Folding(run), plain(status), *map(Folding, parts), size)
    return table


def proposal_lines(step: Mapping[str, Any], least: float = 0.005) -> Iterator[str]:
    """What was proposed at a logged step: likely subgoals first, one line an Actor; or what was given instead."""
    several = isinstance(step["menu"][0], list)
    if step["proposal"] is None:
        yield plain(step["proposal_source"] or "")
        return
    for k, probs in enumerate(step["proposal"] if several else [step["proposal"]]):
        menu = step["menu"][k] if several else step["menu"]
        listed = sorted(zip(probs, menu, strict=True), key=lambda entry: -entry[0])
        yield "proposed " + ", ".join(f"{p:.2f} {plain(words)}" for p, words in listed if words and p >= least)


def theory_table(found: Mapping[str, Any]) -> Table:
    """`parley theory`: one row an exploration policy; a dash where a number is unknown or infinite."""
    title = f"{found['world']}: {found['num_classes']} latents that can be told apart, c_Z {_number(found['c_z'])}"
    table = Table(title=plain(title), title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("exploration", no_wrap=True)
    columns = {"eta": "eta", "cost": "regret of an episode", "epsilon": "epsilon(T)", "bound": "bound at T"}
    for name in columns.values():
        table.add_column(name, justify="right")
    for policy in found["eta"]:
        table.add_row(policy, *(_number(found[key][policy]) for key in columns))
    # Short lines: a caption is folded at the width of its table.
    lines = [f"T = {found['episodes']:,}; the bound's constants, open in the paper, are 1"]
    if found["delta_p"]:
        lines.append(f"H^2 T Delta_p is added, Delta_p = {_number(found['delta_p'])}")
    followed = min(escape["episodes"] for escape in found["traps"])
    if followed < found["episodes"]:
        lines.append(f"planners were simulated for the first {followed:,} episodes only")
    table.caption = "\n".join(lines)
    table.caption_justify = "left"
    return table


def data_table(title: str, rows: Mapping[str, str]) -> Table:
    """The entries of a data directory's description, one a row."""
    table = Table(title=plain(title), title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(plain(name.replace("_", " ")), plain(value))
    return table


def latents_table(latents: Sequence[Mapping[str, Any]], most: int = 20) -> Table:
    """`parley data check`: the documents of each latent, least covered first."""
    table = Table(title="latents, least covered first", title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("latent", overflow="fold")
    for name in ("prior", "documents", "pairs", "visited", "least visits"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in sorted(latents, key=lambda one: one["covered"])[:most]:
        numbers = (f"{one['prior']:.4g}", f"{one['documents']:,}", f"{one['pairs']:,}", f"{one['covered']:.1%}")
        table.add_row(plain(one["latent"]), *numbers, f"{one['least']:,}")
    table.caption = "pairs: (history, instruction, subgoal), histories with one belief over states counted as one"
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def findings_table(findings: Sequence[Mapping[str, Any]]) -> Table:
    """One row an experiment: its verdict, and the interval that it comes from."""
    table = Table(title="findings", title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for column in ("experiment", "verdict", "estimate", "interval"):
        table.add_column(column, no_wrap=True)
    table.add_column("of", overflow="fold")
    for found in findings:
        low, high = found["interval"]
        interval = plain(f"[{low:.3g}, {high:.3g}]")
        verdict, name = plain(found["verdict"]), plain(found["experiment"])
        table.add_row(name, verdict, f"{found['estimate']:.3g}", interval, plain(found["quantity"]))
    return table


def diagnoses_table(found: Mapping[Path, Diagnosis]) -> Table:
    """The diagnosis of each run, and its reason."""
    table = Table(title="diagnosis", title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("run")
    table.add_column("signature", no_wrap=True)
    table.add_column("because", overflow="fold")
    for out, one in found.items():
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in one.statistics.items())
        table.add_row(Folding(str(out)), one.signature, plain(f"{one.because} ({numbers})"))
    return table


def estimates_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What cells of a study would take."""
    table = Table(title="what would be run", box=SIMPLE)
    for name in ("world", "planner, explorer"):
        table.add_column(name, overflow="fold")
    for name in ("runs x T", "decisions", "calls", "tokens", "time"):
        table.add_column(name, justify="right")
    for row in rows:
        wall_s = "unknown" if row["wall_s"] is None else f"{row['wall_s']:,.0f} s"
        tokens = "none" if row["prompt_tokens"] is None else f"{row['prompt_tokens']:,}"
        names = row["world"], f"{row['planner']}, {row['explore']}"
        sizes = f"{row['runs']} x {row['episodes']}", f"{row['decisions']:,}", f"{row['calls']:,}", tokens, wall_s
        table.add_row(*map(plain, names), *sizes)
    return table
