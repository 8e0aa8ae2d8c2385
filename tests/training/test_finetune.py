"""LoRA tuning of a tiny language model: what it reads, what it learns, and what it refuses."""

import json
import sqlite3

import numpy as np
import pytest

from parley import assemble
from parley.assemble.pretrained import pretrained
from parley.core.draws import Draws
from parley.core.errors import BadInput, MissingExtra, ParleyError
from parley.core.said import Menu, Opening
from parley.data.dataset import DataConfig
from parley.data.make import make
from parley.execute import RunConfig, run
from parley.models.language_model import LanguageModel
from parley.planners.language_model import LanguageModelPlanner
from parley.training import finetune as module
from parley.training.finetune import Tuning, finetune, read_examples, render, tokenized
from parley.training.recipe import Recipe
from parley.training.train import pretrain
from tests.tiny import tiny_language_model


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "data"
    make(assemble.world("shortcut").tables, DataConfig("shortcut", documents=20, episodes=2, chat=4), folder)
    return folder


def law(model):
    """Its proposals at the first decision of `shortcut`."""
    tables = assemble.world("shortcut").tables
    planner = LanguageModelPlanner(LanguageModel(str(model)))
    planner.start(Draws(0, 1))
    said = [np.array([words[0]], dtype=object) for words in (tables.instructions, tables.observations)]
    planner.hear(Opening(0, *said))
    return planner.propose(Menu.shared(tables.menus[0]), np.empty((1, 0), dtype=object)).probs[0]


def test_a_tuned_model_plans_as_its_examples_do(data, tmp_path, capfd):
    tables = assemble.world("shortcut").tables
    first = {tables.observations[0]}
    answers = [
        example["messages"][-1]["content"]
        for example in read_examples(data)
        if example["messages"][-2]["content"].splitlines()[-1] in first
    ]
    often = max(set(answers), key=answers.count)
    best = tables.menus[0].index(often.removeprefix("> "))
    model, told = tiny_language_model(tmp_path / "tiny"), []
    about = finetune(
        str(model), data, tmp_path / "out", Tuning(steps=60, batch=8, learning_rate=2e-2, rank=16), told.append
    )
    assert np.mean(about["losses"][-5:]) < 0.8 * np.mean(about["losses"][:3]) and len(told) == 60
    assert all(one["tokens_s"] > 0 for one in told)
    assert "loss" not in capfd.readouterr().out  # which is for the answer of --json
    before, after = law(model)[best], law(tmp_path / "out")[best]
    assert np.log(after) > np.log(before) + 5  # its embeddings are random and stay so: more is not to be had
    assert json.loads((tmp_path / "out" / "finetuned.json").read_text())["examples"] == 80
    assert not list((tmp_path / "out").glob("adapter*"))  # merged


def test_the_two_renderings():
    messages = [
        {"role": r, "content": c} for r, c in (("system", "choose"), ("user", "task: a\nb"), ("assistant", "> c"))
    ]
    assert render({"messages": messages}, "transcript") == {"prompt": "task: a\nb\n", "completion": "> c\n"}
    assert render({"messages": messages}, "chat") == {"prompt": messages[:2], "completion": messages[2:]}


def test_what_the_world_says_makes_no_special_token(tmp_path):
    from transformers import AutoTokenizer

    model = tiny_language_model(tmp_path / "tiny")
    tokenizer = AutoTokenizer.from_pretrained(model)
    row = tokenized(tokenizer, {"prompt": "task: a\nit says <end>\n", "completion": "> say <end>\n"})
    ids, mask = row["input_ids"], row["completion_mask"]
    assert ids[-1] == tokenizer.eos_token_id and tokenizer.eos_token_id not in ids[:-1]
    said = [i for i, learned in zip(ids, mask, strict=True) if learned]
    assert tokenizer.decode(said[:-1]) == "> say <end>\n"
    planner = LanguageModel(str(model))
    assert ids[:-1] == planner.text.encode("task: a\nit says <end>\n> say <end>\n")

    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}<end>{% endfor %}"
    tokenizer.save_pretrained(model)
    (tmp_path / "chat.jsonl").write_text(
        json.dumps({"messages": [{"role": "user", "content": "an <end>"}, {"role": "assistant", "content": "a"}]})
    )
    with pytest.raises(BadInput, match="example 1 says '<end>', which is a special token"):
        finetune(str(model), tmp_path / "chat.jsonl", tmp_path / "out", Tuning("chat", steps=1))


def test_summaries_are_tuned_on_and_run_beyond_the_documents(tmp_path):
    """Documents of three episodes, rendered with a summary, then a run of twelve whose prompts stay as short."""
    config = DataConfig("shortcut", documents=10, episodes=3, chat=2, template="transcript", memory="summary")
    make(assemble.world("shortcut").tables, config, tmp_path / "data")
    longest = max(len(render(example, "transcript")["prompt"]) for example in read_examples(tmp_path / "data"))
    model = tiny_language_model(tmp_path / "tiny")
    finetune(str(model), tmp_path / "data", tmp_path / "out", Tuning(steps=2))
    found = pretrained("hf", {"path": str(tmp_path / "out")}, "shortcut")
    assert found and found.episodes == 3  # T_p
    asked = RunConfig("shortcut", f"hf:path={tmp_path / 'out'},memory=summary", runs=2, episodes=12, record="steps")
    run(asked, tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / "run.sqlite") as db:
        cuts = db.execute("SELECT episode, step, left_out FROM cuts WHERE run = 1 ORDER BY 1, 2").fetchall()
    assert cuts == [(e, h, e) for e in range(1, 12) for h in (1, 2, 3)]  # all that was is in the summary
    assert longest < 700


def test_a_pretrained_checkpoint_is_tuned_on_windows_and_runs_on(tmp_path):
    """Its positions are those of four episodes; trained on the last two and the current one of eight, it runs 30."""
    tables = assemble.world("shortcut").tables
    tiny = Recipe(episodes=4, tokens=2_000, width=16, layers=2, heads=2, batch=8)
    pretrain(tables, "shortcut", tmp_path / "begun", tiny)
    window = {"template": "transcript", "memory": "window", "size": 2}
    make(tables, DataConfig("shortcut", documents=10, episodes=8, chat=2, **window), tmp_path / "data")
    prompts = [render(example, "transcript")["prompt"] for example in read_examples(tmp_path / "data")]
    assert max(prompt.count("task: ") for prompt in prompts) == 3
    finetune(str(tmp_path / "begun"), tmp_path / "data", tmp_path / "out", Tuning(steps=2))
    asked = RunConfig(
        "shortcut", f"hf:path={tmp_path / 'out'},memory=window,size=2", runs=2, episodes=30, record="steps"
    )
    run(asked, tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / "run.sqlite") as db:
        cuts = db.execute("SELECT episode, step, left_out FROM cuts WHERE run = 1 ORDER BY 1, 2").fetchall()
    assert cuts == [(e, h, e - 2) for e in range(3, 30) for h in (1, 2, 3)]  # the window's, and no other


def test_a_model_with_a_chat_template_is_tuned_on_messages(data, tmp_path):
    from transformers import AutoTokenizer

    model = tiny_language_model(tmp_path / "tiny")
    with pytest.raises(BadInput, match="no chat template"):
        finetune(str(model), data, tmp_path / "out", Tuning("chat", steps=1))
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}<end>{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    tokenizer.save_pretrained(model)
    assert len(finetune(str(model), data, tmp_path / "out", Tuning("chat", steps=2))["losses"]) == 2
    tokenizer.chat_template = "{{ raise_exception('no system role') }}"
    tokenizer.save_pretrained(model)
    with pytest.raises(BadInput, match="chat template refuses example 1: no system role"):
        finetune(str(model), data, tmp_path / "second", Tuning("chat", steps=2))


@pytest.mark.parametrize("steps", [1, 6])
def test_a_tuning_that_diverges_saves_nothing(data, tmp_path, steps):
    model = tiny_language_model(tmp_path / "tiny")
    with pytest.raises(ParleyError, match="no number at step .*learning_rate below 1e[+]39"):
        finetune(str(model), data, tmp_path / "out", Tuning(steps=steps, batch=2, learning_rate=1e39))
    assert not (tmp_path / "out").exists()


def test_models_that_cannot_be_tuned(data, tmp_path):
    short = tiny_language_model(tmp_path / "short", positions=8)
    with pytest.raises(BadInput, match="more than the 8 positions of the model"):
        finetune(str(short), data, tmp_path / "out", Tuning(steps=1))
    endless = tiny_language_model(tmp_path / "endless")
    config = json.loads((endless / "tokenizer_config.json").read_text())
    config = {key: value for key, value in config.items() if key not in ("eos_token", "pad_token")}
    (endless / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="no end-of-text token"):
        finetune(str(endless), data, tmp_path / "out", Tuning(steps=1))


def test_what_is_not_installed_is_named(data, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "trl" else name)
    with pytest.raises(MissingExtra, match="needs the extra 'finetune'"):
        finetune("any", data, tmp_path / "out", Tuning())


def test_bad_input(data, tmp_path):
    model = str(tiny_language_model(tmp_path / "tiny"))
    for name, content, said in (
        ("empty.jsonl", "", "holds no examples"),
        ("odd.jsonl", '{"messages": [{"role": "user", "content": "a"}]}\n', "line 1 is no chat example"),
        ("text.jsonl", "hello\n", "line 1 is no chat example"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(BadInput, match=said):
            finetune(model, tmp_path / name, tmp_path / "out", Tuning())
    with pytest.raises(BadInput, match="neither a directory"):
        finetune(model, tmp_path / "nothing", tmp_path / "out", Tuning())
    with pytest.raises(BadInput, match="more than max_tokens=5"):
        finetune(model, data, tmp_path / "out", Tuning(max_tokens=5))
    with pytest.raises(BadInput, match="no causal language model"):
        finetune(str(tmp_path), data, tmp_path / "out", Tuning())
    for taken in (data, tmp_path / "text.jsonl"):
        with pytest.raises(BadInput, match="not empty"):
            finetune(model, data, taken, Tuning())
    for wrong in ({"steps": 0}, {"template": "prose"}, {"learning_rate": 0.0}):
        with pytest.raises(BadInput):
            Tuning(**wrong)
    make(assemble.world("shortcut").tables, DataConfig("shortcut", documents=2, episodes=2), tmp_path / "plain")
    with pytest.raises(BadInput, match="--chat N"):
        read_examples(tmp_path / "plain")
