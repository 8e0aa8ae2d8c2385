"""Films of logged episodes: an episode is a function of its seed and its subgoals, so it is played again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image, ImageDraw

from parley.core.errors import BadInput, RunDamaged
from parley.core.text import inert
from parley.worlds.composed import TextEnv

Frame = tuple[np.ndarray, str]  # a picture and the sentence under it
LINE = 16  # pixels of a line of text


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
            raise BadInput(
                f"the environment gives no picture: {type(wrong).__name__}: {inert(str(wrong), 200)}"
            ) from wrong
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


def save_gif(frames: Sequence[Frame], path: Path, frame_s: float = 0.08) -> None:
    """The frames as an animated GIF, each with its sentence below; what is said after a subgoal stays for a second."""
    images = []
    for picture, caption in frames:
        shown = Image.new("RGB", (max(picture.shape[1], 360), picture.shape[0] + 2 * LINE), "white")
        shown.paste(Image.fromarray(picture), (0, 0))
        ImageDraw.Draw(shown).text((6, picture.shape[0] + LINE // 2), inert(caption, 70), fill="black")
        images.append(shown)
    durations = [round(1000 * (frame_s if caption.startswith(">") else 1.0)) for _, caption in frames]
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations, loop=0)
