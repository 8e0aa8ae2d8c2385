"""Whole runs with the memories that a model writes, and with the one that adds to log-probabilities."""

import pytest

from parley import assemble
from parley.assemble.estimate import estimate
from parley.assemble.memories import MEMORIES
from parley.core.errors import BadInput
from parley.execute import RunConfig, run
from tests.talker import EVERYTHING, SHARED, Talker, chance, config, letter_by_chance, rows
from tests.test_endpoint_context import Smaller, run_whole_and_cut
from tests.test_endpoint_faults import check_kills
from tests.tiny import tiny_language_model

WRITTEN = [name for name, kind in MEMORIES.ours.items() if kind.calls and name != "note"]
EXPLORE = "epsilon-greedy:epsilon=0.8"  # so that some episodes succeed
FORMS = {
    "ADD:": ("ADD: the door sticks\nAGREE 1", "REMOVE 1\nEDIT 2: look twice", "I would rather not."),
    "LESSON:": ("LESSON: the door sticks\nHELPFUL 1", "HARMFUL 1\nHARMFUL 99", "LESSON: look"),
    "WORKFLOW:": ("WORKFLOW: get out\n- take the door", "WORKFLOW: walk\n- walk on\n- walk on", "no"),
    "TITLE:": ("TITLE: doors\nCONTENT: doors stick", "TITLE: luck\nDESCRIPTION: none\nCONTENT: wait", "TITLE: none"),
    "and it failed": ("I walked when I could have taken the door.", "", "It was too far."),
}


def writes(text: str, seed: int) -> str:
    """A letter where a letter is asked for, else one of three answers in the form that the prompt asks for."""
    for form, answers in FORMS.items():
        if form in text and "Answer with" not in text:
            return f"{answers[int(3 * chance(text, seed))]} {seed % 7}"
    return letter_by_chance(text, seed)


@pytest.mark.parametrize("memory", WRITTEN)
@pytest.mark.parametrize("way", ["parse", "letters", "echo"])
def test_a_resumption_asks_nothing_twice_also_where_the_context_turns_out_small(tmp_path, memory, way):
    with Smaller(EVERYTHING if way == "echo" else EVERYTHING - {"echo"}, answer=writes) as talker:
        talker.context_tokens = 1500 if way != "echo" else 900
        run_whole_and_cut(config(talker, way, 2, 7, more=f",memory={memory}", explore=EXPLORE), tmp_path)
    asked = rows(tmp_path / "whole", "SELECT count(*) FROM calls WHERE purpose = 'write memory' AND outcome = 'ok'")
    assert asked[0][0] > 0


@pytest.mark.parametrize(
    "memory", [name if name == "playbook" else pytest.param(name, marks=pytest.mark.slow) for name in WRITTEN]
)
def test_killed_and_resumed_behind_a_faulty_server(tmp_path, memory):
    check_kills(tmp_path, runs=4, episodes=5, kills=1, slow_s=0.01, more=f",memory={memory}", answer=writes)


@pytest.mark.parametrize("memory", WRITTEN)
def test_what_is_written_is_shown_and_its_calls_are_accounted_for(tmp_path, memory):
    with Talker(answer=writes) as talker:
        cfg = config(talker, "parse", runs=3, episodes=6, more=f",memory={memory},words=60")
        run(cfg, tmp_path / "run")
        asked = [body["messages"] for body in talker.asked()]
        expected = estimate(cfg, assemble.parts_of(cfg.world, cfg.planner, cfg.explore, cfg.memory)).calls
    shown = [m["content"] for messages in asked for m in messages if "know from earlier episodes" in m["content"]]
    assert any("\n- " in text for text in shown)
    query = "SELECT run, episode, step, prompt_tokens, completion_tokens FROM calls WHERE purpose = 'write memory'"
    calls = rows(tmp_path / "run", query)
    assert calls and all(0 <= episode < 5 and step == -1 for _, episode, step, *_ in calls)  # none after the last
    assert all(prompt > 0 and answer > 0 for *_, prompt, answer in calls)
    assert len(calls) <= MEMORIES[memory].calls * 3 * 5
    assert len(rows(tmp_path / "run", "SELECT 1 FROM calls WHERE purpose NOT LIKE 'probe%'")) <= expected


@pytest.mark.parametrize("memory", WRITTEN)
def test_no_prompt_is_beyond_the_context_that_the_server_tells(tmp_path, memory):
    """Whatever the model writes: each of its answers is new, and as long as it may be."""

    def at_length(text: str, seed: int) -> str:
        return writes(text, seed).replace("out", f"out {seed}").replace("door", f"door {seed}" + " and more" * 30)

    with Talker(answer=at_length, context=1900) as talker:
        cfg = config(talker, "letters", 2, 12, more=f",memory={memory}", explore=EXPLORE)
        manifest = run(cfg, tmp_path / "run")
        longest = max(talker.size(body) for _, body, _ in talker.said if body)
    assert manifest["status"] == "finished" and longest <= 1900
    assert longest > 1400 or memory not in ("expel", "playbook")  # it was not for want of things to say
    assert not rows(tmp_path / "run", "SELECT outcome FROM calls WHERE outcome LIKE 'prompt too long%'")


def test_advantages_move_the_proposals_and_a_resumption_finds_the_same(tmp_path):
    with Smaller(EVERYTHING - {"echo"}) as talker:
        talker.context_tokens = 1500
        cfg = config(talker, "letters", runs=4, episodes=8, more=",memory=none")
        run_whole_and_cut(RunConfig(**{**vars(cfg), "memory": "advantage:weight=20"}), tmp_path)
        run(RunConfig(**{**vars(cfg), "memory": "advantage:weight=0"}), tmp_path / "weightless")
        run(cfg, tmp_path / "none")
    query = "SELECT proposal FROM steps WHERE episode {0} ORDER BY run, episode, step"
    found = {name: rows(tmp_path / name, query.format("= 0")) for name in ("whole", "weightless", "none")}
    assert found["whole"] == found["none"]  # before anything is remembered
    later = {name: rows(tmp_path / name, query.format("> 0")) for name in found}
    assert later["weightless"] == later["none"] != later["whole"]


def test_advantages_are_worth_something(tmp_path):
    """A model that chooses by chance, whatever has happened: the mean return of later episodes, with fixed seeds."""
    means = {}
    with Talker(EVERYTHING - {"echo"}) as talker:
        for memory in ("none", "advantage"):
            cfg = config(talker, "letters", runs=16, episodes=20)
            run(RunConfig(**{**vars(cfg), "memory": memory}), tmp_path / memory)
            means[memory] = rows(tmp_path / memory, "SELECT avg(return) FROM episodes WHERE episode >= 10")[0][0]
    assert means["advantage"] > means["none"] + 0.2


@pytest.mark.parametrize(
    ("planner", "said"),
    [
        ("endpoint:way=parse", "adds to log-probabilities, and way=parse gives answers"),
        ("endpoint:way=constrained", "way=constrained gives answers"),
        ("endpoint:actions=free", "way=free gives answers"),
        ("world-model:way=echo", "a world model proposes nothing"),
    ],
)
def test_a_planner_without_proposals_refuses_advantages(tmp_path, planner, said):
    kind, _, rest = planner.partition(":")
    with Talker() as talker, pytest.raises(BadInput, match=said):
        spec = f"{kind}:model=vllm/m,base_url={talker.base_url},memory=advantage,{rest}"
        run(RunConfig("shortcut", spec, runs=1, episodes=2), tmp_path / "run")


@pytest.mark.parametrize("memory", WRITTEN)
def test_a_world_model_remembers_by_them_too(tmp_path, memory):
    """It copies what a run remembers for each subgoal that it thinks of; the server is not copied, nor asked again."""
    with Talker(answer=writes) as talker:
        spec = config(talker, "echo", more=f",memory={memory}").planner.replace("endpoint:", "world-model:budget=4,")
        spec = spec.partition(",timeout")[0].replace(f",{SHARED}", "")
        run(RunConfig("shortcut", spec, EXPLORE, runs=1, episodes=4), tmp_path / "run")
    query = "SELECT count(*), count(DISTINCT key) FROM calls WHERE purpose = 'write memory' AND outcome = 'ok'"
    ((calls, keys),) = rows(tmp_path / "run", query)
    assert calls == keys <= 3 * MEMORIES[memory].calls and (calls or memory in ("expel", "workflows"))
    assert len(rows(tmp_path / "run", "SELECT 1 FROM episodes")) == 4


def test_a_memory_that_a_model_writes_needs_one_that_answers(tmp_path):
    for memory in WRITTEN:
        with pytest.raises(BadInput, match=f"memory {memory!r} is written by a model that answers prompts"):
            run(RunConfig("shortcut", f"hf:{tiny_language_model(tmp_path)}", memory=memory, runs=1), tmp_path / "run")
