"""Films of logged episodes: an episode is a function of its seed and its subgoals, so it is played again."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image, ImageDraw

from parley.core.errors import BadInput, MissingExtra, RunDamaged
from parley.core.text import inert
from parley.worlds.kit.graphics import no_picture
from parley.worlds.kit.text_env import TextEnv

Frame = tuple[np.ndarray, str]  # a picture and the sentence under it
LINE, LINES, LETTERS = 16, 3, 66  # pixels of a line of text, lines below a picture, letters a line
FRAME_S = 0.08  # seconds that a picture stays


class Camera(gym.Wrapper[Any, Any, Any, Any]):
    """Keeps a picture of the low level at every `every`-th action."""

    def __init__(self, low: gym.Env[Any, Any], every: int) -> None:
        super().__init__(low)
        self.every, self.caption, self.frames = every, "", list[Frame]()
        self._count = 0

    def step(self, action: Any) -> Any:
        answer = self.env.step(action)
        self._count += 1
        if self._count % self.every == 0:
            self.take()
        return answer

    def take(self) -> None:
        """Keep a picture; raises `BadInput` where the environment gives none."""
        try:
            image = self.env.render()
        except Exception as wrong:
            raise no_picture(wrong) from wrong
        if not isinstance(image, np.ndarray) or image.ndim != 3:
            raise BadInput("the environment gives no picture: make it with render_mode='rgb_array'")
        self.frames.append((image, self.caption))


def film(env: TextEnv, seed: int, instruction: str, steps: Sequence[tuple[str, str]], every: int = 8) -> list[Frame]:
    """Play an episode of (subgoal, what was heard after it) again; raises `RunDamaged` where it goes another way."""
    if every < 1:
        raise BadInput(f"every={every}: expected at least 1")
    camera = Camera(env.low, every)
    env.low = camera
    said, _ = env.reset(seed=seed, options={"instruction": instruction})
    camera.caption = said
    camera.take()
    for subgoal, heard in steps:
        camera.caption = f"> {subgoal}"
        said, *_ = env.step(subgoal)
        if said != heard:
            raise RunDamaged(f"after {subgoal!r} the log holds another observation than the environment gives now")
        camera.caption = said
        camera.take()
    return camera.frames


def save_film(frames: Sequence[Frame], path: Path) -> None:
    """The frames as an animated GIF or, by the path's end, as an MP4, each with its sentence below."""
    kinds = {".gif": save_gif, ".mp4": save_mp4}
    if path.suffix not in kinds:
        raise BadInput(f"film {str(path)!r}: expected a path that ends in .gif or .mp4")
    kinds[path.suffix](frames, path)


def save_gif(frames: Sequence[Frame], path: Path) -> None:
    """The frames as an animated GIF; the words after a subgoal stay for a second."""
    images = [captioned(frame) for frame in frames]
    durations = [round(1000 * _seconds(frame)) for frame in frames]
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations, loop=0)


def save_mp4(frames: Sequence[Frame], path: Path) -> None:
    """The frames as an H.264 film; needs the extra `video`."""
    try:
        import imageio_ffmpeg  # noqa: F401
        from imageio.v2 import mimwrite
    except ImportError:
        raise MissingExtra("an MP4 film", "video") from None
    shown = [np.asarray(captioned(frame)) for frame in frames for _ in range(round(_seconds(frame) / FRAME_S))]
    mimwrite(path, shown, fps=round(1 / FRAME_S), codec="libx264", macro_block_size=2)


def captioned(frame: Frame) -> Image.Image:
    """A picture with its sentence below it, broken into lines; even numbers of pixels, which MP4 needs."""
    picture, caption = frame
    lines = textwrap.wrap(inert(caption, LINES * LETTERS), LETTERS)[:LINES]
    wide, high = max(picture.shape[1], 420), picture.shape[0] + (LINES + 1) * LINE
    shown = Image.new("RGB", (wide + wide % 2, high + high % 2), "white")
    shown.paste(Image.fromarray(picture), (0, 0))
    for i, line in enumerate(lines):
        ImageDraw.Draw(shown).text((6, picture.shape[0] + LINE // 2 + i * LINE), line, fill="black")
    return shown


def _seconds(frame: Frame) -> float:
    return FRAME_S if frame[1].startswith(">") else 1.0
