"""What the viewer can be asked, by name: a server answers over HTTP, a report holds the answers to some questions."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from parley.core.errors import BadInput, ParleyError
from parley.core.spec import is_count
from parley.view import findings
from parley.view.cards import cards_of
from parley.view.curves import Drawn, compared
from parley.view.episode import episode_of, films_of
from parley.view.found import Found
from parley.view.heat import episodes_of, first_time, heat_map, named
from parley.view.notes import Notes
from parley.view.prompts import calls_of
from parley.view.rows import Runs
from parley.view.states import manifest_of

LIST_S = 0.2  # for reading numbers, before the list of runs is answered without the others
LISTED_LATENTS = 4096
Asked = Mapping[str, str]
Ask = Callable[..., dict[str, Any]]  # a task, a run directory, numbers: `Laboratory.ask`


class Answers:
    """Questions about the runs and experiments below a directory. All raise `ParleyError` with one sentence."""

    def __init__(self, found: Found, notes: Notes | None, laboratory: Ask) -> None:
        self.found, self.notes, self._ask = found, notes, laboratory
        self.runs = Runs(found)
        self.questions: dict[str, Callable[[Asked], dict[str, Any]]] = {
            "runs": self._runs,
            "run": self._run,
            "heat": self._heat,
            "episodes": self._episodes,
            "first": self._first,
            "episode": self._episode,
            "calls": self._calls,
            "compare": self._compare,
            "experiments": lambda asked: {"experiments": findings.listed(self.found)},
            "experiment": lambda asked: findings.experiment_of(self.found, asked["id"]),
            "cards": lambda asked: cards_of(self.found),
            "cell": lambda asked: findings.cell_of(self.found, asked["id"], asked["file"]),
            "beliefs": lambda asked: self._asked("believed", asked, "run", "episode"),
            "tree": lambda asked: self._asked("searched", asked, "run", "episode", "step"),
            "prompt": lambda asked: self._asked("prompted", asked, "run", "episode", "step"),
            "diagnosis": lambda asked: self._asked("diagnosed", asked),
            "replay": lambda asked: self._asked("filmed", asked, "run", "episode"),
        }

    def answer(self, question: str, asked: Asked) -> dict[str, Any]:
        """The answer; raises `BadInput` for a question that there is not, or one that lacks something."""
        if question not in self.questions:
            raise BadInput(f"there is no question {question!r}")
        try:
            return self.questions[question](asked)
        except KeyError as missing:
            raise BadInput(f"{question}: {missing.args[0]!r} is missing") from None
        except OSError as wrong:
            raise ParleyError(f"{question}: it cannot be read (any more): {wrong.strerror or wrong}") from None

    def close(self) -> None:
        """Read no more."""
        self.runs.close()

    def row(self, name: str, row: dict[str, Any] | None = None) -> dict[str, Any]:
        """A run's row, with its note and tags."""
        said = self.notes.of(self.found.run(name)) if self.notes else {"note": "", "tags": []}
        return {**(row or self.runs.row(name)), **said}

    def put_note(self, name: str, note: Any, tags: Any) -> dict[str, Any]:
        """Keep the user's note and tags of a run."""
        if self.notes is None:
            raise BadInput("notes are not kept here")
        self.notes.put(self.found.run(name), note, tags)
        return self.row(name)

    def _runs(self, asked: Asked) -> dict[str, Any]:
        rows = [self.row(row["id"], row) for row in self.runs.rows(LIST_S)]
        experiments = len(self.found.experiments)
        return {"directory": str(self.found.root), "runs": rows, "experiments": experiments, "cut": self.found.cut}

    def _run(self, asked: Asked) -> dict[str, Any]:
        name, out = asked["id"], self.found.run(asked["id"])
        manifest = manifest_of(out)
        latents = [str(latent) for latent in manifest["latents"][:LISTED_LATENTS]]
        shown = {key: value for key, value in manifest.items() if key not in ("latents", "menus")}
        row = self.row(name)
        return {**row, "manifest": shown, "latents": latents, "names": self._named(name), "films": films_of(out)}

    def _named(self, name: str) -> dict[str, Any]:
        try:
            return named(self.runs.grid(name))
        except ParleyError:
            return {"measure": "return", "first": "return", "metrics": []}  # the row names the fault

    def _heat(self, asked: Asked) -> dict[str, Any]:
        grid, (first, last) = self.runs.grid(asked["id"]), _range(asked)
        columns, order = _number(asked, "columns", 600), asked.get("order", "run")
        return {"id": asked["id"], **heat_map(grid, asked["metric"], first, last, columns, order)}

    def _episodes(self, asked: Asked) -> dict[str, Any]:
        (first, last), run = _range(asked), asked.get("run", "")
        wanted = {"sort": asked.get("sort", "episode"), "only": asked.get("only", "all"), "first": first, "last": last}
        wanted |= {"run": _number(asked, "run") if run else None, "offset": _number(asked, "offset", 0)}
        return episodes_of(self.runs.grid(asked["id"]), self.found.run(asked["id"]), wanted)

    def _first(self, asked: Asked) -> dict[str, Any]:
        grid, out = self.runs.grid(asked["id"]), self.found.run(asked["id"])
        return first_time(grid, out, asked["event"], asked.get("text", ""))

    def _episode(self, asked: Asked) -> dict[str, Any]:
        out = self.found.run(asked["id"])
        return episode_of(out, manifest_of(out), _number(asked, "run"), _number(asked, "episode"))

    def _calls(self, asked: Asked) -> dict[str, Any]:
        out = self.found.run(asked["id"])
        place = (_number(asked, "run"), _number(asked, "episode"), _number(asked, "step"))
        return calls_of(out, manifest_of(out), *place)

    def _compare(self, asked: Asked) -> dict[str, Any]:
        try:
            names = [str(name) for name in json.loads(asked["ids"])]
        except (ValueError, TypeError, RecursionError):
            raise BadInput("ids: expected a list of runs, as JSON") from None
        drawn = [Drawn(name, self.runs.grid(name), self.found.run(name)) for name in dict.fromkeys(names)]
        return compared(drawn, asked.get("metric", "regret"), asked.get("way", "cumulative"), *_range(asked))

    def _asked(self, task: str, asked: Asked, *numbers: str) -> dict[str, Any]:
        out = self.found.run(asked["id"])
        return self._ask(task, out, *(_number(asked, name) for name in numbers))


def _range(asked: Asked) -> tuple[int, int | None]:
    last = asked.get("last", "")
    return _number(asked, "first", 0), _number(asked, "last") if last else None


def _number(asked: Asked, name: str, default: int | None = None) -> int:
    """A whole number of a question. Raises `BadInput` where the value is not one."""
    text = asked.get(name, "") if default is not None else asked[name]
    if not text and default is not None:
        return default
    if not is_count(text.removeprefix("-")) or len(text) > 12:
        raise BadInput(f"{name}={text!r}: expected a whole number")
    return int(text)
