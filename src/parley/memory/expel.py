"""Memory `expel`: insights kept by votes, and similar episodes that succeeded (Zhao et al. 2024)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from parley.core.told import Fits, Recalled, Told, Writer
from parley.memory.learned import Fold, bullets, succeeded, transcript
from parley.memory.operations import operations
from parley.memory.retrieval import Relevance, best, closest, spoken

VOTES = 2  # of a new insight; one that has none left is removed
MOST = 4  # operations in an answer
GROUP = 3  # successes that are shown together
PROMPT = """Learn from the episodes above what helps in later ones, whatever the task. Change the numbered insights by
at most {most} lines, in at most {words} words, each line of one of these forms:
ADD: a new insight, general, in one sentence
EDIT 1: insight 1, said better
AGREE 1
REMOVE 1
Write these lines, and nothing else.
"""


@dataclass(frozen=True)
class Insights:
    """Insights with votes, the most votes first; which episodes succeeded; and how many lines could not be read."""

    items: tuple[tuple[str, int], ...] = ()
    succeeded: tuple[bool, ...] = ()
    ignored: int = 0

    def changed(self, answer: str, most: int) -> "Insights":
        """After the operations of an answer: AGREE and EDIT add a vote, REMOVE takes one, ADD needs room for it."""
        found, ignored = operations(answer, ("ADD",), ("EDIT", "AGREE", "REMOVE"), MOST)
        added = list[tuple[str, int]]()
        texts, votes = [text for text, _ in self.items], [count for _, count in self.items]
        for one in found:
            known = 1 <= one.number <= len(texts)
            if (
                one.kind == "ADD"
                and len(texts) + len(added) < most
                and (one.text, VOTES) not in added
                and one.text not in texts
            ):
                added.append((one.text, VOTES))
            elif known and (one.kind != "EDIT" or one.text):
                votes[one.number - 1] += -1 if one.kind == "REMOVE" else 1
                texts[one.number - 1] = one.text if one.kind == "EDIT" else texts[one.number - 1]
            else:
                ignored += 1
        kept = [item for item in zip(texts, votes, strict=True) if item[1] > 0]
        items = tuple(sorted([*kept, *added], key=lambda item: -item[1]))
        return replace(self, items=items, ignored=self.ignored + ignored)


class Expel:
    """Insights, the most votes first, and the most relevant earlier successes.

    At most one call an episode. The model compares it with the latest episode of the same instruction that ended the
    other way. Otherwise, after every third success, it reads the last three.
    """

    def __init__(self, writer: Writer, insights: int, size: int, words: int, relevance: Relevance) -> None:
        self.writer, self.most, self.size, self.words, self.relevance = writer, insights, size, words, relevance
        self._insights = Fold(Insights(), self._after)

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        insights = self._insights.before(earlier)
        good = [i for i, success in enumerate(insights.succeeded) if success]
        found = best(now, [spoken(earlier[i]) for i in good], self.relevance, self.size)
        notes = bullets("Insights, with their votes:", [f"{text} ({votes})" for text, votes in insights.items])
        return closest(Recalled(notes), earlier, [good[i] for i in found], fits)

    @property
    def ignored(self) -> int:
        """Lines of answers that asked for nothing that could be done."""
        return self._insights.last.ignored

    def _after(self, insights: Insights, heard: Sequence[Told]) -> Insights:
        insights = replace(insights, succeeded=(*insights.succeeded, succeeded(heard)))
        shown = _compared(heard, insights.succeeded)
        if not shown:
            return insights
        told = "".join(transcript(heard[i], insights.succeeded[i]) for i in shown)
        lines = [f"{i}. {text} ({votes} votes)\n" for i, (text, votes) in enumerate(insights.items, 1)]
        material = "".join([told, "The insights so far:\n", *(lines or ["(none)\n"]), "\n"])
        answer = self.writer.ask(PROMPT.format(most=MOST, words=self.words), len(heard) - 1, self.words, material)
        return insights.changed(answer, self.most)


def _compared(heard: Sequence[Told], succeeded: Sequence[bool]) -> list[int]:
    """The episodes that are shown together, in order; none where there is nothing to compare."""
    now = len(heard) - 1
    for i in reversed(range(now)):
        if heard[i].instruction == heard[now].instruction and succeeded[i] != succeeded[now]:
            return [i, now]
    good = [i for i in range(now + 1) if succeeded[i]]
    return good[-GROUP:] if succeeded[now] and len(good) % GROUP == 0 else []
