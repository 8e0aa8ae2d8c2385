"""The part of an answer that is meant as the choice: what follows `Answer:`, stands in a box, a tag or JSON."""

import json
import re
from collections.abc import Callable
from typing import Any

WORDS = (
    r"answer|choice|decision|selection|subgoal|final|antwort|auswahl|réponse|reponse|choix|respuesta|elección|risposta|"
    r"resposta|ответ|odpowiedź|antwoord|svar|cevap"
)
MARK = r"[*_~`#\"'\s]"
ANSWER = re.compile(
    rf"(?:\b(?:{WORDS}){MARK}{{0,6}}(?:is{MARK}{{0,4}})?[:：=]|(?:答案|回答|答え|选择|選擇|정답|답변?)(?:{MARK}|是|は|은){{0,4}}[:：]|^\s*#+\s*"
    rf"(?:final\s+)?(?:{WORDS})\s*$)[*_~`]*",
    re.IGNORECASE | re.MULTILINE,
)
TAGGED = re.compile(
    r"<(answer|final|final_answer|choice|response|output|result|subgoal|action|decision|solution|selection|option)"
    r"(?:\s[^<>]{0,100})?>(.*?)(?:</\1\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
# Tokens with which models end a turn, or begin one: what stands between two of them is said.
SPECIAL = re.compile(
    r"<[|｜][^<>|｜]{1,40}[|｜]>|</?s>|<(?:end_of_turn|start_of_turn|eos|bos|pad|eot|unk|EOT|turn\||\|turn)>|\[/?INST\]|"
    r"<</?SYS>>|\[(?:EOS|BOS|PAD)\]|<end_of_utterance>|<eod>|<\|$"
)
ROLES = ("assistant", "model", "ai", "bot", "gpt")
ASIDE = re.compile(r"reason|think|thought|explan|analys|rational|why|confiden|probab|score|comment|note", re.IGNORECASE)
MEANT = (
    ("subgoal", "answer", "final_answer", "final", "choice", "chosen", "decision", "selection", "selected"),
    ("action", "option", "letter", "response", "result", "output", "value", "text", "content"),
    ("arguments", "parameters", "input", "function"),
)
FENCED = re.compile(r"\s*```[\w-]*\s*\n(.*?)\n?\s*```\s*", re.DOTALL)
DEPTH = 6


def turn(text: str) -> str:
    """The first turn of a text that goes on past its end, without the tokens of a chat template.

    >>> turn("<|assistant|>B<|im_end|>\\n<|im_start|>user\\nA")
    'B'
    """
    if "<" not in text and "[" not in text:
        return text
    said = (piece for piece in SPECIAL.split(text) if piece.strip() and piece.strip().lower() not in ROLES)
    return next(said, "") if SPECIAL.search(text) else text


def narrowed(text: str, inside_entry: Callable[[str, int], bool]) -> str:
    """The text that is framed as the answer, or the whole text. A frame inside an entry of the menu does not count.

    >>> narrowed("A is long. **Answer**: $B$", lambda text, at: False)
    ' $B$'
    """
    for _ in range(DEPTH):
        found = _last(text, inside_entry)
        if found is None:
            return text
        text = found
    return text


def _last(text: str, inside_entry: Callable[[str, int], bool]) -> str | None:
    """The text in the last frame. None where the text has no frame."""
    for frame in (ANSWER, TAGGED):
        marks = [mark for mark in frame.finditer(text) if not inside_entry(text, mark.start())]
        if marks:
            return text[marks[-1].end() :] if frame is ANSWER else marks[-1][2]
    boxes = list(BOXED.finditer(text))
    return _braced(text, boxes[-1].end()) if boxes else None


def _braced(text: str, begin: int) -> str:
    """The text between braces whose first brace is open."""
    depth = 1
    for at in range(begin, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if not depth:
            return text[begin:at]
    return text[begin:]


def json_of(text: str) -> tuple[bool, str | None]:
    """Whether a text is JSON, and the value that it gives as the choice, None where there is not one.

    >>> json_of('{"reasoning": "A is long", "answer": "B"}')
    (True, 'B')
    """
    if fenced := FENCED.fullmatch(text):
        text = fenced[1]
    said = text.strip()
    if said[:1] not in ("{", "[") or said[-1:] not in ("}", "]"):
        return False, None
    try:
        found = json.loads(said, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False, None
    return True, _value(found)


def json_within(text: str) -> str | None:
    """The choice in the one object that stands in a text."""
    begin, end = text.find("{"), text.rfind("}")
    return json_of(text[begin : end + 1])[1] if 0 <= begin < end else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; one that names a key twice says two things."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else {}


def _value(found: Any, depth: int = 0) -> str | None:
    if isinstance(found, str):
        return found
    if isinstance(found, list) and len(found) == 1 and depth < DEPTH:
        return _value(found[0], depth + 1)
    if not isinstance(found, dict) or depth >= DEPTH:
        return None
    said = {key.lower(): value for key, value in found.items() if not ASIDE.search(key)}
    if len(said) == 1:
        return _value(next(iter(said.values())), depth + 1)
    for names in MEANT:
        values = [_value(said[name], depth + 1) for name in names if name in said]
        if values:
            return values[0] if len(set(values)) == 1 else None
    return None
