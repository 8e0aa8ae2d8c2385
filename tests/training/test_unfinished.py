"""Trainings that are killed, cut into parts, shared by processes, or fed from a directory: the same weights."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from parley import assemble
from parley.core.errors import BadInput, MissingExtra, ParleyError
from parley.data.dataset import DataConfig
from parley.data.make import make
from parley.planners.transformer import TransformerPlanner
from parley.training import loop, unfinished
from parley.training.columns import Columns
from parley.training.loop import learning_rate
from parley.training.recipe import SIZES, Recipe, size_of
from parley.training.train import pretrain
from parley.training.watch import Watch
from parley.worlds.tabular.random_family import random_family
from tests.helpers import run

TINY = Recipe(episodes=3, tokens=4_000, width=16, layers=2, heads=2, batch=8)
ALWAYS = Watch(keep_s=0.0)


@pytest.fixture(scope="module")
def tables():
    return random_family(latents=2, observations=3, instructions=1, concentration=0.3)


def weights(folder):
    return load_file(folder / "model.safetensors")


class Killed(Exception):
    pass


def kill_after(step, to):
    def report(now):
        if now["step"] == step:
            raise Killed
        to.append(now)

    return report


@pytest.mark.parametrize("architecture", ["llama", "mixtral"])
def test_a_killed_training_ends_at_the_same_weights(tables, tmp_path, architecture):
    recipe, whole, parts = replace(TINY, architecture=architecture), [], []
    pretrain(tables, "random", tmp_path / "whole", recipe, whole.append)
    for step in (7, 20):
        with pytest.raises(Killed):
            pretrain(tables, "random", tmp_path / "parts", recipe, kill_after(step, parts), watch=ALWAYS)
    pretrain(tables, "random", tmp_path / "parts", recipe, parts.append, watch=ALWAYS)
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)
    curve = {now["step"]: now["loss"] for now in parts}
    assert len(whole) > 20 and [curve[now["step"]] for now in whole] == [now["loss"] for now in whole]
    metrics = [json.loads(line) for line in (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()]
    assert [now["step"] for now in metrics] == sorted({now["step"] for now in metrics})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["parts", "whole"]


def test_an_unfinished_training_is_not_taken_for_another(tables, tmp_path):
    with pytest.raises(Killed):
        pretrain(tables, "random", tmp_path / "out", TINY, kill_after(5, []), watch=ALWAYS)
    with pytest.raises(BadInput, match="another recipe"):
        pretrain(tables, "random", tmp_path / "out", replace(TINY, learning_rate=1e-3))
    file = tmp_path / "out.training" / "training.json"
    kept = json.loads(file.read_text())
    del kept["config"]["recipe"]["initial"]  # an option that this version did not have yet
    file.write_text(json.dumps(kept))
    with pytest.raises(Killed):
        pretrain(tables, "random", tmp_path / "out", TINY, kill_after(6, []), watch=ALWAYS)
    (state,) = (tmp_path / "out.training").glob("state-*")
    (state / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(BadInput, match="damaged"):
        pretrain(tables, "random", tmp_path / "out", TINY)
    (tmp_path / "out.training" / "training.json").write_text("{")
    with pytest.raises(BadInput, match="remove it"):
        pretrain(tables, "random", tmp_path / "out", TINY)


def test_a_full_disk_leaves_the_state_before(tables, tmp_path, monkeypatch):
    with pytest.raises(Killed):
        pretrain(tables, "random", tmp_path / "out", TINY, kill_after(5, []), watch=ALWAYS)
    replace_ = unfinished.os.replace

    def full(source, target):
        if "state-" in str(target):
            raise OSError(28, "No space left on device")
        replace_(source, target)

    monkeypatch.setattr(unfinished.os, "replace", full)
    with pytest.raises(ParleyError, match="that of step 4 is whole"):
        pretrain(tables, "random", tmp_path / "out", TINY, watch=ALWAYS)
    assert [p.name for p in (tmp_path / "out.training").glob("state-*")] == ["state-4"]


def test_a_full_disk_while_the_curve_is_noted(tables, tmp_path, monkeypatch):
    with pytest.raises(Killed):
        pretrain(tables, "random", tmp_path / "out", TINY, kill_after(5, []), watch=ALWAYS)
    curve = tmp_path / "out.training" / unfinished.METRICS
    curve.write_text(curve.read_text() + '{"step": 6, "lo')
    pretrain(tables, "random", tmp_path / "out", TINY, watch=ALWAYS)
    steps = [json.loads(line)["step"] for line in (tmp_path / "out" / unfinished.METRICS).read_text().splitlines()]
    assert steps == sorted(set(steps)) and len(steps) > 5
    monkeypatch.setattr(unfinished, "METRICS", "/dev/full")
    with pytest.raises(ParleyError, match="no space left"):
        unfinished.Unfinished(tmp_path / "other", {}).note({"step": 1})


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_state(tables, tmp_path, monkeypatch):
    true, count = Columns.losses, []

    def broken(*args):
        count.append(1)
        label, observation = true(*args)
        return (label * float("nan"), observation) if len(count) == 6 else (label, observation)

    monkeypatch.setattr(Columns, "losses", broken)
    with pytest.raises(ParleyError, match=r"step 6 of .* after step 5 is kept"):
        pretrain(tables, "random", tmp_path / "out", TINY)
    kept = weights(tmp_path / "out.training" / "state-5")
    assert all(np.isfinite(value).all() for value in kept.values()) and not (tmp_path / "out").exists()


def test_a_batch_in_parts_is_the_same_batch(tables, tmp_path):
    for parts in (1, 4):
        pretrain(tables, "random", tmp_path / str(parts), replace(TINY, tokens=1_000, accumulate=parts))
    one, two = weights(tmp_path / "1"), weights(tmp_path / "4")
    for name in one:
        np.testing.assert_allclose(one[name], two[name], atol=2e-5)
    with pytest.raises(BadInput, match="divisor"):
        replace(TINY, accumulate=3)


@pytest.mark.slow
def test_processes_share_a_batch(tables, tmp_path):
    """Two processes under torchrun (gloo): the curve of one."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    options = "--episodes 3 --tokens 1000 --width 16 --layers 2 --heads 2 --batch 8".split()
    command += ["-m", "parley", "pretrain", "--world", "random:seed=0", *options, "--out", str(tmp_path / "two")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    pretrain(assemble.world("random").tables, "random:seed=0", tmp_path / "one", replace(TINY, tokens=1_000))
    curves = [
        [json.loads(line)["loss"] for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    assert len(curves[0]) > 5
    np.testing.assert_allclose(*curves, atol=1e-4)
    with pytest.raises(BadInput, match="multiple of processes"):
        loop.Training(torch, None, _Columns(), TINY, loop.Place(0, 3))


class _Columns:
    def length(self, num_episodes):
        return num_episodes


def test_data_of_a_directory(tables, tmp_path):
    spec = "random:latents=2,observations=3,instructions=1,concentration=0.3"
    tables = assemble.world(spec).tables
    make(tables, DataConfig(spec, documents=20, episodes=4), tmp_path / "data")
    about = pretrain(tables, spec, tmp_path / "out", TINY, data=tmp_path / "data", watch=Watch(evaluate_every=10))
    assert about["documents"]["data"]["documents"] == 20
    curve = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    distances = [now["total_variation"] for now in curve if "total_variation" in now]
    assert len(distances) >= 3 and distances[-1] < distances[0]
    with pytest.raises(BadInput, match="hold 4 episodes"):
        pretrain(tables, spec, tmp_path / "x", replace(TINY, episodes=5), data=tmp_path / "data")
    with pytest.raises(BadInput, match="behaviour='mixed'"):
        pretrain(tables, spec, tmp_path / "x", replace(TINY, behaviour="uniform"), data=tmp_path / "data")
    with pytest.raises(BadInput, match="is not what it was when the data"):
        pretrain(random_family(latents=2, seed=3), spec, tmp_path / "x", TINY, data=tmp_path / "data")
    (file,) = (tmp_path / "data" / "documents").iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BadInput):
        pretrain(tables, spec, tmp_path / "x", TINY, data=tmp_path / "data")


@pytest.mark.parametrize("architecture", ["gpt2", "mixtral"])
def test_any_architecture_of_transformers_plans(tables, tmp_path, architecture):
    recipe = replace(TINY, architecture=architecture, learning_rate=1e-2)
    pretrain(tables, "random", tmp_path / "out", recipe)
    kept = run(tables, TransformerPlanner(tmp_path / "out"), [0, 1, 1], 3)
    assert kept.expected().shape == (3, 3)
    with pytest.raises(BadInput, match="no causal language model"):
        pretrain(tables, "random", tmp_path / "x", replace(TINY, architecture="lama"))


def test_bfloat16_learns(tables, tmp_path):
    found = []
    pretrain(tables, "random", tmp_path / "out", replace(TINY, precision="bfloat16", learning_rate=1e-2), found.append)
    assert np.mean([now["loss"] for now in found[-5:]]) < np.mean([now["loss"] for now in found[:5]])
    assert weights(tmp_path / "out")["model.embed_tokens.weight"].dtype == np.float32


def test_weights_of_the_losses(tables, tmp_path):
    """Without a weight on labels the model learns to predict, and proposes as it began."""
    found = []
    recipe = replace(TINY, label_weight=0.0, learning_rate=1e-2, tokens=8_000)
    pretrain(tables, "random", tmp_path / "out", recipe, found.append)
    first, last = found[0], found[-1]
    assert last["observation_loss"] < first["observation_loss"] - 0.05
    with pytest.raises(BadInput, match="nothing to learn"):
        replace(TINY, label_weight=0.0, observation_weight=0.0)


def test_tensorboard(tables, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtra, match="tensorboard"):
        pretrain(tables, "random", tmp_path / "out", TINY, watch=Watch(tensorboard=tmp_path / "logs"))


def test_the_learning_rate_warms_up_and_falls():
    rates = [learning_rate(TINY, i, 1000) for i in range(1000)]
    assert rates[0] < rates[19] == pytest.approx(TINY.learning_rate, rel=0.01)
    assert rates[-1] == pytest.approx(0.02 * TINY.learning_rate, rel=0.1) and np.diff(rates[20:]).max() < 0


def test_sizes():
    assert set(size_of("1M")) == {"width", "layers", "heads"}
    for name, size in SIZES.items():
        parameters = 16 * size["width"] ** 2 * size["layers"]
        assert float(name[:-1]) * 1e6 == pytest.approx(parameters, rel=0.15)
        Recipe(**size)
    with pytest.raises(BadInput, match="did you mean|expected one of"):
        size_of("2M")


def test_a_training_killed_after_its_checkpoint_was_written_is_finished(tables, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(unfinished.Unfinished, "finish", lambda self, out: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            pretrain(tables, "random", tmp_path / "out", TINY, watch=ALWAYS)
    before = weights(tmp_path / "out")["model.embed_tokens.weight"].tobytes()
    with pytest.raises(BadInput, match="another recipe"):
        pretrain(tables, "random", tmp_path / "out", replace(TINY, seed=TINY.seed + 1), watch=ALWAYS)
    card = pretrain(tables, "random", tmp_path / "out", TINY, watch=ALWAYS)
    assert card == json.loads((tmp_path / "out" / "parley.json").read_text())
    assert weights(tmp_path / "out")["model.embed_tokens.weight"].tobytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"] and (tmp_path / "out" / "metrics.jsonl").exists()
    with pytest.raises(BadInput, match="not empty"):
        pretrain(tables, "random", tmp_path / "out", TINY, watch=ALWAYS)
