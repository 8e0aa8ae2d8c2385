"""Low-rank adapters (Hu et al. 2022) in peft's format, added to the weights that they were trained beside."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.numpy import load_file

from parley.core.errors import BadInput
from parley.core.paths import read_json

ABOUT = "parley-adapter.json"  # the description that Parley stores with an adapter
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
KNOWN = {"use_dora": False, "bias": "none", "modules_to_save": None, "fan_in_fan_out": False}


@dataclass(frozen=True)
class Adapter:
    """A directory with `adapter_config.json` and `adapter_model.safetensors`."""

    folder: Path

    @property
    def about(self) -> dict[str, Any]:
        """The description that Parley stored with an adapter it trained; empty for any other adapter."""
        path = self.folder / ABOUT
        return dict(read_json(path)) if path.is_file() else {}

    def changes(self) -> Iterator[tuple[str, Float[np.ndarray, "out in"]]]:
        """The change of each weight, by the name of its module in transformers."""
        try:
            config = read_json(self.folder / CONFIG)
            weights = load_file(self.folder / WEIGHTS)
        except (OSError, ValueError, SafetensorError) as wrong:
            raise BadInput(f"adapter={str(self.folder)!r} is no low-rank adapter of peft's: {wrong}") from None
        odd = [name for name, value in KNOWN.items() if config.get(name, value) != value]
        odd += [name for name in ("rank_pattern", "alpha_pattern") if config.get(name)]
        if config.get("peft_type") != "LORA" or odd:
            what = odd[0] if odd else f"peft_type {config.get('peft_type')!r}"
            raise BadInput(f"adapter={str(self.folder)!r} has {what}: merge it by peft, and name the merged model")
        scale = config["lora_alpha"] / (config["r"] ** 0.5 if config.get("use_rslora") else config["r"])
        for name in weights:
            if name.endswith(".lora_A.weight"):
                first, second = weights[name], weights[name.replace(".lora_A.", ".lora_B.")]
                module = name.removeprefix(PREFIX).removesuffix(".lora_A.weight")
                yield module, scale * (second.astype(np.float32) @ first.astype(np.float32))


def merge(model: Any, adapter: Adapter) -> None:
    """Add an adapter to a model of transformers, in place; raises `BadInput` where it is of another model."""
    import torch

    modules = dict(model.named_modules())
    with torch.no_grad():
        for name, change in adapter.changes():
            weight = getattr(modules.get(name), "weight", None)
            if weight is None or tuple(weight.shape) != change.shape:
                raise BadInput(f"adapter={str(adapter.folder)!r} was trained beside another model: it has no {name!r}")
            weight += torch.from_numpy(change).to(weight.dtype)
