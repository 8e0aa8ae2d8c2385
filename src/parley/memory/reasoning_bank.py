"""Memory `reasoning-bank`: titled strategies from successes and failures, by relevance (Ouyang et al. 2025)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from parley.core.told import Fits, Recalled, Told, Writer
from parley.memory.fitting import shortened
from parley.memory.learned import LONGEST, Fold, bullets, plain, succeeded, task_of, transcript
from parley.memory.operations import MOST_TEXT
from parley.memory.retrieval import Relevance, best

PER_ANSWER, MOST = 3, 1000  # strategies of an answer, and in the bank: then the oldest go
PROMPT = """The episode above {ended}. {think} Write at most {items} strategies that help in later tasks, whatever their
words, each as three lines:
TITLE: a few words
DESCRIPTION: one sentence
CONTENT: what to do, in one to three sentences
Write nothing else, and at most {words} words.
"""
ENDED = {True: "succeeded", False: "failed"}
THINK = {True: "Why did it?", False: "Why did it, and what would have avoided that?"}
HEADING = "Strategies from earlier episodes, the most relevant first:"
FIELDS = ("title", "description", "content")
_FIELD = re.compile(rf"[^\w]{{0,8}}({'|'.join(FIELDS)})\b[^\w:]{{0,4}}:(.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Strategy:
    """A strategy in words; the task it is from, and whether that succeeded."""

    title: str = ""
    description: str = ""
    content: str = ""
    task: str = ""
    success: bool = False

    @property
    def searched(self) -> str:
        """What the present task is compared with."""
        return f"{self.task} {self.title} {self.description}"

    @property
    def line(self) -> str:
        """As a prompt shows it."""
        return f"{self.title}: {self.content} (from a {'success' if self.success else 'failure'})"


class ReasoningBank:
    """Strategies distilled from every episode, those most relevant to the present task in the prompt.

    One call an episode; it says whether the episode succeeded (`learned.succeeded`), where the paper asks a model.
    """

    def __init__(self, writer: Writer, items: int, words: int, relevance: Relevance) -> None:
        self.writer, self.items, self.words, self.relevance = writer, items, words, relevance
        self._bank = Fold[tuple[tuple[Strategy, ...], int]](((), 0), self._after)

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        bank, _ = self._bank.before(earlier)
        found = best(now, [strategy.searched for strategy in bank], self.relevance, self.items)
        return shortened(Recalled(bullets(HEADING, [bank[i].line for i in found])), fits)

    @property
    def ignored(self) -> int:
        """Lines of answers that belong to no strategy that was kept."""
        return self._bank.last[1]

    def _after(
        self, state: tuple[tuple[Strategy, ...], int], heard: Sequence[Told]
    ) -> tuple[tuple[Strategy, ...], int]:
        success, task = succeeded(heard), plain(task_of(heard[-1]))
        prompt = PROMPT.format(ended=ENDED[success], think=THINK[success], items=PER_ANSWER, words=self.words)
        answer = self.writer.ask(prompt, len(heard) - 1, self.words, transcript(heard[-1], success))
        found, ignored = strategies_in(answer)
        kept = (*state[0], *(replace(one, task=task, success=success) for one in found))
        return kept[-MOST:], state[1] + ignored


def strategies_in(answer: str) -> tuple[list[Strategy], int]:
    """The strategies of an answer that have a title and content, and how many of its lines are in none of them."""
    lines = [line for line in answer[:MOST_TEXT].splitlines() if line.strip()]
    parts: list[dict[str, str]] = []
    for line in lines:
        field = _FIELD.match(line)
        if field and field[1].lower() == "title":
            parts.append({})
        if field and parts:
            parts[-1].setdefault(field[1].lower(), plain(field[2], LONGEST))
    told = [[part.get(name, "") for name in FIELDS] for part in parts]
    found = [Strategy(words[0], words[1], words[2]) for words in told if words[0] and words[2]][:PER_ANSWER]
    return found, len(lines) - sum(bool(text) for one in found for text in (one.title, one.description, one.content))
