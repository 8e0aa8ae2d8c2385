"""Pretraining documents against the tables they are drawn from, and what they look like as tokens."""

import numpy as np
import pytest
import torch
import transformers
from transformers import AutoTokenizer

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Menu, Opening, Outcome
from parley.data.documents import BEHAVIOURS, Documents, sample_documents
from parley.planners.exact import ExactPlanner, ExpertPlanner
from parley.theory.beliefs import Beliefs
from parley.training.architecture import build_model
from parley.training.columns import Columns
from parley.training.recipe import Recipe
from parley.training.tokenizer import world_lines, world_tokenizer
from parley.worlds.household.tables import House, house_tables
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.shortcut import shortcut


def told(documents: Documents, tables, planner):
    """Let a planner hear the documents; before each outcome, yields (episode, step from 0)."""
    words = [np.array(names, dtype=object) for names in (tables.instructions, tables.observations, tables.subgoals)]
    n, num_episodes, horizon = documents.subgoals.shape
    planner.start(Draws(0, n))
    for e in range(num_episodes):
        planner.hear(Opening(e, words[0][documents.instructions[:, e]], words[1][documents.observations[:, e, 0]]))
        for h in range(horizon):
            yield e, h
            seen = words[1][documents.observations[:, e, h + 1]]
            parts = words[2][documents.subgoals[:, e, h]][:, None]
            planner.hear(Outcome(e, h + 1, parts, seen, np.zeros(n), np.ones(n, dtype=bool)))


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_labels_are_those_of_the_expert_who_knows_the_latent(behaviour):
    tables = house_tables(House())
    beliefs = Beliefs(tables)
    documents = sample_documents(beliefs, 20, 3, (1,), behaviour=behaviour)
    expert, menu = ExpertPlanner(beliefs, documents.latents), Menu.shared(tables.menus[0])
    for e, h in told(documents, tables, expert):
        probs = expert.propose(menu, np.empty((20, 0), dtype=object)).probs
        np.testing.assert_allclose(documents.labels[:, e, h], probs)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_the_behaviour_is_no_evidence_about_the_latent(behaviour):
    """The exact posterior, which ignores subgoals, stays calibrated: on average its mass on the true latent is
    the mean of its squared norm."""
    tables = random_family(latents=3, concentration=0.5)
    beliefs = Beliefs(tables)
    documents = sample_documents(beliefs, 20_000, 2, (2,), behaviour=behaviour)
    oracle = ExactPlanner(beliefs)
    for _ in told(documents, tables, oracle):
        pass
    posterior = oracle.posterior
    surplus = posterior[np.arange(20_000), documents.latents] - (posterior**2).sum(axis=1)
    assert abs(surplus.mean()) < 4 * surplus.std() / np.sqrt(20_000)


def test_frequencies_are_those_of_the_tables():
    tables = random_family(latents=2, instructions=3)
    documents = sample_documents(Beliefs(tables), 30_000, 1, (3,), behaviour="uniform")
    z = documents.latents
    np.testing.assert_allclose(np.bincount(z) / 30_000, tables.prior, atol=0.02)
    np.testing.assert_allclose(np.bincount(documents.instructions[:, 0]) / 30_000, 1 / 3, atol=0.02)
    step = np.einsum("zs,zgst,zto->zgo", tables.initial, tables.transition.transpose(0, 2, 1, 3), tables.emission)
    for latent in range(2):
        for g in range(tables.num_subgoals):
            seen = documents.observations[(z == latent) & (documents.subgoals[:, 0, 0] == g), 0, 1]
            found = np.bincount(seen, minlength=len(tables.observations)) / len(seen)
            np.testing.assert_allclose(found, step[latent, g], atol=2 / np.sqrt(len(seen)))


def test_mixed_documents_hold_histories_that_uniform_ones_never_do():
    """In fifty episodes of `shortcut` the door is sometimes never tried from the hall; deliveries happen at home."""
    door, hall = 1, 0
    documents = sample_documents(Beliefs(shortcut()), 400, 50, (4,))
    tried = ((documents.subgoals == door) & (documents.observations[:, :, :-1] == hall)).any(axis=(1, 2))
    assert 0.01 < 1 - tried.mean() < 0.5

    tables = house_tables(House())
    share = {}
    for behaviour in BEHAVIOURS:
        seen = sample_documents(Beliefs(tables), 100, 12, (5,), behaviour=behaviour).observations
        share[behaviour] = (seen >= len(tables.observations) - 2).any(axis=2).mean()
    assert share["mixed"] > 2 * share["uniform"]


def test_a_share_of_the_episodes_may_be_the_experts_own():
    documents = sample_documents(Beliefs(house_tables(House())), 200, 4, (6,), rho=1.0, behaviour="uniform")
    assert (np.take_along_axis(documents.labels, documents.subgoals[..., None], axis=3) > 0).all()
    for wrong in ({"rho": 1.5}, {"rho": 0.5, "behaviour": "mixed"}, {"behaviour": "bold"}):
        with pytest.raises(BadInput, match="rho|behaviour"):
            sample_documents(Beliefs(house_tables(House())), 1, 1, (0,), **wrong)


def test_tokens_are_the_transcript(tmp_path):
    tables = random_family(actors=2, horizon=2)
    documents = sample_documents(Beliefs(tables), 3, 2, (7,))
    world_tokenizer(tables).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    tokens = Columns(tables, tokenizer).tokens(documents)

    first = tokenizer.decode(tokens[0]).splitlines()
    assert first[0] == f"task: {tables.instructions[documents.instructions[0, 0]]}"
    assert first[1] == tables.observations[documents.observations[0, 0, 0]]
    assert " / ".join(line.removeprefix("> ") for line in first[2:4]) == tables.subgoals[documents.subgoals[0, 0, 0]]
    assert first[4] == tables.observations[documents.observations[0, 0, 1]]
    assert len(first) == tokens.shape[1] == 2 * (2 + 2 * 3)
    for row in tokens:
        assert tokenizer(tokenizer.decode(row)).input_ids == row.tolist()


def test_other_text_still_has_tokens_words_being_whole():
    tokenizer = world_tokenizer(house_tables(House()))
    text = "please take the mug to the balcony — now\n"
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert "Ġmug" in tokenizer.tokenize(text) and "Ġtake" in tokenizer.tokenize(text)


def test_labels_of_later_parts_give_the_conditional_of_the_mixture():
    """Averaged over latents, the weighted labels of the second Actor are the joint mixture given the first's part."""
    tables = random_family(latents=3, actors=2, subgoals=3)
    shares = np.random.default_rng(0).dirichlet(np.ones(9), size=3)  # of each latent's expert, over joint subgoals
    first = 1
    subgoals = np.full((3, 1, 2), first * 3 + 2)
    labels = np.repeat(shares[:, None, None], 2, axis=2)
    documents = Documents(np.arange(3), np.zeros((3, 1), int), np.zeros((3, 1, 3), int), subgoals, labels)
    (at_first, law_first), (at_second, law_second) = Columns(tables, world_tokenizer(tables)).labels(documents)

    np.testing.assert_allclose(law_first[:, 0, 0], shares.reshape(3, 3, 3).sum(axis=2))
    summed = np.einsum("z,zm->m", tables.prior, law_second[:, 0, 0])
    mixture = np.einsum("z,zm->m", tables.prior, shares.reshape(3, 3, 3)[:, first])
    np.testing.assert_allclose(summed / summed.sum(), mixture / mixture.sum())
    assert at_first.tolist() == [1, 4] and at_second.tolist() == [2, 5]


def test_a_law_over_lines_only_is_the_whole_one_given_that_a_line_follows():
    tables = shortcut()
    tokenizer = world_tokenizer(tables)
    whole, lines = Columns(tables, tokenizer), Columns(tables, tokenizer, lines_only=True)
    recipe = Recipe(episodes=3, width=16, layers=1, heads=1)
    model = build_model(transformers, tokenizer, recipe, whole.length(3))
    documents = sample_documents(Beliefs(tables), 4, 3, (0,))
    of_all = whole.log_law(torch, model, whole.prepare(torch, documents)).detach()[..., lines.first :]
    of_lines = lines.log_law(torch, model, lines.prepare(torch, documents)).detach()
    torch.testing.assert_close(of_lines, torch.log_softmax(of_all, dim=-1), atol=1e-5, rtol=0)
    for losses in (c.losses(torch, model, c.prepare(torch, documents)) for c in (whole, lines)):
        assert all(bool(torch.isfinite(loss)) for loss in losses)
    batch = lines.prepare(torch, documents)
    assert of_lines.shape[-1] == len(world_lines(tables)) and int(batch.heard.max()) < of_lines.shape[-1]
