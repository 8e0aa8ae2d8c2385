"""Pretraining: maximum likelihood of a language model on documents of a world, saved as a Hugging Face checkpoint."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.data.averaged import averaged
from parley.data.dataset import Dataset, world_digest
from parley.data.documents import Documents, sample_documents
from parley.evaluation.card import card, measure
from parley.evaluation.evaluate import matching
from parley.models.checkpoint import FORMAT, Checkpoint
from parley.theory.beliefs import Beliefs
from parley.training.ahead import ahead
from parley.training.architecture import build_model, require_torch
from parley.training.columns import Columns
from parley.training.draft import draft_of, write_about
from parley.training.loop import NotANumber, Place, Source, Training
from parley.training.recipe import PRESETS, Recipe
from parley.training.tokenizer import world_tokenizer
from parley.training.unfinished import ABOUT, Unfinished, require_new
from parley.training.watch import DistanceToOracle, Watch, tensorboard

NOTED = 200  # points of the curve on disk
CURVES = ("loss", "observation_loss", "learning_rate", "total_variation", "tokens_s")
Report = Callable[[dict[str, float]], None]


def pretrain(
    tables: Tables,
    spec: str,
    out: Path,
    recipe: Recipe,
    report: Report | None = None,
    start: Path | None = None,
    data: Path | None = None,
    watch: Watch | None = None,
    workers: int = 0,
) -> dict[str, Any]:
    """Train a checkpoint for the world `tables` (named `spec`) into the new directory `out`; returns its card.

    If the checkpoint `start` is named (of the same lines and shape), training begins with its weights. Documents come
    from the directory `data`, else from a stream. `workers` processes beside this one draw the stream, for a GPU that
    reads faster than one process can write. If the training was killed, the same call continues it and ends with the
    same weights, see `unfinished`. Under `torchrun` the first process writes, the others return {}.
    """
    torch, transformers = require_torch()
    require_new(out)
    watch, beliefs, tokenizer = watch or Watch(), Beliefs(tables), world_tokenizer(tables)
    columns, place = Columns(tables, tokenizer), Place.here(torch)
    source, drawn = _source(beliefs, recipe, data)
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    model = build_model(transformers, tokenizer, recipe, columns.length(recipe.episodes))
    before = _begin_with(model, columns, start) if start else None
    training = Training(torch, model, columns, recipe, place, compiled=watch.compiled)
    config = {"world": spec, "world_sha256": world_digest(tables), "recipe": asdict(recipe), "start": before, **drawn}
    unfinished = Unfinished(out, {**config, "processes": place.processes})
    if (written := unfinished.written(out)) is not None:
        return {} if place.rank else written
    unfinished.restore(training)
    distance = DistanceToOracle(torch, beliefs, columns, recipe, place.device) if watch.evaluate_every else None
    with ahead(source, workers, training.steps) as batches:
        last = watched(training, batches, unfinished, watch, distance, report or (lambda found: None))
    if place.rank:
        return {}
    about = {
        "format": FORMAT,
        "world": spec,
        "episodes": recipe.episodes,
        "horizon": tables.horizon,
        "instructions": tables.instructions,
        "menus": tables.menus,
        "parameters": sum(p.numel() for p in model.parameters()),
        "recipe": asdict(recipe),
        "start": before,
        **drawn,
        "trained_s": round(training.elapsed_s, 1),
        "trained_on": ", ".join(training.devices),
        "loss": last.get("loss"),
    }
    found = save(model.to("cpu"), tokenizer, about, out, measured_by(beliefs))
    unfinished.finish(out)
    return found


def _source(beliefs: Beliefs, recipe: Recipe, data: Path | None) -> tuple[Source, dict[str, Any]]:
    """The batch of every step, and what of the data the weights depend on."""
    if data is None:
        return Stream(beliefs, recipe), {}
    for name, plain in (("labels", "expert"), ("observations", "heard")):
        if (asked := getattr(recipe, name)) != plain:
            raise BadInput(f"{name}={asked!r}: in the data in {str(data)!r} they are {plain!r}; leave it out")
    dataset = Dataset(data, beliefs.tables)
    if dataset.config.episodes < recipe.episodes:
        raise BadInput(
            f"episodes={recipe.episodes}: the documents in {str(data)!r} hold {dataset.config.episodes} episodes; "
            "ask for as many at most, or make longer ones"
        )
    if (recipe.rho, recipe.behaviour) != (dataset.config.rho, dataset.config.behaviour):
        raise BadInput(
            f"the data in {str(data)!r} were made with behaviour={dataset.config.behaviour!r}, "
            f"rho={dataset.config.rho}: name the same, so that the checkpoint says what it was trained on"
        )
    config = {"data": asdict(dataset.config), "files": [entry["sha256"] for entry in dataset.manifest["files"]]}
    return lambda step: dataset.batch(step, recipe.batch, recipe.seed).first(recipe.episodes), {"documents": config}


@dataclass(frozen=True)
class Stream:
    """The batch of every step, none like another."""

    beliefs: Beliefs
    recipe: Recipe

    def __call__(self, step: int) -> Documents:
        recipe, seed = self.recipe, (self.recipe.seed, 0, step)
        drawn = sample_documents(self.beliefs, recipe.batch, recipe.episodes, seed, recipe.rho, recipe.behaviour, True)
        return _targets(self.beliefs, recipe, drawn)


def _targets(beliefs: Beliefs, recipe: Recipe, drawn: Documents) -> Documents:
    """Documents with their targets: as drawn, or averaged over the posterior."""
    if "averaged" not in (recipe.labels, recipe.observations):
        return drawn
    known = averaged(beliefs, drawn, matching(recipe.rho))
    labels = known.labels if recipe.labels == "averaged" else drawn.labels
    return replace(drawn, labels=labels, expected=known.expected if recipe.observations == "averaged" else None)


def watched(
    training: Training,
    source: Source,
    unfinished: Unfinished,
    watch: Watch,
    distance: DistanceToOracle | None,
    report: Report,
) -> dict[str, float]:
    """Train to the end, the first process keeping the state and the curve; the last step's report."""
    first, kept, last = training.place.rank == 0, time.monotonic(), unfinished.latest()
    often = max(1, training.steps // NOTED)
    board: Any = tensorboard(watch.tensorboard) if first else None
    try:
        for last in training.run(source):
            if not first:
                continue
            if distance and (last["step"] % watch.evaluate_every == 0 or last["step"] == last["steps"]):
                last["total_variation"] = distance(training.model)
            if last["step"] % often == 0 or "total_variation" in last:
                unfinished.note(last)
                for name in CURVES if board is not None else ():
                    if name in last:
                        board.add_scalar(name, last[name], last["step"])
            report(last)
            if time.monotonic() - kept >= watch.keep_s:
                unfinished.save(training)
                kept = time.monotonic()
        if first:
            unfinished.save(training)  # should the checkpoint find no room, nothing is lost
    except NotANumber as wrong:
        if not first or not training.step:
            raise
        unfinished.save(training)
        kept_at = f"the state after step {training.step} is kept in {str(unfinished.folder)!r}"
        raise NotANumber(f"{wrong}; {kept_at}") from None
    finally:
        if board is not None:
            board.close()
    return last


def _begin_with(model: Any, columns: Columns, start: Path) -> dict[str, Any]:
    """Load the weights of a checkpoint; returns what it was trained on. Raises `BadInput` where it does not fit."""
    from safetensors.torch import load_file

    checkpoint = Checkpoint.load(start)
    if checkpoint.token_of != columns.token_of:
        raise BadInput(f"start={str(start)!r} was trained for other lines than this world's: begin afresh")
    try:
        model.load_state_dict(load_file(start / "model.safetensors"), strict=False)
    except RuntimeError as wrong:
        raise BadInput(f"start={str(start)!r} is of another shape: use its width, layers and heads") from wrong
    return {name: checkpoint.about.get(name) for name in ("world", "recipe", "start")}


# What a checkpoint says of itself, and its directory -> the same with its error, and its card.
Measure = Callable[[dict[str, Any], Path], tuple[dict[str, Any], str]]


def measured_by(beliefs: Beliefs) -> Measure:
    """The distance to the exact oracle of a world."""

    def found(about: dict[str, Any], draft: Path) -> tuple[dict[str, Any], str]:
        about = {**about, "error": measure(draft, beliefs, about["recipe"])}
        return about, card(about, beliefs.tables, lambda world: asdict(PRESETS.get(world, Recipe())))

    return found


def save(model: Any, tokenizer: Any, about: dict[str, Any], out: Path, measured: Measure) -> dict[str, Any]:
    """Write the checkpoint and measure it: it is whole or not there at all."""
    with draft_of("checkpoint", out) as draft:
        model.eval()
        model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
        write_about(draft / ABOUT, about)
        about, text = measured(about, draft)
        write_about(draft / ABOUT, about)
        (draft / "README.md").write_text(text, encoding="utf-8")
        for file in draft.iterdir():
            file.chmod(0o644)
        return about
