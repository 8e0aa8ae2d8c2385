"""A GGUF file in float32, made once and kept in the cache: as transformers reads models, and as llama.cpp does."""

import io
import logging
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np

from parley.core.errors import BadInput, MissingExtra
from parley.models.adapter import WEIGHTS, Adapter
from parley.models.weights import digest, made

VERSION = 1  # of the files made from weights; raise it when they change
PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


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
        with redirect_stderr(io.StringIO()):  # its bars
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
    if hasattr(model.config, "quantization_config"):  # the saved weights are no longer quantised
        del model.config.quantization_config
    model.config.save_pretrained(draft)
    model.generation_config.save_pretrained(draft)
    tokenizer.save_pretrained(draft)
    (draft / "model.safetensors").chmod(0o644)


def as_float_gguf(path: Path, adapter: Adapter | None = None) -> Path:
    """The same file with all its numbers in float32, an adapter added to them.

    llama.cpp rounds what it multiplies quantised weights with: scores are then hundredths of a nat off.
    """
    added = f"-{digest(adapter.folder / WEIGHTS)[:16]}" if adapter else ""
    return made(
        f"{path.stem}-{digest(path)[:16]}{added}-{VERSION}.f32.gguf", lambda draft: _widen(path, draft, adapter)
    )


def _widen(path: Path, draft: Path, adapter: Adapter | None) -> None:
    try:
        import gguf
    except ImportError:
        raise MissingExtra(f"reading {path.name!r}", "smollm2") from None
    reader = gguf.GGUFReader(path)
    kind = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(draft, kind)
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name not in ("general.architecture", "general.file_type"):
            part = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], sub_type=part)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    changes = {_gguf_name(name): change for name, change in adapter.changes()} if adapter else {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if (change := changes.pop(tensor.name, None)) is not None:
            values = values + (_turned(change, reader, tensor.name) if kind == "llama" else change)
        writer.add_tensor(tensor.name, values)
    if changes:
        raise BadInput(
            f"adapter={str(adapter and adapter.folder)!r} was trained beside another model than {path.name!r}"
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _gguf_name(module: str) -> str:
    """llama.cpp's name for the weight of a transformers module; the module's own name if llama.cpp has no other."""
    for theirs, ours in PARTS.items():
        if module.startswith("model.layers.") and module.endswith(f".{theirs}"):
            return f"blk.{module.split('.')[2]}.{ours}.weight"
    return module


def _turned(change: np.ndarray, reader: Any, name: str) -> np.ndarray:
    """Rows of a query or key projection of a Llama in llama.cpp's order: it turns neighbouring pairs, not halves."""
    key = {"attn_q": "llama.attention.head_count", "attn_k": "llama.attention.head_count_kv"}.get(name.split(".")[2])
    if key is None:
        return change
    heads, (rows, columns) = int(reader.fields[key].contents()), change.shape
    return change.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
