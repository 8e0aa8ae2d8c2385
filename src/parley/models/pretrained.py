"""Pretrained models of `transformers`: where they are, how they are loaded, and how they are given a cache.

Code that comes with a model is never run, and nobody is asked whether it may be.
"""

import inspect
import re
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput, MissingExtra

HUB_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
HUB_TIMEOUT_S = 5.0  # a hub that does not answer in this time is not there


def where(name: str, what: str) -> dict[str, Any]:
    """Options of `from_pretrained` for a directory or a hub id; raises `BadInput` at once where there is neither."""
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.constants import HF_HUB_OFFLINE
    except ImportError:
        raise MissingExtra(what, "torch") from None
    if Path(name).is_dir():
        return _options(local=True)
    if is_path(name):
        raise BadInput(f"{name!r}: there is no such directory of a model")
    if HF_HUB_OFFLINE:
        return _options(local=True)
    unreachable = _on_hub(name)
    cached = isinstance(try_to_load_from_cache(name, "config.json"), str)
    if unreachable and not cached:
        raise BadInput(f"{name!r} is no directory here, and the hub does not give it: {unreachable}")
    return _options(local=bool(unreachable))


def _options(local: bool) -> dict[str, Any]:
    return {"local_files_only": local, "trust_remote_code": False}


def is_path(name: str) -> bool:
    """Whether a name can only be a path: no hub id, or below a directory that is here."""
    parent = Path(name).parent
    return not HUB_ID.fullmatch(name) or name.startswith(".") or (parent != Path(".") and parent.is_dir())


def _on_hub(name: str) -> str:
    """Why the hub does not give a model; empty where it does. Asked once, and not for long."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(name, timeout=HUB_TIMEOUT_S)
    except Exception as wrong:  # of the hub's library, and of the one by which it calls
        return (str(wrong).strip() or repr(wrong)).splitlines()[0]
    return ""


def why_not(wrong: BaseException) -> str:
    """What kept `transformers` from loading a model, on one line."""
    if "trust_remote_code" in str(wrong):
        return "it brings code of its own, which is never run"
    return (str(wrong).strip() or repr(wrong)).splitlines()[0]


def require_numbers(name: str, model: Any) -> None:
    """Raise `BadInput` where a weight is NaN or infinite."""
    for part, weights in model.named_parameters():
        if weights.is_floating_point() and not bool(weights.isfinite().all()):
            raise BadInput(f"{name!r}: its weights {part!r} hold NaN or infinite numbers: load it anew")


def require_embeddings(name: str, tokenizer: Any, model: Any) -> None:
    """Raise `BadInput` where the tokenizer gives tokens that the model has no embedding for."""
    tokens, rows = len(tokenizer), int(model.get_input_embeddings().weight.shape[0])
    if tokens > rows:
        raise BadInput(
            f"{name!r}: the tokenizer has {tokens} tokens, the model embeddings of {rows}: tokens were added to one "
            "alone; save the model after model.resize_token_embeddings(len(tokenizer))"
        )


def cache_name(model: Any) -> str:
    """What a model calls its cache of keys and values, as an argument and in its output.

    transformers 5.24 calls it `cache`, versions before `past_key_values`.
    """
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
