"""In which order a search tries classes, so that no latent is last in every run.

An order is drawn. The mean number of trials may be a tenth above the least. Within that, one lottery makes the largest
mean of a class least. It tries the more probable classes in their order, and then the others in an order drawn equally.
The number of others is as large as the limit allows; it is itself drawn from two neighbours. (The mean places of a
lottery are majorised by 0, 1, 2, ...: Rado 1952. So to cap them costs least where the tail of the order is made equal.)
"""

import numpy as np
from jaxtyping import Float

MORE = 0.1  # of the mean number of trials, for the sake of the class that is tried last


def levelled(prior: Float[np.ndarray, " C"], uniforms: Float[np.ndarray, " B"]) -> Float[np.ndarray, "B C"]:
    """For each run a prior in which the less probable classes are equal: its order is that of the trials."""
    possible = int((prior > 0).sum())
    order = np.argsort(-prior, kind="stable")[:possible]
    tail, trials = prior[order][::-1], np.arange(possible)[::-1]  # the last first
    number = np.arange(1, possible + 1)
    mass, first = np.cumsum(tail), np.cumsum(tail * trials)
    costs = first[-1] - first + mass * (possible - (number + 1) / 2)  # mean trials, where so many are shuffled
    allowed = (1 + MORE) * first[-1]
    most = int((costs <= allowed + 1e-12).sum())
    share = (allowed - costs[most - 1]) / (costs[most] - costs[most - 1]) if most < possible else 0.0
    found = np.tile(prior, (len(uniforms), 1))
    for row, shuffled in enumerate(most + (uniforms < share)):
        found[row, order[possible - shuffled :]] = mass[shuffled - 1] / shuffled
    return found
