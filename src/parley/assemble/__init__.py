"""Names to parts: the dictionaries of worlds, planners and explorers, and the only wiring between them."""

from parley.assemble.endpoint import prompt_of
from parley.assemble.exploration import designs_of, epsilon_of_theory
from parley.assemble.explorers import EXPLORERS, explorer, optimum_of
from parley.assemble.hooks import HOOKS, hooks_of
from parley.assemble.memories import MEMORIES
from parley.assemble.parts import Parts, parts_of
from parley.assemble.planners import PLANNERS, changed, planner
from parley.assemble.registry import Kind, Registry
from parley.assemble.retold import retold
from parley.assemble.scene import Scene, beliefs_of
from parley.assemble.schedule import Schedule, draw_latents, index_of
from parley.assemble.templates import TEMPLATES, template_of
from parley.assemble.worlds import GENERALIST, WORLDS, checkpoint, checkpoint_of, shipped, shipped_names, world
from parley.theory.distinguishability import eta_of

__all__ = [
    "EXPLORERS",
    "HOOKS",
    "MEMORIES",
    "TEMPLATES",
    "hooks_of",
    "template_of",
    "GENERALIST",
    "PLANNERS",
    "WORLDS",
    "Kind",
    "Parts",
    "Registry",
    "Scene",
    "Schedule",
    "beliefs_of",
    "changed",
    "checkpoint",
    "checkpoint_of",
    "designs_of",
    "draw_latents",
    "epsilon_of_theory",
    "eta_of",
    "explorer",
    "index_of",
    "optimum_of",
    "parts_of",
    "planner",
    "prompt_of",
    "retold",
    "shipped",
    "shipped_names",
    "world",
]
