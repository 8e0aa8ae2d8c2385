"""Instruction tuning of any causal language model on a world's chat examples: LoRA (Hu et al. 2022), merged and saved.

There are two renderings. With `transcript` the prompt is the transcript as plain text, which `--planner hf` reads. With
`chat` the messages go through the model's own chat template, as an endpoint would receive them. The loss is on the
answers only.
"""

import json
import math
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from parley.core.errors import BadInput, MissingExtra, ParleyError
from parley.data.dataset import MANIFEST, read_bytes, read_manifest, verify
from parley.models.language_model import load, positions_of
from parley.models.text import beginning, plain_tokens
from parley.training.draft import draft_of, write_about

TEMPLATES = ("transcript", "chat")
KEPT = "finetuned.json"


@dataclass(frozen=True)
class Tuning:
    """How a model is tuned."""

    template: str = "transcript"
    steps: int = 200
    batch: int = 8
    learning_rate: float = 1e-3
    rank: int = 8  # of the low-rank matrices
    max_tokens: int = 2048  # of an example; longer ones are refused
    seed: int = 0

    def __post_init__(self) -> None:
        if self.template not in TEMPLATES:
            raise BadInput(f"template={self.template!r}: expected {' or '.join(TEMPLATES)}")
        for name in ("steps", "batch", "rank", "max_tokens"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name}={getattr(self, name)}: expected at least 1")
        if not self.learning_rate > 0:
            raise BadInput(f"learning_rate={self.learning_rate}: expected a positive number")


def finetune(
    model: str, data: Path, out: Path, tuning: Tuning, report: Callable[[dict[str, float]], None] | None = None
) -> dict[str, Any]:
    """Tune `model` (a directory or a hub id) on the chat examples of `data` into the new directory `out`.

    `data` is a directory of `parley data make --chat N`, or a file of its lines. Returns what was done.
    """
    if any(find_spec(name) is None for name in ("datasets", "peft", "torch", "transformers", "trl")):
        raise MissingExtra("parley finetune", "finetune")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"out={str(out)!r} is not empty: name a new directory")
    examples = read_examples(data)
    tokenizer, network = load(model)
    if tuning.template == "chat" and not tokenizer.chat_template:
        raise BadInput(f"{model!r} has no chat template: use template=transcript")
    if tokenizer.eos_token is None:
        raise BadInput(f"{model!r} has no end-of-text token to close its answers with: give its tokenizer an eos_token")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    rows = [render(example, tuning.template) for example in examples]
    if tuning.template == "transcript":
        rows = [tokenized(tokenizer, row) for row in rows]
    else:
        _refuse_special(tokenizer, rows)
    _refuse_long(tokenizer, rows, tuning, positions_of(network))
    merged, losses = _train(network, tokenizer, rows, tuning, report)
    about = {"model": model, "data": str(data), "examples": len(rows), "tuning": asdict(tuning), "losses": losses}
    if all("episode" in example for example in examples):
        about["episodes"] = 1 + max(example["episode"] for example in examples)  # T_p
    _save(merged, tokenizer, about, out)
    return {**about, "loss": losses[-1]}


def _train(
    network: Any,
    tokenizer: Any,
    rows: list[dict[str, Any]],
    tuning: Tuning,
    report: Callable[[dict[str, float]], None] | None,
) -> tuple[Any, list[float]]:
    """The tuned model, merged, and the loss of each step."""
    import peft
    import torch
    import trl
    from datasets import Dataset
    from transformers import PrinterCallback

    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # what these libraries still say to each other
        config = trl.SFTConfig(
            output_dir=scratch,
            per_device_train_batch_size=tuning.batch,
            max_steps=tuning.steps,
            learning_rate=tuning.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=tuning.steps // 20,  # the first step of a warm-up learns nothing
            completion_only_loss=True,
            max_length=None,
            seed=tuning.seed,
            logging_steps=1,
            logging_nan_inf_filter=False,  # a loss that is no number would be logged as 0
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            bf16=torch.cuda.is_available(),
            use_cpu=not torch.cuda.is_available(),
        )
        trainer = trl.SFTTrainer(
            model=network,
            args=config,
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=peft.LoraConfig(
                r=tuning.rank, lora_alpha=2 * tuning.rank, target_modules="all-linear", task_type="CAUSAL_LM"
            ),
            callbacks=[_told(report, tuning)],
        )
        trainer.remove_callback(PrinterCallback)  # standard output is for the answer
        trainer.train()
        merged = trainer.model.merge_and_unload()
    if not all(bool(weights.isfinite().all()) for weights in merged.parameters()):
        raise _diverged(tuning.steps, tuning)  # in the last update, whose loss is not computed
    return merged, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def _diverged(step: int, tuning: Tuning) -> ParleyError:
    return ParleyError(
        f"the loss is no number at step {step}, nothing was saved: take a learning_rate below {tuning.learning_rate:g}"
    )


def read_examples(data: Path) -> list[dict[str, Any]]:
    """The chat examples of a data directory, each file as it was made, or of a JSONL file."""
    if data.is_dir():
        manifest = read_manifest(data)
        if manifest["status"] != "finished" or not manifest.get("chat"):
            raise BadInput(f"{str(data)!r} holds no finished chat examples: make them by `parley data make --chat N`")
        texts = []
        for entry in manifest["chat"]:
            content = read_bytes(data / entry["file"])
            verify(data / entry["file"], content, entry)
            texts.append((data / entry["file"], content))
    elif data.is_file():
        texts = [(data, data.read_bytes())]
    else:
        raise BadInput(f"data={str(data)!r}: there is neither a directory with {MANIFEST} nor a file")
    found = []
    for path, content in texts:
        for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
            try:
                row = json.loads(line)
                messages = row["messages"]
                ends_well = messages[-1]["role"] == "assistant" and len(messages) > 1
                if not ends_well or not all(isinstance(m["content"], str) for m in messages):
                    raise ValueError("it does not end with what the assistant says")
            except (ValueError, KeyError, TypeError, IndexError) as wrong:
                raise BadInput(f"{str(path)!r}, line {number} is no chat example: {wrong!r}") from None
            example = {"messages": [{"role": m["role"], "content": m["content"]} for m in messages]}
            found.append({**example, **({"episode": row["episode"]} if type(row.get("episode")) is int else {})})
    if not found:
        raise BadInput(f"data={str(data)!r} holds no examples")
    return found


def render(example: dict[str, Any], template: str) -> dict[str, Any]:
    """Prompt and completion: messages, or plain text, what was said with a line break after each turn.

    Of a transcript no system message is a part, as `--planner hf` reads none.
    """
    *before, answer = example["messages"]
    if template == "chat":
        return {"prompt": before, "completion": [answer]}
    said = [message["content"] + "\n" for message in before if message["role"] != "system"]
    return {"prompt": "".join(said), "completion": answer["content"] + "\n"}


def tokenized(tokenizer: Any, row: dict[str, str]) -> dict[str, list[int]]:
    """Tokens of prompt and completion, as `--planner hf` cuts them, and which of them the loss is on.

    What the world says makes no special token, or a sentence that says `<end>` would teach that a text ends there.
    """
    begin = beginning(tokenizer)
    prompt = begin + plain_tokens(tokenizer, row["prompt"])
    both = begin + plain_tokens(tokenizer, row["prompt"] + row["completion"])
    same = next((i for i, (a, b) in enumerate(zip(prompt, both, strict=False)) if a != b), len(prompt))
    ids = [*both, tokenizer.eos_token_id]
    return {"input_ids": ids, "completion_mask": [0] * same + [1] * (len(ids) - same)}


def _refuse_special(tokenizer: Any, rows: list[dict[str, Any]]) -> None:
    """A chat template is text, with which the messages become tokens: there a special one cannot be told from words."""
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    for i, row in enumerate(rows):
        for message in row["prompt"] + row["completion"]:
            if found := sorted(token for token in special if token in message["content"]):
                raise BadInput(
                    f"example {i + 1} says {found[0]!r}, which is a special token of the model: use template=transcript"
                )


def _refuse_long(tokenizer: Any, rows: list[dict[str, Any]], tuning: Tuning, positions: int) -> None:
    """An example that would be cut would teach an answer to another question."""
    most = min(tuning.max_tokens, positions)
    limit = f"max_tokens={most}" if most == tuning.max_tokens else f"the {positions} positions of the model"
    for i, row in enumerate(rows):
        if (num := _length(tokenizer, row, i)) > most:
            raise BadInput(
                f"example {i + 1} has {num} tokens, more than {limit}: allow more, or make data of fewer episodes"
            )


def _length(tokenizer: Any, row: dict[str, Any], i: int) -> int:
    """Tokens of an example; raises `BadInput` where the model's chat template refuses it."""
    if "input_ids" in row:
        return len(row["input_ids"])
    try:
        ids = tokenizer.apply_chat_template(row["prompt"] + row["completion"])
    except TemplateError as wrong:
        raise BadInput(f"the model's chat template refuses example {i + 1}: {wrong}; use template=transcript") from None
    return len(ids["input_ids"] if hasattr(ids, "keys") else ids)


def _told(report: Callable[[dict[str, float]], None] | None, tuning: Tuning) -> Any:
    """A callback of the trainer that passes on its losses, and stops where one is no number."""
    from transformers import TrainerCallback

    began = time.perf_counter()

    class Told(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if not logs or "loss" not in logs:
                return
            if not math.isfinite(logs["loss"]):
                raise _diverged(state.global_step, tuning)
            if report:
                rate = logs["num_tokens"] / (time.perf_counter() - began)
                report({"step": state.global_step, "steps": tuning.steps, "loss": logs["loss"], "tokens_s": rate})

    return Told()


def _save(model: Any, tokenizer: Any, about: dict[str, Any], out: Path) -> None:
    with draft_of("model", out) as draft:
        model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
        write_about(draft / KEPT, about)
