"""`riverswim`: a river with a little pay at one bank and a large one at the other, upstream (Strehl and Littman 2008).

Latents: whether the upper bank pays (prior `pays`) and whether the current is weak or strong (.5 each), independent.
Subgoals: "swim down", "swim up". There are `pools` pools; an episode begins in the lowest and has `horizon` steps. The
planner sees in which pool it is, and what it finds. Swimming down always leads one pool down; at the lower bank it pays
0.005.
Swimming up from a pool between the banks leads up with probability 0.35, stays with 0.6 and leads down with 0.05. From
the lowest it leads up with 0.6, else it stays; in the highest it stays with 0.6, else it leads down. Against a strong
current it leads up half as often. In the highest pool it pays 1 where the bank pays. Every pay counts 1/`horizon`.
Instruction: "bring home as much as you can".
Arumugam and Griffiths 2025 let language models swim with 3 pools.
Why: who does not believe in the upper bank has to swim up for a whole episode, against a sure pay, to find out.
"""

from itertools import product

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables

DOWN, UP = range(2)
LITTLE = 0.005


def riverswim(pools: int = 6, horizon: int = 12, pays: float = 0.2) -> Tables:
    """A river with a small pay downstream and perhaps a large one upstream.

    The family with `pools` pools and prior `pays` of a paying upper bank.
    """
    if pools < 3 or horizon < 1:
        raise BadInput(f"pools={pools}, horizon={horizon}: expected at least 3 pools and 1 step")
    if not 0 < pays < 1:
        raise BadInput(f"pays={pays}: expected a probability strictly between 0 and 1")
    latents = tuple(product((True, False), (1.0, 0.5)))  # the upper bank pays; how often swimming up leads up
    events = ("", " and find a coin", " and find a treasure")
    states = tuple(product(range(pools), range(len(events))))
    row = {state: s for s, state in enumerate(states)}
    transition = np.zeros((len(latents), len(states), 2, len(states)))
    for (z, (rich, speed)), (s, (pool, _)) in product(enumerate(latents), enumerate(states)):
        transition[z, s, DOWN, row[max(pool - 1, 0), 1 if pool == 0 else 0]] = 1
        for there, p in _up(pool, pools, speed).items():
            found = 2 if rich and pool == there == pools - 1 else 0
            transition[z, s, UP, row[there, found]] += p
    initial = np.zeros((len(latents), len(states)))
    initial[:, row[0, 0]] = 1
    said = tuple(f"you are in pool {pool + 1} of {pools}{events[event]}" for pool, event in states)
    paid = np.array([(0.0, LITTLE, 1.0)[event] for _, event in states]) / horizon
    return Tables(
        name="riverswim",
        horizon=horizon,
        states=said,
        observations=said,
        menus=(("swim down", "swim up"),),
        latents=tuple(
            f"the upper bank pays {'well' if rich else 'nothing'}, the current is {'weak' if speed == 1 else 'strong'}"
            for rich, speed in latents
        ),
        instructions=("bring home as much as you can",),
        prior=np.array([(pays if rich else 1 - pays) / 2 for rich, _ in latents]),
        initial=initial,
        transition=transition,
        emission=np.tile(np.eye(len(states)), (len(latents), 1, 1)),
        reward=paid[:, None],
        doc=__doc__ or "",
    )


def _up(pool: int, pools: int, speed: float) -> dict[int, float]:
    """Where swimming up leads."""
    if pool == 0:
        return {1: 0.6 * speed, 0: 1 - 0.6 * speed}
    if pool == pools - 1:
        return {pool: 0.6 * speed, pool - 1: 1 - 0.6 * speed}
    return {pool + 1: 0.35 * speed, pool: 0.95 - 0.35 * speed, pool - 1: 0.05}
