"""Models that are not what they should be: damaged weights, code of their own, tokens without embeddings, no files."""

import json
import shutil
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from parley import assemble
from parley.core.errors import BadInput
from parley.core.said import Proposal
from parley.execute import RunConfig, run
from parley.models import pretrained
from parley.models.embeddings import Embeddings
from parley.models.language_model import LanguageModel
from parley.models.pretrained import cache_name, is_path, where
from parley.models.scoring import line_scores
from parley.models.tokens import token_counter
from parley.planners.scripted import RandomPlanner
from tests.tiny import tiny_language_model


def spoilt(folder, value: float, part: str) -> None:
    """Put a number into the weights of a saved model."""
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if part in name)
    weights[name].view(-1)[3] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("part", ["embed", "layers.1", "norm.weight"])
def test_damaged_weights_stop_a_run(tmp_path, value, part):
    folder = tiny_language_model(tmp_path / "model")
    spoilt(folder, value, part)
    for load in (LanguageModel, Embeddings):
        with pytest.raises(BadInput, match="hold NaN or infinite numbers"):
            load(str(folder))
    shutil.copytree(assemble.shipped("shortcut"), tmp_path / "checkpoint")
    spoilt(tmp_path / "checkpoint", value, part)
    for planner in (f"hf:{folder}", f"transformer:checkpoint={tmp_path / 'checkpoint'}"):
        with pytest.raises(BadInput, match="hold NaN or infinite numbers"):
            run(RunConfig("shortcut", planner, runs=2, episodes=2), tmp_path / "run")
    assert not (tmp_path / "run").exists()


class Wrong(RandomPlanner):
    """Proposes NaN."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def propose(self, menu, parts):
        probs = super().propose(menu, parts).probs.copy()
        probs[0, 0] = self.value
        return Proposal(probs)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("explorer", ["none", "epsilon-greedy:epsilon=0.5", "adaptive-proposals"])
def test_a_proposal_of_numbers_that_are_none_stops_the_run(tmp_path, value, explorer):
    parts = assemble.parts_of("shortcut", Wrong(value), explorer)
    with pytest.raises(BadInput, match="proposed .* in row 0: no number"):
        run(RunConfig("shortcut", "given", explorer, runs=2, episodes=2), tmp_path / "run", parts=parts)


@pytest.mark.parametrize("normalise", ["none", "length", "menu"])
def test_scores_that_are_no_numbers_are_refused_and_impossible_ones_are_not(normalise):
    lines = [["a", "b"], ["a", "c"], ["d"]]
    values = [np.array([-1.0, -2.0]), np.array([-1.0, -np.inf]), np.array([-0.5])]
    scores = line_scores(lines, values, normalise)
    assert np.isfinite(scores[[0, 2]]).all() and scores[1] == -np.inf
    with pytest.raises(BadInput, match="NaN"):
        line_scores(lines, [*values[:2], np.array([np.nan])], normalise)


def test_code_of_a_model_is_never_run(tmp_path):
    (tmp_path / "code.py").write_text(f"open({str(tmp_path / 'RUN')!r}, 'w')\n")
    maps = {name: f"code.{name}" for name in ("AutoConfig", "AutoModel", "AutoModelForCausalLM")}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "secret", "auto_map": maps}))
    mapped = {"auto_map": {"AutoTokenizer": ["code.T", None]}, "tokenizer_class": "T"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(mapped))
    for load in (LanguageModel, Embeddings):
        with pytest.raises(BadInput) as wrong:
            load(str(tmp_path))
        assert "\n" not in str(wrong.value)
    assert not (tmp_path / "RUN").exists()


def test_a_model_that_lacks_embeddings_for_tokens_says_so(tmp_path):
    folder = tiny_language_model(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["corridor", "cupboard"])
    tokenizer.save_pretrained(folder)
    for load in (LanguageModel, Embeddings):
        with pytest.raises(BadInput, match=r"the tokenizer has \d+ tokens, the model embeddings of \d+"):
            load(str(folder))
    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.manual_seed(0)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(folder)
    LanguageModel(str(folder))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("org/model", False),
        ("model", False),
        ("Org-1/model_2.5-instruct", False),
        ("./model", True),
        ("../model", True),
        ("/models/m", True),
        ("~/models/m", True),
        ("a/b/c", True),
        ("tests/none", True),  # the directory is here, what should be in it is not
        ("C:\\models", True),
        ("org/model/", True),
        ("my model", True),
        ("", True),
    ],
)
def test_what_can_only_be_a_path(name, path):
    assert is_path(name) == path


@pytest.mark.parametrize("name", ["./none", "/nowhere/at/all", "tests/none"])
def test_a_directory_that_is_not_there_is_said_at_once(name, tmp_path):
    began = time.perf_counter()
    with pytest.raises(BadInput, match="there is no such directory"):
        run(RunConfig("shortcut", f"hf:{name}", runs=1, episodes=1), tmp_path / "run")
    with pytest.raises(BadInput, match="there is no such file or directory"):
        token_counter(name)
    assert time.perf_counter() - began < 5 and not (tmp_path / "run").exists()


def test_a_hub_that_cannot_be_reached_is_asked_once(monkeypatch):
    asked = []
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(pretrained, "_on_hub", lambda name: asked.append(name) or "Name or service not known")
    with pytest.raises(BadInput, match="is no directory here, and the hub does not give it: Name or service"):
        where("org/none", "a model")
    assert asked == ["org/none"]
    assert where(str(assemble.shipped("shortcut")), "a model") == {"local_files_only": True, "trust_remote_code": False}


def test_the_cache_is_called_as_the_version_of_transformers_calls_it(tmp_path):
    model = AutoModelForCausalLM.from_pretrained(tiny_language_model(tmp_path))
    name = cache_name(model)
    assert name in ("cache", "past_key_values")
    out = model(input_ids=torch.tensor([[1, 2]]), use_cache=True)
    assert getattr(out, name).get_seq_length() == 2  # a warning is an error here
