"""Memory `summary`: counts and outcomes by instruction and subgoal, made by the program."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from parley.core.text import one_line
from parley.core.told import Fits, Recalled, Told
from parley.memory.fitting import shortened


@dataclass(frozen=True)
class Summary:
    """Counts and outcomes by instruction and subgoal, made by the program, and the last few episodes."""

    recent: int = 0

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        recent = tuple(earlier[max(0, len(earlier) - self.recent) :])
        return shortened(Recalled(summary(earlier[: len(earlier) - len(recent)], now.instruction), recent), fits)


def summary(episodes: Sequence[Told], first: str = "") -> str:
    """What became of each subgoal under each instruction: the instruction `first`, then the most frequent.

    One line an instruction (episodes, mean return), one a subgoal with what was heard after it, most frequent first.
    """
    returns: dict[str, list[float]] = {}
    heard: dict[str, dict[str, Counter[str]]] = {}
    for told in episodes:
        returns.setdefault(told.instruction, []).append(sum(told.rewards))
        of = heard.setdefault(told.instruction, {})
        for parts, observation in zip(told.subgoals, told.observations[1:], strict=True):
            of.setdefault(" + ".join(map(one_line, parts)), Counter())[one_line(observation)] += 1
    lines = []
    for instruction in sorted(returns, key=lambda w: (w != first, -len(returns[w]), w)):
        got = returns[instruction]
        lines.append(f"{one_line(instruction)}: {len(got)} episodes, mean return {sum(got) / len(got):.2f}\n")
        for subgoal, after in sorted(heard[instruction].items(), key=lambda item: (-item[1].total(), item[0])):
            what = "; ".join(f"{count} x {said}" for said, count in sorted(after.items(), key=lambda i: (-i[1], i[0])))
            lines.append(f"- {subgoal}: {what}\n")
    return "".join(lines)
