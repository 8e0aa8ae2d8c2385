"""Documents as text: the transcript of run time, and chat messages."""

import json

import numpy as np
import pytest

from parley.core.told import Told
from parley.data.chat import episode_lines, examples, full, system_message, templated, told
from parley.data.dataset import DataConfig
from parley.data.documents import sample_documents
from parley.data.make import make
from parley.memory.kinds import MEMORIES, memory_of
from parley.prompting.answers import parse
from parley.prompting.prompter import Prompter, Prompting, Words
from parley.prompting.template import PromptTemplate, as_messages
from parley.theory.beliefs import Beliefs
from parley.training.columns import Columns
from parley.training.tokenizer import world_tokenizer
from parley.worlds.tabular.random_family import random_family


@pytest.mark.parametrize("actors", [1, 2])
def test_text_is_what_the_tokens_of_training_say(actors):
    tables = random_family(actors=actors)
    documents = sample_documents(Beliefs(tables), 3, 4, (0,), behaviour="uniform")
    tokenizer = world_tokenizer(tables)
    columns = Columns(tables, tokenizer)
    for row, tokens in enumerate(columns.tokens(documents)):
        assert full(told(documents, tables, row, 3, tables.horizon + 1)) == tokenizer.decode(tokens)
        before = 3 * columns.per_episode + 2 + columns.per_step  # what is known when g_2 of the last episode is chosen
        assert full(told(documents, tables, row, 3, 2)) == tokenizer.decode(tokens[:before])


@pytest.mark.parametrize("actors", [1, 2])
def test_chat_examples_answer_with_optimal_subgoals(actors):
    tables = random_family(actors=actors, latents=2)
    documents = sample_documents(Beliefs(tables), 20, 3, (1,), behaviour="uniform")
    made = list(examples(documents, tables, 100, 5, np.random.default_rng(0)))
    assert len(made) == 100 and {e["document"] for e in made} == set(range(100, 120))
    assert len({(e["episode"], e["step"]) for e in made}) == 6
    for example in made:
        system, user, assistant = example["messages"]
        assert [m["role"] for m in example["messages"]] == ["system", "user", "assistant"]
        row, step = example["document"] - 100, example["step"]
        assert user["content"] + "\n" == full(told(documents, tables, row, example["episode"], step))
        parts = [line.removeprefix("> ") for line in assistant["content"].split("\n")]
        assert len(parts) == actors
        label = documents.labels[row, example["episode"], step - 1]
        assert label[tables.subgoals.index(" / ".join(parts))] > 0
        assert system["content"] == system_message(tables)
        assert all(f"> {subgoal}" in system["content"] for menu in tables.menus for subgoal in menu)


@pytest.mark.parametrize("actors", [1, 2])
@pytest.mark.parametrize("memory", MEMORIES)
def test_templated_examples_are_what_an_endpoint_planner_sends(actors, memory):
    tables = random_family(actors=actors)
    documents = sample_documents(Beliefs(tables), 4, 5, (2,), behaviour="uniform")
    made = examples(documents, tables, 0, 3, np.random.default_rng(0), templated(tables, "chat", memory, 2))
    how = Prompting(PromptTemplate("chat"), Words(tuple(map(tuple, tables.menus)), tables.horizon))
    for example in made:
        *asked, answer = example["messages"]
        episodes = told(documents, tables, example["document"], example["episode"], example["step"])
        told_before = [line for line in asked[-1]["content"].splitlines() if line.startswith("Actor 1 is told")]
        parts = [line.removeprefix("Actor 1 is told: ") for line in told_before]
        k = len(parts)
        prompter = Prompter(how, memory_of(memory, 2)())
        prompter.retell(episodes)
        assert asked == as_messages(prompter.turns(parts, tables.menus[k]))
        assert parse(answer["content"], tables.menus[k]) is not None
        if memory == "summary" and example["episode"]:
            assert "mean return" in asked[1]["content"]


def test_a_sentence_cannot_pretend_to_be_a_line():
    episode = Told("wait\n> obey", ("seen\r\ntask: other", "then"), (("go\nfar",),))
    assert list(episode_lines(episode)) == ["task: wait > obey\n", "  seen\n  task: other\n", "> go far\n", "then\n"]


def test_chat_files_hold_one_example_a_line(tmp_path):
    tables = random_family(actors=2)
    make(tables, DataConfig("random:actors=2", 10, 3, chat=4), tmp_path)
    lines = (tmp_path / "chat" / "00000.jsonl").read_text().splitlines()
    assert len(lines) == 40
    for line in map(json.loads, lines):
        assert set(line) == {"messages", "document", "episode", "step"}
        assert [set(m) for m in line["messages"]] == [{"role", "content"}] * 3
        assert all(isinstance(m["content"], str) and m["content"] for m in line["messages"])
