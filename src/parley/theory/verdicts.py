"""The escapes of a world in one sentence: whether it reveals itself, in its own words."""

from collections.abc import Sequence
from dataclasses import dataclass

from parley.theory.beliefs import Beliefs
from parley.theory.distinguishability import Classes
from parley.theory.escapes import Escape

KIND = {"greedy": "greedy", "sample": "sampling"}  # planner


@dataclass(frozen=True)
class Verdict:
    """Says what the escapes of a world mean; `episodes` are those that were asked for."""

    name: str
    beliefs: Beliefs
    classes: Classes
    episodes: int

    def sentence(self, escapes: Sequence[Escape]) -> str:
        """Whether the world reveals itself, or the worst trap, or that the runs cannot tell."""
        cut = sorted({e.episodes for e in escapes if e.episodes < self.episodes})
        followed = f"; simulated: the first {cut[0]} of T = {self.episodes:,} episodes" if cut else ""
        return self._sentence([_worst(escapes, how) for how in KIND if _of(escapes, how)], escapes) + followed

    def _sentence(self, worst: list[Escape], escapes: Sequence[Escape]) -> str:
        first, last = worst[0], worst[-1]
        if all(e.pays is False for e in worst):
            most = max(worst, key=lambda e: e.cost)
            costs = {"greedy": "deciding greedily", "sample": "sampling"}
            said = " and ".join(f"{_say(e.cost)} {costs[e.decoding]}" for e in worst)
            return (
                f"{self.name} reveals itself: whatever the latent, acting on beliefs costs at most {said}, "
                f"in {max(e.episodes for e in worst):,} episodes (most where {self.latent(most.latent)})"
            )
        if first.pays:
            alike = _of(escapes, last.decoding, first)
            also = f"; {self._also(_worst(alike, last.decoding))}" if len(worst) > 1 else ""
            return f"{self.name} does not reveal itself: {self._tell(first)}{also}"
        if last.pays:
            rest = "deciding greedily it does" if first.pays is False else self._doubt(first)
            return f"{self.name} does not reveal itself to a planner that samples: {self._tell(last)}; {rest}"
        doubts = "; ".join(self._doubt(e) if e.pays is None else f"a {KIND[e.decoding]} one does" for e in worst[::-1])
        return f"{self.name}: {doubts}"

    def latent(self, name: str) -> str:
        """A latent between quotation marks, and for how many others it stands."""
        members = next(group for group in self.classes.members if self.beliefs.tables.latents[group[0]] == name)
        others = f" (and {len(members) - 1:,} that cannot be told from it)" if len(members) > 1 else ""
        return f'"{name}"{others}'

    def _asked(self, e: Escape) -> str:
        several = len(self.beliefs.tables.instructions) > 1
        return f' asked to "{e.instruction}",' if several and e.instruction is not None else ""

    def _tell(self, e: Escape) -> str:
        held = " or ".join(map(self.latent, e.believing))
        planner = f"believing {held},{self._asked(e)} a {KIND[e.decoding]} planner"
        latent = self.latent(e.latent)
        if e.method == "exact" and e.stuck > 0.999:
            return f"{planner} never learns {latent}: {_say(e.late)} an episode, for ever"
        share = f"{e.stuck:.0%} of runs {'will for ever' if e.method == 'exact' else 'do'}"
        limits = "" if e.method == "exact" else f"; 95%: {_limits(e)}"
        late = f"{_say(e.late)} an episode for not knowing {latent} after {e.episodes} episodes"
        return f"{planner} pays {late} ({share}{limits})"

    def _also(self, e: Escape) -> str:
        if e.pays is None:
            return self._doubt(e)
        if e.pays:
            return f"a sampling one has lost {_say(e.cost)} after {e.episodes} episodes and still pays"
        return f"a sampling one learns it at a cost of {_say(e.cost)}, in {_say(e.escape)} episodes"

    def _doubt(self, e: Escape) -> str:
        """The third answer, which says neither of the others."""
        asked = self._asked(e).rstrip(",")
        return (
            f"cannot tell from {e.runs:,} runs of {e.episodes} episodes whether a {KIND[e.decoding]} planner{asked} "
            f"stops paying: where {self.latent(e.latent)}, an episode at the end costs {_limits(e)} (95%)"
        )


def _of(escapes: Sequence[Escape], how: str, like: Escape | None = None) -> list[Escape]:
    """Those of a decoding; of the latent and instruction of one of another decoding."""
    found = [e for e in escapes if e.decoding == how]
    return [e for e in found if (e.latent, e.instruction) == (like.latent, like.instruction)] if like else found


def _worst(escapes: Sequence[Escape], how: str) -> Escape:
    """The decisive one: the most costly that goes on paying, else the least certain to stop, else the most costly."""
    rank = {True: 2, None: 1, False: 0}
    return max(_of(escapes, how), key=lambda e: (rank[e.pays], e.late_interval[1] if e.pays is None else e.cost))


def _limits(e: Escape) -> str:
    low, high = e.late_interval
    return f"{_say(low)} to {_say(high)}"


def _say(x: float) -> str:
    return f"{x:.2g}" if x < 10 else f"{x:,.0f}"
