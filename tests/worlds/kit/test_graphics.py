"""OpenGL that is not there: one sentence that names packages, whether MuJoCo or somebody's `render()` asks for it."""

import os
import subprocess
import sys

import mujoco
import pytest

from parley.core.errors import BadInput, MissingExtra
from parley.worlds.kit.film import Camera
from parley.worlds.kit.graphics import importing_mujoco
from tests.worlds.toy import Line


@pytest.mark.parametrize("world", ["house", "sorter"])
def test_mujoco_that_does_not_load_stops_in_one_sentence(world, tmp_path):
    command = [sys.executable, "-m", "parley", "run", "--world", world, "--planner", "random", "--out"]
    environment = {**os.environ, "MUJOCO_GL": "nonsense\x1b[31m"}
    ended = subprocess.run([*command, str(tmp_path / "run")], capture_output=True, text=True, env=environment)
    told = " ".join(ended.stderr.split())
    assert ended.returncode == 2 and "Traceback" not in told and "\x1b[31m" not in told
    for part in ("MUJOCO_GL='nonsense", "unset it", "libegl1", "libosmesa6"):
        assert part in told


def test_a_missing_package_is_another_thing():
    with pytest.raises(MissingExtra, match=r"world 'house' needs the extra 'mujoco'"), importing_mujoco("house"):
        import no_such_physics  # noqa: F401
    with pytest.raises(BadInput, match="ImportError: cannot initialize EGL.*libegl1"), importing_mujoco("house"):
        raise ImportError("cannot initialize EGL")


class Blind(Line):
    """Draws with a MuJoCo renderer that has no OpenGL."""

    def render(self):
        model = mujoco.MjModel.from_xml_string("<mujoco/>")
        mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)


class Broken(Line):
    """Its picture fails for another reason."""

    def render(self):
        raise ZeroDivisionError("no width")


def test_a_picture_without_opengl_names_the_packages():
    with pytest.raises(BadInput, match="OpenGL platform library.*a display or.*MUJOCO_GL=egl and the package libegl1"):
        Camera(Blind(0), 1).take()
    with pytest.raises(BadInput, match="gives no picture: ZeroDivisionError: no width$"):
        Camera(Broken(0), 1).take()
