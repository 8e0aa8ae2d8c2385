"""A GGUF file as transformers reads models: weights in float32, config and tokenizer; made once, kept in the cache."""

import logging
import shutil
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput, MissingExtra
from parley.models.weights import digest, made

VERSION = 1  # of what is made of a file; raise it where that changes


def as_directory(path: Path) -> Path:
    """The directory of a GGUF file's model; raises `BadInput` where transformers cannot read it."""
    return made(f"{path.stem}-{digest(path)[:16]}-{VERSION}", lambda draft: _make(path, draft))


def _make(path: Path, draft: Path) -> None:
    try:
        import gguf  # noqa: F401 (transformers reads the file with it)
        import torch
        import transformers
        from safetensors.torch import save_model
    except ImportError:
        raise MissingExtra(f"reading {path.name!r} by transformers", "smollm2") from None
    where: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True}
    told, logger = transformers.utils.logging.is_progress_bar_enabled(), logging.getLogger("transformers")
    level = logger.level
    transformers.utils.logging.disable_progress_bar()
    logger.setLevel(logging.ERROR)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, **where)
        model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, dtype=torch.float32, **where)
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError, RuntimeError) as wrong:
        why = (str(wrong).strip() or repr(wrong)).splitlines()[0]
        raise BadInput(f"{str(path)!r} is no GGUF file that transformers can read: {why}") from wrong
    finally:
        logger.setLevel(level)
        if told:
            transformers.utils.logging.enable_progress_bar()
    draft.mkdir()
    save_model(model, str(draft / "model.safetensors"), metadata={"format": "pt"})
    if hasattr(model.config, "quantization_config"):  # what is saved is no longer quantised
        del model.config.quantization_config
    model.config.save_pretrained(draft)
    model.generation_config.save_pretrained(draft)
    tokenizer.save_pretrained(draft)
    (draft / "model.safetensors").chmod(0o644)
    shutil.copymode(path.parent, draft)
