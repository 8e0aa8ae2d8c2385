"""Memory `reflexion`: what the model says it did wrong, after each episode that failed (Shinn et al. 2023)."""

from collections.abc import Sequence

from parley.core.told import Fits, Recalled, Told, Writer
from parley.memory.fitting import shortened
from parley.memory.learned import Fold, bullets, plain, succeeded, transcript

PROMPT = """You acted in the episode above, and it failed. Say in a few sentences what went wrong, and what you will do
instead the next time. Be specific: name what you did and what you will do. Write at most {words} words, and nothing
else.
"""
HEADING = "What you said after episodes that failed, the latest first:"
CHARACTERS = 8  # that are kept for each word that was asked for


class Reflexion:
    """Self-critiques after failures, the last few of them in the prompt (Algorithm 1; `last` is its Omega).

    One call after each failure (`learned.succeeded`), none after a success.
    """

    def __init__(self, writer: Writer, last: int, words: int) -> None:
        self.writer, self.last, self.words = writer, last, words
        self._said = Fold[tuple[str, ...]]((), self._after)

    def recall(self, earlier: Sequence[Told], now: Told, fits: Fits) -> Recalled:
        return shortened(Recalled(bullets(HEADING, self._said.before(earlier)[::-1])), fits)

    def _after(self, said: tuple[str, ...], heard: Sequence[Told]) -> tuple[str, ...]:
        if succeeded(heard):
            return said
        material = bullets(HEADING, said[::-1]) + transcript(heard[-1], False)
        answer = self.writer.ask(PROMPT.format(words=self.words), len(heard) - 1, self.words, material)
        critique = plain(answer, CHARACTERS * self.words)
        if not critique:
            return said
        return (*said, f"{plain(heard[-1].instruction, 100)}: {critique}")[-self.last :]
