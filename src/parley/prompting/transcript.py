"""The transcript: a history as plain text, one line for each thing said; the same in pretraining and at run time.

    task: bring me the mug
    at the dock, empty hand
    > look in the cupboard
    at the cupboard, empty hand, you see the mug

Episodes follow one another; with several Actors each part of a subgoal has a line of its own, in order. Where the world
is not one that the model knows, two lines come first:

    rules: each thing lies in one place, always the same; 2 choices
    choices: look in the cupboard | look in the drawer
"""

from collections.abc import Sequence

from parley.core.text import block, one_line


def header(rules: str, menus: Sequence[Sequence[str]], horizon: int) -> str:
    """What a newcomer is told about a world: its rules, how long an episode is, and each Actor's menu."""
    told = f"{one_line(rules)}; " if rules else ""
    lines = [f"rules: {told}{horizon} choices\n"]
    return "".join([*lines, *map(choices_line, menus)])


def choices_line(menu: Sequence[str]) -> str:
    """What can be told at a step, where that changes from step to step."""
    return f"choices: {' | '.join(map(one_line, menu))}\n"


def task_line(instruction: str) -> str:
    """The line that opens an episode."""
    return f"task: {one_line(instruction)}\n"


def observation_line(observation: str) -> str:
    """The line of what the Reporter said; of several lines each is indented."""
    return f"{block(observation)}\n"


def subgoal_line(subgoal: str) -> str:
    """The line of one Actor's part of a subgoal."""
    return f"> {one_line(subgoal)}\n"
