"""`clues`: work that pays if one knows what is hidden, and subgoals that only tell what is hidden.

Latents: `latents` of them, one job each that is right under it. Subgoals: the jobs, "do the safe job", and `clues`
questions ("ask the smith", ...). With `far=true` questions can be asked in town only, which is a step away, as is the
way back. Horizon `horizon`; every step pays its share of 1. The right job succeeds with probability `hit`, any other
with probability `miss`; the safe job always pays `safe`.

A question splits the latents at random into two or more groups. The answer names the right group with a probability
drawn from `dull` to 1, else another one with equal chances. Instruction: "do the work". The planner sees where it is,
whether the job succeeded, and the answer it got.

Why: questions are optimal under no latent. How many questions to ask, which one, and whether asking is worth the way
depends on the belief. With `hit` close to `miss` the latents hardly differ, and with few episodes no question pays.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from parley.core.errors import BadInput
from parley.core.tables import Tables

PEOPLE = ("smith", "miller", "baker", "weaver", "cooper", "tanner", "mason", "potter")
YARD, TOWN = "in the yard", "in town"


@dataclass(frozen=True)
class Question:
    """The person asked, and the probabilities of the answers under each latent."""

    person: str
    law: Float[np.ndarray, "Z A"]

    @property
    def answers(self) -> tuple[str, ...]:
        return tuple(f"the {self.person} says: answer {i}" for i in range(self.law.shape[1]))


def clues(
    latents: int = 8,
    clues: int = 2,
    horizon: int = 2,
    far: bool = False,
    hit: float = 1.0,
    miss: float = 0.0,
    safe: float = 0.5,
    dull: float = 0.6,
    seed: int = 0,
) -> Tables:
    """Jobs where one is right, and questions that only inform.

    The family with `latents` jobs and `clues` questions drawn by `seed`; see the module's docstring.
    """
    if latents < 2 or horizon < 1:
        raise BadInput(f"latents={latents}, horizon={horizon}: expected at least 2 latents and 1 step")
    if not 0 <= clues <= len(PEOPLE):
        raise BadInput(f"clues={clues}: expected a number from 0 to {len(PEOPLE)}")
    for name, value in (("hit", hit), ("miss", miss), ("safe", safe), ("dull", dull)):
        if not 0 <= value <= 1:
            raise BadInput(f"{name}={value}: expected a number from 0 to 1")
    rng = np.random.Generator(np.random.Philox(key=seed))
    prior = rng.dirichlet(np.full(latents, 2.0))
    asked = [_question(person, latents, dull, rng) for person in PEOPLE[:clues]]
    return _tables(prior, asked, horizon, far, _success(latents, hit, miss), safe)


def _question(person: str, latents: int, dull: float, rng: np.random.Generator) -> Question:
    groups = int(rng.integers(2, max(3, min(latents, 4) + 1)))
    group = rng.permutation(np.arange(latents) % groups)
    right = float(rng.uniform(dull, 1.0))
    law = np.where(group[:, None] == np.arange(groups), right, (1 - right) / (groups - 1))
    return Question(person, law)


def _success(latents: int, hit: float, miss: float) -> Float[np.ndarray, "Z J"]:
    return np.where(np.eye(latents) > 0, hit, miss)


def _tables(
    prior: np.ndarray, asked: list[Question], horizon: int, far: bool, success: Float[np.ndarray, "Z J"], safe: float
) -> Tables:
    """States are what was seen last; what a subgoal leads to depends on the place and the latent alone."""
    num = len(prior)
    events: tuple[str, ...] = ("nothing has happened", "the job is done", "nothing comes of it", "the safe job is done")
    events += tuple(answer for question in asked for answer in question.answers)
    places = (YARD, TOWN) if far else (YARD,)
    states = [(place, event) for place in places for event in range(len(events))]
    menu = (*(f"do job {j}" for j in range(num)), "do the safe job", *(f"ask the {q.person}" for q in asked))
    menu += ("walk to the other place",) if far else ()
    waste = np.eye(len(events))[0]
    law = np.zeros((len(places), num, len(menu), len(events)))  # place, latent, subgoal -> event
    law[:] = waste
    law[0, :, :num, 1], law[0, :, :num, 2], law[0, :, :num, 0] = success, 1 - success, 0
    law[0, :, num] = np.eye(len(events))[3]
    first = 4
    for k, question in enumerate(asked):
        answers = np.zeros((num, len(events)))
        answers[:, first : first + question.law.shape[1]] = question.law
        law[-1, :, num + 1 + k] = answers
        first += question.law.shape[1]
    transition = np.zeros((num, len(states), len(menu), len(states)))
    for s, (place, _) in enumerate(states):
        here = places.index(place)
        for g in range(len(menu)):
            there = 1 - here if far and g == len(menu) - 1 else here
            transition[:, s, g, there * len(events) : (there + 1) * len(events)] = law[here, :, g]
    initial = np.zeros((num, len(states)))
    initial[:, 0] = 1
    pay = np.zeros(len(events))
    pay[1], pay[3] = 1.0, safe
    return Tables(
        name="clues",
        horizon=horizon,
        states=tuple(f"{place}: {events[event]}" for place, event in states),
        observations=tuple(f"{place}: {events[event]}" for place, event in states),
        menus=(menu,),
        latents=tuple(f"job {j} is right" for j in range(num)),
        instructions=("do the work",),
        prior=prior,
        initial=initial,
        transition=transition,
        emission=np.tile(np.eye(len(states)), (num, 1, 1)),
        reward=np.tile(pay, len(places))[:, None] / horizon,
        doc=__doc__ or "",
    )
