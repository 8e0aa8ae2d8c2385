"""The model card of a checkpoint: what it is, how it was made, and its measured distance to the exact oracle."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from parley.core.tables import Tables
from parley.evaluation.evaluate import pretraining_error
from parley.theory.beliefs import Beliefs

NUM_DOCUMENTS = 128
AVERAGED = """,
averaged over the exact posterior of the latent (its mean given the transcript: the same minimiser with less noise)"""
EXPECTED = """;
an observation is learned from its exact distribution given the transcript, averaged in the same way"""

CARD = """---
library_name: transformers
license: apache-2.0
pipeline_tag: text-generation
---

# A planner for `{world}`

A Llama-architecture language model of {parameters:,} parameters. It reads the transcript of a run of the world
`{world}`. The hidden latent stays the same from episode to episode. After an observation its next-token distribution is
a distribution over subgoals. A perfectly pretrained model computes a Bayesian mixture of experts (He et al. 2024).

Transcript (each line, with its line break, is one token; any other text falls back to words and bytes):

    {example}

It holds {episodes} episodes of {horizon} steps. Made by

    {commands}

that is{last}: {tokens:,} tokens of fresh documents. Their subgoals are chosen without regard to the latent (behaviour
`{behaviour}`{rho}). Each step is labelled with the distribution of the expert who knows it{labels}. Training took
{trained_s:.0f} seconds on {trained_on}.

## Distance to the exact oracle

Total variation between its distribution over subgoals and the oracle's, on {documents} held-out documents of
{episodes} episodes:

| held-out behaviour | mean (95% interval) | worst episode position | first | last |
|---|---|---|---|---|
{rows}

## Limits

It knows the sentences of this world only, and a latent drawn anew for every run. Words and bytes by themselves have
tokens, but these were never trained.
"""


def measure(folder: Path, beliefs: Beliefs, recipe: dict[str, Any]) -> dict[str, Any]:
    """Errors of the checkpoint in `folder` on held-out documents of each kind of behaviour its training allows."""
    found: dict[str, Any] = {"documents": NUM_DOCUMENTS}
    for behaviour in ("uniform",) if recipe["rho"] else ("uniform", "mixed"):
        error = pretraining_error(folder, beliefs, NUM_DOCUMENTS, behaviour=behaviour)
        by_position = [round(float(e), 5) for e in error.by_position]
        found[behaviour] = {
            "mean": round(error.mean, 5),
            "half_width": round(error.half_width, 5),
            "worst_position": max(by_position),
            "by_position": by_position,
        }
    return found


def card(about: dict[str, Any], tables: Tables, default: Callable[[str], dict[str, Any]]) -> str:
    """The text of README.md; options of the recipe that differ from the world's `default` are named in the command."""
    recipe, error = about["recipe"], about["error"]
    commands = chain(about, default)
    rows = [
        f"| {name} | {e['mean']:.4f} ± {e['half_width']:.4f} | {e['worst_position']:.4f} "
        f"| {e['by_position'][0]:.4f} | {e['by_position'][-1]:.4f} |"
        for name, e in error.items()
        if isinstance(e, dict)
    ]
    lines = [f"task: {tables.instructions[0]}", tables.observations[0]]
    lines += [*(f"> {menu[0]}" for menu in tables.menus), tables.observations[-1]]
    return CARD.format(
        **{name: about[name] for name in ("world", "parameters", "episodes", "horizon", "trained_s")},
        trained_on=about.get("trained_on", "one core"),
        tokens=recipe["tokens"],
        behaviour=recipe["behaviour"],
        rho=f", a share {recipe['rho']} of episodes the expert's own" if recipe["rho"] else "",
        labels=AVERAGED * (recipe.get("labels") == "averaged") + EXPECTED * (recipe.get("observations") == "averaged"),
        commands="\n    ".join(commands),
        last=", in the last command" if len(commands) > 1 else "",
        documents=error["documents"],
        example="\n    ".join(lines),
        rows="\n".join(rows),
    )


def chain(about: dict[str, Any], default: Callable[[str], dict[str, Any]]) -> list[str]:
    """The commands that made a checkpoint, one after another: each begins with the weights of the one before."""
    stages = [about]
    while start := stages[0].get("start"):
        stages.insert(0, start)
    outs = [f"STAGE{i + 1}" for i in range(len(stages) - 1)] + ["DIR"]
    return [
        command(
            stage["world"],
            stage["recipe"],
            default(stage["world"]),
            out,
            (f" --start {outs[i - 1]}" if i else "") + _of_families(stage),
        )
        for i, (stage, out) in enumerate(zip(stages, outs, strict=True))
    ]


def _of_families(stage: dict[str, Any]) -> str:
    """The options of a training on generated worlds."""
    number = stage.get("families")
    return " --plain" * bool(stage.get("plain")) + (f" --families {number}" if number else "")


def command(world: str, recipe: dict[str, Any], default: dict[str, Any], out: str, rest: str) -> str:
    """The command that trains by this recipe, options named where they differ from `default`."""
    changed = [name for name, value in recipe.items() if value != default.get(name)]
    options = "".join(f" --{name.replace('_', '-')} {recipe[name]}" for name in changed)
    return f"parley pretrain --world {world} --out {out}{rest}{options}"
