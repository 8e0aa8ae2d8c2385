"""What of a Hugging Face `config.json` decides whether a model is the plain Llama that runs without torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput


def _oddities(config: dict[str, Any]) -> list[str]:
    """Entries of a `config.json` by which a model is not the plain Llama computed here."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    rope = rope if isinstance(rope, dict) else {"rope_type": rope}
    odd = {
        "model_type": config.get("model_type") != "llama",
        "hidden_act": config.get("hidden_act") != "silu",
        "attention_bias": bool(config.get("attention_bias")),
        "mlp_bias": bool(config.get("mlp_bias")),
        "rope_parameters": rope.get("rope_type", "default") != "default",
        "quantization_config": bool(config.get("quantization_config")),
    }
    return [name for name, wrong in odd.items() if wrong]


def is_plain_llama(config: dict[str, Any]) -> bool:
    """Whether the model of this `config.json` runs here, without torch."""
    return not _oddities(config)


@dataclass(frozen=True)
class Shape:
    """What of a Hugging Face `config.json` the forward pass needs."""

    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    epsilon: float
    rope_theta: float
    positions: int

    @classmethod
    def of(cls, config: dict[str, Any], path: Path) -> "Shape":
        """Read a configuration; refuses what this forward pass does not compute."""
        odd = _oddities(config)
        if odd:
            raise BadInput(f"{path}: {odd[0]}={config.get(odd[0])!r} is more than the plain Llama that runs here")
        rope = config.get("rope_parameters") or {}  # `_oddities` has seen to it that this is a mapping
        heads = _number(config, "num_attention_heads", 1 << 10)
        return cls(
            layers=_number(config, "num_hidden_layers", 1 << 10),
            heads=heads,
            kv_heads=_number({"num_key_value_heads": heads, **_given(config)}, "num_key_value_heads", heads),
            head_dim=_number(
                {"head_dim": _number(config, "hidden_size", 1 << 20) // heads, **_given(config)}, "head_dim"
            ),
            epsilon=_positive(config, "rms_norm_eps"),
            rope_theta=_positive({"rope_theta": config.get("rope_theta", 10_000.0), **_given(rope)}, "rope_theta"),
            positions=_number(config, "max_position_embeddings", 1 << 22),
        )


def _given(config: dict[str, Any]) -> dict[str, Any]:
    """The entries that are not null: those have their defaults."""
    return {name: value for name, value in config.items() if value is not None}


def _number(config: dict[str, Any], name: str, most: int = 1 << 16) -> int:
    value = config[name]
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{name}={str(value)[:100]}: expected a whole number from 1 to {most}")
    return value


def _positive(config: dict[str, Any], name: str) -> float:
    value = config[name]
    if type(value) not in (int, float) or not 0 < value < 1e30:
        raise ValueError(f"{name}={str(value)[:100]}: expected a positive number")
    return float(value)
