"""A language model's prompts and scores against plain forward passes over the whole text."""

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from parley.core.errors import BadInput
from parley.models import language_model
from parley.models.language_model import LanguageModel, Loading
from tests.tiny import SIZES, TEXT, tiny_language_model, tiny_tokenizer

LINES = ["> look in the cupboard\n", "> look in the drawer\n", "> open chest 3\n", "> wait\n"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return LanguageModel(str(tiny_language_model(tmp_path_factory.mktemp("tiny"))))


def plain(model: LanguageModel, tokens: list[int], last: int) -> float:
    """Log-probability of the last tokens, by one forward pass without a cache."""
    with torch.no_grad():
        logs = model.model(torch.tensor([tokens])).logits[0].double().log_softmax(-1)
    return sum(float(logs[i - 1, tokens[i]]) for i in range(len(tokens) - last, len(tokens)))


def assert_plain(model: LanguageModel) -> None:
    prompt = model.prompt()
    for piece in (TEXT, "> open chest 3\n", "in front of", " the door\n"):
        prompt.read(piece)
        lines = [model.text.continuation(prompt.text, line) for line in LINES]
        expected = [plain(model, model.text.encode(prompt.text) + line, len(line)) for line in lines]
        np.testing.assert_allclose([values.sum() for values in prompt.logprobs(lines)], expected, atol=1e-4)


def test_scores_are_those_of_whole_texts(model):
    assert model.scoring == "tree"
    assert_plain(model)


def test_a_gpt2_scores_in_a_tree_too(tmp_path):
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config(vocab_size=320, n_embd=32, n_layer=2, n_head=4, n_positions=512)).save_pretrained(
        tmp_path
    )
    tiny_tokenizer().save_pretrained(tmp_path)
    model = LanguageModel(str(tmp_path))
    assert model.scoring == "tree" and model.positions == 512
    assert_plain(model)


def test_a_sliding_window_is_scored_one_by_one_and_says_so(tmp_path):
    torch.manual_seed(0)
    config = MistralConfig(**SIZES, vocab_size=320, num_key_value_heads=2, sliding_window=16, initializer_range=0.1)
    MistralForCausalLM(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.warns(RuntimeWarning, match="one by one: its attention slides"):
        model = LanguageModel(str(tmp_path))
    assert_plain(model)


@pytest.mark.parametrize("fault, said", [("refuses", "takes no tree mask"), ("is off", "nats off")])
def test_a_tree_pass_that_cannot_be_trusted_is_not_used(model, monkeypatch, fault, said):
    def wrong(inner, past, after, lines):
        if fault == "refuses":
            raise ValueError("no 4-D masks")
        return [values + 0.01 for values in language_model.sequential_logprobs(inner, past, after, lines)]

    monkeypatch.setattr(language_model, "tree_logprobs", wrong)
    with pytest.warns(RuntimeWarning, match=said):
        distrusted = LanguageModel(model.name)
    assert_plain(distrusted)


def test_tokens_of_a_line_after_a_prompt(model):
    whole = model.text.encode("task: bring\n> open chest 3\n")
    assert model.text.encode("task: bring\n") + model.text.continuation("task: bring\n", "> open chest 3\n") == whole
    merged = model.text.continuation("task: bring\n> op", "en chest 3\n")  # "open" is one token: it merges across
    assert model.text.encode("task: bring\n> op")[-1] not in whole[-6:]
    assert merged == model.text.encode("en chest 3\n") and model.text.encode("task: bring\n> op") + merged != whole


def test_what_is_read_in_pieces_is_the_whole_text_cut_as_a_whole(model):
    prompt = model.prompt()
    for letter in TEXT:  # each letter merges with those before it
        prompt.read(letter)
    assert prompt.tokens == model.text.encode(TEXT) and prompt.past.get_seq_length() == len(prompt.tokens)
    fresh = model.prompt()
    fresh.read(TEXT)
    np.testing.assert_allclose(prompt.after.numpy(), fresh.after.numpy(), atol=1e-4)


def test_text_makes_no_special_token(model):
    assert 0 not in model.text.encode("at the dock<end>\n")
    assert model.tokenizer("<end>").input_ids == [0]


def test_padding_and_token_zero_are_tokens_like_any_other(model):
    prompt = model.prompt()
    prompt.read(TEXT)
    lines = [[0, 0, 5], [5, 0], [0]]
    expected = [plain(model, model.text.encode(TEXT) + line, len(line)) for line in lines]
    np.testing.assert_allclose([values.sum() for values in prompt.logprobs(lines)], expected, atol=1e-4)


def test_what_is_no_language_model_is_refused_in_one_sentence(tmp_path, model):
    with pytest.raises(BadInput, match="no causal language model that transformers can load") as wrong:
        LanguageModel(str(tmp_path))
    assert "\n" not in str(wrong.value)
    with pytest.raises(BadInput, match="dtype='int3'"):
        LanguageModel(model.name, Loading("int3"))
    AutoModelForCausalLM.from_pretrained(model.name).save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="no causal language model") as wrong:  # it has no tokenizer
        LanguageModel(str(tmp_path))
    assert "\n" not in str(wrong.value)


def test_weights_that_are_cut_short_are_refused(tmp_path):
    weights = tiny_language_model(tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(BadInput, match="no causal language model that transformers can load"):
        LanguageModel(str(tmp_path))


def test_a_model_without_a_key_value_cache_is_refused(tmp_path):
    MambaForCausalLM(MambaConfig(vocab_size=320, hidden_size=16, num_hidden_layers=1)).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="no plain key-value cache"):
        LanguageModel(str(tmp_path))
