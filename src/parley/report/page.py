"""The HTML report: one file without outside requests; curves, a table, the configuration, a trace of any episode."""

import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from parley.core.text import inert
from parley.report.films import kept_films
from parley.report.plots import as_svg, by_world, evidence_figure, regret_figure
from parley.report.signatures import Diagnosis
from parley.report.summary import Curves, reading
from parley.runs.log import RunReader

MAX_STEPS = 60_000  # steps in a page: about 10 MB


def report_page(
    outs: Sequence[Path], searches: Sequence[dict[str, Any]] = (), diagnoses: Sequence[Diagnosis | str] = ()
) -> str:
    """The page of one or more run directories, compared where they are several; `searches` are of chosen steps.

    `diagnoses`, one a directory where given, may be the reason why there is none.
    """
    curves = [Curves.read(out) for out in outs]
    traces = [_traces(out, curve, MAX_STEPS // len(outs)) for out, curve in zip(outs, curves, strict=True)]
    template = files("parley.report").joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True)
    environment.filters["inert"] = inert
    return environment.from_string(template).render(
        figure=Markup(as_svg(regret_figure(by_world(curves)))),
        summaries=[curve.summary() for curve in curves],
        worlds=[curve.manifest["config"]["world"] for curve in curves],
        manifests=[_shown(curve.manifest) for curve in curves],
        searches=searches,
        diagnoses=[_diagnosis(one) for one in diagnoses],
        data=Markup(_script_json(traces)),
    )


def _diagnosis(one: Diagnosis | str) -> dict[str, Any]:
    if isinstance(one, str):
        return {"because": one}
    numbers = ", ".join(f"{name} {value:.3g}" for name, value in one.statistics.items())
    drawn = Markup(as_svg(evidence_figure([(one.signature, one.evidence)])))
    return {**one.as_dict(), "because": f"{one.because} ({numbers})", "figure": drawn}


def _shown(manifest: dict[str, Any]) -> str:
    """The manifest as text, but for the list of latents, one a run, which the trace shows run by run."""
    kept = {key: value for key, value in manifest.items() if key != "latents"}
    return "\n".join(inert(line) for line in json.dumps(kept, indent=1, ensure_ascii=False).split("\n"))


def _traces(out: Path, curve: Curves, limit: int) -> dict[str, Any]:
    """Steps of the episodes that fit the page: first and last episodes before any of the middle."""
    runs, episodes = curve.values.shape
    room = max(1, limit // max(1, runs * curve.manifest["horizon"]))
    kept = list(range(episodes))
    if episodes > room:
        kept = sorted({*range(room - room // 2), *range(episodes - room // 2, episodes)})
    menus: list[Any] = []
    with reading(out) as reader:
        listed = list(_episodes(reader, kept, menus))
        latents = [inert(str(latent)) for latent in curve.manifest["latents"]]
    return {
        "label": inert(f"{curve.manifest['config']['world']}: {curve.label}"),
        "latents": latents,
        "films": kept_films(out),
        "menus": [[[s and inert(s) for s in menu] for menu in joint] for joint in menus],
        "episodes": listed,
        "left_out": episodes - len(kept) if listed else episodes,
    }


def _episodes(reader: RunReader, kept: list[int], menus: list[Any]) -> Iterator[dict[str, Any]]:
    """The recorded episodes, each step with its chosen entries and probabilities; menus are listed once, in `menus`.

    With one Actor or several, a menu is a list of one menu an Actor, and a proposal a list of one distribution each.
    """
    instructions = dict(zip(reader.runs(), reader.episodes("instruction"), strict=True))
    for run, episode, steps in reader.traces(kept):
        if run not in instructions:
            continue  # its cohort has finished no episode yet
        shown = []
        for step in steps:
            several = isinstance(step["menu"][0], list)
            menu = step["menu"] if several else [step["menu"]]
            said = json.loads(step["subgoal"]) if several else [step["subgoal"]]
            proposal = step["proposal"] if several or step["proposal"] is None else [step["proposal"]]
            if menu not in menus:
                menus.append(menu)
            shown.append(
                {
                    "observation": inert(step["observation"]),
                    "menu": menus.index(menu),
                    "proposal": _rounded(proposal),
                    "proposal_source": inert(step["proposal_source"] or ""),
                    "chosen": [words.index(part) for words, part in zip(menu, said, strict=True)],
                    "explored": step["explored"],
                    "reward": step["reward"],
                }
            )
        shown.append({"observation": inert(steps[-1]["next_observation"])})
        yield {"run": run, "episode": episode, "instruction": inert(instructions[run][episode]), "steps": shown}


def _rounded(proposal: Any) -> Any:
    if isinstance(proposal, list):
        return [_rounded(p) for p in proposal]
    return proposal if proposal is None else round(proposal, 4)


def _script_json(data: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
