"""Low-rank adapters: peft's own numbers, in transformers and in llama.cpp; those of other models are refused."""

import json
import warnings

import numpy as np
import peft
import pytest
import torch
from transformers import AutoModelForCausalLM

from parley.core.errors import BadInput
from parley.models.adapter import CONFIG
from parley.models.gguf import GgufModel
from parley.models.language_model import LanguageModel, Loading
from tests.tiny import TEXT, tiny_gguf


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A GGUF file, its model in transformers, and an adapter that changes it."""
    folder = tmp_path_factory.mktemp("tuned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        file = tiny_gguf(folder)
        network = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32)
        how = peft.LoraConfig(
            r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "down_proj"], task_type="CAUSAL_LM"
        )
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            adapted = peft.get_peft_model(network, how)
        torch.manual_seed(1)
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(parameter, std=0.3)
        adapted.save_pretrained(folder / "adapter")
        yield file, folder / "model", folder / "adapter", adapted.eval()


def after(model):
    return model.rows(1).after([model.text.encode(TEXT)])[0]


def test_a_merged_adapter_gives_what_peft_gives(tuned):
    file, folder, adapter, adapted = tuned
    model = LanguageModel(str(folder), Loading(adapter=str(adapter), packed=True))
    with torch.no_grad():
        expected = adapted(torch.tensor([model.text.encode(TEXT)])).logits[0, -1].double().log_softmax(-1)
    np.testing.assert_allclose(np.asarray(after(model)), expected, atol=1e-4)
    plain = LanguageModel(str(folder), Loading(packed=True))
    assert np.abs(np.asarray(after(plain)) - np.asarray(expected)).max() > 0.1
    by_llama_cpp = GgufModel(str(file), adapter=str(adapter))
    np.testing.assert_allclose(after(by_llama_cpp), expected, atol=1e-3)
    by_llama_cpp.process.close()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"use_dora": True}, "has use_dora"),
        ({"peft_type": "IA3"}, "has peft_type 'IA3'"),
        ({"rank_pattern": {"q_proj": 2}}, "has rank_pattern"),
    ],
)
def test_adapters_of_other_kinds_are_refused(tuned, tmp_path, changes, said):
    _, folder, adapter, _ = tuned
    for path in adapter.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((adapter / CONFIG).read_text()) | changes
    (tmp_path / CONFIG).write_text(json.dumps(config))
    with pytest.raises(BadInput, match=said):
        LanguageModel(str(folder), Loading(adapter=str(tmp_path)))


def test_what_is_no_adapter(tuned, tmp_path):
    file, folder, _, _ = tuned
    with pytest.raises(BadInput, match="is no low-rank adapter"):
        LanguageModel(str(folder), Loading(adapter=str(tmp_path)))
    with pytest.raises(BadInput, match="dtype=file"):
        GgufModel(str(file), dtype="file", adapter=str(tmp_path))
