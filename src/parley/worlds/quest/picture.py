"""A page of a text game as a picture, drawn without a display."""

import textwrap
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

WIDE, HIGH, LINE, LETTERS = 420, 240, 14, 66  # pixels, pixels, pixels a line, letters a line
PAPER, INK, TYPED = (28, 30, 34), (214, 210, 200), (240, 190, 90)


def page(lines: Sequence[str]) -> UInt8[np.ndarray, "height width 3"]:
    """The last lines; what was typed (it begins with ">") has a colour of its own."""
    image = Image.new("RGB", (WIDE, HIGH), PAPER)
    draw = ImageDraw.Draw(image)
    shown = [(part, TYPED if line.startswith(">") else INK) for line in lines for part in textwrap.wrap(line, LETTERS)]
    for i, (part, colour) in enumerate(shown[-(HIGH // LINE - 1) :]):
        draw.text((8, 6 + i * LINE), part, fill=colour)
    return np.asarray(image)
