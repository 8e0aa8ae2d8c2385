"""Weights to begin with, for small Llamas that are to look things up in their context.

A reader of transcripts always begins with the same two steps. It brings together words that stand near each other
(task, subgoal, observation), then looks for earlier places of the same words. From random weights the first step takes
thousands of updates to emerge, and nothing can be learned before it. So the heads of the first layer begin by looking
1, 2, 3, ... tokens back, by position only. All heads pass on the words that they see unchanged (Trockman and Kolter
2023, Mimetic initialization of self-attention layers). In later layers they look rather at similar words.
"""

import math
from typing import Any

import numpy as np

EMBEDDING = 0.16  # root mean square of a word's embedding, the same for all words
MATRIX = 2.5  # times transformers' initial weights, which are for models ten times as wide
CONSTANT = 2.8  # the same in every word's embedding, times width ** -0.5: by it a head can ignore what the words are
SHARP, PAIRS = 2.5, 4  # of looking at a position: its weight, and the rotations that tell positions apart
PASSED_ON = 0.2  # of a word that is seen
ALIKE = 0.5  # of looking at words that are alike


def look_back(torch: Any, model: Any, seed: int = 0) -> None:
    """Set the weights of a Llama: its heads look back by position (first layer) or by likeness, and pass words on."""
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.ndim > 1:
                weights.mul_(
                    EMBEDDING / weights.std(dim=1, keepdim=True).clamp(min=1e-6) if "embed" in name else MATRIX
                )
        if model.config.model_type != "llama":
            return
        width, heads = model.config.hidden_size, model.config.num_attention_heads
        random = np.random.default_rng(seed)
        turned = torch.from_numpy(np.linalg.qr(random.standard_normal((width, width)))[0]).float()
        model.get_input_embeddings().weight[:, 0] = CONSTANT * width**-0.5
        for i, layer in enumerate(model.base_model.layers):
            attention = layer.self_attn
            noise = torch.from_numpy(random.standard_normal((2, width, width))).float() * 0.1 * width**-0.5
            attention.v_proj.weight.copy_(turned + noise[0])
            attention.o_proj.weight.copy_(PASSED_ON * (turned.T + noise[1]))
            for weights in (attention.q_proj.weight, attention.k_proj.weight):
                weights.copy_(weights + ALIKE * turned if i else 0.1 * weights)
        _by_position(model.base_model.layers[0].self_attn, width // heads, heads, _theta(model.config))


def _by_position(attention: Any, head_dim: int, heads: int, theta: float) -> None:
    """Head j looks j + 1 tokens back: rotations of a constant by that distance agree there and nowhere else."""
    half = head_dim // 2
    for head in range(heads):
        for pair in range(min(PAIRS, half)):
            row, angle = head * head_dim + pair, (head + 1) * theta ** (-pair / half)
            weight = SHARP * (head_dim / 16) ** 0.25
            attention.k_proj.weight[row, 0] = weight
            attention.q_proj.weight[row, 0] = weight * math.cos(angle)
            attention.q_proj.weight[row + half, 0] = -weight * math.sin(angle)


def _theta(config: Any) -> float:
    """The base of the rotations: newer versions of transformers keep it in a dictionary."""
    rope = getattr(config, "rope_parameters", None) or {"rope_theta": getattr(config, "rope_theta", 10_000.0)}
    return float(rope["rope_theta"])
