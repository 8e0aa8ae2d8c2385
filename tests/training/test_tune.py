"""Tuning on generated worlds: pages that say what the planner would hear, an adapter, and going on after a kill."""

import json
from dataclasses import replace

import numpy as np
import pytest

from parley.core.errors import BadInput, MissingExtra
from parley.data.averaged import averaged
from parley.data.documents import sample_documents
from parley.execute import RunConfig, run
from parley.models.adapter import Adapter
from parley.models.language_model import LanguageModel
from parley.theory.beliefs import Beliefs
from parley.training import tune as module
from parley.training.adapting import KINDS, UNSEEN, Adapting
from parley.training.lessons import FORMS, page
from parley.training.tune import tune
from parley.training.watch import Watch
from parley.worlds.generated.world import generated
from tests.tiny import tiny_language_model

HOW = Adapting(tokens=4 * 2 * 400, page=400, learning_rate=5e-3, rank=2, first_layer=1, evaluate_every=2, held_out=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_language_model(tmp_path_factory.mktemp("tiny"))


def weights(out):
    return {name: change for name, change in Adapter(out).changes()}


@pytest.mark.parametrize("form", [form for form in FORMS if not form.chat])
def test_a_page_is_a_growing_prompt_with_the_law_at_every_choice(folder, form):
    tables = generated(3, "find", "varied")
    beliefs = Beliefs(tables)
    documents = averaged(beliefs, sample_documents(beliefs, 1, 6, (0, 1)))
    text = LanguageModel(str(folder)).text
    made = page(tables, documents, 0, form, text, 1500, last=2)
    np.testing.assert_allclose(made.law.sum(axis=1), 1, atol=1e-9)
    assert made.decisions and (np.diff(made.before) > 0).all() and made.before[-1] < len(made.tokens)
    assert ((made.target >= 0) | (made.law == 0)).all()
    for at, branches, law in zip(made.before[:-1], made.target[:-1], made.law[:-1], strict=True):
        given = made.tokens[at + 1]
        assert given in branches and law[branches >= 0].sum() > 0.999
    short = page(tables, documents, 0, form, text, len(made.tokens) // 2 + 100, last=2)
    assert short is None or (made.tokens[: len(short.tokens)] == short.tokens).all()


def test_a_killed_tuning_goes_on_to_the_same_adapter(folder, tmp_path):
    told = []
    about = tune(str(folder), tmp_path / "whole", HOW, told.append)
    assert about["step"] in (0, 2, 4) and [one["step"] for one in told] == [1, 2, 3, 4]
    assert set(about["excess_nats"]) == {"families", "unseen_kinds", "before"}
    assert about["excess_nats"]["families"] <= about["excess_nats"]["before"]  # steps that went wrong are not kept

    class Killed(Exception):
        pass

    def kill(found):
        if found["step"] == 3:
            raise Killed

    with pytest.raises(Killed):
        tune(str(folder), tmp_path / "part", HOW, kill, Watch(keep_s=0.0))
    assert not (tmp_path / "part").exists() and (tmp_path / "part.training").is_dir()
    with pytest.raises(BadInput, match="unfinished training of another"):
        tune(str(folder), tmp_path / "part", replace(HOW, rank=4))
    tune(str(folder), tmp_path / "part", HOW, told.append)
    assert told[4]["step"] == 3  # of the step that was on its way the state was not yet kept
    assert [one["loss"] for one in told[4:]] == [one["loss"] for one in told[2:4]]
    whole, part = weights(tmp_path / "whole"), weights(tmp_path / "part")
    assert set(whole) == set(part) and len(whole) == len(HOW.modules)
    assert all((whole[name] == part[name]).all() for name in whole)
    run(RunConfig("shortcut", f"hf:{folder},adapter={tmp_path / 'whole'}", runs=2, episodes=2), tmp_path / "run")
    planner = json.loads((tmp_path / "run" / "manifest.json").read_text())["planner"]
    assert planner["template"] == "stated" and not planner["chat"]


def test_kinds_are_held_out():
    assert not set(KINDS) & set(UNSEEN) and {"lock", "ask", "levers"} <= set(UNSEEN) and len(KINDS) >= 16


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tokens": 0}, "tokens=0"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"first_layer": 2}, "first_layer=2: the model has 2 layers"),
        ({"modules": ("nothing",)}, "modules=nothing"),
    ],
)
def test_what_cannot_be_tuned(folder, tmp_path, changes, said):
    with pytest.raises(BadInput, match=said):
        tune(str(folder), tmp_path / "out", replace(HOW, **changes))


def test_a_place_that_is_taken_and_an_extra_that_is_missing(folder, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(BadInput, match="is not empty"):
        tune(str(folder), tmp_path / "out", HOW)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="finetune"):
        tune(str(folder), tmp_path / "new", HOW)
