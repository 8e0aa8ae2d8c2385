"""Pages of many families and the model of them: what is to be predicted is the expert's law, token by token."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from parley import assemble
from parley.cli import main
from parley.core.errors import BadInput
from parley.data.dataset import world_digest
from parley.data.documents import sample_documents
from parley.execute import RunConfig, run
from parley.memory.full import Full
from parley.memory.kinds import memory_of
from parley.models.language_model import LanguageModel
from parley.planners.language_model import LanguageModelPlanner
from parley.prompting.prompter import Prompter, Prompting, Words
from parley.prompting.template import PromptTemplate, as_text
from parley.prompting.transcript import header, observation_line, subgoal_line, task_line
from parley.theory.beliefs import Beliefs
from parley.training import generalist
from parley.training.families import family, family_seed, word_tokenizer
from parley.training.generalist import about_of, error_of, pretrain_generated
from parley.training.pages import LENGTH, NONE, OFF_MENU, Branches, PageColumns, Pages, length, pages_of
from parley.training.recipe import Recipe
from parley.worlds.generated.held_out import HELD_OUT
from parley.worlds.generated.kinds import TRAINED
from parley.worlds.generated.pairs import PAIRS
from parley.worlds.generated.world import KINDS, generated

TINY = Recipe(episodes=4, tokens=256_000, width=16, layers=1, heads=1, batch=8, learning_rate=0.01)


@pytest.fixture(scope="module")
def tokenizer():
    return word_tokenizer()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("generalist") / "out"
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generalist, "MEASURED", 2)
        pretrain_generated(out, TINY, families=1, report=lambda now: found.append(now["loss"]))
    return out, found


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in PAIRS])
def test_a_page_is_the_text_of_its_document(kind, tokenizer):
    tables = generated(5, kind)
    documents = sample_documents(Beliefs(tables), 2, 6, (1,))
    for i, page in enumerate(pages_of(tables, documents, tokenizer)):
        text = header(tables.rules, tables.menus, tables.horizon)
        for t in range(page.decisions // tables.horizon):
            text += task_line(tables.instructions[documents.instructions[i, t]])
            text += observation_line(tables.observations[documents.observations[i, t, 0]])
            for h in range(tables.horizon):
                text += subgoal_line(tables.menus[0][documents.subgoals[i, t, h]])
                text += observation_line(tables.observations[documents.observations[i, t, h + 1]])
        assert page.tokens.tolist() == tokenizer(text, add_special_tokens=False).input_ids
        assert tokenizer.decode(page.tokens) == text and len(page.tokens) <= length(6)
        total = page.law.sum(axis=1)
        assert ((np.abs(total - 1) < 1e-9) | (total == 0)).all()  # none where the expert would not have said that much
        heard = page.heard.astype(bool)
        assert (page.tokens[page.before[heard] + 1] == page.target[heard, 0]).all()
        assert (page.tokens[page.before + 1][:, None] == page.target).any(axis=1).all()  # all that was said is on offer


@pytest.mark.parametrize("kind", ["rooms", "levers", "lock"])  # menus of several tokens, some with beginnings in common
def test_laws_of_tokens_multiply_to_the_law_of_sentences(kind, tokenizer):
    """Over all sentences that the behaviour may say, prefixes shared: the product is the expert's law of each."""
    tables = generated(11, kind)
    documents = sample_documents(Beliefs(tables), 40, 1, (2,), behaviour="uniform")
    said = [tokenizer(subgoal_line(g), add_special_tokens=False).input_ids for g in tables.menus[0]]
    seen = 0
    for i, page in enumerate(pages_of(tables, documents, tokenizer)):
        g = documents.subgoals[i, 0, 0]
        label, line = documents.labels[i, 0, 0, g], said[g]
        if label == 0:
            continue
        first = int(np.flatnonzero(~page.heard.astype(bool))[0])
        product = 1.0
        for j, token in enumerate(line[1:]):
            row = first + j
            assert page.tokens[page.before[row] + 1] == token
            product *= page.law[row][page.target[row] == token].sum()
        assert product == pytest.approx(label)
        seen += 1
    assert seen >= 5


def test_a_tree_of_lines_has_a_node_wherever_they_may_part():
    """Lines `a b d`, `a b e`, `a c d` (after the mark `0`): the law of each branch is the mass that goes on there."""
    tree = Branches([[0, 1, 2, 4], [0, 1, 2, 5], [0, 1, 3, 4]])
    label = np.tile([0.5, 0.25, 0.25], (4, 1))
    assert [tree.tokens[node].tolist() for node in tree.of[0]] == [[1, NONE], [2, 3], [4, 5]]
    law = tree.law(np.array([*tree.of[0], tree.of[2][2]]), label)
    np.testing.assert_allclose(law, [[1, 0], [0.75, 0.25], [2 / 3, 1 / 3], [1, 0]])
    np.testing.assert_array_equal(tree.law(tree.of[2][2:], np.array([[1.0, 0, 0]])), [[0, 0]])  # `a c` is never said


def test_pages_end_with_a_whole_episode(tokenizer):
    tables = generated(0, "rooms")
    page = pages_of(tables, sample_documents(Beliefs(tables), 1, 64, (0,)), tokenizer)[0]
    assert LENGTH - 60 < len(page.tokens) <= LENGTH and page.decisions % tables.horizon == 0
    assert page.before.max() == len(page.tokens) - 2


class Fixed:
    """A model whose hidden state is the same everywhere, so that its logits are `scores` at every position."""

    def __init__(self, scores):
        self.scores = torch.as_tensor(scores, dtype=torch.float32)

    def base_model(self, input_ids, use_cache):
        return SimpleNamespace(last_hidden_state=torch.ones(*input_ids.shape, 1))

    def get_output_embeddings(self):
        return SimpleNamespace(weight=self.scores[:, None])


def test_the_loss_counts_nats_among_the_menu_and_a_fifth_of_those_off_it(tokenizer):
    """A model that holds all tokens alike pays log M for a choice among M, and log of the words for all the rest."""
    tables = generated(2, "find")
    pages = pages_of(tables, sample_documents(Beliefs(tables), 3, 4, (0,)), tokenizer)
    columns = PageColumns()
    batch = columns.prepare(torch, Pages.of(pages))
    label, heard = columns.losses(torch, Fixed(np.zeros(len(tokenizer))), batch)
    words, told, choice, on = len(batch.words), 0.0, 0.0, 0.0
    for page in pages:
        offered = (page.target != NONE).sum(axis=1)
        said = page.heard == 0
        told += np.log(words) * (~said).sum()
        choice += float((page.law.sum(axis=1) * np.log(offered))[said].sum())
        on += float((np.log(words) - np.log(offered))[said].sum())
    assert float(heard) == pytest.approx(told / batch.decisions, rel=1e-5)
    assert float(label) == pytest.approx((choice + OFF_MENU * on) / batch.decisions, rel=1e-5)


def test_some_pages_of_a_batch(tokenizer):
    tables = generated(2, "find")
    pages = pages_of(tables, sample_documents(Beliefs(tables), 3, 4, (0,)), tokenizer)
    some, alone = Pages.of(pages)[np.array([2, 0])], Pages.of([pages[2], pages[0]])
    longest = alone.tokens.shape[1]
    np.testing.assert_array_equal(some.tokens[:, :longest], alone.tokens)
    for name in ("row", "before", "law", "heard", "decisions"):
        np.testing.assert_array_equal(getattr(some, name), getattr(alone, name))
    for found in (some, alone):
        there = found.target != NONE
        np.testing.assert_array_equal(there, alone.target != NONE)
        np.testing.assert_array_equal(found.words[found.target[there]], alone.words[alone.target[there]])


def test_what_is_off_the_menu_changes_no_choice(tokenizer):
    """A louder word off the menu costs what it costs to be on the menu, and nothing more."""
    tables = generated(2, "find")
    page = pages_of(tables, sample_documents(Beliefs(tables), 1, 2, (0,)), tokenizer)[0]
    columns, scores = PageColumns(), np.zeros(len(tokenizer))
    batch = columns.prepare(torch, Pages.of([page]))
    offered = set(page.target[page.heard == 0].ravel().tolist())
    loud = next(int(word) for word in batch.words if int(word) not in offered)
    quiet = float(columns.losses(torch, Fixed(scores), batch)[0])
    scores[loud] = 3.0
    words, said = len(batch.words), int((page.heard == 0).sum())
    more = OFF_MENU * said * (np.log(words - 1 + np.exp(3.0)) - np.log(words)) / batch.decisions
    assert float(columns.losses(torch, Fixed(scores), batch)[0]) == pytest.approx(quiet + more, rel=1e-5)


def test_training_learns_and_says_what_it_was(trained):
    out, losses = trained
    about = about_of(out)
    assert np.mean(losses[-3:]) < 0.6 * np.mean(losses[:3])  # of one family, read again and again
    assert about["families_seen"] == 1 and set(about["error"]) == {*TRAINED, *HELD_OUT}
    card = (out / "README.md").read_text()
    assert "--world generated --out DIR" in card and "`lock` and `ask`" in card and "lock (held out)" in card
    json.dumps(about)


def test_it_may_begin_with_another_one(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(generalist, "MEASURED", 2)
    start, _ = trained
    arguments = ["pretrain", "--world", "generated", "--out", str(tmp_path / "b"), "--start", str(start), "--json"]
    arguments += ["--episodes", "6", "--tokens", "2000", "--width", "16", "--layers", "1", "--heads", "1"]
    assert main([*arguments, "--batch", "8", "--families", "3"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["families_seen"] <= 3 and about["start"]["recipe"]["episodes"] == 4
    assert "STAGE1" in (tmp_path / "b" / "README.md").read_text()


def test_families_come_again_in_turn_where_their_number_is_given():
    assert [family_seed(TINY, 3, n) for n in range(5)] == [0, 1, 2, 0, 1]
    assert family_seed(TINY, 0, 5) == 5


def test_plain_families_are_short_and_come_from_seeds_that_are_not_evaluated():
    drawn = [family(TINY, 0, number, plain=True) for number in range(8)]
    assert all(t.horizon == 1 and not any(" " in g for g in t.menus[0]) for t in drawn)
    assert len({world_digest(t) for t in drawn}) == len(drawn)
    assert world_digest(family(TINY, 3, 5)) == world_digest(generated(2))  # otherwise it is the seed's


def test_a_stage_of_plain_families_is_named_in_the_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generalist, "MEASURED", 2)
    arguments = ["pretrain", "--world", "generated", "--out", str(tmp_path / "a"), "--json", "--plain"]
    arguments += ["--episodes", "4", "--tokens", "1500", "--width", "16", "--layers", "1", "--heads", "1"]
    assert main([*arguments, "--batch", "8"]) == 0
    assert json.loads(capsys.readouterr().out)["plain"] is True
    assert " --plain --episodes 4" in (tmp_path / "a" / "README.md").read_text()
    assert main(["pretrain", "--world", "shortcut", "--plain", "--out", str(tmp_path / "x")]) == 2
    assert "--world generated" in capsys.readouterr().err


def test_the_planner_reads_the_header_of_training(trained, tmp_path):
    """The same first lines in training, by `hf:...,header=true`, and by the template `stated` of endpoint planners."""
    out, _ = trained
    world = assemble.world("generated:seed=5,kind=find")
    t = world.tables
    scene = assemble.Scene("generated:seed=5,kind=find", world, np.zeros(2, dtype=int), 4)
    planner = assemble.planner(f"hf:{out},header=true", scene)
    assert planner.words == header(t.rules, t.menus, t.horizon)
    prompter = Prompter(Prompting(PromptTemplate("stated"), Words.of(world)), Full())
    prompter.begin(t.instructions[0], t.observations[0])
    text = planner.words + task_line(t.instructions[0]) + observation_line(t.observations[0])
    assert as_text(prompter.turns()) == text
    run(RunConfig("generated:seed=5,kind=find", f"hf:{out},header=true", runs=2, episodes=3), tmp_path / "run")


def test_without_memory_an_episode_is_read_as_if_it_were_the_first(trained):
    out, _ = trained
    model, t = LanguageModel(str(out)), generated(5, "find")
    words = header(t.rules, t.menus, t.horizon)
    without, fresh = (
        LanguageModelPlanner(model, words=words, memory=memory) for memory in (memory_of("none", 0), None)
    )
    from parley.core.draws import Draws
    from parley.core.said import Menu, Opening

    menu, parts = Menu.shared(t.menus[0]), np.empty((1, 0), dtype=object)
    without.start(Draws(0, 1))
    for episode in range(3):
        w = t.instructions[episode % len(t.instructions)]
        opening = Opening(episode, np.array([w], dtype=object), np.array([t.observations[0]], dtype=object))
        without.hear(opening)
        fresh.start(Draws(0, 1))
        fresh.hear(opening)
        probs = without.propose(menu, parts).probs
        np.testing.assert_allclose(probs, fresh.propose(menu, parts).probs, rtol=1e-5)
    state = without.snapshot()
    without.restore(state)
    np.testing.assert_allclose(without.propose(menu, parts).probs, probs, rtol=1e-5)


def test_the_error_is_a_distance(trained):
    out, _ = trained
    found = error_of(out, "levers", families=2, episodes=3)
    assert 0 <= found["mean"] <= 1 and 0 <= found["first"] <= 1 and found["half_width"] >= 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--families", "-1"], "families=-1"),
        (["--batch", "6"], "multiple of 8"),
        (["--rho", "0.5", "--behaviour", "uniform"], "rho=0.5"),
        (["--data", "x"], "drawn as they are read"),
        (["--start", "src"], "no checkpoint of parley's"),
    ],
)
def test_bad_input(arguments, said, tmp_path, capsys):
    command = ["pretrain", "--world", "generated", "--out", str(tmp_path / "x"), "--tokens", "1000"]
    assert main([*command, *arguments]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_options_of_the_planner_and_families_of_one_world(tmp_path, capsys, trained):
    out, _ = trained
    with pytest.raises(BadInput, match="unknown memory 'short'"):
        assemble.planner(
            f"hf:path={out},memory=short",
            assemble.Scene("shortcut", assemble.world("shortcut"), np.zeros(1, dtype=int), 1),
        )
    assert main(["pretrain", "--world", "shortcut", "--families", "2", "--out", str(tmp_path / "x")]) == 2
    assert "--world generated" in capsys.readouterr().err
    with pytest.raises(BadInput, match="not trained on generated worlds"):
        about_of(assemble.shipped("shortcut"))
