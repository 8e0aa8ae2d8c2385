"""Whether prompts had room for earlier episodes. Where they had none, a memory was worth nothing, whatever it is."""

from pathlib import Path

from parley.runs.shards import connect

MOST = 0.5  # of the prompts after the first episode, from which it is said


def no_room(log: Path) -> str:
    """What a diagnosis says of it, empty where earlier episodes were shown or nothing was left out."""
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
