"""A report: the viewer as one file without outside requests, with its answers to chosen questions inside."""

import base64
import gzip
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.text import inert
from parley.report.films import KINDS
from parley.report.summary import OWN
from parley.view.answers import Answers
from parley.view.curves import METRICS, MOST_CURVES, WAYS
from parley.view.episode import films_of
from parley.view.found import LONGEST_NAME, Found
from parley.view.grid import Grid
from parley.view.heat import EVENTS, FILTERS, SORTS
from parley.view.states import manifest_of
from parley.view.tasks import SEARCHED_LIVE, carry_out
from parley.view.texts import encoded

COLUMNS = 600  # of a heat map, as the front end asks for it
MOST_STEPS = 4_000  # of chosen episodes, over all run directories
WORST = 40  # episodes of a run directory that are kept before others
BELIEFS_S = 5.0  # for the posteriors of a run directory; episodes that come later have none

Cells = Sequence[tuple[int, int]]  # (run, episode)s
Places = Sequence[tuple[int, int, int]]  # (run, episode, step)s
Recorded = dict[str, Any]


def report_page(outs: Sequence[Path], chosen: Sequence[Cells | None] = (), trees: Places = ()) -> bytes:
    """The page of one or more run directories, compared where they are several.

    `chosen` says which episodes have their steps on it, one list a directory. None, or an empty list, leaves the choice
    to `notable`. `trees` are decisions of the first directory whose search trees it holds.
    """
    return page_of(recorded(outs, chosen, trees))


def recorded(
    outs: Sequence[Path], chosen: Sequence[Cells | None] = (), trees: Places = (), live: bool = False
) -> Recorded:
    """Answers by their questions, as the front end spells these (`keyOf` in viewer/src/api.ts).

    `live` lets a planner ask its server again for the search trees.
    """

    def answered(task: str, out: Path, *numbers: int) -> dict[str, Any]:
        return carry_out(SEARCHED_LIVE if live and task == "searched" else task, out, None, list(numbers))

    names = {inert(str(out), LONGEST_NAME): out for out in outs}
    found = Found(Path(os.path.commonpath([out.resolve() for out in outs])))
    found.runs = {name: out.resolve() for name, out in names.items()}
    answers = Answers(found, None, answered)
    for name in names:
        answers.runs.row(name)  # however long that takes
    listed = answers.answer("runs", {})
    listed["runs"].sort(key=lambda row: list(names).index(row["id"]))  # as they were named: the first one is the base
    kept: Recorded = {"runs?": {**listed, "directory": ", ".join(names), "experiments": 0}}
    for i, (name, out) in enumerate(names.items()):
        grid = answers.runs.grid(name)
        of_run = chosen[i] if i < len(chosen) else None
        kept |= _of_run(answers, name, grid)
        look = kept[_key("diagnosis", id=name)].get("look_at", [])
        room = MOST_STEPS // len(names)
        cells = [*((r, t) for r, t in look), *notable(grid, room)] if of_run is None else of_run
        kept |= _of_episodes(answers, name, out, cells)
        kept |= {_key("film", id=name, name=film): data for film, data in _films(out)}
        for run, episode, step in trees if i == 0 else ():
            kept |= _of_episodes(answers, name, out, [(run, episode)])
            kept |= _asked(answers, "tree", id=name, run=run, episode=episode, step=step)
    for metric, way in product(METRICS, WAYS) if len(names) <= MOST_CURVES else ():
        kept |= _asked(answers, "compare", ids=_listed(names), metric=metric, way=way)
    return kept


def held(answers: Mapping[str, Any]) -> int:
    """Of how many episodes these answers hold the steps."""
    return sum(key.startswith("episode?") for key in answers)


def notable(grid: Grid, room: int) -> list[tuple[int, int]]:
    """The episodes to keep: all, if their steps fit the room; else the worst, the first explored, first and last."""
    rows, width = grid.rows_and_width()
    total = np.argwhere(grid.row > 0)
    most = max(1, room // max(1, grid.manifest["horizon"]))
    if len(total) <= most:
        return [(int(run), int(episode)) for run, episode in total]
    measure, values = grid.measured(rows, width)
    worst = np.argsort((values if measure in OWN else -values).ravel(), kind="stable")[:WORST]
    first = [(r, int(grid.explored[r].argmax())) for r in rows.tolist() if grid.explored[r].any()]
    order = [(int(rows[i // width]), int(i % width)) for i in worst] + first
    alternate = [t for pair in zip(range(width), range(width - 1, -1, -1), strict=True) for t in pair]
    order += [(r, t) for t in alternate[:width] for r in rows.tolist()]
    return list(dict.fromkeys(order))[:most]


def _key(question: str, **asked: Any) -> str:
    given = sorted((name, str(value)) for name, value in asked.items() if value not in (None, ""))
    return f"{question}?{'&'.join(f'{name}={value}' for name, value in given)}"


def _listed(names: Iterable[str]) -> str:
    """As `JSON.stringify` writes it."""
    return json.dumps(list(names), ensure_ascii=False, separators=(",", ":"))


def _asked(answers: Answers, question: str, **asked: Any) -> Recorded:
    """One answer by its key."""
    return {_key(question, **asked): answers.answer(question, {name: str(v) for name, v in asked.items()})}


def _of_run(answers: Answers, name: str, grid: Grid) -> Recorded:
    about = answers.answer("run", {"id": name})
    kept = {_key("run", id=name): about, **_asked(answers, "diagnosis", id=name)}
    for metric in about["names"]["metrics"]:
        kept |= _asked(answers, "heat", id=name, metric=metric, order="run", columns=COLUMNS)
    for only in FILTERS:
        for sort in SORTS:
            kept |= _asked(answers, "episodes", id=name, sort=sort, only=only)
    for event in EVENTS[:4]:
        kept |= _asked(answers, "first", id=name, event=event)
    first = about["names"]["first"]
    return kept | _asked(answers, "compare", ids=_listed([name]), metric=first, way="cumulative")


def _of_episodes(answers: Answers, name: str, out: Path, cells: Iterable[tuple[int, int]]) -> Recorded:
    """Steps, calls and posteriors of episodes."""
    kept: Recorded = {}
    until, believed = time.monotonic() + BELIEFS_S, manifest_of(out)["config"]["record"] == "steps"
    for run, episode in sorted(set(cells)):
        place = {"id": name, "run": run, "episode": episode}
        found = _asked(answers, "episode", **place)
        kept |= found
        for one in found.values():
            for step in one["steps"]:
                if "spent" in step:
                    kept |= _asked(answers, "calls", **place, step=step["step"])
        if found and believed and time.monotonic() < until:
            kept |= _asked(answers, "beliefs", **place)
    return kept


def _films(out: Path) -> Iterator[tuple[str, dict[str, str]]]:
    for film in films_of(out):
        kind = film["name"].rpartition(".")[2]
        content = base64.b64encode((out / "films" / film["name"]).read_bytes()).decode()
        yield film["name"], {"kind": kind, "data": f"data:{KINDS[kind]};base64,{content}"}


def page_of(answers: Recorded) -> bytes:
    """The front end and the answers in one file, which asks nobody for anything."""
    static = files("parley.view").joinpath("static")
    script, style = (static.joinpath(name).read_text(encoding="utf-8") for name in ("app.js", "app.css"))
    script = script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data:; media-src data:; base-uri 'none'; form-action 'none'",
            "require-trusted-types-for 'script'; trusted-types 'none'",
        ]
    )
    packed = base64.b64encode(gzip.compress(encoded(answers), mtime=0)).decode()
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f"<title>Parley: report</title>\n<style>{style}</style>",
            '<div id="app"></div><noscript>This page is a program: it needs JavaScript.</noscript>',
            f'<script type="text/plain" id="answers">{packed}</script>',
            f'<script type="module">{script}</script>\n</html>\n',
        ]
    ).encode()


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
