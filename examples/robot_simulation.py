"""A robot simulation as a world: MuJoCo's two-link arm, its skills controllers, its state told in words.

    python examples/robot_simulation.py
    parley run --world examples.robot_simulation:arm --planner random --episodes 5 --runs 4 --out runs/arm

Hidden from the planner: how strong the motors are, the same in all episodes of a run. Needs the extra `mujoco`.
"""

from collections.abc import Iterator

import gymnasium
import numpy as np

import parley

REST = np.zeros(2, dtype=np.float32)
GEARS = {"weak motors": 50.0, "strong motors": 400.0}


def reacher(gear: float) -> gymnasium.Env:
    """The arm, its motors made weaker or stronger."""
    env = gymnasium.make("Reacher-v5", max_episode_steps=1000)
    env.unwrapped.model.actuator_gear[:, 0] = gear
    return env


def words(state: np.ndarray) -> str:
    """How far the finger is from the target, and whether it moves."""
    away = 100 * np.hypot(state[8], state[9])
    speed = np.abs(state[6:8]).max()
    return f"The finger is {away:.0f} cm from the target; the arm {'moves' if speed > 0.5 else 'rests'}."


def reach(strength: float):
    """A skill: ten actions along the transposed Jacobian of the arm, which lead the finger to the target."""

    def skill(see) -> Iterator[np.ndarray]:
        for _ in range(10):
            s = see()
            one, both = np.arctan2(s[2], s[0]), np.arctan2(s[2], s[0]) + np.arctan2(s[3], s[1])
            tip = 0.11 * np.array([-np.sin(both), np.cos(both)])
            jacobian = np.stack([0.1 * np.array([-np.sin(one), np.cos(one)]) + tip, tip], axis=1)
            force = -jacobian.T @ s[8:10] * 60 - 0.05 * s[6:8]
            yield np.clip(strength * force, -1, 1).astype(np.float32)

    return skill


def arm() -> parley.World:
    """The family: two strengths of the motors, and a skill for each."""
    return parley.wrap(
        reacher,
        variations=GEARS,
        skills={"reach gently": reach(0.3), "reach hard": reach(3.0), "hold still": [REST] * 10},
        describe=words,
        instruction="bring the finger to the target, and keep it there",
        horizon=5,
    )


if __name__ == "__main__":
    run = parley.run(arm(), "random", episodes=5, runs=4, seed=1)
    print(run.summary().scores)
