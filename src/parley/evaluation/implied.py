"""The posterior over latents that a model's probabilities imply, by non-negative least squares.

Suppose that a model mixes the experts (and the latents' predictions) by weights w at the start of an episode. Within
it, the model updates them by the exact likelihoods L_z of the history. Then its distribution p over subgoals satisfies
at every step

    sum_z w_z L_z (pi*_z(g) - p(g)) = 0      for all g

The same holds for its predictions, with P_z(o' given tau, g). These equations are linear in w, and w is their
least-squares solution on the simplex. Directions of w that an episode's equations say (next to) nothing about are not
identifiable. There the solution takes the exact posterior's values. So its distance to the exact posterior is the
distance along identifiable directions.
"""

import numpy as np
from jaxtyping import Float

from parley.core.errors import MissingExtra

FAINT = 1e-3  # singular values below this count as nothing said
SUM = 1e3  # weight of the equation sum_z w_z = 1


def implied_posterior(
    rows: Float[np.ndarray, "N R Z"], exact: Float[np.ndarray, "N Z"]
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """Total variation between implied and exact posterior, and the share of the Z - 1 dimensions that is identified.

    `rows` are the coefficients of the equations above. Raises `MissingExtra` without scipy.
    """
    try:
        from scipy.optimize import nnls
    except ImportError:
        raise MissingExtra("the implied posterior", "theory") from None
    num, _, num_z = rows.shape
    square = np.linalg.eigvalsh(np.einsum("nrz,nry->nzy", rows, rows)).clip(0)
    identified = (square / (square + FAINT**2)).sum(axis=1) / (num_z - 1)
    distance = np.empty(num)
    for n in range(num):
        system = np.concatenate([rows[n], FAINT * np.eye(num_z), np.full((1, num_z), SUM)])
        right = np.concatenate([np.zeros(rows.shape[1]), FAINT * exact[n], [SUM]])
        weights, _ = nnls(system, right)
        distance[n] = 0.5 * np.abs(weights / weights.sum() - exact[n]).sum()
    return distance, identified.clip(0, 1)
