"""The measured pretraining error as plain data: means in and out of the trained context, by position, by latent."""

from typing import Any

import numpy as np
from jaxtyping import Float

from parley.core.tables import Tables
from parley.evaluation.evaluate import MEASURES, PretrainingError


def error_summary(error: PretrainingError, tables: Tables) -> dict[str, Any]:
    """Every measure as {"mean", "half_width"} over documents (95%); None where it says nothing.

    `within` are the episodes that a training document had. `beyond` are those after them, where the planner has cut its
    prompt. `by_latent` says which z the documents had.
    """
    num_episodes = error.total_variation.shape[1]
    spans = {"all": slice(None), "within": slice(error.window), "beyond": slice(error.window, None)}
    return {
        **{name: _means(error, np.s_[:], span) for name, span in spans.items()},
        "by_position": [{"episode": e, **_means(error, np.s_[:], slice(e, e + 1))} for e in range(num_episodes)],
        "by_latent": [
            {"latent": tables.latents[z], "documents": int(mine.sum()), **_means(error, mine, slice(None))}
            for z in range(tables.num_latents)
            if (mine := error.latents == z).any()
        ],
    }


def _means(error: PretrainingError, documents: Any, episodes: slice) -> dict[str, Any]:
    return {name: mean_interval(getattr(error, name)[documents, episodes]) for name in MEASURES}


def mean_interval(values: Float[np.ndarray, "N T"]) -> dict[str, float | None] | None:
    """Mean and half-width of its 95% interval over documents; None where there is nothing, or no number."""
    if not values.size or np.isnan(values).any():
        return None
    means = values.mean(axis=1)
    spread = float(1.96 * means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else None
    return {"mean": float(means.mean()), "half_width": spread}
