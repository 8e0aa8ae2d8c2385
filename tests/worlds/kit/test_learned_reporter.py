"""The learned Reporter: it comes close to E, is kept and read back, and speaks in runs; only the planner hears it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from parley import assemble, cli
from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.worlds.household.environment import HouseholdGrid
from parley.worlds.household.learned_reporter import VIEWS, LowLevelReporter, raw_features, raw_state
from parley.worlds.household.picture import picture
from parley.worlds.household.tables import HOMES, House, standings
from parley.worlds.kit.learned_reporter import LearnedReporter, state_features
from parley.worlds.kit.reporter_training import ReporterRecipe, pretrain_reporter
from parley.worlds.kit.tabular.reported import ReportedWorld, mixed, reporter_error, visits, with_floor


def tables(name="shortcut", floor=0.02):
    return with_floor(assemble.world(name).tables, floor)


def test_more_pairs_bring_it_closer_to_the_truth():
    errors = [
        pretrain_reporter(tables(), "shortcut", ReporterRecipe(pairs=pairs, steps=500)).about["total_variation"]
        for pairs in (100, 50_000)
    ]
    assert errors[1] < 0.02 < errors[0] < 0.2


@pytest.mark.parametrize("view", ["grid", "pixels"])
def test_household_from_raw_states(view, tmp_path):
    learned = pretrain_reporter(tables("household", 0.0), "household", ReporterRecipe(view=view, steps=200), VIEWS)
    assert learned.about["total_variation"] < 0.1
    learned.save(tmp_path)
    again = LearnedReporter.load(tmp_path)
    reporter, house = LowLevelReporter(again, House()), House()
    state, _ = HouseholdGrid(house, 0).reset(seed=0)
    said = [reporter.report(state, np.random.default_rng(i)) for i in range(50)]
    assert said.count("at the dock, empty hand") > 40
    features = raw_features(view, house, [tuple(state)])
    assert np.allclose(again.law(features), learned.law(features)) and again.law(features).sum() == pytest.approx(1)


def test_pictures_show_every_state_apart():
    house = House()
    states = {raw_state(house, homes, now) for homes in HOMES for now in standings()}
    assert len({picture(house, state).tobytes() for state in states}) == len(states)
    assert len(state_features("pixels", tables("household"), VIEWS)) == len(HOMES) * len(standings())


def test_visits_and_error_of_noise():
    t = tables()
    assert visits(t).sum() == pytest.approx(1)
    assert reporter_error(t, t.emission) == 0
    half = reporter_error(t, mixed(t.emission, 0.5))
    assert half == pytest.approx(5 * reporter_error(t, mixed(t.emission, 0.1))) and half > 0


def test_the_world_pays_what_is_done_whatever_is_said():
    t, latents, draws = tables("household"), np.zeros(64, dtype=int), Draws(0, 64)
    world = ReportedWorld(t, np.roll(t.emission, 1, axis=2))
    rewards = []
    for one in (world, replace(world, spoken=t.emission), assemble.world("household:floor=0.02")):
        envs = one.make(latents, draws)
        said, _ = envs.reset(options={"episode": 0})
        paid = [envs.step(np.full((64, 1), g, dtype=object)) for g in ("take the mug", "bring it to the sofa")]
        rewards.append((said.tolist(), [p[1].tolist() for p in paid], [p[0].tolist() for p in paid]))
    assert rewards[1] == rewards[2] and rewards[0][1] == rewards[1][1] and rewards[0][2] != rewards[1][2]


@pytest.mark.slow
def test_commands(tmp_path, capsys):
    path, out = tmp_path / "reporter", tmp_path / "run"
    made = ["pretrain-reporter", "--world", "shortcut:floor=0.02", "--out", str(path), "--steps", "200", "--json"]
    assert cli.main(made) == 0
    assert json.loads(capsys.readouterr().out)["total_variation"] < 0.1
    options = ["--episodes", "3", "--runs", "4", "--out"]
    heard = ["--world", "shortcut:floor=0.02", "--reporter", f"learned:{path}", *options]
    assert cli.main(["run", *heard, str(out)]) == 0
    assert json.loads((out / "manifest.json").read_text())["config"]["world"].endswith(f"reporter=learned:{path}")
    assert cli.main(["report", str(out)]) == 0 and cli.main(["show", str(out)]) == 0
    low = ["--world", "household:low_level=true,floor=0.02", "--reporter", "learned:500", *options]
    assert cli.main(["run", *low, str(tmp_path / "low")]) == 0
    for wrong in ("learned:nowhere", "noisy:2", "noisy:much", "parrot:1", f"learned:{path}/.."):
        assert cli.main(["run", "--world", "shortcut", "--reporter", wrong, *options, str(tmp_path / "no")]) == 2
    assert (
        cli.main(["run", "--world", "treasure", "--reporter", f"learned:{path}", *options, str(tmp_path / "no")]) == 2
    )
    assert not (tmp_path / "no").exists()


def test_views_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(BadInput, match="view='grid'"):
        pretrain_reporter(tables(), "shortcut", ReporterRecipe(view="grid"))
    with pytest.raises(BadInput, match="pairs=1"):
        ReporterRecipe(pairs=1)
    with pytest.raises(BadInput, match="tables"):
        LowLevelReporter(pretrain_reporter(tables(), "shortcut", ReporterRecipe(steps=1)), House())
