"""Initial weights: the first layer looks back by position, whatever the words are; values are passed on as they are."""

import pytest
import torch
import transformers

from parley.training.architecture import build_model
from parley.training.generalist import word_tokenizer
from parley.training.initial import PASSED_ON, look_back
from parley.training.recipe import Recipe


@pytest.fixture(scope="module")
def tokenizer():
    return word_tokenizer()


@pytest.mark.parametrize(("width", "heads"), [(64, 4), (96, 4), (32, 2)])
def test_heads_of_the_first_layer_look_back_by_position(width, heads, tokenizer):
    torch.manual_seed(0)
    model = build_model(transformers, tokenizer, Recipe(width=width, layers=2, heads=heads), 128)
    look_back(torch, model)
    model.set_attn_implementation("eager")
    said = torch.randint(1, len(tokenizer), (3, 60))
    with torch.no_grad():
        looked = model.eval()(input_ids=said, output_attentions=True).attentions[0]  # documents, heads, from, to
    for head in range(heads):
        at = torch.arange(20, 60)
        assert float(looked[:, head, at, at - head - 1].mean()) > 0.7


def test_what_is_seen_is_passed_on_as_it_is(tokenizer):
    model = build_model(transformers, tokenizer, Recipe(width=64, layers=2, heads=4), 128)
    look_back(torch, model)
    for layer in model.model.layers:
        passed = (layer.self_attn.o_proj.weight @ layer.self_attn.v_proj.weight).detach()
        assert float((passed - PASSED_ON * torch.eye(64)).abs().max()) < 0.3 * PASSED_ON
    words = model.get_input_embeddings().weight.detach()[1:]
    assert float(words.std(dim=1).max() / words.std(dim=1).min()) < 1.2 and not model.lm_head.weight.isnan().any()


def test_other_architectures_begin_with_larger_weights_only(tokenizer):
    recipe = Recipe(width=32, layers=1, heads=2, architecture="gpt2")
    torch.manual_seed(0)
    plain = build_model(transformers, tokenizer, recipe, 64)
    torch.manual_seed(0)
    model = build_model(transformers, tokenizer, recipe, 64)
    look_back(torch, model)
    name = "transformer.h.0.mlp.c_fc.weight"
    torch.testing.assert_close(model.get_parameter(name), 2.5 * plain.get_parameter(name))
