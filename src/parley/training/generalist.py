"""Pretraining on generated worlds: every few documents are of a family of their own; one model for all of them.

The model reads rules, menu and transcript as words, and every family's expert labels its documents. It has to learn how
to find out about a world, not one world. This is He et al. 2024, section 4, with the family drawn as well as its
latent.
"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.paths import read_json
from parley.core.said import Menu, Opening, Outcome
from parley.data.documents import sample_documents
from parley.evaluation.card import chain
from parley.planners.exact import ExactPlanner
from parley.planners.language_model import LanguageModelPlanner, Scoring
from parley.prompting.transcript import header
from parley.theory.beliefs import Beliefs
from parley.training.ahead import ahead
from parley.training.architecture import build_model, require_torch
from parley.training.families import TOGETHER, Batches, word_tokenizer
from parley.training.loop import Place, Training
from parley.training.pages import LENGTH, PageColumns, length
from parley.training.recipe import PRESETS, Recipe
from parley.training.train import ABOUT, Report, save, watched
from parley.training.unfinished import Unfinished, require_new
from parley.training.watch import Watch
from parley.worlds.generated.words import lexicon
from parley.worlds.generated.world import EVALUATED, HELD_OUT, TRAINED, generated

FORMAT = "parley-generalist/1"
MEASURED = 8  # families of each kind on the card

CARD = """---
library_name: transformers
license: apache-2.0
pipeline_tag: text-generation
---

# A planner for worlds it has never seen

A Llama-architecture language model of {parameters:,} parameters, trained on generated families of worlds of the kinds
{trained}; never on the kinds {held_out}.
It reads a world's rules and menu, then the transcript of a run:

    {example}

A menu's sentences are scored whole, each token among those that the menu allows there, as in training:
`--planner hf:generated,header=true,normalise=menu`. Made by

    {commands}

that is{last}: {tokens:,} tokens in pages of at most {length}, {families} families, {trained_s:.0f} seconds on
{trained_on}. Families of seeds from {evaluated} on are kept for evaluation.

## Distance to the exact planner

Total variation between its distribution over subgoals and that of the exact planner, which knows the family and not
its latent. Documents of uniformly drawn subgoals, {measured} families of each kind that were not trained on:

| kind | mean (95% interval over families) | first episode | last quarter |
|---|---|---|---|
{rows}

## Limits

The table says how well it plans. A uniform distribution over the subgoals is at about 0.6 to 0.8. It knows {words}
English words, all others in pieces. Positions beyond {longest} were not trained, and are not used: the prompt is cut.
"""


def pretrain_generated(
    out: Path,
    recipe: Recipe,
    families: int = 0,
    report: Report | None = None,
    start: Path | None = None,
    watch: Watch | None = None,
    plain: bool = False,
    workers: int = 0,
) -> dict[str, Any]:
    """Train a checkpoint on generated families into the new directory `out`; returns what it says of itself.

    `families` is their number, 0 for a new family each time. `start` is a checkpoint of the same shape whose weights it
    begins with (from fewer episodes, say, or from `plain` families). `workers` processes beside this one draw the
    batches, for a GPU that reads faster than one process can write. If the training was killed, the same call continues
    it.
    """
    torch, transformers = require_torch()
    require_new(out)
    if families < 0 or recipe.batch % TOGETHER:
        raise BadInput(
            f"families={families}, batch={recipe.batch}: expected a number of families (0: always new ones) and a "
            f"multiple of {TOGETHER} documents"
        )
    if recipe.rho or recipe.labels != "expert":
        raise BadInput(
            f"rho={recipe.rho}, labels={recipe.labels!r}: documents of generated worlds have no demonstrations, and "
            "averaged labels in any case; leave both out"
        )
    tokenizer, place, watch = word_tokenizer(), Place.here(torch), watch or Watch()
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    model = build_model(transformers, tokenizer, replace(recipe, initial="look-back"), LENGTH)
    before = _begin_with(model, start) if start else None
    training = Training(torch, model, PageColumns(), recipe, place, compiled=watch.compiled)
    config = {"world": "generated", "families": families, "plain": plain, "recipe": asdict(recipe), "start": before}
    unfinished = Unfinished(out, {**config, "processes": place.processes})
    if (written := unfinished.written(out)) is not None:
        return {} if place.rank else written
    unfinished.restore(training)
    batches = Batches(recipe, families, plain, length(recipe.episodes) if watch.compiled else 0)
    with ahead(batches, workers, training.steps) as source:
        last = watched(training, source, unfinished, watch, None, report or (lambda found: None))
    if place.rank:
        return {}
    seen = training.steps * (recipe.batch // TOGETHER)
    about = {
        "format": FORMAT,
        **config,
        "families_seen": min(families, seen) if families else seen,
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained_s": round(training.elapsed_s, 1),
        "trained_on": ", ".join(training.devices),
        "loss": last.get("loss"),
    }
    found = save(model.to("cpu").half(), tokenizer, about, out, _measured)  # which computes in float32 again
    unfinished.finish(out)
    return found


def _begin_with(model: Any, start: Path) -> dict[str, Any]:
    """Load the weights of a checkpoint; returns what it was trained on."""
    from safetensors.torch import load_file

    about = about_of(start)
    try:
        model.load_state_dict(load_file(start / "model.safetensors"), strict=False)
    except (OSError, RuntimeError) as wrong:
        raise BadInput(f"start={str(start)!r} is of another shape: use its width, layers and heads") from wrong
    return {name: about.get(name) for name in ("world", "families", "plain", "families_seen", "recipe", "start")}


def _measured(about: dict[str, Any], draft: Path) -> tuple[dict[str, Any], str]:
    episodes = about["recipe"]["episodes"]
    about = {**about, "error": {kind: error_of(draft, kind, MEASURED, episodes) for kind in (*TRAINED, *HELD_OUT)}}
    return about, card(about)


def about_of(folder: Path) -> dict[str, Any]:
    """The description that a checkpoint of this kind holds; raises `BadInput` for any other folder."""
    try:
        about: dict[str, Any] = read_json(folder / ABOUT)
        if about["format"] == FORMAT:
            return about
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise BadInput(f"{str(folder)!r} is no checkpoint of parley's: {wrong!r}") from None
    raise BadInput(f"{str(folder)!r} was not trained on generated worlds, but has format {about['format']!r}")


def error_of(folder: Path, kind: str, families: int, episodes: int) -> dict[str, float]:
    """Total variation to the exact planner on documents of families of a kind, one each, that were not trained on."""
    from parley.models.language_model import LanguageModel

    model = LanguageModel(str(folder))
    found = np.array([_distance(model, kind, EVALUATED + 10**6 + i, episodes) for i in range(families)])
    means = found.mean(axis=1)
    return {
        "mean": round(float(means.mean()), 4),
        "half_width": round(float(1.96 * means.std(ddof=1) / np.sqrt(families)), 4),
        "first": round(float(found[:, 0].mean()), 4),
        "last": round(float(found[:, -max(1, episodes // 4) :].mean()), 4),
    }


def _distance(model: Any, kind: str, seed: int, episodes: int) -> Float[np.ndarray, " T"]:
    """Planner and oracle read the same document; mean total variation of each episode's steps."""
    tables = generated(seed, kind)
    beliefs = Beliefs(tables)
    documents = sample_documents(beliefs, 1, episodes, (seed,), behaviour="uniform")
    words = header(tables.rules, tables.menus, tables.horizon)
    ours = LanguageModelPlanner(model, scoring=Scoring(normalise="menu"), words=words)
    theirs, menu = ExactPlanner(beliefs), Menu.shared(tables.menus[0])
    names, seen = (np.array(names, dtype=object) for names in (tables.menus[0], tables.observations))
    tasks, unlike = np.array(tables.instructions, dtype=object), np.zeros(episodes)
    for reader in (ours, theirs):
        reader.start(Draws(seed, 1))
    for t in range(episodes):
        said: Opening | Outcome = Opening(t, tasks[documents.instructions[:, t]], seen[documents.observations[:, t, 0]])
        for h in range(tables.horizon):
            for reader in (ours, theirs):
                reader.hear(said)
            laws = [reader.propose(menu, np.empty((1, 0), dtype=object)).probs for reader in (ours, theirs)]
            unlike[t] += 0.5 * float(np.abs(laws[0] - laws[1]).sum()) / tables.horizon
            parts, heard = names[documents.subgoals[:, t, h]][:, None], seen[documents.observations[:, t, h + 1]]
            said = Outcome(t, h + 1, parts, heard, np.zeros(1), np.ones(1, dtype=bool))
        for reader in (ours, theirs):
            reader.hear(said)
    return unlike


def card(about: dict[str, Any]) -> str:
    """The text of README.md."""
    recipe, commands = about["recipe"], chain(about, lambda world: asdict(PRESETS[world]))
    tables = generated(0)
    lines = [f"rules: {tables.rules}; {tables.horizon} choices", f"choices: {' | '.join(tables.menus[0])}"]
    lines += [f"task: {tables.instructions[0]}", tables.observations[0], f"> {tables.menus[0][0]}", "..."]
    rows = [
        f"| {kind}{' (held out)' if kind in HELD_OUT else ''} | {e['mean']:.3f} ± {e['half_width']:.3f} "
        f"| {e['first']:.3f} | {e['last']:.3f} |"
        for kind, e in about["error"].items()
    ]
    return CARD.format(
        parameters=about["parameters"],
        trained=", ".join(f"`{kind}`" for kind in TRAINED),
        held_out=" and ".join(f"`{kind}`" for kind in HELD_OUT),
        example="\n    ".join(lines),
        commands="\n    ".join(commands),
        last=", in the last command" if len(commands) > 1 else "",
        longest=LENGTH,
        tokens=recipe["tokens"],
        length=length(recipe["episodes"]),
        families=f"{about['families_seen']:,}",
        trained_s=about["trained_s"],
        trained_on=about["trained_on"],
        evaluated=f"{EVALUATED:,}",
        measured=MEASURED,
        rows="\n".join(rows),
        words=f"{sum(map(len, lexicon().values())):,}",
    )
