"""Registers our worlds for `gymnasium.make`. Import both packages, Gymnasium first.

In any other order the module is named too: `gymnasium.make("parley.registration:parley/Household-v0")`.
"""

from gymnasium.envs.registration import register, registry

# Gymnasium's id, and the world behind it.
ENVIRONMENTS = {
    "parley/Household-v0": "household:low_level=true",
    "parley/Shortcut-v0": "shortcut",
    "parley/Treasure-v0": "treasure",
}

for name, world in ENVIRONMENTS.items():
    if name not in registry:
        register(name, "parley.assemble.environments:environment", kwargs={"world": world})
