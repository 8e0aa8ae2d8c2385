"""A local planner: what it asks, how it hears the choice, and what is taken off it."""

from dataclasses import replace

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Menu, Opening, Outcome
from parley.models.language_model import LanguageModel
from parley.planners.calibration import NOTHING
from parley.planners.local import LocalPlanner
from tests.memory.scripted import Tilting
from tests.tiny import tiny_language_model

NONE = np.empty((2, 0), dtype=object)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_language_model(tmp_path_factory.mktemp("tiny"))


def scene(world: str = "household", runs: int = 2):
    return assemble.Scene(world, assemble.world(world), np.zeros(runs, dtype=np.intp), 4)


def made(folder, options: str = "", world: str = "household") -> LocalPlanner:
    planner = assemble.planner(f"hf:{folder},{options}", scene(world))
    assert isinstance(planner, LocalPlanner)
    planner.start(Draws(0, 2))
    return planner


def say(planner: LocalPlanner, task: str = "bring me the mug", *heard: str) -> LocalPlanner:
    first, *more = heard or ("at the door",)
    planner.hear(Opening(0, np.array([task] * 2, dtype=object), np.array([first] * 2, dtype=object)))
    chosen = np.array([[menu_of(planner)[0]]] * 2, dtype=object)
    for step, one in enumerate(more, 1):
        planner.hear(Outcome(0, step, chosen, np.array([one] * 2, dtype=object), np.zeros(2), np.ones(2, dtype=bool)))
    return planner


def menu_of(planner: LocalPlanner) -> tuple[str, ...]:
    return planner.prompting.words.menus[0]


def law(planner: LocalPlanner, menu: tuple[str, ...] = ()) -> np.ndarray:
    return planner.propose(Menu.shared(menu or menu_of(planner)), NONE).probs[0]


def test_the_prompt_has_the_menu_where_letters_are_heard_and_not_where_sentences_are(folder):
    for way, there in (("letters", True), ("sentences", False)):
        planner = say(made(folder, f"way={way},template=chat"))
        text = planner.model.said(planner.renderer.prompt(planner.runs[0][0].turns((), menu_of(planner))).tokens)
        assert "bring me the mug" in text and all((line in text) == there for line in menu_of(planner)[1:])


def test_a_law_is_the_softmax_of_the_scores_of_whole_texts(folder):
    planner, plain = say(made(folder, "normalise=none,temperature=2")), LanguageModel(str(folder))
    prompt, prompter = plain.prompt(), planner.runs[0][0]
    prompt.read("".join(turn.text for turn in prompter.turns((), menu_of(planner))))
    lines = [prompter.candidate(sentence, menu_of(planner)) for sentence in menu_of(planner)]
    scores = np.array([values.sum() for values in prompt.logprobs(prompt.continuations("", lines))]) / 2
    expected = np.exp(scores - scores.max())
    np.testing.assert_allclose(law(planner), expected / expected.sum(), atol=1e-4)


@pytest.mark.parametrize("way", ["sentences", "letters"])
def test_calibrated_by_a_prompt_without_content_nothing_is_preferred_after_one(folder, way):
    """The mean law after the blank prompts is taken off: after each of them, what is left is the law over that mean."""
    planner = made(folder, f"way={way},calibrate=contextual,template=chat")
    menu, laws, raw = menu_of(planner), [], []
    for blank in NOTHING:
        planner.start(Draws(0, 2))
        say(planner, blank, blank)
        laws.append(law(planner))
        plain = made(folder, f"way={way},template=chat")
        raw.append(law(say(plain, blank, blank)))
    for one, found in zip(raw, laws, strict=True):
        expected = one / np.mean(raw, axis=0)
        np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-4)
    assert len(menu) == len(found)


@pytest.mark.parametrize("calibrate", ["none", "contextual", "pmi"])
def test_averaged_over_all_rotations_the_order_of_a_menu_makes_no_difference(folder, calibrate):
    planner = say(made(folder, "way=letters"))
    menu = menu_of(planner)[:5]
    how = replace(planner.hearing, permutations=len(menu), calibrate=calibrate)
    laws = []
    for shift in range(len(menu)):
        turned = (*menu[shift:], *menu[:shift])
        words = replace(planner.prompting.words, menus=(turned,))
        prompting = replace(planner.prompting, words=words)
        one = LocalPlanner(planner.model, how, prompting, False, planner.memory)
        one.start(Draws(0, 2))
        found = law(say(one), turned)
        laws.append(dict(zip(turned, found, strict=True)))
    for one in laws[1:]:
        np.testing.assert_allclose([one[line] for line in menu], [laws[0][line] for line in menu], atol=1e-4)


@pytest.mark.parametrize("way", ["sentences", "letters"])
def test_what_a_memory_adds_moves_the_law(folder, way):
    plain = say(made(folder, f"way={way},permutations=2"))
    added = np.linspace(-2, 2, len(menu_of(plain)))
    tilted = LocalPlanner(plain.model, plain.hearing, plain.prompting, False, lambda: Tilting(added))
    tilted.start(Draws(0, 2))
    expected = law(plain) * np.exp(added)
    np.testing.assert_allclose(law(say(tilted)), expected / expected.sum(), atol=1e-6)


def test_a_run_that_has_ended_or_has_one_choice_is_not_asked(folder):
    planner = say(made(folder))
    menu = menu_of(planner)
    chosen, active = np.array([[menu[0]]] * 2, dtype=object), np.array([True, False])
    seen = np.array(["nothing", ""], dtype=object)
    planner.hear(Outcome(0, 1, chosen, seen, np.zeros(2), active))
    asked = []
    score = planner._rows.score
    planner._rows.score = lambda prompts, *more: (asked.append(prompts), score(prompts, *more))[1]
    legal = np.ones((2, len(menu)), dtype=bool)
    probs = planner.propose(Menu(np.array([menu], dtype=object), legal), NONE).probs
    assert [prompt is not None for prompt in asked[0]] == [True, False]
    np.testing.assert_allclose(probs[1], 1 / len(menu))
    legal[0] = np.arange(len(menu)) == 2
    assert planner.propose(Menu(np.array([menu], dtype=object), legal), NONE).probs[0, 2] == 1 and len(asked) == 1


def test_reasoning_comes_before_the_letter_and_is_the_same_again(folder):
    laws = []
    for _ in range(2):
        planner = say(made(folder, "think=true,max_tokens=12"))
        prompts = []
        score = planner._rows.score
        planner._rows.score = lambda asked, *more, score=score, seen=prompts: (seen.append(asked), score(asked, *more))[
            1
        ]
        laws.append(law(planner))
        said = planner.model.said(prompts[0][0])
        assert said.endswith("\nAnswer:") and "First think it through" in said
    assert (laws[0] == laws[1]).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("way=words", "way='words'"),
        ("calibrate=some", "calibrate='some'"),
        ("permutations=-1", "permutations=-1"),
        ("temperature=-1", "temperature=-1"),
        ("way=sentences,think=true", "think=true goes with way=letters"),
        ("chat=true", "has no chat template"),
        ("chat=perhaps", "chat='perhaps'"),
        ("way=letters,template=stated", "does not show the menu by letters"),
        ("header=true,template=chat", "a template says by itself"),
        ("adapter=nowhere", "is no low-rank adapter"),
        ("device=abacus", "cannot be used"),
    ],
)
def test_options_that_do_not_go(folder, options, said):
    with pytest.raises(BadInput, match=said):
        made(folder, options)


def test_a_menu_of_more_than_26_has_no_letters(folder):
    planner = say(made(folder, "way=letters"))
    with pytest.raises(BadInput, match="27 subgoals has more than 26 letters"):
        law(planner, tuple(f"go to place {i}" for i in range(27)))
