"""Tuning a published language model on generated worlds: a low-rank adapter (Hu et al. 2022), labelled by BAIL.

Documents are a stream, each of a family of its own. They are rendered in all the forms in which a model may be asked
(`training.lessons`). Their labels are those of the family's experts, averaged over the posterior. Families, and kinds,
that are never trained on say when to stop. If the training was killed, the same call continues it.
"""

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput, MissingExtra
from parley.models.language_model import load, named_directory
from parley.training.adapting import EPISODES, KINDS, UNSEEN, Adapting, HeldOut, LessonColumns, Lessons
from parley.training.ahead import ahead
from parley.training.draft import draft_of, write_about
from parley.training.lessons import FORMS
from parley.training.loop import Place, Training
from parley.training.unfinished import Unfinished
from parley.training.watch import Watch

ABOUT, BEST = "parley-adapter.json", "best.safetensors"
FORMAT = "parley-adapter/1"
Report = Callable[[dict[str, float]], None]


def tune(
    model: str,
    out: Path,
    how: Adapting | None = None,
    report: Report | None = None,
    watch: Watch | None = None,
    workers: int = 0,
) -> dict[str, Any]:
    """Tune a model (a short name, a directory, a GGUF file or a hub id) into an adapter in the new directory `out`.

    Returns what the adapter says of itself.
    """
    if any(find_spec(name) is None for name in ("peft", "torch", "transformers")):
        raise MissingExtra("parley finetune --world generated", "finetune")
    if out.exists() and any(out.iterdir()):
        raise BadInput(f"out={str(out)!r} is not empty: name a new directory")
    import torch

    how, watch, folder = how or Adapting(), watch or Watch(), named_directory(model)
    torch.manual_seed(how.seed)
    torch.set_num_threads(how.threads)
    _, network = load(folder)
    adapted = _adapted(network.float(), how)
    place = Place.here(torch)
    training = Training(torch, adapted.base_model.model, LessonColumns(how.page), how.recipe, place)
    unfinished = Unfinished(out, {"model": model, "recipe": asdict(how.recipe), "adapting": asdict(how)})
    unfinished.restore(training)
    families = HeldOut(torch, folder, how, KINDS, how.held_out)
    kinds = HeldOut(torch, folder, how, UNSEEN, max(1, how.held_out // 3))
    best = Best(unfinished.folder / BEST, how)
    with ahead(Lessons(folder, how), workers, training.steps) as source:
        last = _run(training, source, unfinished, watch, best, families, kinds, report or (lambda found: None))
    if place.rank:
        return {}
    best.restore(training.model)
    about = {
        "format": FORMAT,
        "model": model,
        "adapting": asdict(how),
        "kinds": KINDS,
        "forms": [asdict(form) for form in FORMS],
        "episodes": EPISODES,  # T_p
        "step": best.step,
        "tokens_seen": best.step * training.tokens_a_step,
        "excess_nats": {"families": best.nats, "unseen_kinds": best.others, "before": best.first},
        "trained_s": round(training.elapsed_s, 1),
        "trained_on": ", ".join(training.devices),
        "loss": last.get("loss"),
    }
    _save(adapted, about, out)
    unfinished.finish(out)
    return about


def _run(
    training: Training,
    source: Any,
    unfinished: Unfinished,
    watch: Watch,
    best: "Best",
    families: HeldOut,
    kinds: HeldOut,
    report: Report,
) -> dict[str, float]:
    """Train until the last step, or until held-out families have not got better for a while."""
    import time

    kept, last, device = time.monotonic(), unfinished.latest(), training.place.device

    def look() -> dict[str, float]:
        found = {"families": families(training.model, device), "unseen_kinds": kinds(training.model, device)}
        best.consider(training, found)
        return found

    if not training.step:
        unfinished.note({"step": 0, **look()})
    for last in training.run(source):
        if last["step"] % best.how.evaluate_every == 0 or last["step"] == last["steps"]:
            last |= look()
        if last["step"] % 5 == 0 or "families" in last:
            unfinished.note(last)
        report(last)
        if time.monotonic() - kept >= watch.keep_s or "families" in last:
            unfinished.save(training)
            kept = time.monotonic()
        if best.waited >= best.how.patience:
            break
    return last


class Best:
    """The weights that held-out families liked best so far; kept beside the training's state."""

    def __init__(self, path: Path, how: Adapting) -> None:
        self.path, self.how = path, how
        self.nats, self.others, self.first, self.step, self.waited = float("inf"), float("inf"), 0.0, 0, 0
        if path.exists():
            from safetensors import safe_open

            with safe_open(path, "pt") as file:
                kept = json.loads(file.metadata()["kept"])
            self.nats, self.others, self.first = kept["nats"], kept["others"], kept["first"]
            self.step, self.waited = kept["step"], kept["waited"]

    def consider(self, training: Training, found: dict[str, float]) -> None:
        """Keep the weights where they are better than those kept."""
        from safetensors.torch import load_file, save_file

        if not training.step:
            self.first = found["families"]
        self.waited += 1
        weights = {n: p.detach().cpu().contiguous() for n, p in training.model.named_parameters() if p.requires_grad}
        if found["families"] < self.nats:
            self.nats, self.others, self.step, self.waited = found["families"], found["unseen_kinds"], training.step, 0
        else:
            weights = load_file(self.path)
        kept = {n: getattr(self, n) for n in ("nats", "others", "first", "step", "waited")}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".tmp")
        save_file(weights, draft, metadata={"kept": json.dumps(kept)})
        os.replace(draft, self.path)

    def restore(self, model: Any) -> None:
        """Put the best weights back."""
        from safetensors.torch import load_file

        model.load_state_dict(load_file(self.path), strict=False)


def _adapted(network: Any, how: Adapting) -> Any:
    """The model with low-rank matrices beside the products of its upper layers, which alone are trained."""
    import peft

    layers = network.config.get_text_config().num_hidden_layers
    if how.first_layer >= layers:
        raise BadInput(f"first_layer={how.first_layer}: the model has {layers} layers, counted from 0")
    config = peft.LoraConfig(
        r=how.rank,
        lora_alpha=2 * how.rank,
        target_modules=list(how.modules),
        layers_to_transform=list(range(how.first_layer, layers)),
        layers_pattern="layers",
        task_type="CAUSAL_LM",
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # what these libraries still say to each other
            return peft.get_peft_model(network, config)
    except ValueError as wrong:
        raise BadInput(f"modules={','.join(how.modules)}: {wrong}") from None


def _save(adapted: Any, about: dict[str, Any], out: Path) -> None:
    with draft_of("adapter", out) as draft:
        adapted.half().save_pretrained(draft)
        write_about(draft / ABOUT, about)
