"""`gaussian-bandit`: arms whose pay is Gaussian, told in bins, after BanditBench (Nie et al. 2024).

Each latent draws the mean of every arm from N(0, `spread`^2), and pays have standard deviation `spread` around it.
There are `latents` such draws, with equal prior. In BanditBench `spread` is 1 ("low variance") or 3 ("high variance"),
with 5 or 20 arms and 1,000 episodes.

A pay is told as one of `bins` bins of equal width between -4 and 4 spreads; pays beyond count in the outermost bin.
Rewards lie in [0, 1]: the middle of the bin, 0 for the lowest and 1 for the highest. An expected regret of r is 8
`spread` r (1 - 1/`bins`) in units of the pay. Subgoals: pull one of `arms` arms. Horizon 1. Instruction: one. The
planner sees the bin of its pay. `scenario`: `clothes` or `videos`, or the words of `bandit`.

Why: one pull tells little. Some latents have two arms that are nearly as good, so that telling them apart is worth
little.
"""

from statistics import NormalDist

import numpy as np

from parley.core.errors import BadInput
from parley.core.tables import Tables
from parley.worlds.tabular.bandit import one_step, require_arms

REACH = 4  # spreads to either side that bins cover


def gaussian_bandit(
    arms: int = 5, spread: float = 1.0, latents: int = 8, bins: int = 16, scenario: str = "clothes", seed: int = 0
) -> Tables:
    """Arms whose pay is Gaussian, told in bins (BanditBench).

    `latents` draws of the means by `seed`; see the module's docstring.
    """
    require_arms(arms, scenario)
    if not spread > 0 or bins < 2 or latents < 1:
        raise BadInput(f"spread={spread}, bins={bins}, latents={latents}: expected above 0, at least 2, at least 1")
    rng = np.random.Generator(np.random.Philox(key=seed))
    means = rng.normal(0.0, spread, (latents, arms))
    edges = np.linspace(-REACH * spread, REACH * spread, bins + 1)
    below = [[[NormalDist(m, spread).cdf(edge) for edge in edges[1:-1]] for m in row] for row in means]
    law = np.diff(np.array(below), axis=2, prepend=0.0, append=1.0)
    told = tuple(f"between {low:.1f} and {high:.1f}" for low, high in zip(edges[:-1], edges[1:], strict=True))
    names = tuple(f"draw {z} of the means" for z in range(latents))
    return one_step("gaussian-bandit", scenario, names, law, told, np.linspace(0.0, 1.0, bins), __doc__ or "")
