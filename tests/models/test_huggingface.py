"""Models that are no plain Llama run through transformers, to the same numbers where both can."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from parley.core.errors import BadInput
from parley.models.huggingface import HuggingFaceModel
from parley.models.llama import Llama

SIZES = dict(vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)
MODELS = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, max_position_embeddings=64)),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**SIZES, num_key_value_heads=2, max_position_embeddings=64)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=4, n_positions=64)),
}


@pytest.fixture(scope="module", params=MODELS)
def saved(request, tmp_path_factory):
    torch.manual_seed(0)
    model = MODELS[request.param]().eval()
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    return folder, model


def ragged(rows: int):
    """Pieces of different lengths for each row, and what each row has in the end."""
    rng, streams = np.random.default_rng(2), [[] for _ in range(rows)]
    for _ in range(6):
        tokens, counts = rng.integers(0, 50, (rows, 3)), rng.integers(0, 4, rows)
        for row in range(rows):
            streams[row] += tokens[row, : counts[row]].tolist()
        yield tokens, counts, streams


def test_ragged_pieces_equal_one_pass(saved):
    folder, model = saved
    cache = HuggingFaceModel(folder).cache(4)
    for tokens, counts, streams in ragged(4):
        logits = cache.append(tokens, counts)
        for row in np.flatnonzero(counts):
            with torch.no_grad():
                whole = model(torch.tensor([streams[row]])).logits[0, -1].numpy()
            np.testing.assert_allclose(logits[row], whole, atol=1e-5)


def test_a_llama_gives_the_same_both_ways(tmp_path):
    torch.manual_seed(1)
    MODELS["llama"]().save_pretrained(tmp_path)
    ours, theirs = Llama(tmp_path).cache(4), HuggingFaceModel(tmp_path).cache(4)
    for tokens, counts, _ in ragged(4):
        a, b = ours.append(tokens, counts), theirs.append(tokens, counts)
        np.testing.assert_allclose(a[counts > 0], b[counts > 0], atol=1e-5)


def test_no_model_and_too_long_a_prompt(tmp_path, saved):
    with pytest.raises(BadInput, match="no causal language model"):
        HuggingFaceModel(tmp_path)
    with pytest.raises(BadInput, match="65 tokens"):
        HuggingFaceModel(saved[0]).cache(1).append(np.zeros((1, 65), dtype=int))
