"""Memory `workflows`: what the model makes of episodes that succeeded, as steps to follow (Wang et al. 2024)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from parley.core.told import Fits, Recalled, Told, Writer
from parley.memory.fitting import shortened
from parley.memory.learned import Fold, bullets, plain, succeeded, transcript
from parley.memory.operations import MOST_TEXT

PER_ANSWER, STEPS = 3, 10  # workflows of an answer that are kept, and steps of each
PROMPT = """The episode above succeeded. Which parts of it would help again in other tasks? Write each part as a
workflow, with names of things that may differ in braces, {{like this}}. Write at most {workflows}
workflows, in at most {words} words, each in this form:
WORKFLOW: what it is for
- a step
- the next step
Write nothing else.
"""
HEADING = "Workflows that led to success before, the latest first:"
_TITLE = re.compile(r"[^\w]{0,8}workflow\b[^\w:]{0,4}(?:\d{1,4})?[^\w:]{0,4}:(.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Induced:
    """Workflows, the latest last: what each is for, and its steps. `seen` are the episodes they were made of."""

    items: tuple[tuple[str, tuple[str, ...]], ...] = ()
    seen: frozenset[tuple[str, tuple[tuple[str, ...], ...]]] = frozenset()
    ignored: int = 0

    def with_answer(self, answer: str, most: int) -> "Induced":
        """With the workflows of an answer; one for the same end takes the place of the older."""
        found, ignored = workflows_in(answer)
        new = {title.lower() for title, _ in found}
        kept = [item for item in self.items if item[0].lower() not in new]
        return replace(self, items=tuple([*kept, *found][-most:]), ignored=self.ignored + ignored)


class Workflows:
    """Workflows that the model induces from successes, added to those before (the paper's online setting).

    One call after each success that is not like an earlier one: instruction or subgoals differ.
    """

    def __init__(self, writer: Writer, most: int, words: int) -> None:
        self.writer, self.most, self.words = writer, most, words
        self._induced = Fold(Induced(), self._after)

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        items = self._induced.before(earlier).items
        lines = [f"{title}: {' -> '.join(steps)}" for title, steps in reversed(items)]
        return shortened(Recalled(bullets(HEADING, lines)), fits)

    @property
    def ignored(self) -> int:
        """Lines of answers that belong to no workflow that was kept."""
        return self._induced.last.ignored

    def _after(self, induced: Induced, heard: Sequence[Told]) -> Induced:
        now = heard[-1]
        if not succeeded(heard) or (now.instruction, now.subgoals) in induced.seen:
            return induced
        prompt = PROMPT.format(workflows=PER_ANSWER, words=self.words)
        answer = self.writer.ask(prompt, len(heard) - 1, self.words, transcript(now, True))
        seen = induced.seen | {(now.instruction, now.subgoals)}
        return replace(induced, seen=seen).with_answer(answer, self.most)


def workflows_in(answer: str) -> tuple[list[tuple[str, tuple[str, ...]]], int]:
    """The workflows of an answer, and how many of its lines are in none of them."""
    lines = [line for line in answer[:MOST_TEXT].splitlines() if line.strip()]
    parts: list[tuple[str, list[str]]] = []
    for line in lines:
        titled = _TITLE.match(line)
        step = plain(re.sub(r"^\s*(?:[-*>]+|\d{1,3}[.)])\s*", "", line))
        if titled:
            parts.append((plain(titled[1], 100), []))
        elif parts and len(parts[-1][1]) < STEPS and step:
            parts[-1][1].append(step)
    found = [(title, tuple(steps)) for title, steps in parts if title and steps][:PER_ANSWER]
    return found, len(lines) - sum(1 + len(steps) for _, steps in found)
