"""The names under which `gymnasium.make` knows our worlds; imports none of them."""

import gymnasium

ENTRY_POINTS = {
    "parley/Household-v0": "parley.gym:make_household",
    "parley/Shortcut-v0": "parley.gym:make_shortcut",
    "parley/Treasure-v0": "parley.gym:make_treasure",
}


def register_envs() -> None:
    """Register what is not registered yet: both `import parley` and Gymnasium's plugin hook come here."""
    for name, entry_point in ENTRY_POINTS.items():
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point)
