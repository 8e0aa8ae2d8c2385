"""The part of an answer that is meant as the choice: what follows `Answer:`, stands in a box, a tag or JSON."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

WORDS = (
    r"answer|choice|decision|selection|subgoal|final|action|move|option|solution|selected|chosen|output|response|verdict|"
    r"conclusion|recommendation|antwort|auswahl|entscheidung|réponse|reponse|choix|respuesta|elección|opción|risposta|"
    r"scelta|resposta|escolha|opção|ответ|выбор|відповідь|odpowiedź|odpověď|antwoord|svar|vastaus|válasz|răspuns|cevap|"
    r"yanıt|jawaban|pilihan|đáp án|trả lời|lựa chọn|απάντηση|תשובה|الإجابة|الجواب|الاختيار|پاسخ|उत्तर|คำตอบ"
)
IS = r"is|be|ist|est|es|è|é|jest|är|هي|هو"
MARK = r"[*_~`#\"'\s]"
ANSWER = re.compile(
    rf"(?:\b(?:{WORDS}){MARK}{{0,6}}(?:(?:{IS})\b{MARK}{{0,4}})?(?:[:：=]|\s[-–—]{{1,2}}\s)|【答案】|"
    rf"(?:答案|回答|答え|正解|选择|選擇|故选|故選|정답|답변?)(?:{MARK}|是|为|は|은){{0,4}}[:：]|^\s*#+\s*"
    rf"(?:final\s+)?(?:{WORDS})\s*$)[*_~`]*",
    re.IGNORECASE | re.MULTILINE,
)
TAGGED = re.compile(
    r"[<\[](answer|ans|final|final_answer|choice|response|output|result|subgoal|action|decision|solution|selection|option)"
    r"(?:\s[^<>\[\]]{0,100})?[>\]](.*?)(?:[<\[]/\1\s*[>\]]|\Z)",
    re.IGNORECASE | re.DOTALL,
)
BOXED = re.compile(r"(?:\\?\bboxed|\\fbox|\x08oxed)\s*\{")  # a backspace: JSON has read its backslash
# Tokens with which models end a turn, or begin one: what stands between two of them is said.
SPECIAL = re.compile(
    r"<[|｜][^<>|｜]{1,40}[|｜]>|</?s>|<(?:end_of_turn|start_of_turn|eos|bos|pad|eot|unk|EOT|turn\||\|turn)>|\[/?INST\]|"
    r"<</?SYS>>|\[(?:EOS|BOS|PAD)\]|<end_of_utterance>|<eod>|<\|$"
)
ROLES = ("assistant", "model", "ai", "bot", "gpt")
ASIDE = re.compile(  # keys whose values choose nothing
    r"reason|think|thought|explan|analys|rational|why|confiden|probab|score|comment|note|avoid|reject|exclu|discard|"
    r"ruled|worst|wrong|never|^not?$|^not_|previous|observation",
    re.IGNORECASE,
)
MEANT = (
    ("subgoal", "answer", "final_answer", "final", "choice", "chosen", "decision", "selection", "selected"),
    ("choose", "pick", "picked", "select", "best", "action_input", "tool_input"),
    ("action", "option", "letter", "response", "result", "output", "value", "text", "content"),
    ("arguments", "parameters", "input", "function"),
    ("name", "command", "tool"),
)
FENCED = re.compile(r"\s*```[\w-]*\s*\n(.*?)\n?\s*```\s*", re.DOTALL)
DEPTH = 6
MOST_OBJECTS = 20
CROSSED = re.compile(  # text that is struck out, or marked as wrong
    r"~~[^~\n]+~~|<(del|strike)>.*?</\1>|^[ \t]*(?:[-*+][ \t]+\[ \]|(?:[-*+][ \t]+)?[❌✗✘🚫⛔])[^\n]*$|"
    r"^[^\n]*[❌✗✘🚫⛔]\ufe0f?[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
TICKED = re.compile(r"^[ \t]*[-*+][ \t]+\[[xX✓]\]|[✅☑✔✓👉→➡⇒▶]\ufe0f?", re.MULTILINE)


def turn(text: str) -> str:
    """The first turn of a text that goes on past its end, without the tokens of a chat template.

    >>> turn("<|assistant|>B<|im_end|>\\n<|im_start|>user\\nA")
    'B'
    """
    if "<" not in text and "[" not in text:
        return text
    said = (piece for piece in SPECIAL.split(text) if piece.strip() and piece.strip().lower() not in ROLES)
    return next(said, "") if SPECIAL.search(text) else text


def marked(text: str) -> bool:
    """Whether something in a text is struck out, or ticked."""
    return bool(CROSSED.search(text) or TICKED.search(text))


def unmarked(text: str) -> str:
    """The text without struck-out parts, ticks and arrows.

    >>> unmarked("❌ A\\n✅ B")
    '\\n B'
    """
    return TICKED.sub("", CROSSED.sub("", text))


def narrowed(text: str, inside_entry: Callable[[str, int], bool]) -> str:
    """The text that is framed as the answer, or the whole text. A frame inside an entry of the menu does not count.

    >>> narrowed("A is long. **Answer**: $B$", lambda text, at: False)
    ' $B$'
    """
    for _ in range(DEPTH):
        found = None if json_of(text)[0] else _last(text, inside_entry)
        if found is None:
            return text
        text = found
    return text


def _last(text: str, inside_entry: Callable[[str, int], bool]) -> str | None:
    """The text in the last frame. None where the text has no frame."""
    objects = list(_objects(text))  # their keys are no frames
    for frame in (ANSWER, TAGGED):
        marks = [mark for mark in frame.finditer(text) if not inside_entry(text, mark.start())]
        marks = [mark for mark in marks if not any(b < mark.start() < e for b, e, _ in objects)]
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


def json_within(text: str) -> set[str]:
    """The choices in the objects that stand in a text."""
    return {said for _, _, found in _objects(text) if (said := _value(found)) is not None}


def _objects(text: str) -> Iterator[tuple[int, int, Any]]:
    """Where objects of JSON stand in a text, and what they hold."""
    begin = text.find("{")
    for _ in range(MOST_OBJECTS):
        if begin < 0:
            return
        try:
            found, end = DECODER.raw_decode(text, begin)
            yield begin, end, found
        except (ValueError, RecursionError):
            end = begin + 1
        begin = text.find("{", end)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; one that names a key twice says two things."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else {}


DECODER = json.JSONDecoder(object_pairs_hook=_once)


def _value(found: Any, depth: int = 0) -> str | None:
    if isinstance(found, str):
        return found
    if isinstance(found, bool | int | float):
        return json.dumps(found)
    if isinstance(found, list) and len(found) == 1 and depth < DEPTH:
        return _value(found[0], depth + 1)
    if not isinstance(found, dict) or depth >= DEPTH:
        return None
    told = {key.lower(): value for key, value in found.items() if not ASIDE.search(key)}
    said = {key: value for key, value in told.items() if value not in ("", None, {}, [])}
    if len(said) == 1:
        return _value(next(iter(said.values())), depth + 1)
    for names in MEANT:
        values = [_value(said[name], depth + 1) for name in names if name in said]
        if values:
            return values[0] if len(set(values)) == 1 else None
    return None
