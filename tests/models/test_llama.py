"""The numpy Llama against `transformers`, piece by piece, with rows of different lengths."""

import json

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from parley.core.errors import BadInput
from parley.models.llama import Llama


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
        max_position_embeddings=40,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        tie_word_embeddings=tied,
        initializer_range=0.1,
    )
    model = LlamaForCausalLM(config).eval()
    folder = tmp_path_factory.mktemp("llama")
    model.save_pretrained(folder)
    return folder, model


def theirs(model, tokens) -> np.ndarray:
    with torch.no_grad():
        return model(torch.tensor(np.asarray(tokens)[None])).logits[0].numpy()


def close(ours: np.ndarray, reference: np.ndarray) -> None:
    """Equal to 1e-5 as log-probabilities."""
    a, b = (x - np.log(np.exp(x.astype(float)).sum(axis=-1, keepdims=True)) for x in (ours, reference))
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_one_pass_is_equal_to_transformers(checkpoint):
    folder, reference = checkpoint
    tokens = np.random.default_rng(0).integers(0, 50, (3, 40))
    model = Llama(folder)
    model.start(3)
    logits = model.append_all(tokens, np.full(3, 40))
    for row in range(3):
        close(logits[row], theirs(reference, tokens[row]))


def test_ragged_pieces_are_equal_to_transformers(checkpoint):
    folder, reference = checkpoint
    rng, model, rows = np.random.default_rng(1), Llama(folder), 5
    model.start(rows)
    streams: list[list[int]] = [[] for _ in range(rows)]
    for _ in range(12):
        piece = rng.integers(0, 50, (rows, 3))
        counts = np.minimum(rng.integers(0, 4, rows), 40 - model.lengths)
        logits = model.append(piece, counts)
        for row in range(rows):
            streams[row].extend(piece[row, : counts[row]])
            if counts[row]:
                close(logits[row], theirs(reference, streams[row])[-1])
    assert model.lengths.tolist() == list(map(len, streams))


def test_what_was_truncated_leaves_no_trace(checkpoint):
    folder, reference = checkpoint
    tokens, model = np.random.default_rng(2).integers(0, 50, (2, 10)), Llama(folder)
    model.start(2)
    model.append(tokens, np.array([10, 8]))
    model.truncate(np.array([4, 9]))
    assert model.lengths.tolist() == [4, 8]

    logits = model.append(np.array([[7], [9]]), np.array([1, 1]))
    close(logits[0], theirs(reference, [*tokens[0, :4], 7])[-1])
    close(logits[1], theirs(reference, [*tokens[1, :8], 9])[-1])


def test_the_same_pieces_give_the_same_bits(checkpoint):
    folder, _ = checkpoint
    rng = np.random.default_rng(3)
    pieces = [(rng.integers(0, 50, (4, 2)), rng.integers(0, 3, 4)) for _ in range(10)]
    logits = []
    for noise in (0, 1):  # what padding and cut-off tokens were must not matter either
        model = Llama(folder)
        model.start(4)
        if noise:
            model.append(rng.integers(0, 50, (4, 40)), np.full(4, 40))
            model.truncate(np.zeros(4, dtype=int))
        read = [model.append(tokens, counts)[counts > 0] for tokens, counts in pieces]
        logits.append(np.concatenate(read))
    np.testing.assert_array_equal(*logits)


def test_refuses_what_it_cannot_do(checkpoint, tmp_path):
    folder, _ = checkpoint
    model = Llama(folder)
    model.start(1)
    with pytest.raises(BadInput, match="41 tokens are more than the model's 40 positions"):
        model.append(np.zeros((1, 41), dtype=int), np.array([41]))
    with pytest.raises(BadInput, match="no checkpoint: it has no config.json"):
        Llama(tmp_path)

    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "qwen2"}))
    with pytest.raises(BadInput, match="model_type is 'qwen2'"):
        Llama(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(BadInput, match="damaged checkpoint"):
        Llama(tmp_path)
