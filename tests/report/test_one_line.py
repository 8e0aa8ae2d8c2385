"""A planner that likes one line best whatever it hears is named by its share, in `diagnose` too."""

import pytest

from parley.cli import main
from parley.execute import RunConfig, run
from parley.experiments.claims.diagnosis import diagnosed


@pytest.mark.parametrize(
    ("world", "planner", "named"),
    [
        ("household", "stuck", True),
        ("household", "exact", False),
        ("household", "random", False),  # likes nothing best
    ],
)
def test_who_is_named(world, planner, named, tmp_path, capsys):
    from parley import assemble

    line = assemble.world(world).tables.menus[0][1]
    spec = f"scripted:script={line}" if planner == "stuck" else planner
    run(RunConfig(world, spec, runs=4, episodes=10, record="steps"), tmp_path / "run")
    found = diagnosed(tmp_path / "run")
    assert bool(found.also) == named
    if named:
        assert repr(line) in found.also and "100% of" in found.also and found.as_dict()["also"] == found.also
        main(["diagnose", str(tmp_path / "run")])
        assert "the planner likes" in capsys.readouterr().out
    else:
        assert "also" not in found.as_dict()
