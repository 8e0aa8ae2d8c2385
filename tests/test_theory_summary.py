"""The answer of `parley theory WORLD`."""

import json
import math
import sys

import pytest

from parley.assemble.planners import PLANNERS
from parley.assemble.pretrained import pretrained
from parley.assemble.theory import _merged, theory_summary
from parley.core.errors import BadInput
from parley.report.tables import theory_table


def test_treasure():
    found = theory_summary("treasure:n=16", 10_000)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["eta"]["uniform"] == pytest.approx(1 / 16) and found["eta"]["designed"] == pytest.approx(1)
    assert found["c_z"] == pytest.approx(31) and [len(group) for group in found["classes"]] == [1, 15]
    log = math.log(31 * 2 * 100)
    assert found["epsilon"]["uniform"] == pytest.approx(math.sqrt(log * 16 / 10_000))
    assert found["bound"]["designed"] == pytest.approx(math.sqrt(10_000 * log))
    # Uniform: fifteen sixteenths of a miss under z_1; a sixteenth of the first chest under the others.
    assert found["cost"]["uniform"] == pytest.approx(1 / 32 * 0.5 * 15 / 16 + 31 / 32 * 0.5 / 16)
    assert found["notes"][0].endswith(
        'chest 1, taste for chest 2", "nothing in chest 1, taste for chest 3" and 13 more'
    )
    late = found["late_interval"]  # exact: no width
    assert late["greedy"] == pytest.approx([0.5, 0.5]) and late["sample"] == pytest.approx([0, 0])
    assert found["gap"]["designed"] < 1e-9 and found["notes"][0].startswith("latents that no policy can tell apart")
    assert found["reveals_itself"] == {"greedy": False, "sample": True} and '"gold in chest 1"' in found["verdict"]


@pytest.mark.parametrize("world", ["shortcut", "household", "traps", "random"])
def test_shipped_worlds(world):
    found = theory_summary(world, 200)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["eta"]["designed"] >= found["eta"]["uniform"] - 1e-9
    cheap, best = (found["cost"][name] / found["eta"][name] for name in ("cheapest", "designed"))
    assert cheap <= best + 1e-6
    assert found["verdict"].startswith(world)


def test_every_group_of_merged_latents_is_named_but_not_without_end():
    assert _merged([["a"], ["b", "c"], list("defgh")]).endswith(': "b" and "c"; "d", "e" and 3 more')
    assert _merged([[f"{i}", f"{i}'"] for i in range(7)]).endswith('"4" and "4\'"; and 2 more groups')


def test_the_sentence_calls_the_world_as_it_was_asked_for():
    assert theory_summary("treasure:n=8", 100)["verdict"].startswith("treasure:n=8 does not reveal itself: ")


def test_without_scipy_the_rest_is_still_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    found = theory_summary("shortcut:open=0.15", 100)
    assert found["eta"]["uniform"] > 0 and found["eta"]["designed"] is None
    assert any("[theory]" in note for note in found["notes"])


def test_a_pretraining_error_is_in_every_bound():
    perfect, found = theory_summary("shortcut", 200), theory_summary("shortcut", 200, pretraining_error=0.01)
    for policy, bound in perfect["bound"].items():
        assert found["bound"][policy] == pytest.approx(bound + 3**2 * 200 * 0.01)
    assert found["epsilon"] == perfect["epsilon"] and "Delta_p = 0.01" in theory_table(found).caption
    assert "Delta_p" not in theory_table(perfect).caption
    assert theory_summary("random:latents=1", 200, pretraining_error=0.5)["bound"]["uniform"] == 2**2 * 200 * 0.5


def test_bad_input():
    with pytest.raises(BadInput, match="pretraining_error=2"):
        theory_summary("shortcut", pretraining_error=2.0)
    with pytest.raises(BadInput, match="episodes=0"):
        theory_summary("shortcut", 0)
    with pytest.raises(BadInput, match="did you mean 'shortcut'"):
        theory_summary("shortcutt")


def test_a_reporter_s_error_is_in_every_bound_beside_the_planner_s():
    perfect = theory_summary("shortcut", 200)
    found = theory_summary("shortcut", 200, pretraining_error=0.01, reporter_error=0.02)
    for policy, bound in perfect["bound"].items():
        assert found["bound"][policy] == pytest.approx(bound + 3**2 * 200 * 0.03)
    assert found["delta_p"] == pytest.approx(0.03)
    with pytest.raises(BadInput, match="reporter_error=-1"):
        theory_summary("shortcut", reporter_error=-1)


@pytest.mark.parametrize(
    ("planner", "known"),
    [
        ("transformer", 64),
        ("transformer:checkpoint=house", 12),
        ("world-model", 64),
        ("hf:generated", 32),
        ("exact", None),
        ("world-model:model=exact", None),
        ("transformer:checkpoint=nowhere", None),
    ],
)
def test_the_episodes_of_a_pretraining_document(planner, known):
    found = pretrained(planner, PLANNERS.find(planner).arguments, "shortcut")
    assert (found and found.episodes) == known
    assert found is None or (found.beyond(known) is None and f"T_p = {known}" in found.beyond(known + 1))


def test_beyond_the_episodes_of_a_pretraining_document():
    notes = {}
    for t in (64, 65):
        found = theory_summary("shortcut", t, planner="transformer")
        notes[t] = [note for note in found["notes"] if "T_p" in note]
        assert found["pretrained_episodes"] == 64
    assert notes[64] == [] and len(notes[65]) == 1 and "T = 65 is beyond T_p = 64" in notes[65][0]
    unknown = theory_summary("shortcut", 64, planner="exact")
    assert unknown["pretrained_episodes"] is None and "T_p is not known" in unknown["notes"][0]


@pytest.mark.parametrize("about", ["", "[]", '{"episodes": "8"}', '{"episodes": 0}', '{"recipe": 8}'])
def test_a_checkpoint_that_does_not_say_t_p(tmp_path, about):
    (tmp_path / "parley.json").write_text(about)
    assert pretrained("transformer", {"checkpoint": str(tmp_path)}, "shortcut") is None
    (tmp_path / "parley.json").write_text('{"recipe": {"episodes": 8}}')
    assert pretrained("hf:x", {"path": str(tmp_path)}, "shortcut").episodes == 8


def test_a_published_bandit_in_which_exploring_does_not_pay():
    """The easy setting of Krishnamurthy et al. 2024; in `shortcut` a greedy planner never learns of the open door."""
    found = theory_summary("bandit:arms=4,gap=0.5", 50)
    assert found["exploring_pays"] is False
    assert any(note.startswith("exploring at the theory's rate does not pay in 50 episodes") for note in found["notes"])
    assert theory_summary("shortcut", 50)["exploring_pays"] is None
