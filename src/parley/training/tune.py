"""Tuning a published language model on generated worlds: a low-rank adapter (Hu et al. 2022), labelled by BAIL.

Documents are a stream, each of a family of its own. They are rendered in all the forms in which a model may be asked
(`training.lessons`). Their labels are those of the family's experts, averaged over the posterior. Families, and kinds,
that are never trained on say when to stop. If the training was killed, the same call continues it.
"""

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.errors import BadInput, MissingExtra, ParleyError
from parley.data.averaged import averaged
from parley.data.documents import sample_documents
from parley.models.language_model import load, named_directory
from parley.models.text import TextTokens
from parley.theory.beliefs import Beliefs
from parley.training.ahead import ahead
from parley.training.lessons import FORMS, pages
from parley.training.loop import Place, Training
from parley.training.pages import Page, PageColumns, Pages, Sheet
from parley.training.recipe import Recipe
from parley.training.unfinished import Unfinished
from parley.training.watch import Watch
from parley.worlds.generated.world import EVALUATED, HELD_OUT, MORE, TRAINED, generated

ABOUT, BEST = "parley-adapter.json", "best.safetensors"
FORMAT = "parley-adapter/1"
KINDS = tuple(kind for kind in (*TRAINED, *MORE) if kind != "levers")  # `levers` is held out here
UNSEEN = (*HELD_OUT, "levers")
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
LANGUAGE = "varied"
EPISODES = 40  # of a document; a page holds as many as fit
Report = Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class Adapting:
    """What an adapter depends on, but for the model."""

    tokens: int = 900_000
    page: int = 640  # tokens of a page, at most
    batch: int = 2  # pages a step, one family each
    learning_rate: float = 6e-4
    rank: int = 16
    first_layer: int = 8  # those below stay as they are: a quarter less to compute
    modules: tuple[str, ...] = ATTENTION
    evaluate_every: int = 60  # steps
    patience: int = 5  # evaluations without a better one, then it stops
    held_out: int = 20  # families that say when
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("tokens", "page", "batch", "rank", "evaluate_every", "patience", "held_out", "threads"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name}={getattr(self, name)}: expected at least 1")
        if not self.learning_rate > 0 or self.first_layer < 0:
            raise BadInput("learning_rate must be positive, first_layer not negative")

    @property
    def recipe(self) -> Recipe:
        """The same as the optimisation reads it; each page goes through the model alone, at its own length."""
        return Recipe(
            episodes=EPISODES,
            tokens=self.tokens,
            batch=self.batch,
            accumulate=self.batch,
            learning_rate=self.learning_rate,
            observation_weight=0.0,
            seed=self.seed,
            threads=self.threads,
            precision="auto",
            width=64,
        )


@dataclass(frozen=True)
class Lessons:
    """The pages of every step, as a function of its number; of a model in a directory, in whatever process."""

    folder: str
    how: Adapting

    def __call__(self, step: int) -> Pages:
        found = list[Page]()
        number = step * self.how.batch
        while len(found) < self.how.batch:
            found += family_pages(self.folder, self.how, self.how.seed * 10**8 + number, KINDS)
            number += 10**6 * (len(found) < self.how.batch) + 1  # a family whose first episode does not fit is passed
        return Pages.of(found[: self.how.batch])


def family_pages(folder: str, how: Adapting, seed: int, kinds: Sequence[str]) -> list[Page]:
    """One page of the family of a seed."""
    tables = generated(seed, kinds[seed % len(kinds)], LANGUAGE)
    beliefs = Beliefs(tables)
    documents = averaged(beliefs, sample_documents(beliefs, 1, EPISODES, (seed, 1)))
    return pages(tables, documents, _text(folder), how.page, np.random.default_rng((seed, 2)), FORMS)


@lru_cache(maxsize=1)
def _text(folder: str) -> TextTokens:
    import transformers

    return TextTokens.of(transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True))


class LessonColumns(PageColumns):
    """Pages as tensors, without what follows the last decision."""

    def __init__(self, length: int) -> None:
        self._length = length

    def length(self, num_episodes: int) -> int:
        return self._length

    def prepare(self, torch: Any, documents: Pages, device: str = "cpu") -> Sheet:
        needed = replace(documents, tokens=np.ascontiguousarray(documents.tokens[:, : int(documents.before.max()) + 1]))
        return super().prepare(torch, needed, device)


class HeldOut:
    """Nats a decision beyond the label's own entropy, on pages of families, or kinds, that are never trained on."""

    def __init__(self, torch: Any, folder: str, how: Adapting, kinds: Sequence[str], count: int) -> None:
        self._torch, self._columns = torch, LessonColumns(how.page)
        first = EVALUATED + 2 * 10**6
        seeds = [first + i for i in range(2 * count)]
        self.pages = [page for seed in seeds for page in family_pages(folder, how, seed, kinds)][:count]

    @cached_property
    def entropy(self) -> float:
        """Mean over pages of the label's entropy, nats a decision."""
        laws = [np.where(page.law > 0, page.law, 1.0) for page in self.pages]
        return float(
            np.mean([-(law * np.log(law)).sum() / p.decisions for law, p in zip(laws, self.pages, strict=True)])
        )

    def __call__(self, model: Any, device: str) -> float:
        torch, was, found = self._torch, model.training, []
        model.eval()
        with torch.no_grad():
            for page in self.pages:
                batch = self._columns.prepare(torch, Pages.of([page]), device)
                hidden = model.base_model(input_ids=batch.tokens, use_cache=False).last_hidden_state
                logits = hidden[batch.row, batch.before] @ model.get_output_embeddings().weight[batch.words].T
                branches = logits.float().gather(-1, batch.target).masked_fill(~batch.there, -1e9)
                nats = (batch.law * (torch.logsumexp(branches, dim=-1)[:, None] - branches).clamp(max=100.0)).sum()
                found.append(float(nats) / batch.decisions)
        model.train(was)
        return float(np.mean(found)) - self.entropy


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
    """Write beside its place, then move it there: it is whole or not there at all."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as wrong:
        raise BadInput(f"out={str(out)!r} cannot be written: {wrong.strerror or wrong}") from wrong
    try:
        adapted.half().save_pretrained(draft)
        (draft / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        draft.chmod(0o755)
        if out.exists():
            out.rmdir()
        os.replace(draft, out)
    except OSError as wrong:
        raise ParleyError(f"the adapter could not be written to {str(out)!r}: {wrong.strerror or wrong}") from wrong
    finally:
        shutil.rmtree(draft, ignore_errors=True)
