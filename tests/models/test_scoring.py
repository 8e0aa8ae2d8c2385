"""Scores of continuations against a plain forward pass without cache, mask or batch."""

import numpy as np
import pytest
import torch
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from parley.core.errors import BadInput
from parley.models.pretrained import cache_name
from parley.models.scoring import Tree, line_scores, sequential_logprobs, tree_logprobs

PROMPT = [7, 0, 3, 0, 11]
CONTINUATIONS = [[0, 0, 0], [0, 5], [5, 0, 9], [5, 0], [2], [0], [49, 3, 2]]  # id 0 is also the pad id


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    sizes = dict(vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)
    return LlamaForCausalLM(LlamaConfig(**sizes, max_position_embeddings=64, pad_token_id=0)).eval()


def plain(model, tokens: list[int]) -> float:
    with torch.no_grad():
        logs = model(torch.tensor([PROMPT + tokens])).logits[0].double().log_softmax(-1)
    return sum(float(logs[len(PROMPT) - 1 + i, token]) for i, token in enumerate(tokens))


@pytest.mark.parametrize("logprobs", [tree_logprobs, sequential_logprobs])
def test_scores_are_those_of_a_plain_pass_and_leave_the_cache_alone(model, logprobs):
    past = DynamicCache(config=model.config)
    with torch.no_grad():
        after = model(torch.tensor([PROMPT]), **{cache_name(model): past}).logits[0, -1]
    expected = [plain(model, tokens) for tokens in CONTINUATIONS]
    for _ in range(2):
        found = logprobs(model, past, after, CONTINUATIONS)
        np.testing.assert_allclose(line_scores(CONTINUATIONS, found), expected, atol=1e-5)
        assert past.get_seq_length() == len(PROMPT)


def test_shared_beginnings_are_merged():
    tree = Tree.of(CONTINUATIONS)
    assert len(tree.tokens) == 11 and tree.paths[3] == tree.paths[2][:2] and tree.paths[5] == tree.paths[0][:1]
    assert tree.sees.sum(axis=1).tolist() == (tree.depth + 1).tolist()


def test_scores_within_a_menu_are_the_law_of_constrained_decoding():
    """By hand: a line's probability is the product of its tokens' shares among those that the menu allows there."""
    lines, p = [[1, 2, 9], [1, 3, 9], [4, 9]], [[0.01, 0.3, 0.5], [0.01, 0.1, 0.25], [0.03, 1e-6]]
    scores = line_scores(lines, [np.log(row) for row in p], "menu")
    np.testing.assert_allclose(np.exp(scores), [0.25 * 0.75, 0.25 * 0.25, 0.75])
    np.testing.assert_allclose(line_scores(lines, [np.log(row) for row in p], "length")[2], np.log(0.03e-6) / 2)
    with pytest.raises(BadInput, match="none, length or menu"):
        line_scores(lines, [], "mean")


def test_an_empty_continuation_is_refused():
    with pytest.raises(BadInput, match="at least one token"):
        Tree.of([[1], []])
