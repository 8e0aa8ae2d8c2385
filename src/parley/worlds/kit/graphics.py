"""The message where MuJoCo, or the OpenGL that it may draw with, does not load; Parley's pictures need no OpenGL."""

import contextlib
import io
import os
import re
import warnings
from collections.abc import Iterator

from parley.core.errors import BadInput, MissingExtra
from parley.core.text import inert, raised

PACKAGES = (
    "drawing with OpenGL takes a display or, without one, MUJOCO_GL=egl and the package libegl1, "
    "or MUJOCO_GL=osmesa and libosmesa6 (as Debian and Ubuntu call them)"
)


@contextlib.contextmanager
def importing_mujoco(world: str) -> Iterator[None]:
    """Around imports of MuJoCo and gymnasium-robotics, whose news about other environments is not shown.

    Raises `MissingExtra` where they are not installed, `BadInput` where MUJOCO_GL names what this machine has not.
    """
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except ModuleNotFoundError:
        raise MissingExtra(f"world {world!r}", "mujoco") from None
    except Exception as wrong:  # MuJoCo and PyOpenGL raise ImportError, RuntimeError or AttributeError
        raise BadInput(
            f"world {world!r}: MuJoCo does not load with MUJOCO_GL={inert(os.environ.get('MUJOCO_GL', ''), 40)!r} "
            f"({said(wrong)}): unset it, since parley draws this world without OpenGL; {PACKAGES}"
        ) from wrong


def said(wrong: BaseException) -> str:
    """One line of an exception."""
    return raised(wrong, 200)


def no_picture(wrong: Exception) -> BadInput:
    """The message for an environment whose `render()` raised; names the packages where OpenGL may be to blame."""
    told = said(wrong)
    hint = f"; {PACKAGES}" if re.search("opengl|egl|glx|glfw|glget|mesa|display|x11", told, re.IGNORECASE) else ""
    return BadInput(f"the environment gives no picture: {told}{hint}")
