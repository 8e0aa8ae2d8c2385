"""Does exploring pay? What deciding greedily loses at worst, against what the theory's exploration costs alone.

Epsilon-greedy explores a share epsilon of T episodes, each at a known expected regret by the prior. Under every latent
deciding greedily may lose less than these episodes alone. Then that explorer is worse than never to explore. Of
explorers that stop, such as `adaptive`, this says nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parley.theory.escapes import Escape


@dataclass(frozen=True)
class Greedy:
    """What deciding greedily loses under the worst latent, at most (95 per cent): in `episodes`, and in one at the end.

    Instructions come in random order.
    """

    episodes: int
    most: float
    late: float

    @classmethod
    def of(cls, escapes: Sequence[Escape]) -> "Greedy":
        greedy = [e for e in escapes if e.decoding == "greedy"]
        asked = [e for e in greedy if e.instruction is None] or greedy  # where there is one instruction it is named
        return cls(asked[0].episodes, max(e.interval[1] for e in asked), max(e.late_interval[1] for e in asked))


def waste(
    greedy: Greedy, epsilon: Mapping[str, float | None], cost: Mapping[str, float | None]
) -> tuple[str, float] | None:
    """The exploration policy whose share of episodes costs least, and what that is in an episode on average.

    None where deciding greedily may lose more than these, or goes on losing more an episode: then exploring may pay.
    """
    rates = {name: e * c for name in epsilon if (e := epsilon[name]) is not None and (c := cost[name]) is not None}
    if not rates:
        return None
    policy = min(rates, key=lambda name: rates[name])
    less = greedy.most < greedy.episodes * rates[policy] and greedy.late < rates[policy]
    return (policy, rates[policy]) if less else None
