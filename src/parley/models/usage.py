"""The tokens of a call: what the server says, and our own count where it says nothing, or nothing that can be."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from parley.core.calls import Usage

SPOKEN = ("content", "text", "reasoning", "reasoning_content", "refusal", "thinking", "arguments")


def told(body: Any) -> Usage:
    """The tokens that an answer says were read and written; a server may say nothing, or nonsense."""

    def count(of: Any, name: str) -> int | None:
        value = of.get(name) if isinstance(of, dict) else None
        return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40 else None

    usage = body.get("usage") if isinstance(body, dict) else None
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    prompt, cached = count(usage, "prompt_tokens"), count(details, "cached_tokens")
    if cached is not None and cached > (prompt or 0):
        cached = None
    return Usage(prompt, cached, count(usage, "completion_tokens"))


def counted(usage: Usage, asked: Mapping[str, Any] | None, body: Any, count: Callable[[str], int]) -> Usage:
    """`usage`, with our own count where it has none: no prompt takes 0 tokens, nor does an answer that says something.

    `asked` is the body of the call, `body` that of the answer, None where none came.
    """
    if asked is None:
        return usage
    prompt = None if usage.prompt else sum(map(count, _texts(asked.get("messages", asked.get("prompt")))))
    written = None
    if not usage.completion and body is not None and not asked.get("echo"):
        written = sum(map(count, _texts(body.get("choices") if isinstance(body, dict) else None)))
    if prompt is None and not written:
        return usage
    more: dict[str, Any] = {} if prompt is None else {"prompt": prompt}
    more |= {"completion": written} if written or usage.completion is None else {}
    return replace(usage, **more, counted=True)


def _texts(found: Any, name: str = "text") -> Iterator[str]:
    """The texts of messages, prompts or choices."""
    if isinstance(found, str):
        if name in SPOKEN:
            yield found
    elif isinstance(found, list):
        for one in found:
            yield from _texts(one, name)
    elif isinstance(found, dict):
        for key, value in found.items():
            if key not in ("logprobs", "role", "finish_reason"):
                yield from _texts(value, key if isinstance(value, str) or key in SPOKEN else "")
