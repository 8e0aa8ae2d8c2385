"""Experiments with anything in their files: one sentence, or what can be shown of them."""

import io
import json
import zipfile

import numpy as np
import pytest

from parley.core.errors import BadInput
from parley.view.findings import cell_of, experiment_of
from parley.view.found import Found

FILE = "cell-0123456789abcdef.npz"


@pytest.fixture
def experiment(tmp_path):
    """An experiment with one cell, below a directory that is looked at."""
    out = tmp_path / "it"
    out.mkdir()
    np.savez_compressed(out / FILE, regret=np.ones((2, 3)))
    (out / "cells.json").write_text(json.dumps({"experiment": "it", "cells": [{"world": "shortcut", "file": FILE}]}))
    return out


def looked_at(out):
    found = Found(out.parent)
    found.look()
    return found


def test_a_cell_is_shown(experiment):
    assert cell_of(looked_at(experiment), "it", FILE)["mean"].tolist() == [1, 2, 3]
    assert [cell["done"] for cell in experiment_of(looked_at(experiment), "it")["cells"]] == [True]


@pytest.mark.parametrize("file", [[1], {"a": 1}, 3, None, True, 1.5])
def test_a_cell_s_file_that_is_no_name(file, experiment):
    (experiment / "cells.json").write_text(json.dumps({"experiment": "it", "cells": [{"file": file}]}))
    assert [cell["done"] for cell in experiment_of(looked_at(experiment), "it")["cells"]] == [False]


def header(text: str) -> bytes:
    """An array's file with this header and no content."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        header("{'descr': (\n"),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 100000000)}\n"),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"),
        header("(" * 5000 + "\n"),
        b"",
    ],
    ids=["cut", "endless", "objects", "nested", "empty"],
)
def test_a_cell_that_holds_no_array(content, experiment):
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        archive.writestr("regret.npy", content)
    (experiment / FILE).write_bytes(kept.getvalue())
    with pytest.raises(BadInput, match="cannot be read as a cell"):
        cell_of(looked_at(experiment), "it", FILE)


def test_a_cell_whose_compression_is_damaged(experiment):
    damaged = bytearray((experiment / FILE).read_bytes())
    damaged[60:75] = bytes(255 for _ in range(15))  # behind the header of the only entry
    (experiment / FILE).write_bytes(bytes(damaged))
    with pytest.raises(BadInput, match="cannot be read as a cell"):
        cell_of(looked_at(experiment), "it", FILE)
