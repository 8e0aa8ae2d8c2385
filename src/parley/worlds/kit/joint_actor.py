"""Several Actors side by side: each takes up its own part of a joint subgoal and sees its own agent's state only."""

from collections.abc import Mapping
from typing import Any

from parley.core.errors import BadInput
from parley.core.roles import Actor


class JointActor:
    """Moves the agents of a `worlds.parallel.ParallelLow`; ends when all of its Actors have ended.

    `rest[agent]` is what an agent does whose own Actor has ended before the others.
    """

    def __init__(self, actors: Mapping[str, Actor], rest: Mapping[str, Any]) -> None:
        if set(actors) != set(rest):
            raise BadInput(f"rest names {sorted(rest)}: expected what each of {sorted(actors)} does at rest")
        self.actors, self.rest = dict(actors), dict(rest)

    def begin(self, subgoal: str) -> None:
        """Take up a joint subgoal, its parts joined by " / " in the order of the Actors."""
        parts = subgoal.split(" / ")
        if len(parts) != len(self.actors):
            raise BadInput(f"subgoal {subgoal!r}: expected {len(self.actors)} parts, one for each Actor")
        for actor, part in zip(self.actors.values(), parts, strict=True):
            actor.begin(part)
        self._busy = dict.fromkeys(self.actors, True)

    def act(self, state: Any) -> dict[str, Any] | None:
        """The next action of every agent, or None when all are at their end."""
        moves = {agent: self._move(agent, actor, state[agent]) for agent, actor in self.actors.items()}
        return moves if any(self._busy.values()) else None

    def _move(self, agent: str, actor: Actor, state: Any) -> Any:
        move = actor.act(state) if self._busy[agent] else None
        self._busy[agent] = move is not None
        return self.rest[agent] if move is None else move
