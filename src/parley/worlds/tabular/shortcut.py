"""`shortcut`: a long safe corridor, and a back door that is usually locked; the practical face of `treasure`.

Latents: "the back door is locked" (prior 0.9) and "the back door is open" (prior `open`, 0.1). Subgoals: "walk on along
the corridor", "try the back door". Instruction: "go to the garden". Horizon 3. The corridor takes two steps. An open
door takes one step, but it jams with probability `jam` (0.2); a locked one never opens. Both leave time for the
corridor still. Reaching the garden pays 1 after one step, 0.7 after two, 0.4 after three. The planner sees where it is,
except that inside the house the Reporter cannot tell with probability `noise` (0.1). Why: under the prior the corridor
is the better guess, and walking it says nothing about the door. A planner that decodes greedily never tries the door.
In a house whose door is open it loses 0.22 in every episode, for ever.
"""

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables

STATES = (
    *("hall", "corridor", "hall, later", "corridor, later", "hall, last"),
    *("garden, early", "garden, in time", "garden, late", "garden"),
)
SENTENCES = (
    "you stand in the hall",
    "you stand in the corridor",
    "you cannot tell where you are",
    "you reach the garden early",
    "you reach the garden in good time",
    "you reach the garden late",
    "you are in the garden",
)


def shortcut(open: float = 0.1, jam: float = 0.2, noise: float = 0.1) -> Tables:
    """A safe corridor, and a back door that is usually locked.

    The family with prior `open` of an open door, which jams with probability `jam`, and report noise `noise`.
    """
    for name, value in (("open", open), ("jam", jam), ("noise", noise)):
        if not 0 <= value < 1 or (name == "open" and value == 0):
            raise BadInput(f"{name}={value}: expected a probability below 1{' and above 0' if name == 'open' else ''}")
    hall, corridor, hall2, corridor2, hall3, early, in_time, late, garden = range(len(STATES))
    walk, door = range(2)
    transition = np.zeros((2, len(STATES), 2, len(STATES)))
    ways = ((hall, corridor), (corridor, in_time), (hall2, corridor2), (corridor2, late), (hall3, corridor2))
    for state, after in ways:
        transition[:, state, walk, after] = 1
    # Trying the door: from the hall it leads straight out where it opens; in the corridor it costs the way back.
    for state, out, stuck in ((hall, early, hall2), (hall2, in_time, hall3), (hall3, late, hall3)):
        transition[0, state, door, stuck] = 1
        transition[1, state, door, out], transition[1, state, door, stuck] = 1 - jam, jam
    transition[:, corridor, door, hall2] = 1
    transition[:, corridor2, door, hall3] = 1
    transition[:, early:, :, garden] = 1
    emission = np.zeros((len(STATES), len(SENTENCES)))
    for state in (hall, corridor, hall2, corridor2, hall3):
        emission[state, 1 if state in (corridor, corridor2) else 0] = 1 - noise
        emission[state, 2] = noise
    emission[early:, 3:] = np.eye(4)
    initial = np.zeros((2, len(STATES)))
    initial[:, hall] = 1
    return Tables(
        name="shortcut",
        horizon=3,
        states=STATES,
        observations=SENTENCES,
        menus=(("walk on along the corridor", "try the back door"),),
        latents=("the back door is locked", "the back door is open"),
        instructions=("go to the garden",),
        prior=np.array([1 - open, open]),
        initial=initial,
        transition=transition,
        emission=np.tile(emission, (2, 1, 1)),
        reward=np.array([[0.0], [0.0], [0.0], [1.0], [0.7], [0.4], [0.0]]),
        doc=__doc__ or "",
    )
