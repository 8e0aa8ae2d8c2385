"""A language model as planner: what it reads, forgets, and scores."""

from dataclasses import replace

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Menu, Opening, Outcome
from parley.core.told import Told
from parley.data.chat import templated
from parley.memory.kinds import memory_of
from parley.models.language_model import LanguageModel
from parley.models.scoring import line_scores
from parley.planners.language_model import LanguageModelPlanner, Scoring
from parley.planners.transformer import TransformerPlanner
from parley.prompting.transcript import subgoal_line
from parley.training.finetune import render
from parley.worlds.tabular.random_family import random_family
from tests.memory.scripted import Tilting
from tests.tiny import tiny_language_model

SUBGOALS = ("look in the cupboard", "open chest 3", "wait")
MENU = Menu.shared(SUBGOALS)
NUM_RUNS, NUM_ACTORS = 3, 2
NONE = np.empty((NUM_RUNS, 0), dtype=object)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return LanguageModel(str(tiny_language_model(tmp_path_factory.mktemp("tiny"))))


def words(*rows) -> np.ndarray:
    return np.array(rows, dtype=object)


def story(num_episodes: int) -> list[Opening | Outcome]:
    """Two Actors, two steps an episode; the last run ends after the first step."""
    rng, said = np.random.default_rng(0), []
    for e in range(num_episodes):
        said.append(Opening(e, words(*["bring me the mug"] * NUM_RUNS), words(*["at the dock"] * NUM_RUNS)))
        for h in (1, 2):
            chosen = words(*[[SUBGOALS[i] for i in rng.integers(0, 3, NUM_ACTORS)] for _ in range(NUM_RUNS)])
            active = np.array([True, True, h == 1])
            seen = words(*[f"in front of door {i}" for i in rng.integers(0, 5, NUM_RUNS)])
            said.append(Outcome(e, h, chosen, seen, np.zeros(NUM_RUNS), active))
    return said


def planner(model: LanguageModel, said, context: int = 0, normalise: str = "none") -> LanguageModelPlanner:
    made = LanguageModelPlanner(model, scoring=Scoring(normalise, context))
    made.start(Draws(0, NUM_RUNS))
    for one in said:
        made.hear(one)
    return made


def test_it_reads_the_transcript_and_nothing_that_was_not_said(model):
    made = planner(model, story(1))
    for run, prompt in enumerate(one.prompt for one in made._runs):
        lines = prompt.text.splitlines()
        assert lines[:2] == ["task: bring me the mug", "at the dock"] and len(lines) == 2 + 3 * (1 if run == 2 else 2)
        assert lines[2].startswith("> ") and lines[3].startswith("> ")


@pytest.mark.parametrize("normalise", ["none", "length", "menu"])
@pytest.mark.parametrize("parts", [0, 1])
def test_a_proposal_is_the_softmax_of_scores_after_the_parts_chosen(model, normalise, parts):
    made = planner(model, story(2), normalise=normalise)
    chosen = words(*[["open chest 3"][:parts]] * NUM_RUNS).reshape(NUM_RUNS, parts)
    found = made.propose(MENU, chosen).probs
    for run, row in zip(made._runs, found, strict=True):
        prompt = model.prompt()
        prompt.read(run.prompt.text + "> open chest 3\n" * parts)
        lines = [model.text.continuation(prompt.text, f"> {subgoal}\n") for subgoal in SUBGOALS]
        scores = line_scores(lines, [prompt.logprobs([tokens])[0] for tokens in lines], normalise)
        expected = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(row, expected, atol=1e-5)


def test_proposing_leaves_no_trace(model):
    silent, asked = planner(model, []), planner(model, [])
    for said in story(3):
        for made in (silent, asked):
            made.hear(said)
        asked.propose(MENU, words(*[["wait"]] * NUM_RUNS))
        np.testing.assert_array_equal(silent.propose(MENU, NONE).probs, asked.propose(MENU, NONE).probs)


def test_the_oldest_episodes_are_dropped_by_rule(model):
    said = story(4)
    last = said[-3:]
    long = planner(model, said)._runs[0].prompt
    context = len(long.tokens)  # an eighth is kept for the menu: the last episode no longer fits
    cut = planner(model, said, context)
    assert len(cut._runs[0].prompt.tokens) < len(long.tokens) and long.text.endswith(cut._runs[0].prompt.text)
    kept = sum(isinstance(one, Opening) for one in said) - len(cut._runs[0].episodes)
    assert kept == 2 and cut.propose(MENU, NONE).left_out.tolist() == [2, 2, 0]
    assert cut._runs[0].prompt.text.startswith("task: bring me the mug\n")
    fresh = planner(model, [one for one in said if one.episode >= 2])
    np.testing.assert_allclose(cut.propose(MENU, NONE).probs[:2], fresh.propose(MENU, NONE).probs[:2], atol=1e-5)

    again = planner(model, [], context)
    again.restore(cut.snapshot())
    np.testing.assert_array_equal(again.propose(MENU, NONE).probs, cut.propose(MENU, NONE).probs)
    for one in last:
        cut.hear(one), again.hear(one)
    np.testing.assert_array_equal(again.propose(MENU, NONE).probs, cut.propose(MENU, NONE).probs)


def told_so_far(said, run: int) -> list[Told]:
    episodes: list[Told] = []
    for one in said:
        if isinstance(one, Opening):
            episodes.append(Told(one.instructions[run], (one.observations[run],)))
        elif one.active[run]:
            heard = tuple(one.subgoals[run]), one.observations[run], float(one.rewards[run])
            episodes[-1] = episodes[-1].after(*heard)
    return episodes


@pytest.mark.parametrize("memory", ["none", "window", "summary", "retrieval"])
def test_a_memory_shows_what_documents_of_this_memory_show(model, memory):
    tables, said = random_family(actors=NUM_ACTORS), story(5)
    made, again = (LanguageModelPlanner(model, memory=memory_of(memory, 2)) for _ in range(2))
    for one in (made, again):
        one.start(Draws(0, NUM_RUNS))
    for i, one in enumerate(said):
        made.hear(one)
        if i == 8:
            again.restore(made.snapshot())
        elif i > 8:
            again.hear(one)
        kind, size = ("window", 0) if memory == "none" else (memory, 2)
        render_document = templated(tables, "transcript", kind, size)
        rng = np.random.default_rng(0)
        for r, run in enumerate(made._runs):
            example = render_document(told_so_far(said[: i + 1], r), tables.subgoals[0].split(" / "), rng)
            prompt = render({"messages": example}, "transcript")["prompt"]
            assert prompt.startswith(run.prompt.text) and set(prompt[len(run.prompt.text) :].splitlines()) <= {
                line.strip() for menu in tables.menus for line in map(subgoal_line, menu)
            }
    found = made.propose(MENU, NONE)
    np.testing.assert_array_equal(found.probs, again.propose(MENU, NONE).probs)
    assert found.left_out.tolist() == [{"none": 4, "window": 2, "summary": 4, "retrieval": 2}[memory]] * NUM_RUNS


def test_what_a_memory_adds_moves_the_proposal(model):
    plain, tilted = (
        LanguageModelPlanner(model, memory=lambda added=added: Tilting(added))
        for added in ([0.0] * 3, [0.0, 2.0, -1.0])
    )
    for one in (plain, tilted):
        one.start(Draws(0, NUM_RUNS))
        for said in story(2):
            one.hear(said)
    expected = plain.propose(MENU, NONE).probs * np.exp([0.0, 2.0, -1.0])
    np.testing.assert_allclose(tilted.propose(MENU, NONE).probs, expected / expected.sum(axis=1, keepdims=True))


def test_illegal_subgoals_are_not_proposed(model):
    legal = np.array([[True, False, True]])
    probs = planner(model, story(1)).propose(Menu(MENU.sentences, legal), NONE).probs
    assert not probs[:, 1].any() and (probs[:, [0, 2]] > 0).all()
    with pytest.raises(BadInput, match="at least one subgoal must be legal"):
        planner(model, story(1)).propose(Menu(MENU.sentences, np.zeros((1, 3), dtype=bool)), NONE)


def test_an_episode_too_long_and_a_menu_too_long(model):
    with pytest.raises(BadInput, match="the last step takes more than 11 tokens"):
        planner(model, story(1), context=12)
    made = planner(model, [*story(1), *(replace(story(1)[-1], step=h) for h in range(3, 60))], context=120)
    text = made._runs[0].prompt.text
    assert text.startswith("task: bring me the mug\n[the first steps are left out]\n") and len(text.splitlines()) > 6
    assert np.isfinite(made.propose(MENU, NONE).probs).all()  # it used to end the run
    wordy = Menu.shared(("wait", " ".join(["cupboard"] * 300)))
    with pytest.raises(BadInput, match="does not fit a context of 100"):
        planner(model, story(1)[:1], context=100).propose(wordy, NONE)


def test_options_that_do_not_exist(model):
    with pytest.raises(BadInput, match="normalise='mean'"):
        Scoring("mean")
    with pytest.raises(BadInput, match="context=-1"):
        Scoring(context=-1)


def test_a_shipped_checkpoint_proposes_the_same_either_way():
    path = assemble.shipped("shortcut")
    tables = assemble.world("shortcut").tables
    ours, theirs = TransformerPlanner(path), LanguageModelPlanner(LanguageModel(str(path)))
    menu, none = Menu.shared(tables.menus[0]), np.empty((1, 0), dtype=object)
    for made in (ours, theirs):
        made.start(Draws(0, 1))
    rng = np.random.default_rng(0)
    for e in range(5):
        sentence = tables.observations[rng.integers(len(tables.observations))]
        for made in (ours, theirs):
            made.hear(Opening(e, words(tables.instructions[0]), words(sentence)))
        for h in range(1, tables.horizon + 1):
            np.testing.assert_allclose(theirs.propose(menu, none).probs, ours.propose(menu, none).probs, atol=1e-5)
            chosen = words([tables.menus[0][rng.integers(len(tables.menus[0]))]])
            seen = words(tables.observations[rng.integers(len(tables.observations))])
            said = Outcome(e, h, chosen, seen, np.zeros(1), np.ones(1, dtype=bool))
            for made in (ours, theirs):
                made.hear(said)


@pytest.mark.parametrize("memory", ["full", "none", "window", "summary"])
def test_something_huge_is_shortened_by_rule(model, memory):
    huge = "it is dark in here, " * 2000
    made = LanguageModelPlanner(model, memory=None if memory == "full" else memory_of(memory, 1))
    made.start(Draws(0, NUM_RUNS))
    for episode in range(2):
        made.hear(Opening(episode, words(*["bring me the mug"] * NUM_RUNS), words(*[huge] * NUM_RUNS)))
        chosen, active = words(*[["wait", "wait"]] * NUM_RUNS), np.ones(NUM_RUNS, dtype=bool)
        made.hear(Outcome(episode, 1, chosen, words(*["at the dock"] * NUM_RUNS), np.zeros(NUM_RUNS), active))
    (text,) = {run.prompt.text for run in made._runs}
    assert "characters are left out ...]" in text and text.endswith("at the dock\n")
    assert len(model.text.encode(text)) <= model.positions
    assert np.isfinite(made.propose(MENU, NONE).probs).all()


def test_a_menu_with_equal_entries_is_refused(model):
    twice = Menu.shared(("wait", "look", "wait"))
    with pytest.raises(BadInput, match="menu: 'wait' stands in it twice"):
        planner(model, story(1)).propose(twice, NONE)
