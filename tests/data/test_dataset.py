"""Data directories: the same however many processes made them, interrupted or not; refused where damaged."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley import cli
from parley.core.errors import BadInput
from parley.data import shards
from parley.data.behaviour import parse_mix
from parley.data.dataset import DataConfig, Dataset, read_documents, read_manifest, world_digest
from parley.data.documents import Documents, draw, follow
from parley.data.make import make
from parley.data.parquet import Codec
from parley.theory.beliefs import Beliefs
from parley.worlds.household.tables import House, house_tables
from parley.worlds.kit.tabular.world_file import dump_world
from parley.worlds.tabular.random_family import random_family
from parley.worlds.tabular.shortcut import shortcut

MIX = "uniform:0.4,imposter:0.3,epsilon-expert(0.3):0.2,noisy-expert(0.2):0.1"


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    """Files of some ten documents."""
    monkeypatch.setattr(shards, "SHARD_STEPS", 100)


def config(**changes) -> DataConfig:
    given = dict(world="random", documents=50, episodes=3, behaviour=MIX, rho=0.2, label_error=0.1, chat=2, seed=7)
    return DataConfig(**{**given, **changes})


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def same(a: Documents, b: Documents) -> None:
    for f in fields(Documents):
        np.testing.assert_array_equal(getattr(a, f.name), getattr(b, f.name))


@given(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 20), st.floats(0, 1))
@settings(max_examples=25)
def test_documents_survive_parquet_exactly(actors, subgoals, horizon, episodes, num, rho):
    tables = random_family(actors=actors, subgoals=subgoals, horizon=horizon, seed=num)
    mix = parse_mix("uniform:0.5,noisy-expert(0.2):0.5")
    rng = np.random.default_rng(num)
    documents = draw(Beliefs(tables), mix, rng.integers(2, size=num), episodes, rng, rho)
    codec = Codec(tables, mix, episodes)
    same(codec.decode(codec.encode(documents, 0), "it"), documents)


@pytest.mark.parametrize("actors", [1, 2])
def test_the_data_do_not_depend_on_the_number_of_processes(actors, tmp_path):
    tables = random_family(actors=actors)
    for workers in (1, 2):
        make(tables, config(), tmp_path / str(workers), workers)
    found = contents(tmp_path / "1")
    assert found == contents(tmp_path / "2")
    assert len(read_manifest(tmp_path / "1")["files"]) == 4
    assert {"README.md", "data.json", "documents/00003.parquet", "chat/00000.jsonl"} <= found.keys()


def test_an_interrupted_make_goes_on_to_the_same_data(tmp_path):
    tables, made = random_family(), []
    make(tables, config(), tmp_path / "whole")

    def killed(documents: int) -> None:
        made.append(documents)
        if len(made) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tables, config(), tmp_path / "killed", report=killed)
    assert len(list((tmp_path / "killed" / "documents").iterdir())) == 2
    with pytest.raises(BadInput, match="unfinished"):
        Dataset(tmp_path / "killed", tables)
    first = tmp_path / "killed" / "documents" / "00000.parquet"
    first.write_bytes(first.read_bytes()[:-9])  # not whole: it is made again
    kept = tmp_path / "killed" / "documents" / "00001.parquet"
    before = kept.stat().st_mtime_ns
    make(tables, config(), tmp_path / "killed")
    assert kept.stat().st_mtime_ns == before
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")

    make(tables, config(), tmp_path / "whole")  # finished: left as it is
    with pytest.raises(BadInput, match="made with seed=7, not 8"):
        make(tables, config(seed=8), tmp_path / "whole")
    with pytest.raises(BadInput, match="another version of world"):
        make(random_family(seed=1), config(), tmp_path / "whole")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(BadInput, match="not an empty directory"):
        make(tables, config(), tmp_path / "other")


def test_a_killed_make_leaves_no_process_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_STEPS", 2**16)  # as in the process that is killed
    given = DataConfig("household", 12_000, 24)
    arguments = ["--world", "household", "--documents", "12000", "--episodes", "24", "--workers", "2"]
    command = [sys.executable, "-m", "parley", "data", "make", "--out", str(tmp_path / "killed"), *arguments]
    making = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    folder, began = tmp_path / "killed" / "documents", time.monotonic()
    while making.poll() is None and not list(folder.glob("*.parquet")) and time.monotonic() < began + 120:
        time.sleep(0.01)
    making.kill()
    said, _ = making.communicate(timeout=60)  # its workers held the pipe open if they lived on
    assert making.returncode == -signal.SIGKILL, said
    assert 0 < len(list(folder.glob("*.parquet"))) < 18
    make(house_tables(House()), given, tmp_path / "killed")
    make(house_tables(House()), given, tmp_path / "whole")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_what_is_read_is_what_was_drawn(tmp_path):
    tables = house_tables(House())
    given = config(world="household", label_error=0.0, chat=0)
    make(tables, given, tmp_path)
    data = Dataset(tmp_path, tables)
    beliefs = Beliefs(tables)
    whole = data.take(np.arange(len(data)))
    np.testing.assert_array_equal(whole.labels, follow(beliefs, whole).labels)
    planned = shards.plan(given, beliefs)
    same(data.take(np.arange(planned[1].first, planned[2].first)), shards.shard_documents(beliefs, given, planned[1]))
    acted = whole.behaviours.max(axis=1)  # -1 where the expert acted throughout
    assert set(acted) <= {-1, 0, 1, 2, 3} and len(set(acted)) >= 4


def test_corrupted_labels_change_nothing_else(tmp_path):
    tables = random_family()
    for error in (0.0, 0.5):
        make(tables, config(label_error=error), tmp_path / str(error))
    clean, dirty = (Dataset(tmp_path / str(e), tables).take(np.arange(50)) for e in (0.0, 0.5))
    same(replace(dirty, labels=clean.labels), clean)
    assert 0.3 < (dirty.labels != clean.labels).any(axis=-1).mean() < 0.7


def test_batches_are_a_function_of_step_and_seed(tmp_path):
    tables = random_family()
    make(tables, config(chat=0), tmp_path)
    data = Dataset(tmp_path, tables)
    same(data.batch(5, 16, seed=3), Dataset(tmp_path, tables).batch(5, 16, seed=3))
    stream = read_documents(tmp_path, tables, 16, seed=3, step=5)
    same(next(stream), data.batch(5, 16, seed=3))
    same(next(stream), data.batch(6, 16, seed=3))

    def epoch(seed: int, number: int) -> np.ndarray:
        rows = [data.batch(step, 10, seed).observations for step in range(5 * number, 5 * number + 5)]
        return np.concatenate(rows).reshape(50, -1)

    everything = np.sort(data.take(np.arange(50)).observations.reshape(50, -1), axis=0)
    for seed, number in ((0, 0), (0, 1), (1, 0)):
        np.testing.assert_array_equal(np.sort(epoch(seed, number), axis=0), everything)
    assert (epoch(0, 0) != epoch(0, 1)).any() and (epoch(0, 0) != epoch(1, 0)).any()
    assert len(data.batch(0, 120, 0)) == 120  # more than there are: the next epoch follows


def test_a_world_that_changed_is_refused(tmp_path):
    make(shortcut(), config(world="shortcut", chat=0), tmp_path)
    with pytest.raises(BadInput, match="is not what it was when the data in .* were made"):
        Dataset(tmp_path, replace(shortcut(), prior=shortcut().prior[::-1].copy()))
    Dataset(tmp_path, shortcut())
    two = random_family(actors=2)
    assert world_digest(two) != world_digest(replace(two, menus=(two.subgoals,)))
    assert world_digest(two) == world_digest(random_family(actors=2))


def rewrite(path: Path, **columns) -> None:
    """The same Parquet file with other values in some columns; None leaves a column out."""
    table = pyarrow.parquet.read_table(path)
    for name, change in columns.items():
        place = table.column_names.index(name)
        if change is None:
            table = table.remove_column(place)
        else:
            values = pyarrow.array(change(table.column(name).to_pylist()))
            table = table.set_column(place, name, values)
    pyarrow.parquet.write_table(table, path)


def unheard(rows):
    rows[0][0][0] = "\x1b[2J"
    return rows


def short(rows):
    rows[0][0] = rows[0][0][:-1]
    return rows


def missing(rows):
    rows[0][0][0] = None
    return rows


def lawless(rows):
    rows[0][0][0] = [0.7, 0.7, 0.0]
    return rows


DAMAGES = {
    "gone": (lambda path: path.unlink(), "cannot be read"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-20]), "truncated or damaged"),
    "empty": (lambda path: path.write_bytes(b""), "truncated or damaged"),
    "bytes altered": (lambda path: path.write_bytes(path.read_bytes().replace(b"PAR1", b"PAR2")), "damaged"),
    "column gone": (lambda path: rewrite(path, labels=None), "no column 'labels'"),
    "unknown sentence": (lambda path: rewrite(path, observations=unheard), "none of the world's 4"),
    "unknown subgoal": (lambda path: rewrite(path, subgoals=lambda r: [unheard(x) for x in r]), "'subgoals' holds"),
    "short episode": (lambda path: rewrite(path, observations=short), "a list of 2, expected 3"),
    "missing": (lambda path: rewrite(path, observations=missing), "missing values"),
    "numbers": (lambda path: rewrite(path, latent=lambda rows: list(range(len(rows)))), "should hold text"),
    "no law": (lambda path: rewrite(path, labels=lawless), "not a distribution over the 3 subgoals"),
    "no lists": (lambda path: rewrite(path, labels=lambda rows: [0.5] * len(rows)), "should hold lists"),
    "altered": (lambda path: rewrite(path, document=lambda rows: rows[::-1]), "not what it was when it was made"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused_by_name(damage, tmp_path, capsys):
    make(random_family(), config(chat=0, label_error=0.0), tmp_path)
    path = tmp_path / "documents" / "00001.parquet"
    harm, sentence = DAMAGES[damage]
    harm(path)
    with pytest.raises(BadInput, match=sentence) as refused:
        Dataset(tmp_path, random_family())
    assert "00001.parquet" in str(refused.value) and "\n" not in str(refused.value)
    assert cli.main(["data", "check", str(tmp_path)]) == 2
    assert "\x1b[2J" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "cannot be read"),
        ("[]", "has format 'list'"),
        ('{"format": "parley-data/9"}', "this version reads 'parley-data/1'"),
        ('{"format": "parley-data/1", "config": {}}', "it should give status"),
    ],
)
def test_damaged_manifests_are_refused(text, sentence, tmp_path):
    with pytest.raises(BadInput, match="is no data directory"):
        Dataset(tmp_path, random_family())
    (tmp_path / "data.json").write_text(text)
    with pytest.raises(BadInput, match=sentence):
        Dataset(tmp_path, random_family())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m["config"].update(documents="many"), "is damaged"),
        (lambda m: m["config"].update(behaviour=7), "is damaged"),
        (lambda m: m["config"].update(rho=3), "rho=3"),
        (lambda m: m.pop("world_sha256"), "it should give status, world_sha256"),
        (lambda m: m["files"].pop(), "do not hold 50 documents"),
        (lambda m: m["files"].append(3), "its list of files should give"),
        (lambda m: m["files"][0].update(file="elsewhere"), "elsewhere' cannot be read"),
    ],
)
def test_altered_manifests_are_refused(change, sentence, tmp_path):
    manifest = make(random_family(), config(chat=0), tmp_path)
    change(manifest)
    (tmp_path / "data.json").write_text(json.dumps(manifest))
    with pytest.raises(BadInput, match=sentence):
        Dataset(tmp_path, random_family())


def test_wrong_configurations_are_refused():
    for wrong in ({"documents": 0}, {"episodes": 0}, {"chat": -1}, {"seed": -1}, {"rho": 2.0}, {"label_error": -0.1}):
        with pytest.raises(BadInput, match=next(iter(wrong))):
            config(**wrong)
    with pytest.raises(BadInput, match="workers=0"):
        make(random_family(), config(), Path("unused"), workers=0)


def test_hugging_face_datasets_loads_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    make(random_family(actors=2), config(), tmp_path / "made")
    files = str(tmp_path / "made" / "documents" / "*.parquet")
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["document"][:] == list(range(50))
    row, data = loaded[17], Dataset(tmp_path / "made", random_family(actors=2))
    first = data.take(np.array([17]))
    assert row["latent"] == data.tables.latents[first.latents[0]]
    assert " / ".join(row["subgoals"][2][1]) == data.tables.subgoals[first.subgoals[0, 2, 1]]
    np.testing.assert_array_equal(row["labels"], first.labels[0])
    by_card = datasets.load_dataset(str(tmp_path / "made"), "documents", split="train", cache_dir=str(tmp_path / "c"))
    assert by_card[17] == row
    files = str(tmp_path / "made" / "chat" / "*.jsonl")
    chat = datasets.load_dataset("json", data_files=files, split="train", cache_dir=str(tmp_path / "c"))
    assert len(chat) == 100 and chat[0]["messages"][0]["role"] == "system"


def test_world_digests_are_those_of_exported_files():
    assert world_digest(house_tables(House())) == hashlib.sha256(dump_world(house_tables(House())).encode()).hexdigest()


def test_manifest_says_what_was_made(tmp_path):
    manifest = make(random_family(), config(), tmp_path)
    assert json.loads((tmp_path / "data.json").read_text()) == manifest
    assert manifest["format"] == "parley-data/1" and manifest["status"] == "finished"
    assert sum(entry["documents"] for entry in manifest["files"]) == 50
    assert sum(entry["examples"] for entry in manifest["chat"]) == 100
