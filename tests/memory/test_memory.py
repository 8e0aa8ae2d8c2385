import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.core.errors import BadInput
from parley.core.relevance import bm25
from parley.core.told import Recalled, Told
from parley.memory.full import Full
from parley.memory.note import Note
from parley.memory.retrieval import Retrieval, spoken
from parley.memory.summary import Summary, summary
from parley.memory.window import Window
from parley.prompting.prompter import Prompter, Prompting, Words
from parley.prompting.template import PromptTemplate, as_text

MUG = Told("bring the mug", ("at the dock", "you see the mug"), (("look in the cupboard",),), (1.0,))
CUP = Told("bring the cup", ("at the dock", "nothing here"), (("look in the drawer",),), (0.0,))
NOW = Told("bring the mug", ("at the dock",))


def always(recalled: Recalled) -> bool:
    return True


def at_most(count: int):
    return lambda recalled: len(recalled.episodes) + len(recalled.notes.splitlines()) <= count


def test_full_shows_all_and_cuts_half_for_good():
    memory, earlier = Full(), [MUG, CUP] * 4
    assert memory.recall(earlier, NOW, always).episodes == tuple(earlier)
    assert memory.recall(earlier, NOW, at_most(6)).episodes == tuple(earlier[4:])
    assert memory.recall([*earlier, MUG], NOW, at_most(6)).episodes == (*earlier[4:], MUG)  # the beginning stays


def test_a_window_shows_the_last_ones_and_none_is_no_memory():
    assert Window(1).recall([MUG, CUP], NOW, always).episodes == (CUP,)
    assert Window(0).recall([MUG, CUP], NOW, always) == Recalled()


def test_a_summary_counts_what_became_of_each_subgoal():
    found = Summary().recall([MUG, CUP, MUG], NOW, always)
    assert found.notes == (
        "bring the mug: 2 episodes, mean return 1.00\n- look in the cupboard: 2 x you see the mug\n"
        "bring the cup: 1 episodes, mean return 0.00\n- look in the drawer: 1 x nothing here\n"
    )
    assert summary([MUG, CUP], "bring the cup").startswith("bring the cup")
    assert Summary(recent=1).recall([MUG, CUP], NOW, always).episodes == (CUP,)
    assert Summary().recall([MUG, CUP], NOW, at_most(2)).notes.startswith("bring the mug")


def test_a_note_is_written_once_after_each_episode_in_order():
    asked = []

    def write(note: str, number: int) -> str:
        asked.append((note, number))
        return f"{note}{number}"

    memory = Note(write)
    assert memory.recall([], NOW, always) == Recalled("")
    assert memory.recall([MUG, CUP], NOW, always).notes == "01\n"
    assert memory.recall([MUG, CUP], NOW, always).notes == "01\n"
    assert asked == [("", 0), ("0", 1)]


def test_retrieval_shows_the_most_relevant_oldest_first():
    memory = Retrieval(2, bm25)
    assert memory.recall([MUG, CUP, MUG, CUP], NOW, always).episodes == (MUG, MUG)
    assert memory.recall([CUP, MUG], NOW, at_most(1)).episodes == (MUG,)
    assert memory.recall([], NOW, always) == Recalled()


def test_bm25_by_hand():
    texts = ["the mug", "the cup and the spoon"]
    (near, far) = bm25("mug", texts)
    idf = 0.6931471805599453  # ln(1 + 1.5 / 1.5)
    assert near == pytest.approx(idf * 2.5 / (1 + 1.5 * (0.25 + 0.75 * 2 / 3.5)))
    assert far == 0.0


@pytest.mark.parametrize("memory", [Full(), Window(3), Summary(), Retrieval(3, bm25)])
def test_where_nothing_fits_it_is_said(memory):
    with pytest.raises(BadInput, match="budget"):
        memory.recall([MUG, CUP], NOW, lambda recalled: False)


@given(st.lists(st.sampled_from([MUG, CUP]), max_size=12), st.integers(0, 12))
def test_every_memory_keeps_to_the_budget(earlier, most):
    for memory in (Full(), Window(5), Summary(2), Retrieval(4, bm25)):
        assert at_most(most)(memory.recall(earlier, NOW, at_most(most)))


@given(st.integers(130, 600), st.integers(1, 30), st.sampled_from(["full", "window", "retrieval", "summary"]))
def test_prompts_stay_within_their_budget_of_tokens(budget, num_episodes, kind):
    memory = {"full": Full(), "window": Window(4), "retrieval": Retrieval(4, bm25), "summary": Summary()}[kind]
    menu = ("look in the cupboard", "look in the drawer")
    how = Prompting(PromptTemplate("transcript"), Words((menu,), 2), budget=budget, count=len)
    p = Prompter(how, memory)
    for t in range(num_episodes):
        p.begin("bring the mug", f"at the dock {t}")
        for _ in range(2):
            assert len(as_text(p.turns((), menu))) <= budget
            p.go_on(("look in the drawer",), "nothing here", 0.0)


def test_full_prompts_only_grow_until_they_are_cut():
    menu = ("look in the cupboard", "look in the drawer")
    p = Prompter(Prompting(PromptTemplate("chat"), Words((menu,), 2), budget=3000, count=len), Full())
    before, kept, steps = "", 0, 0
    for t in range(60):
        p.begin("bring the mug", f"at the dock {t}")
        for _ in range(2):
            text = as_text(p.turns((), menu))
            kept += text.startswith(before)
            steps += 1
            before = text
            p.go_on(("look in the drawer",), "nothing here", 0.0)
    assert kept / steps > 0.9


def test_words_of_an_episode():
    assert spoken(MUG) == "bring the mug at the dock you see the mug look in the cupboard"
