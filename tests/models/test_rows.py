"""Prompts read together score as each one alone does; what is kept is a function of what was read."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from parley.core.errors import BadInput
from parley.models.language_model import LanguageModel, Loading
from parley.models.rows import Rows
from parley.models.single_rows import SingleRows
from tests.tiny import SIZES, TEXT, drawn_lines, tiny_language_model, tiny_tokenizer

LINES = ["> look in the cupboard\n", "> look in the drawer\n", "> open chest 3\n", "> wait\n"]
STORY = [
    [TEXT, TEXT + "> wait\n", "task: bring me the mug\n", TEXT * 4],
    [TEXT + "> wait\nat the dock\n", None, "task: bring me the mug\nin front\n", TEXT * 4 + "> wait\n"],
    [TEXT, TEXT + "> open chest 3\n", None, "task: open\n"],
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return LanguageModel(str(tiny_language_model(tmp_path_factory.mktemp("tiny"))), Loading(packed=True))


@pytest.fixture(scope="module")
def plain(model):
    return LanguageModel(model.name)


def asked(model, texts):
    prompts = [None if text is None else model.text.encode(text) for text in texts]
    lines = [[] if text is None else [model.text.continuation(text, line) for line in LINES] for text in texts]
    return prompts, lines


def joined(found):
    return np.concatenate([values for row in found for values in row])


@pytest.mark.parametrize("among", [False, True])
@pytest.mark.parametrize("narrow", [False, True])
def test_rows_score_as_whole_texts_do(model, plain, among, narrow):
    rows = Rows(model.model, model.torch, 4, narrow)
    for texts in STORY:
        prompts, lines = asked(model, texts)
        alone = SingleRows(plain.model, plain.torch, 4, tree=False).score(prompts, lines, among)
        np.testing.assert_allclose(joined(rows.score(prompts, lines, among)), joined(alone), atol=1e-4)
        assert rows.held[0] == prompts[0][:-1]


@pytest.mark.parametrize("seed", range(20))
def test_any_lines_score_as_one_by_one(model, plain, seed):
    """Among lines, tokens that no other can follow are left out: what they would have been is what one by one says."""
    rng = np.random.default_rng(seed)
    lines, prompt, narrow = drawn_lines(rng), rng.integers(1, 50, int(rng.integers(1, 12))).tolist(), bool(seed % 2)
    alone = SingleRows(plain.model, plain.torch, 1, tree=False)
    for among in (True, False):
        found = Rows(model.model, model.torch, 1, narrow).score([prompt], [lines], among)
        np.testing.assert_allclose(joined(found), joined(alone.score([prompt], [lines], among)), atol=1e-5)


@pytest.mark.parametrize("kind", ["grouped", "sliding"])
def test_other_kinds_of_attention(kind, tmp_path):
    torch.manual_seed(0)
    more = dict(vocab_size=320, num_key_value_heads=2, initializer_range=0.1)
    made = (
        LlamaForCausalLM(LlamaConfig(**SIZES, **more))
        if kind == "grouped"
        else MistralForCausalLM(MistralConfig(**SIZES, **more, sliding_window=16))
    )
    made.save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    model = LanguageModel(str(tmp_path), Loading(packed=True))
    assert model.scoring == "packed"
    rows = model.rows(4)
    of = LlamaForCausalLM if kind == "grouped" else MistralForCausalLM
    whole = of.from_pretrained(tmp_path, attn_implementation="eager").eval()
    for texts in STORY:
        prompts, lines = asked(model, texts)
        for prompt, ours, found in zip(prompts, lines, rows.score(prompts, lines), strict=True):
            for line, values in zip(ours, found, strict=True):
                with torch.no_grad():
                    logs = whole(torch.tensor([prompt + line])).logits[0].double().log_softmax(-1)
                expected = [float(logs[len(prompt) - 1 + i, token]) for i, token in enumerate(line)]
                np.testing.assert_allclose(values, expected, atol=1e-4)


def test_what_is_read_does_not_depend_on_what_was_asked(model, plain):
    """Rows that were asked and rows that only read go on bit for bit alike; so do those made anew from a snapshot."""
    for make in (lambda: model.rows(4), lambda: SingleRows(plain.model, plain.torch, 4, tree=True)):
        asking, reading = make(), make()
        for texts in STORY:
            prompts, lines = asked(model, texts)
            begins = [None if prompt is None else prompt[:-2] for prompt in prompts]
            for rows in (asking, reading):
                rows.read(begins)
            asking.score(prompts, lines)
            asking.after(prompts)
        anew = make()
        anew.restore(asking.snapshot())
        assert asking.held == reading.held == anew.held
        scores = [rows.score(prompts, lines) for rows in (asking, reading, anew)]
        assert (joined(scores[0]) == joined(scores[1])).all() and (joined(scores[0]) == joined(scores[2])).all()


def test_what_prompts_have_in_common_is_computed_once(model):
    rows, sizes = model.rows(4), []
    forward = rows._forward
    rows._forward = lambda segments, *more: (
        sizes.extend(len(segment.tokens) for segment in segments),
        forward(segments, *more),
    )[1]
    prompts, lines = asked(model, [TEXT * 5 + end for end in ("> wait\n", "> open chest 3\n", "> look", "task")])
    rows.score(prompts, lines)
    assert sum(sizes) < 2 * len(prompts[0])
    apart = model.rows(4, apart=2)
    apart.read([prompts[0], prompts[1], None, None])
    apart.score([None, None, *prompts[2:]], [[], [], *lines[2:]])
    assert apart.pieces[2][0].start == 0 and apart.pieces[2][0].number > apart.pieces[1][-1].number


@pytest.mark.parametrize("among, tokens", [(True, 1), (False, 4)])
def test_only_tokens_that_say_something_are_computed(model, monkeypatch, among, tokens):
    """By hand: behind [3, 4] nothing else can follow, and behind [1] no model is asked once the lines have parted."""
    rows, sizes = model.rows(1), []
    forward = rows._forward
    monkeypatch.setattr(rows, "_forward", lambda s, *more: (sizes.append(len(s[0].tokens)), forward(s, *more))[1])
    (found,) = rows.score([[5]], [[[1, 2], [1, 3, 4], [3, 4, 2]]], among)
    assert sizes == [1 + tokens]
    if among:
        assert (found[2][1:] == 0).all() and found[1][2] == 0
        np.testing.assert_allclose(np.exp([values.sum() for values in found]).sum(), 1)


def test_prompts_that_are_long_are_read_in_several_passes(model, monkeypatch):
    prompts, lines = asked(model, [TEXT * 6, "task: open\n" * 20, TEXT, "at the dock\n" * 30])
    expected = model.rows(4).score(prompts, lines)
    monkeypatch.setattr("parley.models.rows.PASS", 50)
    np.testing.assert_allclose(joined(model.rows(4).score(prompts, lines)), joined(expected), atol=1e-4)


def test_a_prompt_without_tokens_is_refused(model):
    with pytest.raises(BadInput, match="at least one token"):
        model.rows(1).score([[]], [[[1]]])
