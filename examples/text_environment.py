"""A text environment as a world in ten lines: TextWorld's own, with its menu, its task and its score.

    python examples/text_environment.py
    parley run --world examples.text_environment:coins --planner random --episodes 8 --runs 4 --out runs/coins

Any environment will do whose observations and actions are text and whose `info` has "admissible_commands".
"""

import parley
from parley.worlds.open.textworld import Game, game_file


def coins(games: int = 3) -> parley.World:
    """Hidden from the planner: which of the games is played, and so where the coin is."""
    return parley.wrap(
        lambda seed: Game(game_file("coin-collector", {"level": 3}, seed)),
        variations=range(games),
        horizon=12,
        says_reward=False,  # the game itself says that the score has gone up
    )


if __name__ == "__main__":
    run = parley.run(coins(), "random", episodes=6, runs=4, seed=1)
    print(run.summary().scores)
    print(run.episode(run=0, episode=0))
