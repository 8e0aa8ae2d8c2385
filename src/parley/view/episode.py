"""One episode, step by step: what was heard, proposed, chosen and paid, and what went on below the words."""

import json
from pathlib import Path
from typing import Any

from parley.core.calls import CACHED, OK
from parley.core.errors import BadInput
from parley.core.said import INVALID
from parley.report.films import NAME
from parley.view.grid import DETAILS, SPENT
from parley.view.log import Log, opened

MOST_STEPS = 1000  # of an episode, at once
MOST_BARS = 40  # entries of a menu that are shown; the others are counted
STEP = ("step", "observation", "subgoal", "explored", "proposal", "proposal_source", "answers", "law", "menu")
STEPS = (*STEP, "next_observation", "reward")
CALL = ("step", *SPENT[:5], "outcome")


def episode_of(out: Path, manifest: dict[str, Any], run: int, episode: int) -> dict[str, Any]:
    """An episode as far as it is recorded; raises `BadInput` where nothing of it is."""
    latents, cohort = manifest["latents"], cohort_of(manifest)
    if not 0 <= run < len(latents) or episode < 0:
        raise BadInput(f"run {run}, episode {episode}: this run directory has runs 0 to {len(latents) - 1}")
    place = (run, episode, cohort)
    with opened(out) as log:
        whole = log.of_episode("episodes", DETAILS, *place, most=1)
        rows = log.of_episode("steps", STEPS, *place, most=MOST_STEPS + 1)
        if not whole and not rows:
            raise BadInput(f"run {run}, episode {episode} is not recorded (yet)")
        menus = _Menus(log)
        steps = [_step(dict(zip(STEPS, row, strict=True)), menus) for row in rows[:MOST_STEPS]]
        by_step: dict[Any, dict[str, Any]] = {step["step"]: step for step in steps}
        for step, actions, event in log.of_episode("low_level", ("step", "actions", "event"), *place):
            by_step.get(step, {})["low_level"] = {"actions": actions, "event": event}
        for step, left_out in log.of_episode("cuts", ("step", "left_out"), *place):
            by_step.get(step, {})["left_out"] = left_out
        for call in log.of_episode("calls", CALL, *place):
            _count(by_step.get(call[0]), dict(zip(CALL, call, strict=True)))
    about = dict(zip(DETAILS, whole[0], strict=True)) if whole else {"run": run, "episode": episode}
    told = {"complete": bool(whole), "latent": latents[run], "cut": len(rows) > MOST_STEPS}
    return {**about, **told, "steps": steps, "film": film_of(out, run, episode)}


def cohort_of(manifest: dict[str, Any]) -> int:
    """How many runs move together."""
    found = manifest["config"].get("cohort")
    return found if isinstance(found, int) and found > 0 else max(1, len(manifest["latents"]))


class _Menus:
    """Menus by their key, each read once, as lists of one menu an Actor."""

    def __init__(self, log: Log) -> None:
        self._log, self._known = log, dict[Any, list[list[Any]]]()

    def of(self, key: Any) -> list[list[Any]]:
        if key not in self._known:
            query = f"{self._log.select('menus', ('subgoals',))} WHERE menu = ?" if self._log.has("menus") else ""
            found = self._log.db.execute(query, (key,)).fetchone() if query else None
            listed = json.loads(found[0]) if found else []
            listed = listed if isinstance(listed, list) else []
            several = bool(listed) and isinstance(listed[0], list)
            self._known[key] = [menu for menu in listed if isinstance(menu, list)] if several else [listed]
        return self._known[key]


def _step(row: dict[str, Any], menus: _Menus) -> dict[str, Any]:
    """A step with the bars of each Actor's menu: the proposal, the executed distribution, the choice."""
    menu, actors = menus.of(row["menu"]), []
    said = _parts(row["subgoal"], len(menu))
    given = {name: _laws(row[name], len(menu)) for name in ("proposal", "answers", "law")}
    for k, listed in enumerate(menu):
        actors.append(
            _bars(listed, said[k] if k < len(said) else None, {name: laws[k] for name, laws in given.items()})
        )
    kept = {name: row[name] for name in ("step", "observation", "next_observation", "reward")}
    source = row["proposal_source"]
    about = {"explored": bool(row["explored"]), "source": source, "invalid": INVALID in str(source or "")}
    return {**kept, **about, "subgoal": said, "actors": actors}


def _parts(subgoal: Any, actors: int) -> list[str]:
    """What each Actor was told."""
    if actors > 1:
        try:
            found = json.loads(subgoal)
        except (ValueError, TypeError):
            found = [subgoal]
        return [str(part) for part in found] if isinstance(found, list) else [str(subgoal)]
    return [str(subgoal)]


def _laws(text: Any, actors: int) -> list[list[float] | None]:
    """One distribution an Actor, or none."""
    if text is None:
        return [None] * actors
    found = json.loads(text)
    laws = found if actors > 1 else [found]
    return [[float(p) for p in law] for law in laws] + [None] * (actors - len(laws))


def _bars(menu: list[Any], chosen: str | None, laws: dict[str, list[float] | None]) -> dict[str, Any]:
    """The entries of one Actor's menu, in its order; of a long one, the likely ones and the chosen one."""
    legal = [i for i, words in enumerate(menu) if words is not None]
    given = {name: law for name, law in laws.items() if law is not None and len(law) == len(menu)}
    most = given.get("law") or given.get("proposal") or given.get("answers")
    listed = legal
    if len(legal) > MOST_BARS:
        likely = sorted(legal, key=lambda i: -(most[i] if most else 0.0))[:MOST_BARS]
        listed = sorted({*likely, *(i for i in legal if menu[i] == chosen)})
    bars = [
        {"said": menu[i], "chosen": menu[i] == chosen, **{name: law[i] for name, law in given.items()}} for i in listed
    ]
    rest = {name: max(0.0, 1 - sum(law[i] for i in listed)) for name, law in given.items()}
    known = any(bar["chosen"] for bar in bars)
    return {"bars": bars, "others": len(legal) - len(listed), "rest": rest, "off_menu": None if known else chosen}


def _count(step: dict[str, Any] | None, call: dict[str, Any]) -> None:
    """Add a call to what a step took."""
    if step is None:
        return
    spent = step.setdefault("spent", {"calls": 0, "failed": 0, "cached_calls": 0, **dict.fromkeys(SPENT[:5], 0)})
    spent["calls"] += 1
    spent["failed"] += call["outcome"] not in (OK, CACHED)
    spent["cached_calls"] += call["outcome"] == CACHED
    for name in SPENT[:5]:
        spent[name] += call[name] or 0


def film_of(out: Path, run: int, episode: int) -> str | None:
    """The name of a kept film of an episode."""
    return next((f"run{run}-episode{episode}.{k}" for k in ("mp4", "gif") if kept_film(out, run, episode, k)), None)


def kept_film(out: Path, run: int, episode: int, kind: str) -> bool:
    return (out / "films" / f"run{run}-episode{episode}.{kind}").is_file()


def films_of(out: Path) -> list[dict[str, Any]]:
    """The episodes that have films."""
    found = [NAME.fullmatch(path.name) for path in sorted((out / "films").glob("*"))]
    return [{"run": int(m[1]), "episode": int(m[2]), "name": m[0]} for m in found if m]
