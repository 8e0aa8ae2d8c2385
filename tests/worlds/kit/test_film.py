"""Films: a logged episode is played again, and what it shows is what the low level was."""

import base64
import io
import sys

import numpy as np
import pytest
from PIL import Image

from parley.cli import main
from parley.core.errors import BadInput, MissingExtra, RunDamaged
from parley.view.page import report_page
from parley.worlds.house.picture import DRAUGHT, LOCKED, METRE, ROBOT, picture
from parley.worlds.house.tables import Mansion
from parley.worlds.keys.world import keys as keys_world
from parley.worlds.kit.film import Camera, film, save_film
from tests.view.test_page import answers_in
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


def test_run_render_keeps_films_that_the_page_plays(tmp_path, capsys):
    out = tmp_path / "run"
    command = ["run", "--world", "keys:horizon=2", "--planner", "random", "--episodes", "2", "--runs", "2"]
    assert main([*command, "--render", "1:-1,0:0", "--out", str(out)]) == 0
    assert main(["resume", str(out), "--render", "0:1", "--render-kind", "mp4", "--render-every", "30"]) == 0
    capsys.readouterr()
    names = ["run0-episode0.gif", "run0-episode1.mp4", "run1-episode1.gif"]
    assert sorted(path.name for path in (out / "films").iterdir()) == names
    (out / "films" / 'x"><script>.gif').write_bytes(b"not ours")
    page = report_page([out])
    answers = answers_in(page)
    films = {key: film["data"] for key, film in answers.items() if key.startswith("film?")}
    assert set(films) == {f"film?id={out}&name={name}" for name in names} and b"not ours" not in page
    assert answers[f"episode?episode=1&id={out}&run=1"]["film"] == "run1-episode1.gif"
    last = films[f"film?id={out}&name=run1-episode1.gif"]
    with Image.open(io.BytesIO(base64.b64decode(last.partition(",")[2]))) as shown:
        assert shown.n_frames > 2
    film_bytes = base64.b64decode(films[f"film?id={out}&name=run0-episode1.mp4"].removeprefix("data:video/mp4;base64,"))
    assert film_bytes[4:8] == b"ftyp"
    assert b"media-src data:" in page


@pytest.mark.parametrize(
    "world, options, said",
    [
        ("shortcut", ["--render", "0:0"], "no physical low level"),
        ("keys", ["--render", "0"], "RUN:EPISODE"),
        ("keys", ["--render", "2:0"], "runs below 2"),
        ("keys", ["--render", "0:2"], "episodes below 2"),
        ("keys", ["--render", "0:0", "--render-every", "0"], "at least 1"),
        ("keys", ["--render", "0:0", "--record", "episodes"], "--record steps"),
    ],
)
def test_what_cannot_be_rendered_is_said_before_the_run(world, options, said, tmp_path, capsys):
    out = tmp_path / "run"
    command = ["run", "--world", world, "--planner", "random", "--episodes", "2", "--runs", "2", "--out", str(out)]
    assert main([*command, *options]) == 2
    assert said in " ".join(capsys.readouterr().err.split()) and not out.exists()


def test_films_of_other_kinds_and_without_the_extra(tmp_path, monkeypatch):
    frames = [(np.zeros((9, 9, 3), np.uint8), "a caption that is long enough for several lines " * 9)]
    with pytest.raises(BadInput, match=r"\.gif or \.mp4"):
        save_film(frames, tmp_path / "film.avi")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingExtra, match=r"pip install .*\[video\]"):
        save_film(frames, tmp_path / "film.mp4")
    save_film(frames, tmp_path / "film.gif")
