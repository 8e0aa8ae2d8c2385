"""Writers for memories, without a model."""

from collections.abc import Callable

from parley.core.told import Recalled, Told


class Script:
    """Answers what it was given, in order, then nothing; `asked` has the number of the episode, material and prompt."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), list[tuple[int, str, str]]()

    def note(self, note: str, number: int, words: int) -> str:
        return self.ask("", number, words, f"token{number} {note}") or note

    def ask(self, prompt: str, number: int, words: int, material: str = "") -> str:
        self.asked.append((number, material, prompt))
        return self.answers.pop(0) if self.answers else ""


class Answering(Script):
    """Answers by a function of material and prompt."""

    def __init__(self, answer: Callable[[str], str]) -> None:
        super().__init__()
        self.answer = answer

    def ask(self, prompt: str, number: int, words: int, material: str = "") -> str:
        self.asked.append((number, material, prompt))
        return self.answer(material + prompt)


class Tilting:
    """A memory that adds given numbers to the log-probabilities of any menu."""

    def __init__(self, added) -> None:
        self.added = added

    def recall(self, earlier, now, fits) -> Recalled:
        return Recalled(tilt=lambda now, parts, menu: self.added)


def told(reward: float, task: str = "bring the mug", subgoal: str = "look up", seen: str = "a mug") -> Told:
    """An episode of one step."""
    return Told(task, ("at the dock", seen), ((subgoal,),), (reward,))


def opened(task: str = "bring the mug") -> Told:
    """An episode that begins."""
    return Told(task, ("at the dock",))


def always(recalled: object) -> bool:
    return True
