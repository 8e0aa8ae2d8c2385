"""The suites as a task of inspect_ai: a sample is an entry of the card, measured with the model that is evaluated."""

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from anyio.from_thread import BlockingPortal
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
from inspect_ai.scorer import Score, Target, mean, scorer
from inspect_ai.solver import Generate, TaskState, solver

from parley.bench.budget import Budget
from parley.bench.cards import Line, card_of
from parley.bench.conducting import Bench, Plan
from parley.bench.entries import Entry
from parley.bench.export.inspect_model import BRIDGES, Bridge
from parley.bench.pages import markdown, sentences
from parley.core.errors import BadInput
from parley.runs.directory import write_whole

PLANNER = "parley.bench.export.inspect_model:asked"
ROLES = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}


def task_of(plan: Plan, out: str, options: str = "", budget: str = "") -> Task:
    """The task of a plan; `options` are more options of the planner (`way=parse,budget=2000`)."""
    asked = Bench(replace(plan, planner=f"{PLANNER}:model=any"), Path(out))  # which entries there are
    samples = [Sample(input=f"{one.name}: {one.measures}", id=one.name) for one in asked.entries]
    whole = Card(plan, Path(out), options, Budget.read(budget))
    return Task(dataset=samples, solver=measured(whole), scorer=[share_of_the_way(), no_fault()], name="parley_bench")


@dataclass
class Card:
    """The card in the making: the runs of one entry are those of others too, so one is measured after the other."""

    plan: Plan
    out: Path
    options: str
    budget: Budget

    def __post_init__(self) -> None:
        self.turn, self.benches = anyio.Lock(), dict[str, Bench]()

    def of(self, model: str) -> Bench:
        """The bench of a model, whose runs are kept in a directory of their own."""
        if not set(model).isdisjoint(",=|"):
            raise BadInput(f"model={model!r}: a name with a comma, an = or a | is no option of a planner")
        if model not in self.benches:
            spec = ",".join(filter(None, (f"{PLANNER}:model={model}", self.options)))
            folder = self.out / "".join(c if c.isalnum() or c in "-." else "-" for c in model)
            self.benches[model] = Bench(replace(self.plan, planner=spec), folder)
            self.benches[model].begin()
        return self.benches[model]

    def measure(self, bench: Bench, name: str) -> tuple[Line | None, str, bool | None]:
        """Run an entry's batches until it is decided; its line, a sentence, and whether its fault is shown."""
        entry = next(one for one in bench.entries if one.name == name)
        why = ""
        while not why and bench.open(entry):
            why = bench.advance(entry, self.budget)
        card = card_of(bench, why)
        write_whole(bench.out / "card.json", card.as_json().encode())
        write_whole(bench.out / "card.md", markdown(card).encode())
        line = next((one for one in card.entries if one.name == name), None)
        if line is None or not line.num_runs:
            return None, card.left_out.get(name, why), None
        found = [text for text in sentences(card) if text.endswith(f"({name})")]
        return line, "; ".join([line.decided or why, *found]), _shown(bench, entry)


def _shown(bench: Bench, entry: Entry) -> bool | None:
    return entry.fault.shown(bench.measure(entry)) if entry.fault else None


@solver
def measured(card: Card) -> Any:
    """Plays the episodes that an entry is measured from."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()

        async def answer(messages: list[dict[str, str]], settings: dict[str, Any]) -> Any:
            said = [ROLES[one["role"]](content=one["content"]) for one in messages]
            return await model.generate(said, config=GenerateConfig(**settings))

        async with card.turn, BlockingPortal() as portal:
            bridge = BRIDGES[str(model)] = Bridge(portal, answer)
            try:
                work = partial(card.measure, card.of(str(model)), str(state.sample_id))
                line, said, shown = await anyio.to_thread.run_sync(work)
            except Exception:
                if bridge.raised is not None:
                    raise bridge.raised from None
                raise
        state.metadata |= {"line": asdict(line) if line else None, "said": said, "shown": shown}
        state.output.completion = said
        return state

    return solve


@scorer(metrics=[mean()])
def share_of_the_way() -> Any:
    """How far an entry is on the way from the random planner (0) to the exact one (1), cut to -1 and 1."""

    async def score(state: TaskState, target: Target) -> Score:
        line, said = state.metadata["line"], state.metadata["said"]
        if line is None or line["normalised"] is None:
            return Score.unscored(explanation=said, metadata=line)
        return Score(value=max(-1.0, min(1.0, line["normalised"])), explanation=said, metadata=line)

    return score


@scorer(metrics=[mean()])
def no_fault() -> Any:
    """1 where an interval rules an entry's fault out, 0 where it shows it; neither where it is not decided."""

    async def score(state: TaskState, target: Target) -> Score:
        shown, said = state.metadata["shown"], state.metadata["said"]
        return Score.unscored(explanation=said) if shown is None else Score(value=float(not shown), explanation=said)

    return score
