"""A raw environment with skills as a world in 25 lines: MiniGrid's Empty room, seen and walked by generators.

python examples/raw_environment.py
parley run --world examples.raw_environment:room --planner random --episodes 10 --runs 4 --out runs/room
"""

import gymnasium
import minigrid  # noqa: F401 (registers the environments)

import parley

LEFT, RIGHT, AHEAD = range(3)
WALL = 2  # as MiniGrid numbers its objects


def walk(see):
    """Ahead until a wall is in front."""
    while see()["image"][3, 5, 0] != WALL:
        yield AHEAD


def room() -> parley.World:
    """The green square lies in the corner; the view is told in words by itself."""
    return parley.wrap(
        lambda: gymnasium.make("MiniGrid-Empty-5x5-v0"),
        skills={"walk on": walk, "turn left": LEFT, "turn right": RIGHT},
        horizon=6,
        max_score=1.0,
    )


if __name__ == "__main__":
    run = parley.run(room(), "random", episodes=10, runs=4, seed=1)
    print(run.summary().scores)
