"""The Actor of `quest`: types the commands that carry out a subgoal, one after the other, and reads the answers."""

from typing import Any

from parley.core.errors import BadInput
from parley.worlds.quest.tables import COIN, MENU, VAULT


class TypistActor:
    """Carries keys that it has taken once; opens the door only after it has unlocked it."""

    def begin(self, subgoal: str) -> None:
        """Take up a subgoal of `quest.MENU`."""
        if subgoal not in MENU:
            raise BadInput(f"subgoal {subgoal!r} means nothing to the Actor of quest; it knows: {', '.join(MENU)}")
        self._subgoal, self._typed = subgoal, ""

    def act(self, state: Any) -> str | None:
        """The next command, or None when the subgoal is at its end."""
        if self._subgoal == VAULT:
            command: str | None = "look" if state["seen"].startswith("Vault") else "go east"
            command = None if self._typed else command
        elif self._subgoal == COIN:
            command = None if self._typed else "take gold coin"
        else:
            command = self._try(state, f"{self._subgoal.split()[2]} key")
        self._typed = command or ""
        return command

    def _try(self, state: Any, key: str) -> str | None:
        if self._typed.startswith("unlock"):
            return "open iron door" if state["said"].startswith("You unlock") else None
        if self._typed == "open iron door":
            return None
        if state["seen"].startswith("Vault"):
            return "go west"
        return f"unlock iron door with {key}" if key in state["held"] else f"take {key} from table"
