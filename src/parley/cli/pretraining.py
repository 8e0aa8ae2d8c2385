"""Commands that make planners: pretrain."""

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from parley import assemble
from parley.cli.console import ERR, OUT, AddCommand, AddGroup
from parley.core.errors import BadInput
from parley.report.bars import Bars
from parley.training.adapting import Adapting
from parley.training.finetune import Tuning, finetune
from parley.training.generalist import pretrain_generated
from parley.training.recipe import PRESETS, SIZES, Recipe, size_of
from parley.training.train import pretrain
from parley.training.tune import tune
from parley.training.watch import Watch

OF_RECIPE = {
    "episodes": "episodes of a document: what the planner can remember",
    "tokens": "tokens to train on",
    "width": "width of the model",
    "layers": "layers of the model",
    "heads": "attention heads of a layer",
    "batch": "documents a step",
    "learning_rate": "peak learning rate",
    "observation_weight": "weight of the loss on observations",
    "rho": "share of episodes that the expert acts in",
    "behaviour": "who acts in the other episodes, see docs/data.md",
    "seed": "seed of weights and data",
    "threads": "threads of torch; the weights depend on them in the last digits",
    "label_weight": "weight of the loss on the expert's labels",
    "accumulate": "parts in which a batch goes through the model",
    "architecture": "a causal language model of transformers, by its model type",
    "precision": "of matrix products: auto, float32 or bfloat16",
    "labels": "expert: of the document's latent; averaged: over the posterior",
    "observations": "heard: as sampled; averaged: their distribution given the transcript",
    "initial": "initial weights: random or look-back",
}
OF_TUNING = {
    "template": "how examples become prompts: transcript, chat or a file",
    "steps": "optimiser steps",
    "batch": "examples a step",
    "learning_rate": "peak learning rate",
    "rank": "rank of the LoRA matrices",
    "max_tokens": "longest example; longer ones are refused",
    "seed": "seed of the order and the initial weights",
}
OF_ADAPTING = {
    "tokens": "tokens to train on",
    "page": "longest page, in tokens",
    "first_layer": "layers below this one stay as they are",
    "modules": "modules that get LoRA matrices",
    "evaluate_every": "steps from one evaluation to the next",
    "patience": "evaluations without a better one before it stops",
    "held_out": "families that say when to stop",
    "threads": "threads of torch",
}


def add(command: AddCommand, group: AddGroup) -> None:
    """The commands and their options."""
    c = command("pretrain", _pretrain)
    c.add_argument("--world", required=True, help="the world to train for: a name, a spec or a world file")
    c.add_argument("--out", type=Path, required=True, help="the checkpoint directory, new or empty")
    c.add_argument(
        "--start",
        type=Path,
        help="begin with the weights of this checkpoint of the same lines and shape (default: random ones)",
    )
    c.add_argument("--data", type=Path, help="documents of `parley data make` (default: a stream, drawn as it is read)")
    c.add_argument(
        "--size",
        help=f"width, layers and heads by the number of parameters: {', '.join(SIZES)} (default: the world's preset)",
    )
    c.add_argument("--families", type=int, default=0, help="of --world generated: how many (default: always new ones)")
    c.add_argument(
        "--plain", action="store_true", help="of --world generated: only families of one-word subgoals, H = 1"
    )
    c.add_argument(
        "--workers", type=int, default=0, help="processes that draw the stream beside the training, for a GPU"
    )
    c.add_argument(
        "--evaluate-every",
        type=int,
        default=0,
        metavar="STEPS",
        help="measure the distance to the oracle so often (0: never)",
    )
    c.add_argument("--compile", action="store_true", help="by torch.compile: worth its minute in long GPU trainings")
    c.add_argument("--keep-s", type=float, default=60.0, help="seconds from one kept state to the next (default 60)")
    c.add_argument(
        "--tensorboard", type=Path, metavar="DIR", help="write logs for TensorBoard, extra tensorboard (default: none)"
    )
    for f in fields(Recipe):
        option = "--" + f.name.replace("_", "-")
        c.add_argument(
            option, type=type(f.default), help=f"{OF_RECIPE[f.name]} (default: the world's preset, else {f.default})"
        )
    c = command("finetune", _finetune)
    c.add_argument("--model", required=True, help="smollm2, gemma3, a GGUF file, a directory or a hub id")
    c.add_argument(
        "--data", type=Path, help="of `parley data make --chat N`, or a JSONL file (required without --world)"
    )
    c.add_argument(
        "--world", choices=["generated"], help="instead of --data: families drawn as they are read (default: --data)"
    )
    c.add_argument("--out", type=Path, required=True, help="the merged model or, of --world, the adapter; new or empty")
    c.add_argument("--keep-s", type=float, default=60.0, help="of --world: seconds from one kept state to the next")
    c.add_argument("--workers", type=int, default=0, help="of --world: processes that draw the stream beside it")
    for name, (kind, default, about) in _tuning_options().items():
        option = "--" + name.replace("_", "-")
        c.add_argument(option, type=str if kind is tuple else kind, help=f"{about} (default {default})")


def _tuning_options() -> dict[str, tuple[type, str, str]]:
    """The fields of both ways of tuning: of --data, of --world, or of both."""
    found: dict[str, tuple[type, str, str]] = {}
    data, world = ({f.name: f for f in fields(kind)} for kind in (Tuning, Adapting))
    for name in {**data, **world}:
        ours = [("--data", data.get(name)), ("--world", world.get(name))]
        said = {where: f.default for where, f in ours if f is not None}
        default = ", ".join(f"{where}: {_shown(value)}" for where, value in said.items())
        about = OF_TUNING.get(name, OF_ADAPTING.get(name, ""))
        found[name] = (type(next(iter(said.values()))), default, f"{about}, of {' and '.join(said)}")
    return found


def _shown(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _finetune(args: argparse.Namespace) -> Any:
    if bool(args.data) == bool(args.world):
        raise BadInput("parley finetune: expected either --data, chat examples, or --world generated")
    kind = Tuning if args.data else Adapting
    given = {name: getattr(args, name) for name in _tuning_options() if getattr(args, name) is not None}
    if foreign := [name for name in given if name not in {f.name for f in fields(kind)}]:
        option = "--" + foreign[0].replace("_", "-")
        raise BadInput(f"{option}: is no option of {'--data' if args.data else '--world generated'}")
    if "modules" in given:
        given["modules"] = tuple(given["modules"].split(","))
    with Bars(ERR) as bars:
        bar = bars.training(f"tuning {args.model}")
        if args.world:
            watch = Watch(keep_s=args.keep_s)
            about = tune(args.model, args.out, Adapting(**given), bar, watch, args.workers)
        else:
            about = finetune(args.model, args.data, args.out, Tuning(**given), bar)
    if about and not args.json:
        if args.world:
            nats = about["excess_nats"]
            said = (
                f"{nats['families']:.3f} nats a decision above BAIL on held-out families, {nats['before']:.3f} before"
            )
        else:
            said = f"loss {about['loss']:.4f} after {about['tuning']['steps']} steps"
        OUT.print(f"{args.out}: {said}", markup=False, soft_wrap=True)
    return {"out": str(args.out), **about}


def _pretrain(args: argparse.Namespace) -> Any:
    generated = args.world == "generated"  # named without a seed: the whole distribution
    tables = assemble.world(args.world).tables
    if tables is None:
        raise BadInput(f"world {args.world!r} has no exact tables: pretraining needs its expert")
    if generated and (args.data or args.evaluate_every):
        raise BadInput("--world generated: documents are drawn as they are read, and measured at the end")
    if args.families and not generated:
        raise BadInput(f"--families {args.families}: is an option of --world generated")
    if args.plain and not generated:
        raise BadInput("--plain: is an option of --world generated")
    if args.workers and args.data:
        raise BadInput(f"--workers {args.workers}: draw the stream; documents of --data are read as they are")
    if args.evaluate_every < 0:
        raise BadInput(f"--evaluate-every {args.evaluate_every}: expected a number of steps, or 0 for never")
    given = {f.name: getattr(args, f.name) for f in fields(Recipe) if getattr(args, f.name) is not None}
    given = (size_of(args.size) if args.size else {}) | given
    recipe = replace(PRESETS.get(args.world, Recipe()), **given)
    watch = Watch(args.evaluate_every, args.keep_s, args.tensorboard, args.compile)
    with Bars(ERR) as bars:
        bar = bars.training(f"pretraining on {args.world}")
        if generated:
            how = (args.families, bar, args.start, watch, args.plain, args.workers)
            about = pretrain_generated(args.out, recipe, *how)
        else:
            about = pretrain(tables, args.world, args.out, recipe, bar, args.start, args.data, watch, args.workers)
    if about and not args.json:
        OUT.print(f"{args.out}: {about['parameters']:,} parameters, loss {about['loss']:.4f}", markup=False)
    return {"out": str(args.out), **about}
