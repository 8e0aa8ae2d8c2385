"""Draw the figures of the concept pages: `python scripts/figures.py docs/figures/concepts`."""

import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

import parley
from parley.report.plots import save_png
from parley.report.style import COLOURS, GREY, figure, styled

ROLES = (
    ("Planner", "proposes subgoals"),
    ("Explorer", "chooses one"),
    ("Actor", "acts"),
    ("Reporter", "says how it is"),
)
SHORT = {"walk on along the corridor": "corridor", "try the back door": "back door"}


def roles() -> Figure:
    """The four roles in turn, within an episode, within a run with one latent."""
    with styled():
        made, (ax,) = figure(1, 2.3, 2.0)
        ax.set_axis_off()
        ax.set_xlim(0, 100)
        ax.set_ylim(0, 44)
        _box(ax, 1, 1, 98, 42, GREY, "a run: one latent z, drawn from the prior, fixed for T episodes", 39)
        _box(ax, 4, 4, 92, 31, GREY, "an episode: one instruction, at most H steps", 31)
        for i, (role, does) in enumerate(ROLES):
            left = 7 + 22 * i
            _box(ax, left, 10, 18, 14, COLOURS[i], role, 19)
            ax.text(left + 9, 13.5, does, ha="center", fontsize=7)
            if i:
                ax.annotate("", (left - 0.5, 17), (left - 3.5, 17), arrowprops={"arrowstyle": "->", "color": GREY})
        ax.plot([82, 82, 16], [9.5, 5.8, 5.8], color=GREY, lw=1)
        ax.annotate("", (16, 9.5), (16, 5.5), arrowprops={"arrowstyle": "->", "color": GREY})
        ax.text(49, 7.2, "the observation, a sentence", ha="center", va="center", fontsize=7, color=GREY)
    return made


def _box(ax: Axes, x: float, y: float, wide: float, high: float, colour: str, title: str, at: float) -> None:
    style = {"boxstyle": "round,pad=0,rounding_size=1.5", "fill": False, "edgecolor": colour, "linewidth": 1.2}
    ax.add_patch(FancyBboxPatch((x, y), wide, high, **style))  # type: ignore[arg-type]
    ax.text(x + wide / 2, at, title, ha="center", va="center", color=colour, fontweight="bold")


def bail() -> Figure:
    """Posterior, experts and their mixture at the first step of `shortcut`."""
    posterior, proposals = _first_step("exact")
    experts = [_first_step("expert", latent)[1] for latent in range(len(posterior))]
    menu = list(proposals)
    with styled():
        made, axes = figure(3, 2.0, 0.72)
        _bars(axes[0], "posterior P(z | pt)", ["locked", "open"], list(posterior.values()), COLOURS[0])
        for i, (expert, name) in enumerate(zip(experts, ("locked", "open"), strict=True)):
            at = np.arange(len(menu)) + 0.4 * i - 0.2
            axes[1].barh(at, [expert[g] for g in menu], 0.36, color=COLOURS[1 + i])
            axes[1].text(1.02, at[int(np.argmax([expert[g] for g in menu]))], name, va="center", fontsize=7)
        axes[1].set_title("expert for each z", loc="left")
        axes[1].set_yticks(range(len(menu)), [SHORT[g] for g in menu])
        axes[1].set_xlim(0, 1)
        axes[1].invert_yaxis()
        _bars(axes[2], "BAIL: their mixture", [SHORT[g] for g in menu], [proposals[g] for g in menu], COLOURS[3])
    return made


def _first_step(planner: str, latent: int = 0) -> tuple[dict[str, float], dict[str, float]]:
    step = next(iter(parley.stepthrough("shortcut", planner, "none", latent=latent, seed=1, episodes=1)))
    return step.belief, step.proposal


def _bars(ax: Axes, title: str, names: list[str], values: list[float], colour: str) -> None:
    ax.barh(range(len(names)), values, 0.6, color=colour)
    for i, value in enumerate(values):
        ax.text(min(value + 0.03, 0.86), i, f"{value:.1f}", va="center", fontsize=7)
    ax.set_yticks(range(len(names)), names)
    ax.set_xlim(0, 1)
    ax.invert_yaxis()
    ax.set_title(title, loc="left")


FIGURES = {"roles": roles, "bail": bail}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        save_png(draw(), folder / f"{name}.png")
