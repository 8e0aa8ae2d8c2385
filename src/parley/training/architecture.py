"""Models by the name of their architecture, made from scratch with the sizes of a recipe."""

from typing import Any

from parley.core.errors import BadInput, MissingExtra
from parley.core.spec import suggestion
from parley.training.initial import look_back
from parley.training.recipe import Recipe

EXPERTS, EXPERTS_USED = 4, 2  # of a mixture of experts


def require_torch() -> tuple[Any, Any]:
    """torch and transformers."""
    try:
        import torch
        import transformers
    except ImportError:
        raise MissingExtra("pretraining", "torch") from None
    return torch, transformers


def build_model(transformers: Any, tokenizer: Any, recipe: Recipe, positions: int) -> Any:
    """A causal language model with its initial weights; options that an architecture does not know are not set.

    Raises `BadInput` where transformers has no causal language model of that name.
    """
    known = transformers.models.auto.modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    if recipe.architecture not in known:
        raise BadInput(
            f"architecture={recipe.architecture!r}: transformers has no causal language model of this type"
            f"{suggestion(recipe.architecture, known) if len(known) < 50 else '; llama, gpt2, qwen3, mixtral are some'}"
        )
    plain = transformers.AutoConfig.for_model(recipe.architecture)
    asked = {
        "vocab_size": len(tokenizer),
        "hidden_size": recipe.width,
        "intermediate_size": 4 * recipe.width,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "num_key_value_heads": recipe.heads,
        "head_dim": recipe.width // recipe.heads,
        "max_position_embeddings": positions,
        "num_local_experts": EXPERTS,
        "num_experts": EXPERTS,
        "num_experts_per_tok": EXPERTS_USED,
        "moe_intermediate_size": 2 * recipe.width,
        "attention_dropout": 0.0,  # a document is never read twice: there is nothing to guard against
        "attn_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
    }
    options = {name: value for name, value in asked.items() if getattr(plain, name, None) is not None}
    config = transformers.AutoConfig.for_model(
        recipe.architecture,
        **options,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = transformers.AutoModelForCausalLM.from_config(config)
    if recipe.initial == "look-back":
        look_back(require_torch()[0], model, recipe.seed)
    return model
