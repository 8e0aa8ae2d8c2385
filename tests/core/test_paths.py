"""Files that users name, with anything in them: read whole, or refused in one sentence; never waited for."""

import os
import signal

import pytest

from parley.api.studies import read_study
from parley.bench.conducting import Plan
from parley.core.errors import BadInput, ParleyError
from parley.core.paths import content, read_json
from parley.data.dataset import read_manifest
from parley.models.checkpoint import Checkpoint
from parley.prompting.template import PromptTemplate
from parley.report.cards import read_card
from parley.runs.ledger import Prices
from parley.training.generalist import about_of
from parley.worlds.kit.tabular.world_file import load_world

# Each reader, and how the file is called that it reads in a directory.
READERS = {
    "prices": ("prices.json", lambda path: Prices.read(path)),
    "study": ("study.toml", lambda path: read_study(path)),
    "card": ("card.json", lambda path: read_card(path)),
    "world": ("world.json", lambda path: load_world(path)),
    "template": ("it.jinja", lambda path: PromptTemplate(str(path)).render("ask")),
    "plan": ("plan.json", lambda path: Plan.read(path.parent)),
    "data": ("manifest.json", lambda path: read_manifest(path.parent)),
    "checkpoint": ("parley.json", lambda path: Checkpoint.load(path.parent)),
    "generalist": ("parley.json", lambda path: about_of(path.parent)),
}


def nested(path):
    path.write_text(("x = " if path.suffix == ".toml" else "") + "[" * 100_000)


def huge(path):
    with open(path, "wb") as file:
        file.truncate(1 << 38)  # a sparse file: nothing of it is on the disk


def zeros(path):
    path.symlink_to("/dev/zero")


ODD = {"fifo": os.mkfifo, "directory": os.mkdir, "nested": nested, "huge": huge, "zeros": zeros}


@pytest.fixture
def in_time():
    def late(number, frame):
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("kind", READERS)
def test_an_odd_file_is_refused_at_once(kind, odd, tmp_path, in_time):
    name, read = READERS[kind]
    ODD[odd](tmp_path / name)
    with pytest.raises(ParleyError) as refused:
        read(tmp_path / name)
    assert len(str(refused.value)) < 500


def test_plain_files_are_read_whole(tmp_path):
    (tmp_path / "it.json").write_bytes(b'\xef\xbb\xbf{"a": [1, "\xc3\xa4"]}')
    assert read_json(tmp_path / "it.json") == {"a": [1, "ä"]}
    assert content(tmp_path / "it.json", 19) == (tmp_path / "it.json").read_bytes()
    with pytest.raises(OSError, match="larger than"):
        content(tmp_path / "it.json", 18)
    (tmp_path / "link.json").symlink_to(tmp_path / "it.json")
    assert read_json(tmp_path / "link.json") == {"a": [1, "ä"]}


def test_prices_beyond_every_float_are_refused(tmp_path):
    (tmp_path / "prices.json").write_text('{"m": {"prompt": 1%s, "completion": 1}}' % ("0" * 400))
    with pytest.raises(BadInput, match="expected a price"):
        Prices.read(tmp_path / "prices.json")
