"""What memories that learn have in common: a state after each episode, which ones succeeded, and how they are told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from parley.core.text import inert, one_line
from parley.core.told import Told

State = TypeVar("State")
LONGEST = 300  # characters that are shown, or kept, of one sentence


@dataclass
class Fold(Generic[State]):
    """A state after each episode: a function of the episodes up to it, never of later ones.

    `after(state, heard)` gives the next state, `heard` ending with the episode that is taken in. It is called once for
    each episode, in order.
    """

    first: State
    after: Callable[[State, Sequence[Told]], State]
    _states: list[State] = field(default_factory=list)

    def before(self, earlier: Sequence[Told]) -> State:
        """The state after these episodes alone."""
        if not self._states:
            self._states.append(self.first)
        for count in range(len(self._states), len(earlier) + 1):
            self._states.append(self.after(self._states[-1], earlier[:count]))
        return self._states[len(earlier)]

    @property
    def last(self) -> State:
        """The state after all episodes so far."""
        return self._states[-1] if self._states else self.first


def succeeded(heard: Sequence[Told]) -> bool:
    """Whether the last of these episodes counts as a success; environments give a return, and no such flag.

    It does where its return is nearer to the best return than to the worst. Only episodes of its instruction count,
    or all episodes if the instruction is new. While these returns are all equal, a positive return is a success.
    """
    *earlier, now = heard
    peers = [told for told in earlier if told.instruction == now.instruction] or earlier
    returns = [sum(told.rewards) for told in (*peers, now)]
    worst, best = min(returns), max(returns)
    return returns[-1] > ((worst + best) / 2 if best > worst else 0.0)


def transcript(told: Told, succeeded: bool) -> str:
    """An episode as a model reads it: a line for each thing said, and how it ended."""
    lines = [f"Task: {_said(told.instruction)}", f"  {_said(told.observations[0])}"]
    for parts, observation, reward in zip(told.subgoals, told.observations[1:], told.rewards, strict=True):
        lines.append(f"> {' + '.join(map(_said, parts))}")
        lines.append(f"  {_said(observation)}" + (f" (reward {reward:g})" if reward else ""))
    lines.append(f"Return {sum(told.rewards):g}: a {'success' if succeeded else 'failure'}.")
    return "\n".join(lines) + "\n\n"


def task_of(told: Told) -> str:
    """The words that an episode begins with."""
    return f"{told.instruction} {told.observations[0]}"


def plain(text: str, longest: int = LONGEST) -> str:
    """Words of a model as one line of bounded length, in which nothing acts on a terminal."""
    return inert(" ".join(text.split()), longest)


def bullets(heading: str, items: Sequence[str]) -> str:
    """Notes of one line an item; none where there are no items."""
    return "".join([f"{heading}\n", *(f"- {item}\n" for item in items)]) if items else ""


def _said(sentence: str) -> str:
    return one_line(sentence)[:LONGEST]
