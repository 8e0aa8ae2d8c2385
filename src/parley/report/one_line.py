"""Whether a planner proposes one line of the menu whatever the world says, as language models often do.

Counted are decisions, and of each the line that its proposal likes best, whatever an explorer made of it. A planner
that is right to say one thing only (in a run of one latent, say) looks the same: hold it against its regret.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from parley.core.said import StepRecord

SHARE = 0.9  # of the decisions, above which a line is named
DECISIONS, REPORTS = 20, 3  # that a log must have, at least: decisions, and different things heard before them


@dataclass(frozen=True)
class OneLine:
    """The line that was liked best most often, in what share of `decisions`, before how many different reports."""

    line: str
    share: float
    decisions: int
    reports: int

    @property
    def named(self) -> bool:
        """Whether it was more than `SHARE` of enough decisions, whatever was heard before them."""
        return self.share > SHARE and self.decisions >= DECISIONS and self.reports >= REPORTS

    def sentence(self) -> str:
        """What a report says of it."""
        heard = f"after {self.reports} different reports of the world"
        return f"the planner likes {self.line!r} best in {self.share:.0%} of {self.decisions} decisions, {heard}"


def one_line(steps: Iterable[StepRecord]) -> OneLine | None:
    """The statistic of a log's steps; None where nothing was to be decided."""
    liked, reports = Counter[str](), set[str]()
    for step in steps:
        for proposal, menu in zip(step.proposals, step.menus, strict=True):
            legal = np.broadcast_to(menu.legal, proposal.probs.shape)
            asked = step.active & (legal.sum(axis=1) > 1)
            if proposal.valid is not None:
                asked = asked & proposal.valid
            sure = proposal.probs.max(axis=1) > proposal.probs.min(axis=1, where=legal, initial=1.0) + 1e-9
            rows = np.flatnonzero(asked & sure)  # a uniform distribution likes nothing best
            best = np.where(legal, proposal.probs, -1.0).argmax(axis=1)
            sentences = np.broadcast_to(menu.sentences, proposal.probs.shape)
            liked.update(sentences[rows, best[rows]].tolist())
            reports.update(step.observations[rows].tolist())
    if not liked:
        return None
    line, count = liked.most_common(1)[0]
    return OneLine(line, count / liked.total(), liked.total(), len(reports))
