"""The measured error: zero for a planner that is the oracle, found out where one is not, and said by the command."""

import json

import numpy as np
import pytest

from parley import assemble, cli
from parley.core.errors import BadInput
from parley.data.held_out import held_out
from parley.evaluation.evaluate import kl, pretraining_error
from parley.evaluation.implied import implied_posterior

SHORTCUT = assemble.shipped("shortcut")


def beliefs():
    return assemble.beliefs_of(assemble.world("shortcut").tables)


def test_own_runs_cross_the_context_and_every_measure_is_finite():
    error = pretraining_error(SHORTCUT, beliefs(), 8, 70, behaviour="own", implied=True)
    assert error.total_variation.shape == (8, 70) and error.window == 64
    assert error.mean < 0.05 and (error.kl_nats > -1e-9).all() and (error.prediction_kl_nats > -1e-9).all()
    assert error.implied_posterior.mean() < 0.1 and error.identified.min() > 0.5
    gap = error.log_loss_nats.mean() - error.floor_nats.mean()
    assert abs(gap - error.prediction_kl_nats.mean()) < 0.02  # the log-loss exceeds its floor by the KL divergence


def test_reading_predictions_changes_nothing_that_the_planner_says(monkeypatch):
    with_them = pretraining_error(SHORTCUT, beliefs(), 4, 5)
    monkeypatch.setattr("parley.evaluation.evaluate.Reader.predict", lambda self, g, o: np.ones((4, len(o))) / len(o))
    without = pretraining_error(SHORTCUT, beliefs(), 4, 5)
    assert np.allclose(with_them.total_variation, without.total_variation, atol=1e-6)
    assert without.prediction_kl_nats.mean() > with_them.prediction_kl_nats.mean() + 0.1


def test_implied_posterior_finds_the_weights_of_a_mixture():
    rng = np.random.default_rng(0)
    experts = rng.dirichlet(np.ones(5), size=(20, 4))  # N Z G
    weights, exact = rng.dirichlet(np.ones(4), size=(2, 20))
    mixed = np.einsum("nz,nzg->ng", weights, experts)
    distance, identified = implied_posterior((experts - mixed[:, None]).transpose(0, 2, 1), exact)
    assert np.allclose(distance, 0.5 * np.abs(weights - exact).sum(axis=1), atol=1e-2) and identified.min() > 0.9
    alike = np.repeat(experts[:, :1], 4, axis=1)  # then nothing can be told, and nothing is held against it
    distance, identified = implied_posterior((alike - alike[:, 0][:, None]).transpose(0, 2, 1), exact)
    assert np.allclose(distance, 0, atol=1e-6) and np.allclose(identified, 0)


def test_kl():
    p = np.array([[0.5, 0.5, 0.0]])
    assert kl(p, np.array([[0.25, 0.25, 0.5]]))[0] == pytest.approx(np.log(2)) and kl(p, p)[0] == 0


def test_behaviours_that_look_at_z_are_refused():
    for behaviour in ("epsilon-expert(0.3)", "logs:somewhere", "unifrom"):
        with pytest.raises(BadInput, match="behaviour"):
            pretraining_error(SHORTCUT, beliefs(), 4, 2, behaviour=behaviour)
    with pytest.raises(BadInput, match="rho=0.5"):
        held_out(beliefs(), None, "imposter", 4, 2, 0, rho=0.5)
    with pytest.raises(BadInput, match="documents=1"):
        pretraining_error(SHORTCUT, beliefs(), 1, 2)


def test_command(capsys, tmp_path):
    figure = tmp_path / "error.png"
    options = ["--documents", "4", "--episodes", "66", "--figure", str(figure)]
    assert cli.main(["evaluate", str(SHORTCUT), *options, "--behaviour", "uniform", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    found = answer["behaviours"]["uniform"]
    assert answer["world"] == "shortcut" and answer["trained_episodes"] == 64 and figure.exists()
    assert len(found["by_position"]) == 66 and found["beyond"]["total_variation"]["mean"] >= 0
    assert sum(one["documents"] for one in found["by_latent"]) == 4
    assert cli.main(["evaluate", str(SHORTCUT), "--documents", "4", "--episodes", "3"]) == 0
    assert "own-greedy" in capsys.readouterr().out
    assert cli.main(["evaluate", str(SHORTCUT), "--world", "treasure"]) == 2
    assert cli.main(["evaluate", str(tmp_path)]) == 2
