"""The joint report of several Actors, and limits to their communication: late or never (theory.md 7)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from parley.core.errors import BadInput
from parley.core.roles import Reporter


class JointReporter:
    """What every Actor's own Reporter says of its own agent's state, in turn: "ann: I am at the door; bob: ...".

    Unless told otherwise all is heard at once. A report of the agents `late` comes a step later ("ann, a step ago:
    ..."), of the agents `mute` never. As `reporter` of a `TextEnv` a limited one would be what things are paid by:
    make it the `voice`, and the same without limits the `reporter`.
    """

    def __init__(
        self, reporters: Mapping[str, Reporter], late: tuple[str, ...] = (), mute: tuple[str, ...] = ()
    ) -> None:
        for name, named in (("late", late), ("mute", mute)):
            if strange := [agent for agent in named if agent not in reporters]:
                raise BadInput(f"{name} names {strange[0]!r}: expected one of {', '.join(reporters)}")
        if both := [agent for agent in late if agent in mute]:
            raise BadInput(f"{both[0]!r} is both late and mute: expected one of them")
        if len(set(mute)) == len(reporters):
            raise BadInput("mute names every Actor: then nothing would ever be heard; leave one of them a voice")
        self.reporters, self.late, self.mute = dict(reporters), late, mute
        self.begin()

    def begin(self) -> None:
        """An episode begins: nothing has been reported yet."""
        self._before: dict[str, str] = {}

    def report(self, state: Any, rng: np.random.Generator) -> str:
        """The joint sentence for the agents' raw states."""
        said = {agent: reporter.report(state[agent], rng) for agent, reporter in self.reporters.items()}
        before, self._before = self._before, said
        return "; ".join(self._heard(agent, said, before) for agent in said if agent not in self.mute)

    def _heard(self, agent: str, said: dict[str, str], before: dict[str, str]) -> str:
        if agent not in self.late:
            return f"{agent}: {said[agent]}"
        return f"{agent}, a step ago: {before[agent]}" if before else f"{agent}: no word yet"


def sentences(
    own: Mapping[str, tuple[str, ...]], late: tuple[str, ...] = (), mute: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """All that a `JointReporter` can say, where `own[agent]` is all that its own Reporter can: for `Script`."""
    found = [""]
    for agent, its in own.items():
        if agent in mute:
            continue
        parts = [f"{agent}, a step ago: {said}" if agent in late else f"{agent}: {said}" for said in its]
        parts += [f"{agent}: no word yet"] if agent in late else []
        found = [f"{before}; {part}" if before else part for before in found for part in parts]
    return tuple(found)
