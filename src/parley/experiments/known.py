"""The claims of the paper as experiments, by name."""

from parley.experiments.base import Experiment
from parley.experiments.claims import (
    actor_error,
    adaptive_exploration,
    adaptive_proposals,
    bail,
    continuous_control,
    delusion,
    demo_ratio,
    designed_exploration,
    diagnosis,
    epsilon_greedy,
    jump,
    linear_regret,
    memory,
    multi_agent,
    pretraining_error,
    prior_coverage,
    prompts,
    reporter_error,
    search_budget,
    traps_measured,
    unseen_worlds,
    world_model,
    world_model_regret,
    wrong_model,
)

EXPERIMENTS: dict[str, Experiment] = {
    module.NAME: module
    for module in (
        bail,
        linear_regret,
        epsilon_greedy,
        designed_exploration,
        adaptive_exploration,
        adaptive_proposals,
        traps_measured,
        delusion,
        wrong_model,
        prior_coverage,
        pretraining_error,
        demo_ratio,
        reporter_error,
        actor_error,
        world_model,
        world_model_regret,
        search_budget,
        jump,
        diagnosis,
        memory,
        prompts,
        continuous_control,
        multi_agent,
        unseen_worlds,
    )
}
