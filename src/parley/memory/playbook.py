"""Memory `playbook`: items that are changed one by one, never written anew as a whole (ACE, Zhang et al. 2025)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from parley.core.told import Fits, Recalled, Told, Writer
from parley.memory.fitting import shortened
from parley.memory.learned import Fold, bullets, succeeded, transcript
from parley.memory.operations import Operation, operations

TAGS, DELTAS = 12, 4  # operations of the two answers that are carried out
REFLECT = """Read the playbook and the episode above. First say which items of the playbook helped in it and which did
harm, one a line:
HELPFUL 1
HARMFUL 2
Then say in one to three lines what is to be learnt from the episode, each beginning with LESSON:
Write nothing else, and at most {words} words.
"""
CURATE = """Change the playbook above by at most {deltas} lines, so that it holds these lessons. Say what it lacks:
ADD: a new item, in one sentence
EDIT 1: item 1, made more precise
Write these lines and nothing else, in at most {words} words.
"""


@dataclass(frozen=True)
class Item:
    """An item of the playbook. Its number stays its own; the counts say how often it helped, and did harm."""

    number: int
    text: str
    helpful: int = 0
    harmful: int = 0

    @property
    def line(self) -> str:
        """As a prompt shows it."""
        return f"[{self.number}] {self.text} (helpful {self.helpful}, harmful {self.harmful})"


@dataclass(frozen=True)
class Book:
    """Items by number; the number of the next one; and how many lines could not be carried out."""

    items: tuple[Item, ...] = ()
    next: int = 1
    ignored: int = 0

    def after(self, one: Operation) -> "Book":
        """After one delta; what it cannot do is ignored and counted."""
        held = {item.number: item for item in self.items}
        item = held.get(one.number)
        if one.kind == "ADD" and one.text.lower() not in {known.text.lower() for known in self.items}:
            return replace(self, items=(*self.items, Item(self.next, one.text)), next=self.next + 1)
        if item and one.kind == "HELPFUL":
            held[one.number] = replace(item, helpful=item.helpful + 1)
        elif item and one.kind == "HARMFUL":
            held[one.number] = replace(item, harmful=item.harmful + 1)
        elif item and one.kind == "EDIT" and one.text:
            held[one.number] = replace(item, text=one.text)
        else:
            return replace(self, ignored=self.ignored + 1)
        return replace(self, items=tuple(held.values()))

    def pruned(self, most: int) -> "Book":
        """The `most` best items: of those that are as helpful the later, which had less time to be."""
        best = sorted(self.items, key=lambda item: (item.harmful - item.helpful, -item.number))[:most]
        return replace(self, items=tuple(sorted(best, key=lambda item: item.number)))

    def lines(self) -> list[str]:
        """The items, the most helpful first."""
        return [item.line for item in sorted(self.items, key=lambda item: (item.harmful - item.helpful, item.number))]


class Playbook:
    """A playbook that a reflector and a curator change by deltas: grow and refine.

    Two calls an episode; one where the reflector has no lesson.
    """

    def __init__(self, writer: Writer, most: int, words: int) -> None:
        self.writer, self.most, self.words = writer, most, words
        self._book = Fold(Book(), self._after)

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        lines = self._book.before(earlier).lines()
        return shortened(Recalled(bullets("Your playbook, the most helpful first:", lines)), fits)

    @property
    def ignored(self) -> int:
        """Lines of answers that asked for nothing that could be done."""
        return self._book.last.ignored

    def _after(self, book: Book, heard: Sequence[Told]) -> Book:
        number = len(heard) - 1
        shown = bullets("The playbook:", book.lines()) or "The playbook is empty.\n"
        told = transcript(heard[-1], succeeded(heard))
        said = self.writer.ask(REFLECT.format(words=self.words), number, self.words, f"{told}{shown}")
        tags, ignored = operations(said, ("LESSON",), ("HELPFUL", "HARMFUL"), TAGS)
        lessons = [one.text for one in tags if one.kind == "LESSON"]
        for tag in tags:
            book = book.after(tag) if tag.kind != "LESSON" else book
        if lessons:
            material = f"{shown}{bullets('Lessons of the last episode:', lessons)}"
            said = self.writer.ask(CURATE.format(deltas=DELTAS, words=self.words), number, self.words, material)
            deltas, others = operations(said, ("ADD",), ("EDIT",), DELTAS)
            ignored += others
            for delta in deltas:
                book = book.after(delta)
        return replace(book, ignored=book.ignored + ignored).pruned(self.most)
