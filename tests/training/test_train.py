"""Pretraining end to end, in miniature: it learns, its checkpoint is whole, and the shipped ones keep their promise."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from parley import assemble
from parley.core.errors import BadInput, ParleyError
from parley.evaluation.evaluate import pretraining_error
from parley.planners.transformer import TransformerPlanner
from parley.theory.beliefs import Beliefs
from parley.training import train
from parley.training.recipe import PRESETS, Recipe
from parley.training.train import pretrain
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.shortcut import shortcut

TINY = Recipe(episodes=3, tokens=2_000, width=16, layers=2, heads=2, batch=8)


@pytest.fixture(scope="module")
def tables():
    return random_family(latents=2, observations=3, instructions=1, concentration=0.3)


def test_training_brings_the_model_to_the_oracle(tables, tmp_path):
    beliefs, errors = Beliefs(tables), []
    for tokens in (1, 100_000):
        recipe = Recipe(episodes=4, tokens=tokens, width=32, layers=2, heads=2, batch=16, learning_rate=1e-2)
        losses = []
        pretrain(tables, "random", tmp_path / str(tokens), recipe, lambda now, to=losses: to.append(now["loss"]))
        errors.append(pretraining_error(tmp_path / str(tokens), beliefs, 64).mean)
    assert losses[-1] < losses[0]
    assert errors[1] < 0.5 * errors[0], errors


def test_the_checkpoint_is_one_of_hugging_face_with_a_card(tables, tmp_path):
    about = pretrain(tables, "random", tmp_path / "out", TINY)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert sum(p.numel() for p in model.parameters()) == about["parameters"]
    assert len(tokenizer) == model.config.vocab_size
    assert model.config.max_position_embeddings == 3 * (2 + 2 * tables.horizon)

    stored = json.loads((tmp_path / "out" / "parley.json").read_text())
    assert stored["error"]["uniform"]["mean"] == about["error"]["uniform"]["mean"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "parley pretrain --world random --out DIR --episodes 3" in card
    assert f"{stored['error']['mixed']['mean']:.4f}" in card
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_the_same_seed_gives_the_same_checkpoint(tables, tmp_path):
    for name in ("a", "b"):
        pretrain(tables, "random", tmp_path / name, TINY)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("a", "b")]
    assert weights[0] == weights[1]


def test_training_begins_where_another_ended(tables, tmp_path):
    """With a learning rate of next to nothing the weights stay those of the checkpoint it began with."""
    pretrain(tables, "random", tmp_path / "before", TINY)
    still = replace(TINY, learning_rate=1e-12)
    about = pretrain(tables, "random", tmp_path / "after", still, start=tmp_path / "before")
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("before", "after"))
    for name in one:
        np.testing.assert_allclose(one[name], two[name], atol=1e-6)
    assert about["start"]["recipe"] == asdict(TINY)
    card = (tmp_path / "after" / "README.md").read_text()
    assert card.count("parley pretrain") == 2 and "--start STAGE1" in card
    with pytest.raises(BadInput, match="another shape"):
        pretrain(tables, "random", tmp_path / "x", replace(TINY, width=32), start=tmp_path / "before")
    with pytest.raises(BadInput, match="other lines"):
        pretrain(shortcut(), "shortcut", tmp_path / "x", TINY, start=tmp_path / "before")


def test_averaged_labels_lead_to_the_oracle_and_are_named_on_the_card(tables, tmp_path):
    recipe = Recipe(episodes=4, tokens=60_000, width=32, layers=2, heads=2, batch=16, learning_rate=1e-2)
    about = pretrain(tables, "mine", tmp_path / "averaged", replace(recipe, labels="averaged"))
    start = pretrain(tables, "mine", tmp_path / "start", replace(recipe, labels="averaged", tokens=1))
    assert about["error"]["uniform"]["mean"] < 0.2 * start["error"]["uniform"]["mean"]
    card = (tmp_path / "averaged" / "README.md").read_text()
    assert "--labels averaged" in card and "over the exact posterior" in card
    with pytest.raises(BadInput, match="labels='mean'"):
        replace(recipe, labels="mean")


def test_what_cannot_be_trained_leaves_nothing_behind(tables, tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(BadInput, match="not empty"):
        pretrain(tables, "random", tmp_path / "full", TINY)
    for wrong in ({"width": 15}, {"tokens": 0}, {"learning_rate": 0.0}):
        with pytest.raises(BadInput):
            Recipe(**wrong)

    def out_of_space(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(train, "write_about", out_of_space)
    with pytest.raises(ParleyError, match="No space left"):
        pretrain(tables, "random", tmp_path / "new", TINY)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full", "new.training"]
    monkeypatch.undo()
    steps = []
    pretrain(tables, "random", tmp_path / "new", TINY, lambda now: steps.append(now["step"]))
    assert not steps  # all of them had been done
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full", "new"]


@pytest.mark.parametrize("world", assemble.shipped_names())
@pytest.mark.parametrize("behaviour", ["uniform", "mixed"])
def test_shipped_checkpoints_are_close_to_the_oracle(world, behaviour):
    folder = assemble.shipped(world)
    beliefs = assemble.beliefs_of(assemble.world(world).tables)
    assert TransformerPlanner(folder).window >= (50 if world in ("shortcut", "treasure") else 12) and world in PRESETS
    error = pretraining_error(folder, beliefs, 32, seed=9, behaviour=behaviour)
    assert error.mean - error.half_width <= (0.005 if world in ("shortcut", "treasure") else 0.01)
    assert np.all(error.by_position <= 0.02)
    promised = json.loads((folder / "parley.json").read_text())["error"][behaviour]
    assert abs(error.mean - promised["mean"]) < 3 * promised["half_width"]
