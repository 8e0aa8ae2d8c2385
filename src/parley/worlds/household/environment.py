"""The low level of `household`: a Gymnasium environment of cells, a gripper and two things."""

from typing import Any

import gymnasium as gym
import numpy as np

from parley.core.errors import BadInput
from parley.worlds.household.tables import DOCK, HOMES, LATENTS, SOFA, THINGS, House

IN_HAND, HANDED_OVER = 3, 4  # where a thing is, after the three places
GRIP, RELEASE, CARRY_BACK = (
    4,
    4 + len(THINGS),
    5 + len(THINGS),
)  # actions, after the four headings; GRIP + i grips thing i

RawState = tuple[int, int, int, int]


class HouseholdGrid(gym.Env[np.ndarray, np.int64]):
    """One low-level action a step: walk (north, east, south, west), grip the mug or the book, release, be carried back.

    A raw state is (cell, where the mug is, where the book is, the thing handed over by the last action). Things are in
    a place (0..2), in the hand (3) or handed over (4). The last entry is 0, or 1 + the thing. The gripper opens over
    the sofa only. There is no reward at this level, and an episode has no end of its own.

    `latent` is an index into `household.LATENTS`; `reset(options={"latent": i})` overrides it for good.
    """

    def __init__(self, house: House | None = None, latent: int = 0) -> None:
        self.house = house or House()
        self.homes = self._homes(latent)
        self.observation_space = gym.spaces.MultiDiscrete([len(self.house.grid.cells), 5, 5, 1 + len(THINGS)])
        self.action_space = gym.spaces.Discrete(CARRY_BACK + 1)
        self.state: RawState = (self.house.cells[DOCK], *self.homes, 0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin at the dock, everything in its place."""
        super().reset(seed=seed)
        if options and "latent" in options:
            self.homes = self._homes(options["latent"])
        self.state = (self.house.cells[DOCK], *self.homes, 0)
        return np.array(self.state), {}

    def step(self, action: int | np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Draw the next raw state from `law`."""
        u = float(self.np_random.random())
        outcomes = self.law(self.state, int(action))
        running = np.cumsum([p for p, _ in outcomes])
        self.state = outcomes[min(int(np.searchsorted(running, u, side="right")), len(outcomes) - 1)][1]
        return np.array(self.state), 0.0, False, False, {}

    def law(self, state: RawState, action: int) -> list[tuple[float, RawState]]:
        """P(raw state' given raw state, action) as (probability, raw state') pairs."""
        house, (cell, mug, book, _) = self.house, state
        if action < GRIP:
            return [(p, (after, mug, book, 0)) for p, after in house.grid.outcomes[action][cell]]
        if action == CARRY_BACK:
            return [(1.0, (house.cells[DOCK], mug, book, 0))]
        things = [mug, book]
        if action == RELEASE:
            if cell != house.cells[SOFA] or IN_HAND not in things:
                return [(1.0, (cell, mug, book, 0))]
            thing = things.index(IN_HAND)
            things[thing] = HANDED_OVER
            return [(1.0, (cell, things[0], things[1], 1 + thing))]
        if not within_reach(house, state, action - GRIP):
            return [(1.0, (cell, mug, book, 0))]
        things[action - GRIP] = IN_HAND
        return [(house.grip, (cell, things[0], things[1], 0)), (1 - house.grip, (cell, mug, book, 0))]

    @staticmethod
    def _homes(latent: int) -> tuple[int, int]:
        if not 0 <= latent < len(HOMES):
            raise BadInput(
                f"latent={latent}: the household has the latents 0 to {len(HOMES) - 1} ({', '.join(LATENTS)})"
            )
        return HOMES[latent]


def within_reach(house: House, state: Any, thing: int) -> bool:
    """Whether the robot could grip `thing` where it stands: the thing lies here and the hand is empty."""
    cell, where = int(state[0]), (int(state[1]), int(state[2]))
    return IN_HAND not in where and where[thing] < IN_HAND and cell == house.cells[where[thing]]
