"""Which of two ways is cheaper where the history is long: both are timed, side by side, on a prompt that goes on.

A server may keep its computation of a prompt (a prefix cache). Yet it may read the whole prompt again to tell its
log-probabilities, as vLLM does for `echo`. So two prompts are sent, the second goes on from the first, and the second
is timed.
"""

import time
from typing import Any

from parley.core.calls import Place, RunPaused
from parley.core.errors import BadInput
from parley.models.failures import Failure, Refused
from parley.planners.ways.asking import PROBING
from parley.prompting.prompter import entries
from parley.prompting.template import Turn

TIMES = 3  # prompts that go on from the one before; the fastest counts
DEARER = 1.5  # times as long as the other way before it is given up
MENU = ("go on", "wait")


def cheaper(echo: Any, letters: Any, history: str) -> tuple[Any, str]:
    """The way to take, and why; `echo` unless it takes much longer."""
    try:
        took = {way.name: _seconds(way, history) for way in (echo, letters)}
    except (Failure, Refused, RunPaused, BadInput) as wrong:
        return echo, f"echo: the two could not be compared ({getattr(wrong, 'outcome', wrong)})"
    said = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in took.items())
    said = f"after {len(history):,} characters a call takes {said}"
    if took["echo"] > DEARER * took["letters"]:
        return letters, f"letters: {said}: the server reads the whole prompt again for echo"
    return echo, f"echo: {said}"


def _seconds(way: Any, history: str) -> float:
    """The time of a call after a long prompt that the server has read before."""
    best = float("inf")
    for i in range(TIMES + 1):
        text = history + "".join(f"> {MENU[0]}\nit is {j}\n" for j in range(i))
        began = time.perf_counter()
        _call(way, text, i)
        if i:
            best = min(best, time.perf_counter() - began)
    return best


def _call(way: Any, text: str, i: int) -> None:
    if way.name == "echo":
        said = [f"> {word}\n" for word in MENU]
        way.ask(lambda: way._request(text, said, Place(), "probe time"), lambda answer: i, **PROBING)
        return
    listed = "".join(f"{entry['letter']}. {entry['sentence']}\n" for entry in entries(MENU))
    turns = [Turn("user", f"{text}{listed}Answer with the letter of one choice.\n")]
    way.ask(lambda: way._request(turns, Place(), "probe time"), lambda answer: i, **PROBING)
