"""llama.cpp in a process of its own: transformers' scores, a process that may die, files that are none."""

import os
import signal

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.models.gguf import Ended, GgufModel
from parley.models.language_model import LanguageModel, Loading
from parley.models.scoring import line_scores
from tests.tiny import TEXT, drawn_lines, tiny_gguf

LINES = ["> look in the cupboard\n", "> look in the drawer\n", "> open chest 3\n", "> wait\n"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield tiny_gguf(tmp_path_factory.mktemp("gguf"))


@pytest.fixture
def model(file):
    made = GgufModel(str(file))
    yield made
    made.process.close()


def asked(text, prompts):
    tokens = [None if prompt is None else text.encode(prompt) for prompt in prompts]
    return tokens, [[text.continuation(p, line) for line in LINES] if p else [] for p in prompts]


def joined(found):
    return np.concatenate([values for row in found for values in row])


def test_the_file_scores_alike_in_both(file, model):
    other = LanguageModel(str(file), Loading(packed=True))  # dequantised
    told = [TEXT, TEXT * 30 + "> wait\n", None]  # the second is longer than the room at first
    assert [model.text.encode(p) for p in told[:2]] == [other.text.encode(p) for p in told[:2]]
    for among in (False, True):
        found = model.rows(3).score(*asked(model.text, told), among)
        np.testing.assert_allclose(
            joined(found), joined(other.rows(3).score(*asked(other.text, told), among)), atol=1e-3
        )
    after = model.rows(1).after([model.text.encode(TEXT)])[0]
    np.testing.assert_allclose(after, other.rows(1).after([other.text.encode(TEXT)])[0], atol=1e-3)
    assert model.said(model.text.plain(TEXT)) == TEXT


def test_among_any_lines_scores_are_the_shares_of_those_without(model):
    rng, rows = np.random.default_rng(0), model.rows(1)
    for _ in range(30):
        lines, prompt = drawn_lines(rng), rng.integers(1, 50, 5).tolist()
        found, alone = (rows.score([prompt], [lines], among)[0] for among in (True, False))
        scores = [line_scores(lines, one, how) for one, how in ((found, "none"), (alone, "menu"))]
        np.testing.assert_allclose(*scores, atol=1e-9)


def test_what_is_read_does_not_depend_on_what_was_asked(model):
    prompts, lines = asked(model.text, [TEXT, TEXT + "> wait\n"])
    first = model.rows(2)
    first.read([prompts[0][:-2], prompts[1][:-3]])
    first.score(prompts, lines)
    state = first.snapshot()
    scores = first.score(prompts, lines)
    again = model.rows(2)
    again.restore(state)
    assert (joined(again.score(prompts, lines)) == joined(scores)).all()
    only = model.rows(2)
    only.read([prompts[0][:-2], prompts[1][:-3]])
    assert (joined(only.score(prompts, lines)) == joined(scores)).all()


def test_a_process_that_dies_is_started_once_more(model):
    prompts, lines = asked(model.text, [TEXT])
    rows = model.rows(1)
    rows.read([prompts[0][:-1]])
    expected = rows.score(prompts, lines)
    os.kill(model.process._child.pid, signal.SIGKILL)
    with pytest.warns(RuntimeWarning, match="signal 9.*started once more"):
        found = rows.score(prompts, lines)
    np.testing.assert_allclose(joined(found), joined(expected), atol=1e-4)


def test_a_process_that_does_not_answer_is_stopped(model):
    os.kill(model.process._child.pid, signal.SIGSTOP)  # else it may be faster than any time allowed
    model.process.timeout_s = 0.1
    with pytest.raises(Ended, match="did not answer within 0.1 s"):
        model.process.ask("said", tokens=[1] * 1000)
    assert model.process._child.wait(10) == -signal.SIGKILL


def test_closing_ends_the_process(file):
    made = GgufModel(str(file))
    made.process.close()
    assert made.process._child.returncode is not None


def test_what_is_no_model(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(BadInput, match="no model that llama.cpp can load"):
        GgufModel(str(damaged), dtype="file")
    for options, said in (({"dtype": "int3"}, "dtype='int3'"), ({"threads": 0}, "threads=0")):
        with pytest.raises(BadInput, match=said):
            GgufModel(str(damaged), **options)
    with pytest.raises(BadInput, match="there is no such file"):
        GgufModel(str(tmp_path / "none.gguf"))
