"""Whether prompts had room for earlier episodes. Where they had none, a memory was worth nothing, whatever it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parley.core.spec import parse_spec
from parley.memory.kinds import VERBATIM
from parley.runs.shards import connect

MOST = 0.5  # of the prompts after the first episode, from which it is said


def no_room(log: Path, config: Mapping[str, Any]) -> str:
    """What a diagnosis says of it, empty where earlier episodes were shown or nothing was left out.

    A memory that shows no episode as it was leaves them out because it means to, not for want of room.
    """
    if not _shows_episodes(config):
        return ""
    db = connect(log)
    try:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'cuts'").fetchone():
            return ""  # a log of the version before
        (asked,) = db.execute("SELECT count(*) FROM steps WHERE episode > 0").fetchone()
        (bare,) = db.execute("SELECT count(*) FROM cuts WHERE left_out >= episode AND episode > 0").fetchone()
    finally:
        db.close()
    if bare <= MOST * asked:
        return ""
    return (
        f"in {bare / asked:.0%} of the prompts after the first episode there was room for no earlier one: give more "
        "(`context=` or `budget=`), or take memory=summary"
    )


def _shows_episodes(config: Mapping[str, Any]) -> bool:
    """By the memory of the run's configuration, else of its planner; one that names none shows what it can."""
    _, given = parse_spec(config["planner"], "planner", first="path")
    if not (memory := config.get("memory") or given.get("memory")):
        return True
    name, own = parse_spec(memory, "memory", first="name")
    return name in VERBATIM and (own.get("size") or given.get("size")) != "0"
