"""What the viewer answers about real runs, held against the log and against what reports say."""

import json

import numpy as np
import pytest

from parley import assemble
from parley.core.errors import BadInput, ParleyError
from parley.execute import RunConfig, run
from parley.report.diagnosis import diagnose
from parley.report.summary import Curves, reading
from parley.runs.directory import read_manifest
from parley.view.answers import Answers
from parley.view.curves import Drawn, compared
from parley.view.found import Found
from parley.view.grid import Grid
from parley.view.log import opened
from parley.view.notes import Notes
from parley.view.prompts import answer_of, marked
from parley.view.tasks import Beliefs, carry_out
from parley.view.texts import Prose, encoded
from tests.view.made import PLANNERS


@pytest.fixture(scope="module")
def answers(runs):
    found = Found(runs)
    found.look()
    return Answers(found, None, lambda task, out, *numbers: carry_out(task, out, runs, list(numbers)))


def ask(answers, question, **asked):
    return json.loads(encoded(answers.answer(question, {name: str(value) for name, value in asked.items()})))


def test_the_table_of_runs(answers, runs):
    rows = {row["id"]: row for row in ask(answers, "runs")["runs"]}
    names = {f"shortcut/{name}" for name in PLANNERS} | {f"doors/{name}" for name in ("one", "other", "third")}
    names |= {"free", "lm/echo", "lm/thinking", "lm/letters", "keys", "team"}
    assert names | {"search", "household/adaptive", "episodes-only"} == set(rows)
    for name in ("shortcut/adaptive", "household/adaptive", "keys"):
        row, summary = ask(answers, "run", id=name), Curves.read(runs / name).summary()
        assert row["status"] == "finished" and row["numbers"]["measure"] == summary.measure
        for ours, theirs in (("regret", summary.regret), ("mean_return", summary.mean_return)):
            assert row["numbers"][ours] == pytest.approx(theirs)
        assert row["numbers"]["regret_half_width"] == pytest.approx(summary.regret_half_width)
    calls = read_manifest(runs / "lm/letters")["totals"]["calls"]
    spent = ask(answers, "run", id="lm/letters")["numbers"]["spent"]
    for name in ("calls", "prompt_tokens", "completion_tokens", "cached_tokens"):
        assert spent[name] == calls[name]
    assert spent["failed"] > 0 and ask(answers, "run", id="lm/echo")["numbers"]["spent"]["cost"] > 0
    assert rows["lm/echo"]["memory"] == "full" and rows["team"]["memory"] == ""


def test_worlds_without_an_optimum_show_their_scores(answers, runs):
    """In the table, the heat map and its order, in lists and curves: as a report has them, and no regret."""
    row, curves = ask(answers, "run", id="doors/one"), Curves.read(runs / "doors/one")
    numbers, summary = row["numbers"], curves.summary()
    assert numbers["measure"] == "score" and "regret" not in numbers and numbers["slope"] is None
    assert numbers["score"] == pytest.approx(summary.scores.mean)
    assert numbers["scores"]["success"] == pytest.approx(summary.scores.success) and 0 < summary.scores.success < 1
    assert row["names"]["first"] == row["names"]["metrics"][0] == "score" and "regret" not in row["names"]["metrics"]
    heat = ask(answers, "heat", id="doors/one", metric="score", order="total", columns=12)
    order = np.argsort(curves.values.sum(axis=1), kind="stable")
    assert heat["runs"] == order.tolist() and heat["cells"] == curves.values[order].tolist()
    worst = ask(answers, "episodes", id="doors/one", sort="worst")["episodes"]
    assert [one["score"] for one in worst] == sorted(curves.values.ravel().tolist())
    assert [one["score"] for one in ask(answers, "episodes", id="doors/one", sort="best")["episodes"]][0] == 1
    ids = json.dumps(["doors/one", "doors/other", "doors/third"])
    shown = ask(answers, "compare", ids=ids, metric="score")
    mean, half = curves.band()
    np.testing.assert_allclose(shown["curves"][0]["mean"], mean, rtol=1e-6)
    np.testing.assert_allclose(shown["curves"][0]["half"], half, rtol=1e-5, atol=1e-6)
    assert shown["curves"][0]["total"] == pytest.approx(summary.scores.mean)
    same, third = shown["differences"]
    assert same["paired"] and same["total"] == 0 and not third["paired"]
    assert third["total"] == pytest.approx(Curves.read(runs / "doors/third").values.mean() - curves.values.mean())
    assert not ask(answers, "compare", ids=ids)["curves"][0]["x"]  # no regret


def test_words_that_the_planner_brought_are_the_menu_of_the_step(answers):
    shown = ask(answers, "episode", id="free", run=0, episode=1)
    assert shown["score"] in (0.0, 1.0) and shown["steps"]
    for step in shown["steps"]:
        (actor,) = step["actors"]
        assert actor["bars"] == [{"said": "open the red door", "chosen": True, "answers": 1.0}]
        assert actor["off_menu"] is None and actor["others"] == 0


@pytest.mark.parametrize("columns", [24, 7, 1])
def test_the_heat_map_is_the_mean_of_each_column(columns, answers, runs):
    shown = ask(answers, "heat", id="shortcut/epsilon-greedy", metric="regret", columns=columns)
    values = Curves.read(runs / "shortcut/epsilon-greedy").values
    size = shown["size"]
    expected = [[values[r, a : a + size].mean() for a in range(0, 24, size)] for r in range(12)]
    np.testing.assert_allclose(np.array(shown["cells"]), expected, rtol=1e-6)
    assert len(shown["cells"][0]) <= columns and shown["runs"] == list(range(12))
    part = ask(answers, "heat", id="shortcut/epsilon-greedy", metric="return", columns=24, first=5, last=8)
    returns = Curves.read(runs / "shortcut/epsilon-greedy").returns
    np.testing.assert_allclose(np.array(part["cells"]), returns[:, 5:9], rtol=1e-6)
    total = ask(answers, "heat", id="shortcut/epsilon-greedy", metric="regret", order="total")
    assert total["runs"] == np.argsort(-values.sum(axis=1), kind="stable").tolist()


def test_lists_of_episodes(answers, runs):
    name = "shortcut/epsilon-greedy"
    curves = Curves.read(runs / name)
    worst = ask(answers, "episodes", id=name, sort="worst")
    assert worst["total"] == 288 and len(worst["episodes"]) == 100
    found = [one["expected_regret"] for one in worst["episodes"]]
    assert found == sorted(curves.values.ravel().tolist(), reverse=True)[:100]
    assert ask(answers, "episodes", id=name, sort="worst", offset=200)["episodes"][-1]["expected_regret"] <= found[-1]
    explored = ask(answers, "episodes", id=name, only="explored", sort="episode")
    assert explored["total"] == curves.explored.sum() and all(one["explored"] for one in explored["episodes"])
    of_run = ask(answers, "episodes", id=name, run=3, first=2, last=4)["episodes"]
    assert [(one["run"], one["episode"]) for one in of_run] == [(3, 2), (3, 3), (3, 4)]
    faults = ask(answers, "episodes", id="lm/letters", only="faults", sort="faults")
    assert faults["total"] > 0 and faults["episodes"][0]["faults"] > 0 and faults["episodes"][0]["tokens"] > 0
    for wrong in ({"sort": "x"}, {"only": "x"}, {"run": 99}, {"offset": "x"}, {"run": "-1e9"}):
        with pytest.raises(BadInput):
            ask(answers, "episodes", id=name, **wrong)


def test_the_first_time_that_something(answers, runs):
    name = "shortcut/epsilon-greedy"
    curves = Curves.read(runs / name)
    first = {run: episode for run, episode, _ in ask(answers, "first", id=name, event="explored")["found"]}
    assert first == {r: int(e.argmax()) for r, e in enumerate(curves.explored) if e.any()}
    executed = ask(answers, "first", id=name, event="executed", text="back door")
    with reading(runs / name) as reader:
        for run, episode, step in executed["found"]:
            before = [s["subgoal"] for t in range(episode) for s in reader.trace(run, t)]
            before += [s["subgoal"] for s in reader.trace(run, episode)[: step - 1]]
            assert "back door" in reader.trace(run, episode)[step - 1]["subgoal"]
            assert not any("back door" in said for said in before)
    assert executed["found"] and executed["searched"] == 1
    assert ask(answers, "first", id=name, event="heard", text="no such words")["none"] == 12
    for event in ("no regret", "best return", "fault"):
        ask(answers, "first", id=name, event=event)


def test_an_episode_is_what_the_log_holds(answers, runs):
    for name, of_run, episode in (("shortcut/adaptive", 3, 20), ("team", 1, 2), ("lm/thinking", 1, 3), ("keys", 1, 1)):
        shown = ask(answers, "episode", id=name, run=of_run, episode=episode)
        with reading(runs / name) as reader:
            logged = reader.trace(of_run, episode)
        assert shown["complete"] and shown["latent"] == read_manifest(runs / name)["latents"][of_run]
        for step, row in zip(shown["steps"], logged, strict=True):
            said = json.loads(row["subgoal"]) if isinstance(row["menu"][0], list) else [row["subgoal"]]
            menus = row["menu"] if isinstance(row["menu"][0], list) else [row["menu"]]
            assert step["subgoal"] == said and step["observation"] == row["observation"]
            for k, actor in enumerate(step["actors"]):
                assert [bar["said"] for bar in actor["bars"]] == [words for words in menus[k] if words is not None]
                assert [bar["said"] for bar in actor["bars"] if bar["chosen"]] == [said[k]]
                if row["proposal"] is not None:
                    probs = row["proposal"][k] if len(menus) > 1 else row["proposal"]
                    assert [bar["proposal"] for bar in actor["bars"]] == probs
    film = ask(answers, "episode", id="keys", run=1, episode=1)
    assert film["film"] == "run1-episode1.gif" and film["steps"][0]["low_level"]["actions"] > 0
    assert ask(answers, "episode", id="episodes-only", run=0, episode=3)["steps"] == []
    for run_, episode in ((99, 0), (0, 99), (-1, 0)):
        with pytest.raises(BadInput):
            ask(answers, "episode", id="team", run=run_, episode=episode)


def test_a_long_menu_shows_what_is_likely_and_what_was_chosen(tmp_path):
    run(RunConfig("treasure:n=300", "random", "none", episodes=2, runs=1, seed=5), tmp_path / "r")
    found = Found(tmp_path)
    found.look()
    answers = Answers(found, None, lambda *_: {})
    for step in ask(answers, "episode", id="r", run=0, episode=1)["steps"]:
        actor = step["actors"][0]
        assert len(actor["bars"]) <= 41 and sum(bar["chosen"] for bar in actor["bars"]) == 1
        assert actor["others"] + len(actor["bars"]) == len(assemble.world("treasure:n=300").tables.menus[0])
        assert sum(bar["proposal"] for bar in actor["bars"]) + actor["rest"]["proposal"] == pytest.approx(1)


def test_calls_are_the_prompt_and_the_answer_with_what_is_new(answers, runs):
    with reading(runs / "lm/letters") as reader:
        sent = json.loads(reader.prompt(0, 2, 2))
    calls = ask(answers, "calls", id="lm/letters", run=0, episode=2, step=2)["calls"]
    messages = calls[-1]["messages"]
    assert [m["role"] for m in messages] == [m["role"] for m in sent]
    assert ["\n".join(p["text"] for p in m["pieces"]) for m in messages] == [m["content"] for m in sent]
    new = [p["text"] for m in messages for p in m["pieces"] if p["new"]]
    assert new == [m["content"] for m in sent[-2:]]  # what was said to it, and what was heard then
    assert {one["said"] for one in calls[-1]["answer"]["logprobs"]} == {"A", "B"}
    with opened(runs / "lm/letters") as log:  # kept as what each adds to the one before
        assert log.last("pieces") > log.last("texts") / 2
    thinking = ask(answers, "calls", id="lm/thinking", run=0, episode=1, step=1)["calls"]
    assert "taught me" in thinking[0]["answer"]["reasoning"] and thinking[0]["answer"]["text"].startswith("Answer:")
    assert len(thinking) == 2 and any(p["new"] for m in thinking[1]["messages"] for p in m["pieces"])
    echo = ask(answers, "calls", id="lm/echo", run=0, episode=0, step=1)["calls"][0]
    assert len(echo["answer"]["logprobs"]) == 2 and echo["answer"]["logprobs"][0]["tokens"]
    first = ask(answers, "calls", id="lm/letters", run=0, episode=0, step=1)["calls"][-1]
    assert not any(p["new"] for m in first["messages"] for p in m["pieces"])  # there is no decision before


def test_lines_that_moved_are_not_new():
    was = [("user", "a\nb\nc\nd")]
    now = [("user", "c\nd\ne"), ("assistant", "f")]  # older lines left the window
    pieces = [(p["new"], str(p["text"])) for m in marked(now, was) for p in m["pieces"]]
    assert pieces == [(False, "c\nd"), (True, "e"), (True, "f")]


@pytest.mark.parametrize(
    "raw, reasoning, text",
    [
        ('"<think>one\\ntwo</think>\\nB"', "one\ntwo", "B"),
        ('"Well. Answer: B"', "Well.", "Answer: B"),
        ('"B"', "", "B"),
        ('"[THINK]one[/THINK] B"', "one", "B"),
        ('"begun in the prompt</think>B"', "begun in the prompt", "B"),
        ('"<think>cut off"', "cut off", ""),
        ('{"whole": "B", "thought": "beside it"}', "beside it", "B"),
        ("no JSON", "", "no JSON"),
    ],
)
def test_what_was_reasoned_stands_apart(raw, reasoning, text):
    found = answer_of(raw)
    assert (found["reasoning"], found["text"]) == (reasoning, text)


def test_curves_and_paired_differences(answers, runs):
    ids = [f"shortcut/{name}" for name in ("greedy", "epsilon-greedy", "exact")]
    found = ask(answers, "compare", ids=json.dumps(ids))
    curves = [Curves.read(runs / name) for name in ids]
    for shown, curve in zip(found["curves"], curves, strict=True):
        mean, half = curve.band()
        np.testing.assert_allclose(shown["mean"], mean, rtol=1e-6)
        np.testing.assert_allclose(shown["half"], half, rtol=1e-5, atol=1e-6)
        assert shown["x"] == list(range(1, 25))
    gap = curves[1].values.sum(axis=1) - curves[0].values.sum(axis=1)
    difference = found["differences"][0]
    assert difference["paired"] and difference["total"] == pytest.approx(gap.mean())
    assert difference["half"] == pytest.approx(1.96 * gap.std(ddof=1) / 12**0.5)
    other = ask(answers, "compare", ids='["shortcut/greedy","household/adaptive"]')["differences"][0]
    assert not other["paired"] and "not the same world and seed" in other["why"] and other["curve"] is None
    for metric in ("return", "explored", "tokens", "cost", "faults", "score"):
        for way in ("cumulative", "episode"):
            ask(answers, "compare", ids=json.dumps([*ids, "lm/echo"]), metric=metric, way=way)
    for wrong in ({"metric": "x"}, {"way": "x"}, {"ids": '["nowhere"]'}, {"ids": "["}, {"ids": "7"}):
        with pytest.raises(BadInput):
            ask(answers, "compare", **{"ids": json.dumps(ids[:1]), **wrong})


def test_a_long_curve_is_drawn_at_some_points_and_by_episode_in_means(tmp_path):
    run(RunConfig("treasure:n=4", "exact", "epsilon-greedy:epsilon=0.2", episodes=1500, runs=3), tmp_path)
    grid = Grid(read_manifest(tmp_path))
    grid.fill(tmp_path)
    values = Curves.read(tmp_path).returns
    whole = compared([Drawn("r", grid, tmp_path)], "return", "cumulative")["curves"][0]
    assert len(whole["x"]) == 600 and whole["x"][-1] == 1500
    np.testing.assert_allclose(whole["mean"], np.cumsum(values, axis=1)[:, whole["x"] - 1].mean(axis=0), rtol=1e-5)
    means = compared([Drawn("r", grid, tmp_path)], "return", "episode")["curves"][0]
    edges = [0, *means["x"].tolist()]
    expected = [values[:, a:b].mean() for a, b in zip(edges, edges[1:], strict=False)]
    np.testing.assert_allclose(means["mean"], expected, rtol=1e-5)
    zoomed = compared([Drawn("r", grid, tmp_path)], "return", "cumulative", 100, 140)["curves"][0]
    assert zoomed["x"].tolist() == list(range(101, 142))


def test_beliefs_are_those_of_the_exact_planner(runs, tmp_path):
    """The exact planner's proposals in the log are BAIL of the posterior: here the posterior, there what came of it."""
    manifest = read_manifest(runs / "household/adaptive")
    world, beliefs = assemble.world("household"), Beliefs()
    for episode in (9, 3, 11):  # there and back
        found = beliefs.of(runs / "household/adaptive", runs, 2, episode)
        probs = np.array([row["probability"] for row in found["latents"]])
        np.testing.assert_allclose(probs.sum(axis=0) + found["rest"], 1, atol=1e-9)
        assert [row["latent"] for row in found["latents"] if row["true"]] == [manifest["latents"][2]]
        with assemble.retold(runs / "household/adaptive", 2, episode, 1) as planner:
            expected = dict(zip(world.latents, planner.posterior[0], strict=True))
        for row in found["latents"]:
            assert row["probability"][0] == pytest.approx(expected[row["latent"]], abs=1e-9)


@pytest.mark.parametrize(
    "world, said",
    [("episodes-only", "no steps"), ("lm/nowhere", None)],
)
def test_beliefs_that_there_are_none(world, said, runs):
    if said is None:
        with pytest.raises(ParleyError):
            Beliefs().of(runs / world, runs, 0, 0)
    else:
        assert said in carry_out("believed", runs / world, runs, [0, 1])["refused"]


@pytest.mark.parametrize("world", ["household:low_level=true,actor=cloned:0.8", "shortcut:jump=2"])
def test_a_world_that_does_not_follow_its_tables_has_no_exact_posterior(world, tmp_path):
    run(RunConfig(world, "random", "none", episodes=3, runs=1), tmp_path / "r")
    assert "no exact posterior" in carry_out("believed", tmp_path / "r", tmp_path, [0, 1])["refused"]


def test_search_trees_prompts_diagnoses_and_films(answers, runs):
    tree = ask(answers, "tree", id="search", run=1, episode=2, step=2)
    with reading(runs / "search") as reader:
        step = reader.trace(1, 2)[1]
    assert step["subgoal"] in [one["said"] for one in tree["subgoals"]] and 1 < tree["calls"] <= 40
    assert "only `world-model`" in ask(answers, "tree", id="team", run=0, episode=0, step=1)["refused"]
    prompt = ask(answers, "prompt", id="shortcut/adaptive", run=0, episode=1, step=2)["messages"][0]["pieces"]
    with reading(runs / "shortcut/adaptive") as reader:
        first, second = reader.trace(0, 0), reader.trace(0, 1)
    lines = "\n".join(piece["text"] for piece in prompt)
    assert lines.count("task: ") == 2 and lines.rstrip("\n").endswith(second[0]["next_observation"])
    assert f"> {first[0]['subgoal']}" in lines
    assert [piece["new"] for piece in prompt][-1] and second[0]["subgoal"] in prompt[-1]["text"]
    judged = ask(answers, "diagnosis", id="shortcut/greedy")
    beliefs = assemble.beliefs_of(assemble.world("shortcut").tables)
    assert judged["signature"] == diagnose(runs / "shortcut/greedy", beliefs).signature
    assert ask(answers, "replay", id="keys", run=0, episode=0)["data"].startswith("data:image/gif;base64,")
    assert "no physical low level" in ask(answers, "replay", id="team", run=0, episode=0)["refused"]


def test_experiments(answers, runs):
    listed = {one["id"]: one for one in ask(answers, "experiments")["experiments"]}
    done, half = listed["experiments/linear-regret"], listed["experiments/half"]
    assert done["verdict"] and done["interval"] and done["status"] == "finished"
    assert half["status"] == "interrupted" and half["cells"]["done"] == half["cells"]["total"] - 1
    shown = ask(answers, "experiment", id="experiments/half")
    assert shown["claim"] == done["claim"] and [cell["done"] for cell in shown["cells"]][-1] is False
    cell = ask(answers, "cell", id="experiments/half", file=shown["cells"][0]["file"])
    config = shown["cells"][0]["config"]
    assert cell["shape"] == [config["runs"], config["episodes"]] and cell["x"][-1] == config["episodes"]
    assert ask(answers, "experiment", id="experiments/linear-regret")["pictures"] == ["figure.png"]


def test_cards_are_those_of_their_files_and_others_are_named_with_the_reason(answers, runs, tmp_path):
    found = ask(answers, "cards")
    assert {card["id"] for card in found["cards"]} == {
        f"cards/{name}.json" for name in ("exact-0", "random-0", "generated-0")
    }
    for card in found["cards"]:
        due = json.loads((runs / card["id"]).read_text("utf-8"))
        assert card["entries"] == due["entries"] and card["left_out"] == due["left_out"]
    (refused,) = found["refused"]
    assert refused["id"] == "cards/broken.json" and "expected a finite number" in refused["sentence"]
    (tmp_path / "root").mkdir()
    (tmp_path / "secret.json").write_text((runs / "cards/exact-0.json").read_text("utf-8"))
    (tmp_path / "root" / "link.json").symlink_to(tmp_path / "secret.json")
    outside = Found(tmp_path / "root")
    outside.look()
    nothing = Answers(outside, None, lambda task, out, *numbers: {})
    assert ask(nothing, "cards") == {"cards": [], "refused": [], "more": 0}


def test_notes_are_kept_beside_and_never_within(runs, tmp_path):
    found = Found(runs)
    found.look()
    answers = Answers(found, Notes(tmp_path / "deep" / "notes.sqlite"), lambda *_: {})
    kept = answers.put_note("team", "a\n\ud800 note", ["good", " good ", ""])
    assert kept["tags"] == ["good"] and "note" in kept["note"]
    again = Answers(found, Notes(tmp_path / "deep" / "notes.sqlite"), lambda *_: {})
    assert again.row("team")["tags"] == ["good"]
    for wrong in (
        ("x" * 5000, []),
        ("", ["x" * 50]),
        ("", "good"),
        (7, []),
        ("", [7]),
        ("", list("abcdefghijklmnopqrstu")),
    ):
        with pytest.raises(BadInput):
            answers.put_note("team", *wrong)
    with pytest.raises(BadInput):
        answers.put_note("../team", "", [])
    with pytest.raises(BadInput, match="cannot be used"):
        Notes(runs)


def test_texts_are_inert_and_numbers_are_json():
    said = {
        "a\x1b[31m": ["\u202eevil", Prose("one\n\x07two\tthree"), float("nan"), 10**400, 2**60, b"x", np.float32(1.5)]
    }
    shown = json.loads(encoded(said))
    assert shown == {
        "a\\x1b[31m": ["\\u202eevil", "one\n\\x07two    three", None, "a huge number", str(2**60), "b'x'", 1.5]
    }
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    assert b"..." in encoded(deep)
