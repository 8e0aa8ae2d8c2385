"""A planner whose prompts have no room for earlier episodes is told so by `diagnose`."""

from dataclasses import replace

import numpy as np
import pytest

import parley
from parley.cli import main
from parley.core.said import Opening
from parley.planners.scripted import RandomPlanner
from parley.report.room import no_room


class Forgetful(RandomPlanner):
    """Proposes at random; its prompts leave out all earlier episodes but `kept`."""

    def __init__(self, kept: int | None = 0) -> None:
        super().__init__()
        self.kept, self.episode = kept, 0

    def hear(self, said):
        super().hear(said)
        if isinstance(said, Opening):
            self.episode = said.episode

    def propose(self, menu, parts):
        found = super().propose(menu, parts)
        left_out = max(self.episode - self.kept, 0) if self.kept is not None else 0
        return replace(found, left_out=np.full(len(parts), left_out))


@pytest.mark.parametrize("kept, named", [(0, True), (1, False), (None, False)])
def test_who_is_told(kept, named, tmp_path):
    run = parley.run("household", Forgetful(kept), episodes=10, runs=4, out=tmp_path / "run")
    found = run.diagnose()
    assert ("in 100% of the prompts after the first episode there was room for no earlier one" in found.also) == named


@pytest.mark.parametrize(
    ("planner", "memory", "meant"),
    [
        ("gguf:smollm2", None, False),
        ("gguf:smollm2,memory=full", None, False),
        ("gguf:smollm2,memory=window,size=4", None, False),
        ("gguf:smollm2,memory=window,size=0", None, True),
        ("gguf:smollm2,memory=none", None, True),
        ("gguf:smollm2,memory=summary", None, True),
        ("gguf:smollm2,memory=none", "retrieval:size=2", False),
        ("gguf:smollm2", "note:words=40", True),
        ("gguf:smollm2", "mine:Memory", True),
    ],
)
def test_a_memory_that_shows_no_episodes_has_not_run_out_of_room(planner, memory, meant, tmp_path):
    """It was told of `none` and `summary`, too, and advised to take `summary`."""
    parley.run("household", Forgetful(), episodes=10, runs=4, out=tmp_path / "run")
    said = no_room(tmp_path / "run" / "run.sqlite", {"planner": planner, "memory": memory})
    assert bool(said) != meant


def test_a_run_says_so_when_it_ends(tmp_path, capsys):
    main(
        [
            "run",
            "--world",
            "household",
            "--planner",
            f"{__name__}:Forgetful",
            "--episodes",
            "3",
            "--out",
            str(tmp_path / "r"),
        ]
    )
    assert "there was room for no earlier one" in capsys.readouterr().err
