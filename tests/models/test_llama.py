"""The numpy Llama against `transformers`, piece by piece, with rows of different lengths."""

import json

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from parley.core.errors import BadInput
from parley.models.llama import Llama

POSITIONS = 40


@pytest.fixture(scope="module", params=["tied, grouped", "untied"])
def checkpoint(request, tmp_path_factory):
    """A random small Llama: its folder and the `transformers` model."""
    torch.manual_seed(0)
    tied = request.param != "untied"
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2 if tied else 4,
        max_position_embeddings=POSITIONS,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        tie_word_embeddings=tied,
        initializer_range=0.1,
    )
    model = LlamaForCausalLM(config).eval()
    folder = tmp_path_factory.mktemp("llama")
    model.save_pretrained(folder)
    return folder, model


def assert_equal(ours: np.ndarray, model: LlamaForCausalLM, tokens: list[int]) -> None:
    """The logits after the last token are those of `transformers`, to 1e-5."""
    with torch.no_grad():
        theirs = model(torch.tensor([tokens])).logits[0, -1].numpy()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_one_pass_is_equal_to_transformers(checkpoint):
    folder, reference = checkpoint
    for length in (1, 7, POSITIONS):
        tokens = np.random.default_rng(length).integers(0, 50, (3, length))
        logits = Llama(folder).cache(3).append(tokens)
        for row in range(3):
            assert_equal(logits[row], reference, tokens[row].tolist())


def test_ragged_pieces_are_equal_to_transformers(checkpoint):
    folder, reference = checkpoint
    rng, rows = np.random.default_rng(1), 5
    cache, streams = Llama(folder).cache(rows), [[] for _ in range(rows)]
    for _ in range(POSITIONS // 3):
        piece, counts = rng.integers(0, 50, (rows, 3)), rng.integers(0, 4, rows)
        logits = cache.append(piece, counts)
        for row in range(rows):
            streams[row].extend(piece[row, : counts[row]].tolist())
            if counts[row]:
                assert_equal(logits[row], reference, streams[row])
    assert cache.length.tolist() == list(map(len, streams))


def test_padding_leaves_no_trace(checkpoint):
    folder, _ = checkpoint
    rng = np.random.default_rng(3)
    pieces = [(rng.integers(0, 50, (4, 2)), rng.integers(0, 3, 4)) for _ in range(10)]
    read = []
    for pad in (0, 49):
        cache = Llama(folder).cache(4)
        padded = [(np.where(np.arange(2) < counts[:, None], tokens, pad), counts) for tokens, counts in pieces]
        read.append([cache.append(tokens, counts)[counts > 0] for tokens, counts in padded])
    for first, second in zip(*read, strict=True):
        np.testing.assert_array_equal(first, second)


def test_refuses_what_it_cannot_do(checkpoint, tmp_path):
    folder, _ = checkpoint
    with pytest.raises(BadInput, match="41 tokens is longer than the model's 40 positions"):
        Llama(folder).cache(1).append(np.zeros((1, 41), dtype=int))
    with pytest.raises(BadInput, match="no readable Llama checkpoint"):
        Llama(tmp_path)

    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "qwen2"}))
    with pytest.raises(BadInput, match="qwen2"):
        Llama(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(BadInput, match="no readable Llama checkpoint"):
        Llama(tmp_path)
