"""A world model behind a server: what it is asked, what becomes of its answers, and of those that are none."""

import json
import re

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Menu, Opening, Outcome
from parley.execute import RunConfig, run
from parley.planners.prediction import TransformerWorldModel
from parley.runs.reader import RunReader
from parley.serving.app import Running
from tests.talker import Talker, chance, menu_of

NOTHING = np.zeros((1, 0), dtype=int)


def planner_of(talker, more="", world="shortcut", runs=1):
    scene = assemble.Scene(world, assemble.world(world), np.zeros(runs, dtype=int), 8)
    spec = f"world-model:model=vllm/m,base_url={talker.base_url},budget=2{more}"
    return scene, assemble.planner(spec, scene)


def begin(model, tables, runs=1):
    model.start(Draws(0, runs))
    names = np.array(tables.instructions, dtype=object), np.array(tables.observations, dtype=object)
    model.hear(Opening(0, names[0][[0] * runs], names[1][[0] * runs]))


def listed(text):
    """The sentences that the last question lists."""
    return menu_of(text.rpartition("What is heard then?")[2])


def questions(talker):
    """The messages of all questions, without those of probes."""
    return [body["messages"] for _, body, _ in talker.said if "What is heard then" in json.dumps(body)]


def third(text, seed):
    """Says the third sentence of the list after the back door, else one of the first two by chance."""
    names = listed(text) or [""] * 3  # a probe lists nothing
    return names[2] if "next choice is: try the back door" in text.rpartition("Suppose")[2] else names[seed % 2]


def test_frequencies_of_answers_are_the_law():
    tables = assemble.world("shortcut").tables
    with Talker(can={"chat"}, answer=third) as talker:
        scene, planner = planner_of(talker, ",answers=20")
        with scene.closing:
            begin(planner, tables)
            law = planner.model.predict(np.zeros(1, dtype=int), NOTHING, NOTHING).observations[0]
    assert law.shape == (2, 7) and law[1, 2] == 1 and law[0, :2].sum() == 1 and 0.1 < law[0, 0] < 0.9
    assert planner.about["way"] == "parse" and planner.about["template"] == "foresee"
    asked = questions(talker)[0]
    assert asked[0]["content"].startswith("You foretell") and "A. walk on along the corridor" in asked[0]["content"]
    assert listed(asked[-1]["content"]) == list(tables.observations)


def test_imagined_steps_stand_in_the_prompt_and_are_forgotten():
    tables = assemble.world("shortcut").tables
    with Talker(can={"chat"}, answer=third) as talker:
        scene, planner = planner_of(talker, ",answers=1")
        with scene.closing:
            begin(planner, tables)
            planner.model.predict(np.zeros(1, dtype=int), np.array([[1, 0]]), np.array([[2, 1]]))
            imagined = questions(talker)[-1]
            planner.model.predict(np.zeros(1, dtype=int), NOTHING, NOTHING)
            plain = questions(talker)[-1]
    assert "you cannot tell where you are" in imagined[-3]["content"] and "try the back door" in imagined[-4]["content"]
    assert len(plain) == len(imagined) - 4


@pytest.mark.parametrize("can", [{"chat", "constrained"}, {"chat", "letters"}, {"echo"}])
def test_every_way_gives_laws(can):
    tables = assemble.world("shortcut").tables
    with Talker(can=can) as talker:
        scene, planner = planner_of(talker, ",answers=3")
        with scene.closing:
            begin(planner, tables, 1)
            law = planner.model.predict(np.zeros(1, dtype=int), NOTHING, NOTHING).observations
    np.testing.assert_allclose(law.sum(axis=2), 1)
    assert law.shape == (1, 2, 7) and planner.about["way"] in can | {"parse"}


@pytest.mark.parametrize("babble", ["fly to the moon", "and then " * 20_000], ids=["outside", "endless"])
def test_answers_outside_the_vocabulary_are_seen_in_the_log(tmp_path, babble):
    """Asked again, then taken to say nothing: the proposal is marked invalid, and the calls say why."""
    with Talker(can={"chat"}, answer=lambda text, seed: babble) as talker:
        spec = f"world-model:model=vllm/m,base_url={talker.base_url},budget=1,answers=1"
        run(RunConfig("shortcut", spec, runs=1, episodes=1), tmp_path / "r")
    reader = RunReader(tmp_path / "r")
    steps = reader.trace(0, 0)
    outcomes = {row[0] for row in reader._db.execute("SELECT outcome FROM calls WHERE purpose LIKE 'propose%'")}
    reader.close()
    assert [step["proposal_source"] for step in steps] == ["invalid"] * 3 and outcomes == {"outside the menu"}


def test_a_run_is_resumed_bit_by_bit(tmp_path):
    """The same answers, whatever the order of threads: seeds belong to questions."""

    def answer(text, seed):
        names = listed(text) or ["A"]
        return names[int(chance(text, seed) * len(names))]

    found = []
    for name in ("one", "two"):
        with Talker(can={"chat"}, answer=answer) as talker:
            spec = f"world-model:model=vllm/m,base_url={talker.base_url},budget=2,answers=3"
            run(RunConfig("shortcut", spec, runs=2, episodes=2), tmp_path / name)
        reader = RunReader(tmp_path / name)
        found.append([[s["subgoal"] for s in reader.trace(r, t)] for r in range(2) for t in range(2)])
        reader.close()
    assert found[0] == found[1]


def test_a_served_checkpoint_predicts_what_it_predicts_here():
    """By echo and the transcript, the law of the whole line is that of the local model."""
    path, tables = assemble.shipped("shortcut"), assemble.world("shortcut").tables
    local = TransformerWorldModel(path, tables)
    names = np.array(tables.observations, dtype=object), np.array(tables.subgoals, dtype=object)
    heard = Outcome(0, 1, names[1][[[1]]], names[0][[2]], np.zeros(1), np.ones(1, dtype=bool))
    with Running(path) as server:
        scene = assemble.Scene("shortcut", assemble.world("shortcut"), np.zeros(1, dtype=int), 8)
        spec = f"world-model:model=parley/shortcut,base_url={server.base_url},tokenizer={path}"
        with scene.closing:
            served = assemble.planner(spec, scene).model
            for model in (local, served):
                begin(model, tables)
                model.hear(heard)
            assert served.about["way"] == "echo" and served.about["template"] == "transcript"
            for path in ((NOTHING, NOTHING), (np.array([[0]]), np.array([[1]]))):
                one, other = (model.predict(np.zeros(1, dtype=int), *path).observations for model in (local, served))
                np.testing.assert_allclose(other, one, atol=1e-4)


def test_letters_need_a_short_list():
    with Talker(can={"chat", "letters"}) as talker:
        scene, planner = planner_of(talker, ",way=letters", world="household")
        with scene.closing:
            tables = assemble.world("household").tables
            begin(planner, tables)
            with pytest.raises(BadInput, match="26 letters"):
                planner.propose(Menu.shared(tables.menus[0]), np.zeros((1, 0), dtype=object))
    assert not re.search("secret", json.dumps(talker.headers))
