"""What of an answer is reasoning, and so neither a choice nor a note nor a memory.

Servers give reasoning in fields of its own (`reasoning_content`), in parts of the content, or leave the model's marks
in the text: `<think>`, `[THINK]`, `<|channel|>analysis`. A mark may lack its opening (it stood in the prompt) or its
end (the answer was cut off). Text before a lone end, or after a lone opening, is reasoning too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

NAMES = (
    r"(?:think|thought|reason|reflect|scratch|monolog|rationale|analysis|analyse|analyze|deliberat|cogitat|"
    r"思考|思维|推理)"
)
NAME = rf"(?:[\w:.-]{{0,20}}{NAMES}[\w:.-]{{0,20}}|cot|planning)"
OPEN, SHUT = r"(?:<|&lt;|◁|⟨|\[|【)", r"(?:>|&gt;|▷|⟩|\]|】)"
MARKS = re.compile(
    rf"(?P<none>{OPEN}\s*{NAME}\s*/\s*{SHUT})"
    rf"|(?P<end>{OPEN}\s*/\s*\|?{NAME}\|?\s*{SHUT}|<\|\s*/?\s*end[\w-]*{NAMES}[\w-]*\|>|<\|/{NAME}\|>"
    rf"|<\|[\w-]{{0,20}}{NAMES}[\w-]{{0,20}}end\|>|<channel\|>|<unused95>"
    r"|here(?:'s| is) my (?:response|answer):|\.\.\.\s*done thinking\.)"
    rf"|(?P<begin>{OPEN}\s*{NAME}(?:\s[^<>\n]{{0,100}})?{SHUT}|<\|(?!\s*/?\s*end|[\w-]{{0,60}}end\|){NAME}\|>"
    rf"|<\|channel>\s*{NAMES}\w*|<unused94>\s*(?:thought)?|here(?:'s| is) my thought process:)",
    re.IGNORECASE,
)
HINT = re.compile(  # without any there is no mark
    r"[<\[◁⟨【]|&lt;|\bhere|```|thinking\.\.\.|done thinking|^\s*(?:analysis|commentary|assistant)", re.IGNORECASE
)
BLOCK = re.compile(  # that has an end of its own: a fence, a fold, a turn, what a terminal shows
    r"^[ \t]*```+[ \t]*(?:think|thought|reason|analysis|scratch)\w*[ \t]*\n.*?(?P<fence>^[ \t]*```+[ \t]*$|\Z)"
    r"|<details\b(?:[^<>]{0,200}(?:reason|think)[^<>]{0,200}>|>\s*<summary>[^<>]{0,40}(?:reason|think|thought))"
    r".*?(?P<fold></details>|\Z)"
    r"|<\|im_start\|>\s*(?:think|thought|reason)\w*\s.*?(?P<turn>(?=<\|im_(?:start|end)\|>)|\Z)"
    r"|\A\s*thinking\.\.\.[ \t]*\n.*?(?P<shown>\.\.\.\s*done thinking\.?|\Z)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
HEAD, TAIL = 4000, 100_000  # characters of an answer that are looked at, where it has more
CHANNEL = re.compile(r"(?:<\|start\|>\s*\w*\s*)?<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")
CHANNEL_END = re.compile(r"<\|(?:end|return|call|start)\|>")
BARE_CHANNELS = re.compile(r"\s*(?:(?:analysis|commentary)(?=[A-Z\s]).*?)?assistant\s*final", re.DOTALL)
BARE_ANALYSIS = re.compile(r"\s*(?:analysis|commentary)(?=[A-Z])")
SPOKEN = ("text", "output_text", "answer", "message")  # types of parts of a content that are said
INNER = ("text", "thinking", "content", "summary", "parts", "value")  # fields of a part that hold its text
LENGTH = (  # why an answer ended before it was done
    *("length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"),
    *("max_completion_tokens", "max_length", "token_limit", "truncated", "incomplete"),
)
BROKEN = ("abort", "aborted", "cancelled", "canceled", "error", "timeout", "insufficient_system_resource")
FILTERED = (
    *("content_filter", "safety", "sensitive", "refusal", "recitation", "prohibited_content", "blocklist"),
    *("content_filtered", "spii", "image_safety", "guardrail_intervened"),
)
ASIDE = ("reasoning_content", "reasoning", "thinking", "reasoning_text")  # fields of a message that are not said


@dataclass(frozen=True)
class Said:
    """An answer as it came: `whole` is its content, `thought` what came beside it, `cut` whether a limit ended it.

    `refused` says that the server, or the model by the API's own field, declined to answer.
    """

    whole: str
    thought: str = ""
    cut: bool = False
    refused: bool = False

    @classmethod
    def of(cls, kept: Any) -> "Said":
        """From the log: a text, or an object where there is more to say. The text alone is what older logs hold."""
        return cls(**kept) if isinstance(kept, dict) else cls(str(kept))

    @classmethod
    def in_choice(cls, choice: Any, chat: bool) -> "Said":
        """From a choice of a server's answer. Raises `KeyError` or `TypeError` where it has no such form."""
        message = choice["message"] if chat else {"content": choice["text"]}
        text, thought = parts_of(message.get("content"))
        aside = next((message[name] for name in ASIDE if message.get(name)), "")
        thought += aside if isinstance(aside, str) else ""
        finish = str(choice.get("finish_reason") or choice.get("stop_reason") or "").lower()
        declined = bool(message.get("refusal")) or any(kind == "refusal" for kind, _ in _parts(message.get("content")))
        refused = finish in FILTERED or (not text.strip() and declined)
        return cls(text, thought, finish in (*LENGTH, *BROKEN), refused)

    @property
    def kept(self) -> str | dict[str, Any]:
        """What the log keeps."""
        more = {name: value for name, value in vars(self).items() if name in ("thought", "cut", "refused") and value}
        return {"whole": self.whole, **more} if more else self.whole

    @cached_property
    def _split(self) -> tuple[str, bool]:
        return without_reasoning(self.whole)

    @property
    def text(self) -> str:
        """What was said, without reasoning."""
        return self._split[0]

    @property
    def unfinished(self) -> bool:
        """Whether it ended before it was done: by a limit, or within its reasoning."""
        return self.cut or self._split[1]


def parts_of(content: Any) -> tuple[str, str]:
    """The text that a content says, and its reasoning; a content is a text, or a list of parts, or nothing.

    >>> parts_of([{"type": "thinking", "thinking": "A?"}, {"type": "text", "text": "B"}])
    ('B', 'A?')
    """
    said: list[str] = []
    thought: list[str] = []
    for kind, text in _parts(content):
        (said if kind in SPOKEN else thought).append(text)
    return "".join(said), "".join(thought)


def _parts(content: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Kind and text of each part; what has no kind is text."""
    if isinstance(content, str):
        yield "text", content
    elif isinstance(content, list) and depth < 4:
        for part in content:
            yield from _parts(part, depth + 1)
    elif isinstance(content, dict) and depth < 4:
        kind = str(content.get("type") or ("thinking" if "thinking" in content else "text"))
        inner = next(
            (
                content[name]
                for name in ("text", kind, "thinking", "content", "summary", "parts", "value")
                if name in content
            ),
            "",
        )
        for _, text in _parts(inner, depth + 1):
            yield kind, text


def without_reasoning(text: str) -> tuple[str, bool]:
    """The text without its reasoning, and whether it ends within reasoning.

    >>> without_reasoning("<think>A is long.</think>B")
    ('B', False)
    >>> without_reasoning("A is long.</think> B")
    (' B', False)
    >>> without_reasoning("<think>A is")
    ('', True)
    """
    if len(text) > HEAD + TAIL:
        text = text[:HEAD] + text[-TAIL:]
    if not HINT.search(text):
        return text, False
    if "<|channel|>" in text:
        return _channels(text)
    if bare := BARE_CHANNELS.match(text):
        return text[bare.end() :], False
    if BARE_ANALYSIS.match(text):
        return "", True
    if BLOCK.search(text):
        return _without_blocks(text)
    return _unmarked(text)


def _without_blocks(text: str) -> tuple[str, bool]:
    """The text without blocks of reasoning, and without reasoning that is marked beside them."""
    said, at = "", 0
    for block in BLOCK.finditer(text):
        said, at = said + text[at : block.start()], block.end()
        if block.end() == len(text) and not any(block.groupdict().values()):
            return _unmarked(said)[0], True
    return _unmarked(said + text[at:])


def _unmarked(text: str) -> tuple[str, bool]:
    """The text without what stands between marks, and whether it ends within them."""
    said, at, inside = "", 0, False
    for mark in MARKS.finditer(text):
        if not inside:
            said += text[at : mark.start()]
        if mark["end"] is not None and not inside:
            said = ""  # what stood before it was reasoning that had begun in the prompt
        inside = mark["begin"] is not None or (inside and mark["none"] is not None)
        at = mark.end()
    return (said, True) if inside else (said + text[at:], False)


def _channels(text: str) -> tuple[str, bool]:
    """The channel `final` of an answer in channels (OpenAI's Harmony format)."""
    messages = list(CHANNEL.finditer(text))
    said, last = "", ""
    for message, after in zip(messages, [*messages[1:], None], strict=True):
        body = text[message.end() : after.start() if after else len(text)]
        last = message[1].lower()
        if last == "final":
            said += CHANNEL_END.split(body)[0]
    return said, last != "final"
