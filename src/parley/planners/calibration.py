"""What a model prefers when nothing has been said: taken off its scores, they say what the world has to do with them.

`contextual` (Zhao et al. 2021, equation 1): the mean distribution after prompts of the same form whose task and report
say nothing. `pmi` (Holtzman et al. 2021, equation 4, domain-conditional pointwise mutual information): the distribution
after a prompt with the task, and without any history.
"""

from collections.abc import Sequence
from typing import Any

from parley.core.told import Recalled, Told
from parley.prompting.prompter import Prompter, Prompting, entries
from parley.prompting.template import Turn

NOTHING = ("N/A", "[MASK]", "-")
CUE = "What is done next?\n"
# The blank prompts of each kind of calibration: what stands for all that would be said, or None for nothing at all.
CALIBRATIONS: dict[str, tuple[str | None, ...]] = {"contextual": NOTHING, "pmi": (None,)}


class _Forgetful:
    """Recalls nothing."""

    def recall(self, earlier: Sequence[Told], now: Told, fits: Any) -> Recalled:
        return Recalled()


def blank_turns(how: Prompting, blank: str | None, parts: Sequence[str], menu: Sequence[str]) -> list[Turn]:
    """A prompt without content, of the form that prompts have."""
    if blank is not None:
        prompter = Prompter(how, _Forgetful())
        prompter.begin(blank, blank)
        return prompter.turns(parts, menu)
    words = how.words
    about = {"rules": words.rules, "menus": [entries(menu) for menu in words.menus], "horizon": words.horizon}
    system = how.template.render("system", **about, answer=how.answer, shots=0)
    said = [Turn("assistant", "".join(f"{part}\n" for part in parts))] if parts else []
    return [Turn("system", system), Turn("user", CUE), *said]
