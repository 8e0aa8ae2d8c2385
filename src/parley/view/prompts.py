"""The calls of a decision: the exact prompt, what is new in it since the decision before, and the raw answer."""

import difflib
import json
from pathlib import Path
from typing import Any

from parley.prompting.reasoning import MARKS, Said
from parley.runs.texts import Reader
from parley.view.episode import cohort_of
from parley.view.log import Log, opened
from parley.view.texts import LONGEST_PROSE, Prose

CALL = ("model", "purpose", "outcome", "attempts", "prompt_tokens", "cached_tokens", "completion_tokens", "latency_s")
CALLS = ("step", *CALL, "cost", "prompt", "answer")
AGAIN = "asked again"  # in the purpose of a call that tells an unusable answer back
MOST_CALLS = 200
MOST_LINES = 3000  # of two prompts that are compared line by line; longer ones by their common beginning
FINAL = "answer:"  # what models say before their choice, where they reason in the open


def calls_of(out: Path, manifest: dict[str, Any], run: int, episode: int, step: int) -> dict[str, Any]:
    """All attempts at calls for one decision, in order; step -1 is for what belongs to the episode as a whole."""
    cohort = cohort_of(manifest)
    with opened(out) as log:
        rows = log.of_episode("calls", CALLS, run, episode, cohort)
        mine = [row for row in rows if row[0] == step][:MOST_CALLS]
        before = _before(log, rows, run, episode, step, cohort)
        texts = _texts(log, {row[i] for row in mine for i in (-2, -1)} | ({before} if before else set()))
    listed: list[dict[str, Any]] = []
    last = None
    for row in mine:
        call = dict(zip(CALLS, row, strict=True))
        since = last if AGAIN in str(call["purpose"]) else before  # asked again: new since the call before
        was = messages_of(texts.get(since, "")) if since else []
        call["messages"] = marked(messages_of(texts.get(call["prompt"], "")), was)
        last, call["prompt"], call["answer"] = call["prompt"], None, answer_of(texts.get(call["answer"], ""))
        listed.append(call)
    return {"run": run, "episode": episode, "step": step, "calls": listed}


def _before(log: Log, rows: list[Any], run: int, episode: int, step: int, cohort: int) -> Any:
    """The key of the last prompt before this decision's, in this episode or the one before it."""
    earlier = [row[-2] for row in rows if isinstance(row[0], int) and row[0] < step and "propose" in str(row[2])]
    if earlier or episode == 0:
        return earlier[-1] if earlier else None
    last = log.of_episode("calls", CALLS, run, episode - 1, cohort)
    return next((row[-2] for row in reversed(last) if "propose" in str(row[2])), None)


def _texts(log: Log, keys: set[Any]) -> dict[Any, str]:
    if not keys or not log.has("texts"):
        return {}
    reader = Reader(log.db)
    return {key: text for key in keys if isinstance(key, str) and (text := reader.read(key)) is not None}


def messages_of(prompt: str) -> list[tuple[str, str]]:
    """(role, text) of each message; one without a role where the prompt is a text."""
    try:
        found = json.loads(prompt)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list) and all(isinstance(m, dict) and {"role", "content"} <= set(m) for m in found):
        return [(str(m["role"]), str(m["content"])) for m in found]
    return [("", prompt)]


def marked(now: list[tuple[str, str]], before: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Messages in pieces, each new or as it was in the prompt before; nothing is new where there was none."""
    lines = [(i, role, line) for i, (role, text) in enumerate(now) for line in _lines(text)]
    was = [(role, line) for role, text in before for line in _lines(text)]
    new = _new([line[1:] for line in lines], was) if was else [False] * len(lines)
    messages: list[dict[str, Any]] = [{"role": role, "pieces": []} for role, _ in now]
    for (i, _, line), fresh in zip(lines, new, strict=True):
        pieces = messages[i]["pieces"]
        if pieces and pieces[-1]["new"] == fresh:
            pieces[-1]["lines"].append(line)
        else:
            pieces.append({"new": fresh, "lines": [line]})
    for message in messages:
        message["pieces"] = [
            {"new": p["new"], "text": Prose("\n".join(p["lines"])[:LONGEST_PROSE])} for p in message["pieces"]
        ]
    return messages


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")


def _new(now: list[tuple[str, str]], was: list[tuple[str, str]]) -> list[bool]:
    """Of each line, whether it was not there before."""
    same = 0
    while same < min(len(now), len(was)) and now[same] == was[same]:
        same += 1
    tail = now[same:]
    new = [True] * len(tail)
    if len(tail) + len(was) - same <= MOST_LINES:
        for block in difflib.SequenceMatcher(None, was[same:], tail, autojunk=False).get_matching_blocks():
            new[block.b : block.b + block.size] = [False] * block.size
    return [False] * same + new


def answer_of(raw: str) -> dict[str, Any]:
    """An answer as it was read: a text with what the model thought before it, or log-probabilities."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = raw
    if isinstance(found, str) or (isinstance(found, dict) and isinstance(found.get("whole"), str)):
        return {"raw": Prose(raw), **_thought(found)}
    return {"raw": Prose(raw), "logprobs": _letters(found) or _candidates(found)}


def _thought(found: str | dict[str, Any]) -> dict[str, Any]:
    """What was reasoned before the answer proper, where the server or the answer says where that begins."""
    said = Said(found) if isinstance(found, str) else Said(found["whole"], str(found.get("thought", "")))
    if said.text != said.whole or said.thought:
        within = said.whole.removesuffix(said.text) if said.text != said.whole else ""
        reasoned = said.thought + MARKS.sub("", within)
        return {"reasoning": Prose(reasoned.strip()), "text": Prose(said.text.strip())}
    at = said.whole.lower().rfind(FINAL)
    if at > 0:
        return {"reasoning": Prose(said.whole[:at].strip()), "text": Prose(said.whole[at:])}
    return {"reasoning": "", "text": Prose(said.whole)}


def _letters(found: Any) -> list[dict[str, Any]]:
    """Pairs of a token and its log-probability, as the way `letters` keeps them."""
    if not isinstance(found, list) or not all(isinstance(p, list) and len(p) == 2 for p in found):
        return []
    return [{"said": str(said), "logprob": v} for said, v in found if isinstance(v, int | float)][:MOST_CALLS]


def _candidates(found: Any) -> list[dict[str, Any]]:
    """Tokens of each candidate and their log-probabilities, as the way `echo` keeps them."""
    listed = found[1] if isinstance(found, list) and len(found) == 2 and isinstance(found[1], list) else []
    told = []
    for one in listed[:MOST_CALLS]:
        if isinstance(one, list) and len(one) == 2 and all(isinstance(part, list) for part in one):
            values = [v for v in one[1] if isinstance(v, int | float)]
            told.append({"said": "".join(map(str, one[0])), "logprob": sum(values), "tokens": one[0], "each": values})
    return told
