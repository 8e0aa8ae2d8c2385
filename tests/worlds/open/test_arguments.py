"""Arguments of adapters that need none of their extras."""

import pytest

from parley import assemble
from parley.core.errors import BadInput
from parley.core.spec import suggestion
from parley.worlds.open.textworld import HEADER, require_story

WHOLE = bytes([8, *[0] * 3, *([1, 0] * 6), *[0] * 10, 0, 100]).ljust(800, b"\0")  # tables at 256, of 800 bytes


@pytest.mark.parametrize(
    "story",
    [b"", b"root:x:0:0", b"root:x:0:0:" * 100, bytes(1000), b"\x08" + b"\xff" * 999, WHOLE[:HEADER], WHOLE[:-1]],
)
def test_what_is_no_story_is_said(story, tmp_path):
    """The interpreter, in C, ended the whole process in a segmentation fault."""
    path = tmp_path / "story.z8"
    path.write_bytes(story)
    for spec in (f"jericho:{path}", f"textworld:{path}"):
        with pytest.raises(BadInput, match="is no whole story file of the Z-machine"):
            assemble.world(spec)
    path.write_bytes(WHOLE)
    require_story(path)


@pytest.mark.parametrize("spec", ["gym:CartPole-v1,first=5", "gym:CartPole-v1,seeded_by=variation,first=5"])
def test_a_first_variation_of_none_is_said(spec):
    with pytest.raises(BadInput, match="first=5: variations=N is missing"):
        assemble.world(spec)


def test_a_map_besides_those_that_are_hidden_is_said():
    with pytest.raises(BadInput, match="has maps of its own here"):
        assemble.world('gym:FrozenLake-v1,settings="map_name=8x8"')


def test_long_lists_of_names_are_cut():
    said = suggestion("x", [f"game {i}" for i in range(300)])
    assert len(said) < 500 and said.endswith(", and 260 more")
