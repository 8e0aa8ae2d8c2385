"""One logged episode, step by step."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput
from parley.core.text import inert_lines
from parley.report.summary import reading

Subgoal = str | tuple[str, ...]  # with several Actors one sentence each


@dataclass(frozen=True)
class LoggedStep:
    """One step: what was seen, proposed, done and heard.

    `proposal` has the planner's probabilities by sentence, one mapping an Actor; None where the planner gave none, and
    `source` says what it gave instead.
    """

    step: int
    observation: str
    proposal: dict[str, float] | list[dict[str, float]] | None
    source: str
    choice: Subgoal
    explored: bool
    heard: str
    reward: float


@dataclass(frozen=True)
class Episode:
    """The steps of one episode of one run."""

    run: int
    episode: int
    instruction: str
    steps: tuple[LoggedStep, ...]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[LoggedStep]:
        return iter(self.steps)

    def __getitem__(self, index: int) -> LoggedStep:
        return self.steps[index]

    def __str__(self) -> str:
        lines = [f"task: {self.instruction}"]
        for one in self.steps:
            parts = (one.choice,) if isinstance(one.choice, str) else one.choice
            lines += [one.observation, *(f"> {part}{' (exploring)' if one.explored else ''}" for part in parts)]
        return "\n".join(map(inert_lines, [*lines, self.steps[-1].heard]))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def read_episode(out: Path, run: int, episode: int) -> Episode:
    """Read an episode from a log; raises `BadInput` where its steps are not recorded."""
    with reading(out) as reader:
        rows = reader.trace(run, episode)
        instruction = reader.instruction(run, episode)
    if not rows:
        raise BadInput(f"{out}: no steps are recorded of run {run}, episode {episode} (record=steps keeps them)")
    return Episode(run, episode, instruction, tuple(map(_step, rows)))


def _step(row: dict[str, Any]) -> LoggedStep:
    menu, proposal = row["menu"], row["proposal"]
    several = bool(menu) and isinstance(menu[0], list)
    found: Any = None
    if proposal is not None:
        found = [dict(zip(*pair, strict=True)) for pair in zip(menu, proposal, strict=True)] if several else None
        found = found or dict(zip(menu, proposal, strict=True))
    choice: Subgoal = tuple(json.loads(row["subgoal"])) if several else row["subgoal"]
    source = row["proposal_source"] or ""
    explored, reward = bool(row["explored"]), float(row["reward"])
    return LoggedStep(row["step"], row["observation"], found, source, choice, explored, row["next_observation"], reward)
