"""Mixes: what they may say, and that each behaviour acts as it says."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.core.errors import BadInput
from parley.data.behaviour import parse_mix
from parley.data.documents import EXPERT, corrupt, draw, follow, sample_documents
from parley.data.shards import quotas
from parley.planners.exact import ExactPlanner
from parley.theory.beliefs import Beliefs
from parley.theory.posterior import DEMONSTRATOR, Evidence
from parley.worlds.household.tables import House, house_tables
from parley.worlds.tabular.random_family import random_family
from tests.data.test_documents import told


def drawn(spec: str, tables=None, num: int = 4000, episodes: int = 1, rho: float = 0.0, seed: int = 0):
    beliefs = Beliefs(tables or random_family())
    mix = parse_mix(spec)
    documents = draw(beliefs, mix, quotas(mix, num), episodes, np.random.default_rng(seed), rho)
    return documents, follow(beliefs, documents), beliefs


@pytest.mark.parametrize(
    "spec",
    [
        "bold",
        "uniform:0.5,imposter:0.4",
        "uniform,imposter",
        "uniform:-1,imposter:2",
        "uniform:nan",
        "epsilon-expert",
        "epsilon-expert(1.5)",
        "noisy-expert(0)",
        "noisy-expert(x)",
        "uniform(0.1)",
        "uniform:0.5,uniform:0.5",
        "logs:",
        "",
    ],
)
def test_what_is_no_mix_is_refused_in_one_sentence(spec):
    with pytest.raises(BadInput, match="^behaviour=.*") as refused:
        parse_mix(spec)
    assert "\n" not in str(refused.value)


def test_run_directories_may_hold_colons():
    part, other = parse_mix("logs:a/b:c:0.25,uniform:0.75")
    assert (part.run, part.share, other.share) == ("a/b:c", 0.25, 0.75)
    assert parse_mix("logs:runs/first")[0].run == "runs/first"
    assert parse_mix("logs:runs/first")[0].name == "logs:runs/first"


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=3), st.integers(1, 500))
def test_shares_of_documents_are_exact_up_to_rounding(weights, num):
    kinds = ("uniform", "imposter", "mixed")
    total = sum(weights)
    shares = [w / total for w in weights]
    mix = parse_mix(",".join(f"{kind}:{share!r}" for kind, share in zip(kinds, shares, strict=False)))
    counts = np.bincount(quotas(mix, num), minlength=len(mix))
    assert counts.sum() == num
    assert (np.abs(counts - np.array(shares) * num) < 1 + 1e-6).all()


def test_the_noise_of_the_experts_is_what_they_say():
    """epsilon-expert(e) is optimal with probability 1 - e + e * (share of optimal subgoals); the other a softmax."""
    for epsilon in (0.0001, 0.3, 1.0):
        documents, followed, _ = drawn(f"epsilon-expert({epsilon})")
        best = followed.labels > 0
        played = np.take_along_axis(best, documents.subgoals[..., None], axis=3)
        expected = 1 - epsilon + epsilon * best.mean()
        assert abs(played.mean() - expected) < 4 * 0.5 / np.sqrt(played.size)

    documents, followed, beliefs = drawn("noisy-expert(0.2)")
    place, _ = beliefs.begin(documents.latents, documents.observations[:, 0, 0])
    values = beliefs.optimal(1, place, documents.latents, documents.instructions[:, 0])
    law = np.exp(values / 0.2)
    law /= law.sum(axis=1, keepdims=True)
    found = np.bincount(documents.subgoals[:, 0, 0], minlength=3) / len(documents)
    np.testing.assert_allclose(found, law.mean(axis=0), atol=4 * 0.5 / np.sqrt(len(documents)))


def test_imposters_are_no_evidence_and_experts_are():
    """Subgoals of imposters have one law under both latents; those of experts have another under each (given o_1)."""
    tables = replace(random_family(latents=2, instructions=1, observations=2, horizon=1), prior=np.array([0.5, 0.5]))
    law = {}
    for spec in ("uniform", "imposter", "epsilon-expert(0.1)"):
        documents, _, _ = drawn(spec, tables, num=20_000)
        alike = [(documents.latents == z) & (documents.observations[:, 0, 0] == 1) for z in range(2)]
        law[spec] = [np.bincount(documents.subgoals[rows, 0, 0], minlength=3) / rows.sum() for rows in alike]
    for spec in ("uniform", "imposter"):
        np.testing.assert_allclose(law[spec][0], law[spec][1], atol=0.03)
    assert np.abs(law["epsilon-expert(0.1)"][0] - law["epsilon-expert(0.1)"][1]).max() > 0.5


@pytest.mark.parametrize(
    ("spec", "rho", "evidence"),
    [
        ("uniform", 0.5, Evidence(DEMONSTRATOR, 0.5)),
        ("epsilon-expert(0.4)", 0.0, Evidence(DEMONSTRATOR, 0.6, "step")),
        ("imposter", 0.0, Evidence()),
    ],
)
def test_the_exact_planner_with_the_matching_evidence_is_calibrated(spec, rho, evidence):
    """On average its mass on the true latent is the mean of its squared norm; and larger, in logs, than another's."""
    num = 20_000
    documents, _, beliefs = drawn(spec, random_family(latents=3, concentration=0.5), num, 2, rho, seed=2)

    def posterior(counted: Evidence) -> np.ndarray:
        oracle = ExactPlanner(beliefs, counted)
        for _ in told(documents, beliefs.tables, oracle):
            pass
        return oracle.posterior

    def errors(sample: np.ndarray) -> float:
        return float(sample.mean() / (sample.std() / np.sqrt(num)))

    right, wrong = posterior(evidence), posterior(Evidence() if evidence.demonstrator else Evidence(DEMONSTRATOR, 0.5))
    mass, other = (law[np.arange(num), documents.latents] for law in (right, wrong))
    assert abs(errors(mass - (right**2).sum(axis=1))) < 4
    assert errors(np.log(mass) - np.log(other)) > 8


def test_expert_episodes_go_before_the_mix_and_are_named():
    documents, followed, _ = drawn("uniform:0.5,imposter:0.5", house_tables(House()), num=400, episodes=4, rho=0.5)
    expert = documents.behaviours == EXPERT
    assert abs(expert.mean() - 0.5) < 0.1
    played = np.take_along_axis(followed.labels, documents.subgoals[..., None], axis=3)[..., 0] > 0
    assert played[expert].all() and not played[~expert].all()
    assert set(np.unique(documents.behaviours[:200])) == {EXPERT, 0}
    assert set(np.unique(documents.behaviours[200:])) == {EXPERT, 1}


@pytest.mark.parametrize("actors", [1, 2])
def test_corrupted_labels_leave_the_trajectories_alone(actors):
    documents, followed, _ = drawn("mixed", random_family(actors=actors), num=2000)
    np.testing.assert_array_equal(documents.labels, followed.labels)
    for share in (0.0, 0.3, 1.0):
        corrupted = corrupt(documents, share, np.random.default_rng(1))
        assert corrupted.subgoals is documents.subgoals and corrupted.observations is documents.observations
        optimal = (corrupted.labels * (documents.labels > 0)).sum(axis=-1)
        assert abs(optimal.mean() - (1 - share)) < 4 * 0.5 / np.sqrt(optimal.size)
        np.testing.assert_allclose(corrupted.labels.sum(axis=-1), 1)
    with pytest.raises(BadInput, match="label_error=1.5"):
        corrupt(documents, 1.5, np.random.default_rng(1))


def test_labels_stay_where_every_subgoal_is_optimal():
    tables = random_family(subgoals=1)
    documents, _, _ = drawn("uniform", tables, num=10)
    np.testing.assert_array_equal(corrupt(documents, 1.0, np.random.default_rng(0)).labels, documents.labels)


def test_streaming_documents_are_what_they_were():
    """Golden: documents of training streams, for recipes made before there were mixes."""
    found = []
    for tables, options in ((house_tables(House()), {}), (house_tables(House()), {"rho": 0.5, "behaviour": "uniform"})):
        documents = sample_documents(Beliefs(tables), 50, 6, (3, 0, 1), **options)
        digest = hashlib.sha256()
        for name in ("latents", "instructions", "observations", "subgoals", "labels"):
            digest.update(np.ascontiguousarray(getattr(documents, name)).tobytes())
        found.append(digest.hexdigest()[:12])
    assert found == ["a91fa8478c02", "9d60b2bd01e1"]
