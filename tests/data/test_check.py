"""`parley data check`: what is counted, against counts by hand; and each rule by data that break it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from parley import assemble, cli
from parley.assemble import worlds
from parley.data import check as check_module
from parley.data import shards
from parley.data.check import balance, check
from parley.data.dataset import DataConfig, Dataset
from parley.data.make import make
from parley.execute import RunConfig, run
from parley.theory.beliefs import Beliefs
from parley.worlds.household.tables import House, house_tables
from parley.worlds.kit.tabular.world_file import dump_world
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.treasure import treasure


def found(tmp_path, tables, change=None, **options):
    """The findings on freshly made data; `change` alters the documents before they are counted."""
    given = DataConfig(**{"world": "w", "documents": 300, "episodes": 4, "behaviour": "uniform", **options})
    make(tables, given, tmp_path / "data")
    data = Dataset(tmp_path / "data", tables)
    if change is not None:
        altered = [change(documents) for documents in data.shards()]
        data.shards = lambda: iter(altered)
    return check(data, Beliefs(tables))


def test_counts_are_those_made_by_hand(tmp_path):
    """In `treasure` there is one history: a pair is a chest, and each label is one chest."""
    tables = treasure(n=4)
    answer = found(tmp_path, tables, rho=0.25)
    assert answer["steps"] == 1200 and answer["optimal_labels"] == 1 and answer["foreign_labels"] == 0
    assert answer["expert_episodes"] == pytest.approx(0.25, abs=0.06)
    documents = Dataset(tmp_path / "data", tables).take(np.arange(300))
    z, played = documents.latents, documents.subgoals[:, :, 0]
    optimal = np.take_along_axis(documents.labels[:, :, 0] > 0, played[..., None], axis=2)
    assert answer["optimal_subgoals"] == pytest.approx(optimal.mean())
    for latent, entry in enumerate(answer["latents"]):
        visits = np.bincount(played[z == latent].ravel(), minlength=4)
        assert entry["documents"] == (z == latent).sum() and entry["pairs"] == 4
        assert entry["least"] == visits.min() and entry["covered"] == (visits > 0).mean()
    rest = tables.prior[1:].sum()  # of the latents that nothing can tell apart
    assert answer["c_z"] == pytest.approx(rest / tables.prior[0]) and answer["classes"] == 2
    rows = [tuple(map(int, (a, *b.ravel(), *c))) for a, b, c in zip(z, documents.observations, played, strict=True)]
    assert answer["duplicate_documents"] == pytest.approx(1 - len(set(rows)) / 300)
    assert not answer["refused"]


def test_coverage_grows_with_the_data(tmp_path):
    tables, covered = house_tables(House()), []
    for num in (20, 500):
        answer = found(tmp_path / str(num), tables, documents=num)
        covered.append(min(entry["covered"] for entry in answer["latents"]))
        assert any("(history, subgoal) pairs" in warning for warning in answer["warnings"]) == (covered[-1] < 0.5)
    assert covered[0] < covered[1]


@pytest.mark.parametrize("actors", [1, 2])
def test_good_data_are_not_refused(actors, tmp_path):
    answer = found(tmp_path, random_family(actors=actors), behaviour="mixed", label_error=0.3)
    assert answer["refused"] == [] and answer["optimal_labels"] == pytest.approx(0.7, abs=0.05)
    json.dumps(answer)


def relabelled(documents):
    """Every label moved to the next subgoal."""
    return replace(documents, labels=np.roll(documents.labels, 1, axis=-1))


def blurred(documents):
    return replace(documents, labels=0.5 * documents.labels + 0.5 / documents.labels.shape[-1])


def lopsided(documents):
    """All documents claim the first latent."""
    return replace(documents, latents=np.zeros_like(documents.latents))


def copied(documents):
    return type(documents)(*(np.repeat(getattr(documents, f)[:1], len(documents), axis=0) for f in FIELDS))


FIELDS = ("latents", "instructions", "observations", "subgoals", "labels", "behaviours")


def test_each_refusal(tmp_path):
    tables = random_family()
    assert "fewer than label_error=0 leaves" in str(found(tmp_path / "a", tables, relabelled)["refused"])
    assert "labels are not the expert's distribution" in str(found(tmp_path / "b", tables, blurred)["refused"])
    assert "not distributed as their prior" in str(found(tmp_path / "c", tables, lopsided)["refused"])
    answer = found(tmp_path / "d", house_tables(House()), lopsided)
    assert answer["impossible_observations"] > 0
    assert "observations are impossible" in answer["refused"][0]


def test_each_warning(tmp_path):
    tables = random_family()
    assert "of the documents occur before" in str(found(tmp_path / "a", tables, copied)["warnings"])
    assert "looks at the latent" in str(found(tmp_path / "b", tables, behaviour="noisy-expert(0.1)")["warnings"])
    assert "no exact oracle" in str(found(tmp_path / "c", tables, behaviour="imposter", rho=0.5)["warnings"])
    assert "no exact oracle" not in str(found(tmp_path / "d", tables, rho=0.5)["warnings"])
    assert "have no document" in str(found(tmp_path / "e", treasure(n=16), documents=9)["warnings"])
    run(RunConfig("random", planner="expert", episodes=4, runs=9, record="steps"), tmp_path / "run")
    behaviour = f"logs:{tmp_path / 'run'}"
    warnings = found(tmp_path / "f", tables, documents=9, behaviour=behaviour)["warnings"]
    assert any("looks at the latent" in warning and "run" in warning for warning in warnings)


def test_the_p_value_is_uniform_under_the_prior_and_small_off_it(monkeypatch):
    assert balance(np.array([20, 20, 20]), np.array([0.05, 0.25, 0.7])) < 1e-4
    monkeypatch.setattr(check_module, "SIMULATED", 2000)
    prior, rng = np.array([0.05, 0.25, 0.7]), np.random.default_rng(1)
    values = [balance(rng.multinomial(60, prior), prior, seed=s) for s in range(200)]
    assert abs(np.mean(values) - 0.5) < 0.12 and 0.02 < np.mean(np.array(values) < 0.1) < 0.2
    assert balance(np.array([1, 1]), np.array([0.0, 1.0])) == 0.0


def test_commands(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_STEPS", 100)
    out = str(tmp_path / "data")
    make_it = ["data", "make", "--world", "random:actors=2", "--out", out, "--documents", "40", "--episodes", "3"]
    assert cli.main([*make_it, "--behaviour", "uniform:0.5,imposter:0.5", "--chat", "1", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["status"] == "finished" and len(made["files"]) == 3
    assert cli.main([*make_it, "--behaviour", "uniform:0.5,imposter:0.5", "--chat", "1"]) == 0
    assert "chat examples" in capsys.readouterr().out
    assert cli.main(["data", "check", out]) == 0
    assert "least visits" in capsys.readouterr().out
    assert cli.main(["data", "check", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["refused"] == []
    assert cli.main(["data", "show", out, "--document", "7", "--episode", "1"]) == 0
    said = capsys.readouterr().out
    assert said.count("task: ") == 1 and said.count("label 1.00 actor 0 subgoal") >= 1
    assert cli.main(["data", "show", out, "--document", "7", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["episodes"]) == 3 and set(shown["episodes"][0]) >= {"labels", "subgoals", "behaviour"}
    chat = tmp_path / "data" / "chat" / "00001.jsonl"
    chat.write_text(chat.read_text().replace("subgoal 1", "subgoal 2"))
    assert cli.main(["data", "check", out]) == 2
    assert "00001.jsonl" in capsys.readouterr().err
    for wrong in (["--document", "40"], ["--episode", "3"], ["--document", "-1"]):
        assert cli.main(["data", "show", out, *wrong]) == 2
        assert "expected a number below" in capsys.readouterr().err
    assert cli.main(["data", "check", str(tmp_path)]) == 2
    assert "no data directory" in capsys.readouterr().err


def test_sentences_of_a_world_do_not_act_on_the_terminal(tmp_path, capsys):
    tables = replace(treasure(n=2), observations=("[red]see\x1b[2J", *treasure(n=2).observations[1:]))
    (tmp_path / "w.json").write_text(dump_world(tables))
    out = str(tmp_path / "data")
    arguments = ["--world", str(tmp_path / "w.json"), "--out", out, "--documents", "9", "--episodes", "2"]
    assert cli.main(["data", "make", *arguments]) == 0
    assert cli.main(["data", "show", out]) == 0
    said = capsys.readouterr().out
    assert "[red]see\\x1b[2J" in said and "\x1b[2J" not in said
    assert cli.main(["data", "check", out]) == 0
    (tmp_path / "w.json").write_text(dump_world(treasure(n=2)))
    worlds._world.cache_clear()  # a command begins with a fresh one
    assert cli.main(["data", "check", out]) == 2
    assert "is not what it was when the data" in " ".join(capsys.readouterr().err.split())


def test_refused_data_exit_with_their_findings(tmp_path, capsys):
    make(assemble.world("random").tables, DataConfig("random", 300, 2, behaviour="uniform"), tmp_path / "d")
    path = tmp_path / "d" / "data.json"
    manifest = json.loads(path.read_text())
    make(
        assemble.world("random").tables,
        DataConfig("random", 300, 2, behaviour="uniform", label_error=0.5),
        tmp_path / "e",
    )
    corrupted = json.loads((tmp_path / "e" / "data.json").read_text())
    corrupted["config"] = manifest["config"]  # it claims that its labels are right
    (tmp_path / "e" / "data.json").write_text(json.dumps(corrupted))
    assert cli.main(["data", "check", str(tmp_path / "e"), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["exit_code"] == 1 and "is refused" in answer["error"] and answer["optimal_labels"] < 0.6
    assert cli.main(["data", "check", str(tmp_path / "e")]) == 1
    said = capsys.readouterr()
    assert "least visits" in said.out and "is refused" in said.err
