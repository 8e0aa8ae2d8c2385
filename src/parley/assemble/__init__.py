"""Names to parts: the dictionaries of worlds, planners and explorers, and the only wiring between them."""

from parley.assemble.endpoint import prompt_of
from parley.assemble.exploration import designs_of, epsilon_of_theory
from parley.assemble.explorers import EXPLORERS, explorer, optimum_of
from parley.assemble.planners import CHECKPOINTS, GENERALIST, PLANNERS, planner, planner_spec, shipped_names
from parley.assemble.retold import retold
from parley.assemble.scene import Kind, Scene, beliefs_of
from parley.assemble.schedule import Schedule, draw_latents, index_of
from parley.assemble.worlds import WORLDS, world
from parley.theory.distinguishability import eta_of

__all__ = [
    "CHECKPOINTS",
    "EXPLORERS",
    "GENERALIST",
    "PLANNERS",
    "WORLDS",
    "Kind",
    "Scene",
    "Schedule",
    "beliefs_of",
    "designs_of",
    "draw_latents",
    "epsilon_of_theory",
    "eta_of",
    "explorer",
    "index_of",
    "optimum_of",
    "planner",
    "planner_spec",
    "prompt_of",
    "retold",
    "shipped_names",
    "world",
]
