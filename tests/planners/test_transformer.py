"""The transformer planner on a barely trained checkpoint: what it reads, forgets, and continues from."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Menu, Opening, Outcome
from parley.planners.transformer import TransformerPlanner
from parley.prompting.transcript import observation_line, subgoal_line, task_line
from parley.training.recipe import Recipe
from parley.training.train import pretrain
from parley.worlds.tabular.random_family import random_family

NUM_RUNS, NUM_EPISODES, WINDOW = 4, 7, 4
RECIPE = Recipe(episodes=WINDOW, tokens=3_000, width=16, layers=2, heads=2, batch=8)


@pytest.fixture(scope="module", params=[1, 2], ids=["one Actor", "two Actors"])
def case(request, tmp_path_factory):
    """A world with some Actors and a checkpoint for it."""
    tables = random_family(subgoals=3, horizon=3, actors=request.param, concentration=0.5)
    out = tmp_path_factory.mktemp("checkpoint") / "random"
    pretrain(tables, "random", out, RECIPE)
    return tables, out


def story(tables, num_episodes: int = NUM_EPISODES) -> list[Opening | Outcome]:
    """Things said at random in runs whose episodes end early now and then."""
    rng, said = np.random.default_rng(0), []

    def some(names: tuple[str, ...]) -> np.ndarray:
        return np.array(names, dtype=object)[rng.integers(0, len(names), NUM_RUNS)]

    for e in range(num_episodes):
        said.append(Opening(e, some(tables.instructions), some(tables.observations)))
        active = np.ones(NUM_RUNS, dtype=bool)
        for h in range(1, tables.horizon + 1):
            parts = np.stack([some(menu) for menu in tables.menus], axis=1)
            said.append(Outcome(e, h, parts, some(tables.observations), np.zeros(NUM_RUNS), active))
            active = active & (rng.random(NUM_RUNS) < 0.7)
            if not active.any():
                break
    return said


def play(planner: TransformerPlanner, tables, said: list, ask: bool = True) -> list[np.ndarray]:
    """Proposals for every part of every step of a story, rows that have ended left out; `ask` False only listens."""
    read = []
    for now in said:
        if ask and isinstance(now, Outcome):
            for k, menu in enumerate(tables.menus):
                read.append(planner.propose(Menu.shared(menu), now.subgoals[:, :k]).probs[now.active])
        planner.hear(now)
    return read


def started(folder, num_runs: int = NUM_RUNS) -> TransformerPlanner:
    planner = TransformerPlanner(folder)
    planner.start(Draws(0, num_runs))
    return planner


def assert_same_bits(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_proposals_are_those_of_transformers_on_the_text(case):
    tables, folder = case
    said, planner, row = story(tables, num_episodes=WINDOW), started(folder), 1
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    text = ""
    for now in said:
        if isinstance(now, Opening):
            text += task_line(now.instructions[row]) + observation_line(now.observations[row])
        for k, menu in enumerate(tables.menus if isinstance(now, Outcome) else ()):
            ours = planner.propose(Menu.shared(menu), now.subgoals[:, :k]).probs[row]
            if now.active[row]:
                with torch.no_grad():
                    logits = model(**tokenizer(text, return_tensors="pt")).logits[0, -1]
                tokens = [tokenizer(subgoal_line(g)).input_ids for g in menu]
                assert all(len(ids) == 1 for ids in tokens)
                theirs = torch.softmax(logits[[ids[0] for ids in tokens]].double(), dim=0).numpy()
                np.testing.assert_allclose(ours, theirs, atol=1e-5)
                text += subgoal_line(now.subgoals[row, k])
        if isinstance(now, Outcome) and now.active[row]:
            text += observation_line(now.observations[row])
        planner.hear(now)


def test_what_it_gave_to_an_observation_is_what_transformers_gives(case):
    """The log-probability, over all tokens, of each observation that a run hears."""
    tables, folder = case
    said, planner, row = story(tables, num_episodes=WINDOW), started(folder), 1
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    text, heard = "", 0
    for now in said:
        told = task_line(now.instructions[row]) if isinstance(now, Opening) else ""
        if isinstance(now, Outcome) and now.active[row]:
            told = "".join(subgoal_line(g) for g in now.subgoals[row])
        planner.hear(now)
        if told:
            with torch.no_grad():
                logits = model(**tokenizer(text + told, return_tensors="pt")).logits[0, -1].double()
            (token,) = tokenizer(observation_line(now.observations[row])).input_ids
            theirs = torch.log_softmax(logits, dim=0)[token].item()
            np.testing.assert_allclose(planner.log_likelihood()[row, 0], theirs, atol=1e-5)
            text, heard = text + told + observation_line(now.observations[row]), heard + 1
    assert heard > WINDOW


def test_a_checkpoint_that_foretells_nothing_gives_certainty_to_all(case, tmp_path):
    tables, folder = case
    planner = started(folder)
    planner.checkpoint.about["recipe"] = {"observation_weight": 0.0}
    play(planner, tables, story(tables, num_episodes=1))
    np.testing.assert_array_equal(planner.log_likelihood(), 0.0)


def test_a_snapshot_continues_with_the_same_bits(case):
    tables, folder = case
    said, whole = story(tables), started(folder)
    for now, after in zip(said, [*said[1:], None], strict=True):
        play(whole, tables, [now])
        if isinstance(after, Opening):
            kept = {name: value.copy() for name, value in whole.snapshot().items()}
            rest = said[said.index(after) :]
            there, here = started(folder), started(folder)
            there.restore(kept)
            play(here, tables, said[: said.index(after)])
            assert_same_bits(play(there, tables, rest), play(here, tables, rest))


def test_listening_alone_leads_to_the_same_bits(case):
    tables, folder = case
    said, asked, listener = story(tables), started(folder), started(folder)
    half = next(i for i, now in enumerate(said) if isinstance(now, Outcome) and now.episode == 3 and now.step == 2)
    play(asked, tables, said[:half])
    play(listener, tables, said[:half], ask=False)
    assert_same_bits(play(asked, tables, said[half:]), play(listener, tables, said[half:]))


def test_a_full_context_keeps_the_later_half_as_a_fresh_document(case):
    tables, folder = case
    said, whole, fresh = story(tables), started(folder), started(folder)
    play(whole, tables, [now for now in said if now.episode < WINDOW])
    kept = [now for now in said if WINDOW // 2 <= now.episode < WINDOW]
    play(fresh, tables, kept)
    later = [now for now in said if now.episode == WINDOW]
    for a, b in zip(play(whole, tables, later), play(fresh, tables, later), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_rows_do_not_know_of_each_other(case):
    tables, folder = case
    said = story(tables)
    for row in range(NUM_RUNS):
        whole, alone = started(folder), started(folder, 1)
        for now in said:
            if isinstance(now, Opening):
                alone.hear(Opening(now.episode, now.instructions[[row]], now.observations[[row]]))
            elif now.active[row]:
                for k, menu in enumerate(tables.menus):
                    ours = whole.propose(Menu.shared(menu), now.subgoals[:, :k]).probs[row]
                    theirs = alone.propose(Menu.shared(menu), now.subgoals[[row], :k]).probs[0]
                    np.testing.assert_allclose(ours, theirs, atol=1e-5)
                one = (now.subgoals[[row]], now.observations[[row]], now.rewards[[row]], now.active[[row]])
                alone.hear(Outcome(now.episode, now.step, *one))
            whole.hear(now)


def test_menus_may_differ_from_run_to_run(case):
    tables, folder = case
    said, planner = story(tables), started(folder)
    planner.hear(said[0])
    menu = tables.menus[0]
    shared = planner.propose(Menu.shared(menu), np.empty((NUM_RUNS, 0), dtype=object)).probs
    sentences = np.array([[*menu[::-1], ""]] * NUM_RUNS, dtype=object)
    legal = np.array([[True, True, i % 2 == 0, False] for i in range(NUM_RUNS)])
    probs = planner.propose(Menu(sentences, legal), np.empty((NUM_RUNS, 0), dtype=object)).probs

    np.testing.assert_allclose(probs.sum(axis=1), 1)
    assert (probs[~legal] == 0).all()
    np.testing.assert_allclose(probs[0, :3], shared[0, ::-1])
    np.testing.assert_allclose(probs[1, :2], shared[1, :0:-1] / shared[1, 1:].sum())


def test_a_line_that_is_no_token_means_another_world(case):
    tables, folder = case
    planner = started(folder, 1)
    planner.require(tables)
    with pytest.raises(BadInput, match="trained for horizon 3 and"):
        planner.require(replace(tables, horizon=4))
    with pytest.raises(BadInput, match="does not know the line 'you stand in the hall"):
        planner.require(replace(tables, observations=("you stand in the hall", *tables.observations[1:])))
    with pytest.raises(BadInput, match="task: bring me the mug.*checkpoint of this world"):
        planner.hear(Opening(0, np.array(["bring me the mug"]), np.array(["observation 1"])))
