"""`weather`: carrying the mail between a village and a hut while the weather turns within an episode, unseen.

Latents (6): which of three paths leads through (wood .5, river .3, quarry .2), and whether the weather turns seldom or
often (.5 each); independent. Subgoals (7): "climb the ridge", "go down to the hut", "go down to the village", "wait and
watch the sky". Also "take the path through the wood", "... along the river", "... past the quarry". Instructions:
"bring the mail to the hut", "bring the mail to the village". Horizon 5. Every step after which the carrier is where the
mail is wanted pays 1/horizon.

The ridge can always be climbed. In fair weather it leads down to either side at once: two steps in all. In foul weather
the carrier on it stays there, but for a break in the clouds (probability `breaks`, 0.1). The path that leads through
takes one step in any weather. But one gets lost, and is back, with probability `lost` (0.75); the others lead nowhere.
The weather is fair or foul with equal chances at first, and turns at each step with probability 0.1 or 0.4.

The planner sees where it is, and a sky that is taken for the other one with probability `haze` (0.25; 0.05 on the
ridge).

Why: conditions that drift within an episode, besides a latent that does not. What was seen of the sky loses its worth,
at a speed that has to be learnt.
"""

from itertools import product

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables

PLACES = ("in the village", "at the hut", "on the ridge")
SKIES = ("the sky looks clear", "the sky looks dark")
PATHS = ("through the wood", "along the river", "past the quarry")
TURNS = {"seldom": 0.1, "often": 0.4}
MENU = (
    *("climb the ridge", "go down to the hut", "go down to the village", "wait and watch the sky"),
    *(f"take the path {path}" for path in PATHS),
)
VILLAGE, HUT, RIDGE = range(3)
FAIR, FOUL = range(2)
HAZE_ABOVE = 0.05  # on the ridge
HORIZON = 5


def weather(lost: float = 0.75, haze: float = 0.25, breaks: float = 0.1) -> Tables:
    """Mail over a ridge: a hidden path, and weather that turns within an episode.

    The family with a path that fails with probability `lost`, and a sky misread with probability `haze`.
    """
    for name, value, most in (("lost", lost, 1.0), ("haze", haze, 0.5), ("breaks", breaks, 1.0)):
        if not 0 <= value <= most or (name == "lost" and value == 1):
            raise BadInput(f"weather: {name}={value}: expected a probability of at most {most:g}, lost below 1")
    latents = tuple(product(range(len(PATHS)), TURNS))
    states = tuple(product(range(len(PLACES)), ("fair", "foul")))
    move = np.stack([[_places(path, now, lost, breaks) for now in (FAIR, FOUL)] for path in range(len(PATHS))])
    turn = {kind: np.array([[1 - p, p], [p, 1 - p]]) for kind, p in TURNS.items()}
    # Who moves, moves in the weather that is; then it turns.
    transition = np.stack([np.einsum("apgb,ac->pagbc", move[path], turn[kind]) for path, kind in latents])
    wrong = np.array([haze, haze, HAZE_ABOVE])
    sky = np.stack([[1 - wrong, wrong], [wrong, 1 - wrong]]).transpose(2, 0, 1)  # place, weather, report
    emission = np.einsum("pq,pas->paqs", np.eye(len(PLACES)), sky)
    at = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]).T / HORIZON  # place, instruction
    n, g = len(states), len(MENU)
    return Tables(
        name="weather",
        horizon=HORIZON,
        states=tuple(f"{PLACES[place]}, {sky}" for place, sky in states),
        observations=tuple(f"you are {place}; {sky}" for place in PLACES for sky in SKIES),
        menus=(MENU,),
        latents=tuple(f"the path {PATHS[path]} leads through, the weather turns {kind}" for path, kind in latents),
        instructions=("bring the mail to the hut", "bring the mail to the village"),
        prior=np.outer([0.5, 0.3, 0.2], [0.5, 0.5]).ravel(),
        initial=np.tile(np.array([0.25, 0.25, 0.25, 0.25, 0.0, 0.0]), (len(latents), 1)),
        transition=transition.reshape(len(latents), n, g, n),
        emission=np.tile(emission.reshape(n, n), (len(latents), 1, 1)),
        reward=np.repeat(at, len(SKIES), axis=0),
        doc=__doc__ or "",
    )


def _places(path: int, now: int, lost: float, breaks: float) -> np.ndarray:
    """Where a subgoal leads (place, subgoal, place) in weather `now`, when `path` is the one that leads through."""
    law = np.tile(np.eye(len(PLACES))[:, None], (1, len(MENU), 1))
    climb, hut, village, _, first = range(5)
    law[:, climb] = np.eye(len(PLACES))[RIDGE]
    out = 1.0 if now == FAIR else breaks
    for subgoal, place in ((hut, HUT), (village, VILLAGE)):
        law[RIDGE, subgoal] = (1 - out) * np.eye(len(PLACES))[RIDGE] + out * np.eye(len(PLACES))[place]
    for here, there in ((VILLAGE, HUT), (HUT, VILLAGE)):
        law[here, first + path] = lost * np.eye(len(PLACES))[here] + (1 - lost) * np.eye(len(PLACES))[there]
    return law
