"""One file each: the claims of the paper as experiments."""

from parley.experiments import adaptive_exploration, delusion, designed_exploration, epsilon_greedy, linear_regret
from parley.experiments.base import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    module.NAME: module
    for module in (linear_regret, epsilon_greedy, designed_exploration, adaptive_exploration, delusion)
}
