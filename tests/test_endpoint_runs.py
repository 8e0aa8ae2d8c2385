"""Whole runs of the endpoint planner: the same as the local one, every way to ask, memory, thoughts and examples."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from parley import assemble
from parley.cli import main
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Menu, Opening, Outcome
from parley.execute import RunConfig, run
from parley.runs.log import StepsLog
from parley.runs.reader import RunReader
from parley.serving.app import Running
from tests.talker import EVERYTHING, Talker, config, letter_by_chance, rows


def test_the_same_checkpoint_behind_the_server_proposes_the_same(tmp_path):
    path = assemble.shipped("shortcut")
    local = tmp_path / "local"
    run(RunConfig("shortcut", "transformer", "epsilon-greedy:epsilon=0.2", runs=4, episodes=24), local)
    world = assemble.world("shortcut")
    with Running(path) as server:
        spec = f"endpoint:model=parley/shortcut,base_url={server.base_url},tokenizer={path}"
        scene = assemble.Scene("shortcut", world, np.zeros(4, dtype=int), 24)
        with scene.closing:
            planner = assemble.planner(spec, scene)
            assert planner.about["way"] == "echo" and planner.about["template"] == "transcript"
            planner.start(Draws(0, 4))
            log = StepsLog(local / "run.sqlite", 0, 4)
            for t in range(24):
                logged = log.episode(t)
                planner.hear(Opening(t, logged.opening.instructions, logged.opening.observations))
                for r in logged.steps:
                    found = planner.propose(r.menus[0], np.empty((4, 0), dtype=object)).probs
                    np.testing.assert_allclose(found, r.proposals[0].probs, atol=1e-4)
                    planner.hear(Outcome(t, r.step, r.subgoals, r.next_observations, r.rewards, r.active))


def test_regret_is_that_of_the_local_planner_and_prefixes_are_cached(tmp_path):
    path = assemble.shipped("shortcut")
    explore = "epsilon-greedy:epsilon=0.2"
    run(RunConfig("shortcut", "transformer", explore, runs=8, episodes=12), tmp_path / "local")
    with Running(path) as server:
        spec = f"endpoint:model=parley/shortcut,base_url={server.base_url},tokenizer={path}"
        manifest = run(RunConfig("shortcut", spec, explore, runs=8, episodes=12), tmp_path / "served")
    totals = {}
    for name in ("local", "served"):
        reader = RunReader(tmp_path / name)
        of = reader.episodes("expected_regret").sum(axis=1)
        reader.close()
        totals[name] = (of.mean() - 1.96 * of.std() / 8**0.5, of.mean() + 1.96 * of.std() / 8**0.5)
    assert totals["local"][0] <= totals["served"][1] and totals["served"][0] <= totals["local"][1]
    calls = manifest["totals"]["calls"]
    assert calls["cached_tokens"] / calls["prompt_tokens"] >= 0.95


@pytest.mark.parametrize(("option", "memory"), [(",memory=note,words=4", None), ("", "note:words=4")])
def test_a_note_is_asked_for_wherever_the_memory_is_named(option, memory, tmp_path):
    """Behind a server that echoes prompts a transcript is the rule, which has no words to ask for a note."""
    with Running(assemble.shipped("generated")) as server:
        spec = f"endpoint:model=parley/generated,base_url={server.base_url}{option}"
        manifest = run(RunConfig("bandit:arms=3,gap=0.5", spec, memory=memory, runs=1, episodes=2), tmp_path / "run")
    assert manifest["planner"]["template"] == "chat" and manifest["planner"]["way"] == "echo"
    wrote = rows(tmp_path / "run", "SELECT purpose, outcome FROM calls WHERE purpose LIKE 'write%'")
    assert wrote == [("write note", "ok")]


@pytest.mark.parametrize("way", ["auto", "echo", "letters", "constrained", "parse"])
def test_every_way_works_against_our_own_server(tmp_path, way):
    path = assemble.shipped("shortcut")
    with Running(path) as server:
        spec = f"endpoint:model=parley/shortcut,base_url={server.base_url},way={way},max_tokens=8,tokenizer={path}"
        run(RunConfig("shortcut", spec, runs=2, episodes=2), tmp_path / "run")
    outcomes = dict(rows(tmp_path / "run", "SELECT outcome, count(*) FROM calls GROUP BY 1"))
    assert set(outcomes) <= {"ok", "cached", "outside the menu", "no words", "cut off"}


@pytest.mark.parametrize(
    ("can", "way"),
    [
        (EVERYTHING, "echo"),
        ({"chat", "letters"}, "letters"),
        ({"chat", "constrained"}, "constrained"),
        ({"chat"}, "parse"),
    ],
)
def test_the_probe_finds_what_a_server_can_do_and_the_log_says_so(tmp_path, can, way):
    with Talker(can) as talker:
        manifest = run(config(talker, "auto", runs=2, episodes=1), tmp_path / "run")
    assert manifest["planner"]["way"] == way
    purposes = {purpose for (purpose,) in rows(tmp_path / "run", "SELECT DISTINCT purpose FROM calls")}
    assert {"probe api", "probe context", f"propose by {way}"} <= purposes
    sources = {source for (source,) in rows(tmp_path / "run", "SELECT DISTINCT proposal_source FROM steps")}
    assert sources == {None if way in ("echo", "letters") else f"{way}: 1 answer"}


def test_answers_that_choose_nothing_are_told_back_and_then_logged_as_invalid(tmp_path):
    with Talker(answer=lambda text, seed: "fly to the moon") as talker:
        run(config(talker, "parse", runs=2, episodes=2, more=",reasks=1"), tmp_path / "run")
        asked = [body["messages"] for body in talker.asked()]
    assert rows(tmp_path / "run", "SELECT DISTINCT proposal_source, proposal, answers FROM steps") == [
        ("invalid", None, "[0.5,0.5]")
    ]
    told_back = [
        {"role": "assistant", "content": "fly to the moon"},
        {"role": "user", "content": "That is none of the choices. Answer with one of them: A, B."},
    ]
    assert sum(messages[-2:] == told_back for messages in asked) == len(asked) / 2 == 12  # the runs ask at once
    purposes = dict(
        rows(tmp_path / "run", "SELECT purpose, count(*) FROM calls WHERE purpose LIKE 'propose%' GROUP BY 1")
    )
    assert purposes == {"propose by parse": 12, "propose by parse, asked again": 12}


def test_the_model_writes_notes_in_order_and_a_resumption_does_not_ask_again(tmp_path):
    with Talker() as talker:
        run(config(talker, "parse", runs=2, episodes=4, more=",memory=note"), tmp_path / "run")
        written = rows(tmp_path / "run", "SELECT run, episode FROM calls WHERE purpose = 'write note' ORDER BY 1, 2")
        assert written == [(r, e) for r in range(2) for e in range(3)]


@pytest.mark.parametrize("memory", ["full", "window,size=3", "summary", "retrieval,size=3", "note,words=20"])
@pytest.mark.parametrize("way", ["parse", "letters"])
def test_no_prompt_is_beyond_the_context_that_the_server_tells(tmp_path, memory, way):
    """Nor where answers are told back, nor where the model writes notes; the talker refuses what is too long."""

    def answer(text: str, seed: int) -> str:
        return letter_by_chance(text, seed) if seed % 2 else "fly to the moon " * 20

    with Talker(answer=answer, context=1900) as talker:
        manifest = run(config(talker, way, runs=2, episodes=12, more=f",memory={memory}"), tmp_path / "run")
        longest = max(talker.size(body) for body in talker.asked())
    assert manifest["planner"]["budget"] == 1900 - 32 and longest <= 1900
    assert longest > 1400 or memory != "full"  # it was not for want of things to say
    assert not rows(tmp_path / "run", "SELECT outcome FROM calls WHERE outcome LIKE 'refused%'")


def test_a_note_that_is_not_written_leaves_the_old_one(tmp_path):
    """A model that says nothing pauses no run: the server is up."""

    def answer(text: str, seed: int) -> str:
        return "" if "Your note so far" in text else letter_by_chance(text, seed)

    with Talker(answer=answer) as talker:
        spec = config(talker, "parse", more=",memory=note").planner.replace("breaker=1000", "breaker=3")
        run(RunConfig("shortcut", spec, runs=1, episodes=4), tmp_path / "run")
    written = rows(tmp_path / "run", "SELECT DISTINCT outcome FROM calls WHERE purpose = 'write note'")
    assert written == [("no words",)]


def test_a_template_without_words_for_a_note_is_refused(tmp_path):
    with Talker() as talker, pytest.raises(BadInput, match="memory=note: template='transcript'"):
        run(config(talker, "parse", more=",memory=note,template=transcript"), tmp_path / "run")


def test_thinking_is_kept_in_the_log_and_in_later_prompts_only_where_asked(tmp_path):
    for keep in ("false", "true"):
        with Talker(answer=lambda text, seed: "The door may be open. Answer: B") as talker:
            out = tmp_path / keep
            run(config(talker, "parse", runs=1, episodes=2, more=f",think=true,keep_thoughts={keep}"), out)
            assert rows(out, "SELECT count(*) FROM texts WHERE text LIKE '%door may be open%Answer: B%'")[0][0] > 0
            assert any("door may be open" in json.dumps(body) for body in talker.asked()) == (keep == "true")


def test_a_call_says_its_tokens_on_the_terminal(tmp_path, monkeypatch):
    with Talker() as talker:
        shown = io.StringIO()
        for command in ("carrying_out", "runs"):
            monkeypatch.setattr(f"parley.cli.{command}.OUT", Console(file=shown, width=200))
        spec = config(talker, "parse").planner
        assert (
            main(
                [
                    "run",
                    "--world",
                    "shortcut",
                    "--planner",
                    spec,
                    "--runs",
                    "2",
                    "--episodes",
                    "2",
                    "--out",
                    str(tmp_path / "run"),
                ]
            )
            == 0
        )
        assert main(["show", str(tmp_path / "run")]) == 0
    assert shown.getvalue().count("prompt tokens (0.0% from the server's cache)") == 2


def test_memory_by_embeddings_and_examples_from_data(tmp_path):
    from parley.data.dataset import DataConfig
    from parley.data.make import make
    from tests.tiny import tiny_language_model

    make(assemble.world("shortcut").tables, DataConfig("shortcut", 8, 2, rho=1.0), tmp_path / "data")
    more = f",memory=retrieval,size=1,embeddings={tiny_language_model(tmp_path / 'tiny')}"
    more += f",shots=2,demonstrations={tmp_path / 'data'}"
    with Talker() as talker:
        run(config(talker, "parse", runs=2, episodes=3, more=more), tmp_path / "run")
        asked = talker.asked()
    for body in asked:
        system, *rest = body["messages"]
        assert "The first 2 episodes below are examples" in system["content"]
        assert (
            3 <= sum(message["content"].count("A new episode") for message in rest) <= 4
        )  # two examples, one recalled
    with pytest.raises(BadInput, match="goes with memory=retrieval"), Talker() as talker:
        run(config(talker, "parse", more=",embeddings=x"), tmp_path / "other")


@pytest.mark.parametrize("entries", [("wait", "look", "wait"), ("look up", "look\nup")])
def test_a_menu_with_equal_entries_is_refused(entries):
    world = assemble.world("shortcut")
    with Talker() as talker:
        scene = assemble.Scene("shortcut", world, np.zeros(1, dtype=int), 1)
        with scene.closing:
            planner = assemble.planner(config(talker, "parse").planner, scene)
            planner.start(Draws(0, 1))
            planner.hear(Opening(0, np.array(["go"], dtype=object), np.array(["here"], dtype=object)))
            with pytest.raises(BadInput, match="stands in it twice"):
                planner.propose(Menu.shared(entries), np.empty((1, 0), dtype=object))


def test_reasoning_is_no_note_and_no_memory(tmp_path):
    """Marked reasoning goes nowhere but to the log, though thoughts are kept."""

    def answer(text: str, seed: int) -> str:
        said = "the door sticks" if "Your note so far" in text else "I take the door. Answer: B"
        return f"<think>SECRET {seed}</think>{said}"

    for more in (",memory=note", ",think=true,keep_thoughts=true"):
        out = tmp_path / more.partition("=")[2][:4]
        with Talker(answer=answer) as talker:
            run(config(talker, "parse", runs=1, episodes=3, more=more), out)
            asked = json.dumps(talker.asked())
        assert "SECRET" not in asked
        assert ("the door sticks" if "note" in more else "I take the door") in asked
        assert rows(out, "SELECT count(*) FROM texts WHERE text LIKE '%SECRET%'")[0][0] > 0


def test_reasoning_in_a_field_of_its_own_is_kept_in_the_log_alone(tmp_path):
    class Reasoner(Talker):
        def _chat(self, body: dict) -> dict:
            reply = super()._chat(body)
            reply["choices"][0]["message"]["reasoning_content"] = "SECRET: walk on along the corridor"
            return reply

    with Reasoner({"chat"}, answer=lambda text, seed: "B") as talker:
        run(config(talker, "parse", runs=1, episodes=2, more=",think=true,keep_thoughts=true"), tmp_path / "run")
        assert "SECRET" not in json.dumps(talker.asked())
    assert rows(tmp_path / "run", "SELECT DISTINCT subgoal FROM steps") == [("try the back door",)]
    assert rows(tmp_path / "run", "SELECT count(*) FROM texts WHERE text LIKE '%SECRET%'")[0][0] > 0
