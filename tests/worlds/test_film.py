"""Films: a logged episode is played again, and what it shows is what the low level was."""

import numpy as np
import pytest
from PIL import Image

from parley.cli import main
from parley.core.errors import BadInput, RunDamaged
from parley.gym import keys_world
from parley.worlds.film import Camera, film
from parley.worlds.house import Mansion
from parley.worlds.house_picture import DRAUGHT, LOCKED, METRE, ROBOT, picture
from tests.worlds.toy import Line


@pytest.mark.parametrize("world", ["house:horizon=2", "keys:workers=2", "sorter:horizon=3"])
def test_a_logged_episode_becomes_a_film(world, tmp_path, capsys):
    out, gif = tmp_path / "run", tmp_path / "film.gif"
    assert (
        main(["run", "--world", world, "--planner", "random", "--episodes", "2", "--runs", "2", "--out", str(out)]) == 0
    )
    assert main(["world", "film", str(out), "--of-run", "1", "--episode", "1", "--out", str(gif), "--every", "4"]) == 0
    capsys.readouterr()
    with Image.open(gif) as shown:
        assert shown.n_frames > 2 and shown.size[0] >= 200
    for wrong in (["--episode", "7"], ["--of-run", "5"], ["--every", "0"]):
        assert main(["world", "film", str(out), "--out", str(gif), *wrong]) == 2
        capsys.readouterr()


def test_worlds_without_a_low_level_are_not_filmed(tmp_path, capsys):
    out = tmp_path / "run"
    main(["run", "--world", "shortcut", "--planner", "random", "--episodes", "1", "--runs", "1", "--out", str(out)])
    assert main(["world", "film", str(out), "--out", str(tmp_path / "film.gif")]) == 2
    assert "no physical low level" in " ".join(capsys.readouterr().err.split())


def test_an_episode_that_goes_another_way_is_no_film():
    with pytest.raises(RunDamaged, match="after 'go to the west room'"):
        film(keys_world().text_env(0), 3, "find the red ball", [("go to the west room", "you are on the moon")])


def test_environments_without_pictures():
    with pytest.raises(BadInput, match="gives no picture"):
        Camera(Line(0), 1).take()


def test_the_picture_of_the_house():
    plan = Mansion().plans[0]
    image = picture(plan, np.array([-2.0, 2.0, 0, 0]))
    assert tuple(image[round(1.5 * METRE), round(1.5 * METRE)]) == ROBOT
    assert tuple(image[round(1.5 * METRE), round(2.5 * METRE)]) == LOCKED  # hall to study
    assert tuple(image[round(2.5 * METRE), round(3.5 * METRE)]) == DRAUGHT  # study to lounge
    assert not np.array_equal(image, picture(plan, np.array([0.0, 0.0, 0, 0])))
