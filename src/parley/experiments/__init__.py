"""One file each: the claims of the paper as experiments."""

from parley.experiments import (
    actor_error,
    adaptive_exploration,
    adaptive_proposals,
    delusion,
    demo_ratio,
    designed_exploration,
    epsilon_greedy,
    linear_regret,
    pretraining_error,
    reporter_error,
)
from parley.experiments.base import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    module.NAME: module
    for module in (
        linear_regret,
        epsilon_greedy,
        designed_exploration,
        adaptive_exploration,
        adaptive_proposals,
        delusion,
        pretraining_error,
        demo_ratio,
        reporter_error,
        actor_error,
    )
}
