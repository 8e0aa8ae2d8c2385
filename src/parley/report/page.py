"""The HTML report: one file without outside requests; curves, a table, the configuration, a trace of any episode."""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from parley.report.plots import as_svg, regret_figure
from parley.report.summary import Curves
from parley.runs.log import RunReader

MAX_STEPS = 60_000  # steps in a page: about 10 MB


def report_page(outs: Sequence[Path]) -> str:
    """The page of one or more run directories, compared where they are several."""
    curves = [Curves.read(out) for out in outs]
    worlds = list(dict.fromkeys(curve.manifest["config"]["world"] for curve in curves))
    panels = [(world, [c for c in curves if c.manifest["config"]["world"] == world]) for world in worlds]
    traces = [_traces(out, curve, MAX_STEPS // len(outs)) for out, curve in zip(outs, curves, strict=True)]
    template = files("parley.report").joinpath("page.html.jinja").read_text(encoding="utf-8")
    return (
        Environment(autoescape=True)
        .from_string(template)
        .render(
            figure=Markup(as_svg(regret_figure(panels))),
            summaries=[curve.summary() for curve in curves],
            manifests=[json.dumps(_shown(curve.manifest), indent=1, ensure_ascii=False) for curve in curves],
            data=Markup(_script_json(traces)),
        )
    )


def _shown(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest but for the list of latents, one a run, which the trace shows run by run."""
    return {key: value for key, value in manifest.items() if key != "latents"}


def _traces(out: Path, curve: Curves, limit: int) -> dict[str, Any]:
    """Steps of the episodes that fit the page: first and last episodes before any of the middle."""
    reader = RunReader(out)
    try:
        runs, episodes = curve.values.shape
        horizon = curve.manifest["horizon"]
        room = max(1, limit // max(1, runs * horizon))
        kept = list(range(episodes))
        if episodes > room:
            kept = sorted({*range(room - room // 2), *range(episodes - room // 2, episodes)})
        instructions = reader.episodes("instruction")
        menus: list[Any] = []
        listed = [
            {"run": r, "episode": e, "instruction": instructions[r, e], "steps": _brief(steps, menus)}
            for r, e, steps in reader.traces(kept)
        ]
    finally:
        reader.close()
    return {
        "label": f"{curve.manifest['config']['world']}: {curve.label}",
        "latents": curve.manifest["latents"],
        "menus": menus,
        "episodes": listed,
        "left_out": episodes - len(kept) if listed else episodes,
    }


def _brief(steps: list[dict[str, Any]], menus: list[Any]) -> list[dict[str, Any]]:
    """Steps as the page needs them: probabilities to four digits, each menu once, what was heard not said twice."""
    brief = []
    for step in steps:
        if step["menu"] not in menus:
            menus.append(step["menu"])
        kept = {key: step[key] for key in ("observation", "subgoal", "explored", "reward", "proposal_source")}
        brief.append({**kept, "menu": menus.index(step["menu"]), "proposal": _rounded(step["proposal"])})
    return [*brief, {"observation": steps[-1]["next_observation"]}] if steps else []


def _rounded(proposal: Any) -> Any:
    if isinstance(proposal, list):
        return [_rounded(p) for p in proposal]
    return proposal if proposal is None else round(proposal, 4)


def _script_json(data: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
