"""Another planner's logs as pretraining documents."""

import json
import sqlite3

import numpy as np
import pytest

from parley import assemble, cli
from parley.core.errors import BadInput
from parley.data.dataset import DataConfig, Dataset
from parley.data.documents import follow
from parley.data.logs import read_logs
from parley.data.make import make
from parley.execute import RunConfig, run
from parley.theory.beliefs import Beliefs


@pytest.fixture(params=["household", "random:actors=2"])
def logged(request, tmp_path):
    """World, tables and the directory of a run of 12 x 5 episodes, explored at random."""
    world = request.param
    explore = "epsilon-greedy:epsilon=0.3"
    run(RunConfig(world, explore=explore, episodes=5, runs=12, seed=3, record="steps"), tmp_path / "run")
    return world, assemble.world(world).tables, tmp_path / "run"


def test_logs_become_documents_with_the_labels_of_the_true_latent(logged):
    _, tables, out = logged
    documents = read_logs(out, Beliefs(tables), 4, part=2)
    assert documents.subgoals.shape == (12, 4, tables.horizon) and (documents.behaviours == 2).all()
    latents = json.loads((out / "manifest.json").read_text())["latents"]
    assert [tables.latents[z] for z in documents.latents] == latents
    db = sqlite3.connect(out / "run.sqlite")
    row = db.execute(
        "SELECT observation, subgoal, next_observation FROM steps WHERE run = 7 AND episode = 3 AND step = 2"
    ).fetchone()
    said = json.loads(row[1]) if tables.num_actors > 1 else [row[1]]
    assert tables.observations[documents.observations[7, 3, 1]] == row[0]
    assert tables.subgoals[documents.subgoals[7, 3, 1]] == " / ".join(said)
    assert tables.observations[documents.observations[7, 3, 2]] == row[2]
    np.testing.assert_array_equal(documents.labels, follow(Beliefs(tables), documents).labels)


def test_logs_take_their_share_of_a_mix(logged, tmp_path):
    world, tables, out = logged
    before = (out / "run.sqlite").read_bytes()
    given = DataConfig(world, 20, 4, behaviour=f"logs:{out}:0.5,uniform:0.5", seed=1)
    make(tables, given, tmp_path / "data")
    assert (out / "run.sqlite").read_bytes() == before
    whole = Dataset(tmp_path / "data", tables).take(np.arange(20))
    theirs = whole.behaviours[:, 0] == 0
    assert theirs.sum() == 10
    source = read_logs(out, Beliefs(tables), 4, 0)
    known = {row.tobytes() for row in source.subgoals}
    assert all(row.tobytes() in known for row in whole.subgoals[theirs])
    np.testing.assert_array_equal(whole.labels, follow(Beliefs(tables), whole).labels)
    with pytest.raises(BadInput, match="hold 12 runs, one document each: 13 are asked for"):
        make(tables, DataConfig(world, 13, 4, behaviour=f"logs:{out}"), tmp_path / "all")
    make(tables, DataConfig(world, 12, 4, behaviour=f"logs:{out}"), tmp_path / "all")


def test_logs_that_do_not_fit_are_refused(logged, tmp_path, capsys):
    world, tables, out = logged
    beliefs = Beliefs(tables)
    with pytest.raises(BadInput, match="lack run 0, episode 5"):
        read_logs(out, beliefs, 6, 0)
    arguments = ["data", "make", "--out", str(tmp_path / "d"), "--documents", "9", "--episodes", "2"]
    assert cli.main([*arguments, "--world", "shortcut", "--behaviour", f"logs:{out}"]) == 2
    assert f"are of world '{world}', not 'shortcut'" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(BadInput, match="is not one of world 'shortcut''s"):
        read_logs(out, Beliefs(assemble.world("shortcut").tables), 2, 0)

    db = sqlite3.connect(out / "run.sqlite")
    db.execute("UPDATE steps SET next_observation = 'elsewhere' WHERE run = 1 AND episode = 1 AND step = 1")
    db.commit()
    with pytest.raises(BadInput, match="of another world: observation 'elsewhere' is not one"):
        read_logs(out, beliefs, 2, 0)
    db.execute("DELETE FROM steps WHERE run = 1 AND episode = 1 AND step = 1")
    db.commit()
    with pytest.raises(BadInput, match="lack run 1, episode 1, step 1"):
        read_logs(out, beliefs, 2, 0)
    db.close()


def test_impossible_observations_and_missing_steps_are_refused(tmp_path):
    given = RunConfig("shortcut", episodes=3, runs=4, seed=0, record="episodes")
    run(given, tmp_path / "episodes")
    beliefs = Beliefs(assemble.world("shortcut").tables)
    with pytest.raises(BadInput, match="run again with --record steps"):
        read_logs(tmp_path / "episodes", beliefs, 2, 0)
    run(RunConfig("shortcut", episodes=3, runs=4, seed=0, record="steps"), tmp_path / "steps")
    db = sqlite3.connect(tmp_path / "steps" / "run.sqlite")
    place = beliefs.tables.observations
    (seen,) = db.execute("SELECT observation FROM steps WHERE run = 2 AND episode = 1 AND step = 1").fetchone()
    impossible = next(o for o in place if o != seen and not beliefs.first_prob[:, place.index(o)].any())
    db.execute("UPDATE steps SET observation = ? WHERE run = 2 AND episode = 1 AND step = 1", (impossible,))
    db.commit()
    db.close()
    with pytest.raises(BadInput, match="in run 2, episode 1, observation 1, .* is impossible"):
        read_logs(tmp_path / "steps", beliefs, 2, 0)
