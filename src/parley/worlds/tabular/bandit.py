"""`bandit`: one arm pays more often, as in published tests of whether language models explore.

Latents: which arm is the best (alike). Subgoals: pull one of `arms` arms. Horizon 1. The best arm pays 1 with
probability 0.5 + `gap` / 2, any other with probability 0.5 - `gap` / 2, else 0.

`scenario` gives the words. `buttons` and `adverts` are those of Krishnamurthy et al. 2024, "Can large language models
explore in-context?". Their hard instance has 5 arms, gap 0.2 and 100 episodes, the easy one 4 arms and gap 0.5.
`clothes` and `videos` are those of BanditBench (Nie et al. 2024: 5 or 20 arms, gap 0.2 or 0.5, 1,000 episodes).

Instruction: one, in the words of the scenario. The planner sees its reward.

Why: the smallest world in which one must explore. Raw or summarised histories are a planner's memory, not the world's.
"""

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables

COLOURS = (
    *(
        "blue",
        "green",
        "red",
        "yellow",
        "purple",
        "orange",
        "pink",
        "brown",
        "black",
        "white",
        "grey",
        "gold",
        "silver",
    ),
    *("cyan", "olive", "maroon", "navy", "teal", "lime", "coral"),
)
LETTERS = tuple("ABCDEFGHIJKLMNOPQRST")
SCENARIOS = {  # the word for an arm, its names, the instruction, the report of a pay
    "buttons": ("press the {} button", COLOURS, "find the button that pays best", "you get {}"),
    "adverts": ("show advertisement {}", LETTERS, "find the advertisement that is clicked most", "the user clicks: {}"),
    "clothes": ("recommend item {}", LETTERS, "find the clothes that please best", "the customer's rating is {}"),
    "videos": ("recommend video {}", LETTERS, "find the video that pleases best", "the viewer's rating is {}"),
}


def bandit(arms: int = 5, gap: float = 0.2, scenario: str = "buttons") -> Tables:
    """One of the arms pays more often (Krishnamurthy et al. 2024, BanditBench).

    The Bernoulli bandits with `arms` arms and a `gap` between the best arm and the others; see the module's docstring.
    """
    require_arms(arms, scenario)
    if not 0 < gap <= 1:
        raise BadInput(f"gap={gap}: expected a difference of two probabilities, above 0 and at most 1")
    pays = np.where(np.eye(arms) > 0, 0.5 + gap / 2, 0.5 - gap / 2)  # latent, arm
    name, names, _, _ = SCENARIOS[scenario]
    latents = tuple(f"{name.format(names[k])} pays best" for k in range(arms))
    law = np.stack([1 - pays, pays], axis=2)
    return one_step("bandit", scenario, latents, law, ("0", "1"), np.array([0.0, 1.0]), __doc__ or "")


def require_arms(arms: int, scenario: str) -> None:
    """Raise `BadInput` where there are no names for so many arms, or no such scenario."""
    if scenario not in SCENARIOS:
        raise BadInput(f"scenario={scenario!r}: expected one of {', '.join(SCENARIOS)}")
    if not 2 <= arms <= len(LETTERS):
        raise BadInput(f"arms={arms}: expected from 2 to {len(LETTERS)} arms")


def one_step(
    name: str,
    scenario: str,
    latents: tuple[str, ...],
    law: np.ndarray,
    pays: tuple[str, ...],
    worth: np.ndarray,
    doc: str,
) -> Tables:
    """Tables of horizon 1 in which pulling arm k under latent z pays p with probability `law[z, k, p]`."""
    called, names, instruction, heard = SCENARIOS[scenario]
    num_z, arms, num = law.shape
    states = ("before the first pull", *(heard.format(pay) for pay in pays))
    transition = np.zeros((num_z, num + 1, arms, num + 1))
    transition[:, :, :, 1:] = law[:, None]
    initial = np.zeros((num_z, num + 1))
    initial[:, 0] = 1
    return Tables(
        name=name,
        horizon=1,
        states=states,
        observations=("nothing has been paid yet", *states[1:]),
        menus=(tuple(called.format(names[k]) for k in range(arms)),),
        latents=latents,
        instructions=(instruction,),
        prior=np.full(num_z, 1 / num_z),
        initial=initial,
        transition=transition,
        emission=np.tile(np.eye(num + 1), (num_z, 1, 1)),
        reward=np.concatenate([[0.0], worth])[:, None],
        doc=doc,
    )
