"""Cards of `parley bench` below the directory: all of them, as they are read from their files."""

from dataclasses import asdict
from typing import Any

from parley.core.errors import BadInput
from parley.report.cards import FORMAT, read_card
from parley.view.found import Found

MOST, BEGINS = 200, 200  # cards that are shown, and characters in which a file says that it is one


def cards_of(found: Found) -> dict[str, Any]:
    """The cards by path, the newest first; a file that says that it is one and cannot be read, with the reason."""
    cards, refused = list[dict[str, Any]](), list[dict[str, str]]()
    for name, path in found.cards.items():
        try:
            real = found.file(path)
            with open(real, "rb") as file:
                if f'"{FORMAT.partition("/")[0]}/'.encode() not in file.read(BEGINS):
                    continue
            cards.append({"id": name, "changed": real.stat().st_mtime, **asdict(read_card(real))})
        except BadInput as wrong:
            refused.append({"id": name, "sentence": str(wrong)})
        except OSError:
            continue  # it has gone
    cards.sort(key=lambda card: (-card["changed"], card["id"]))
    return {"cards": cards[:MOST], "refused": refused[:MOST], "more": max(len(cards) - MOST, 0)}
