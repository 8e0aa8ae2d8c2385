"""What servers say when they refuse, and what it means: tables of wordings.

Of vLLM, llama.cpp, TGI, SGLang, Ollama, LM Studio, OpenAI, Azure, Anthropic's kind, Groq, Mistral, Gemini, GLM,
Moonshot, DashScope, OpenRouter and others. A sentence that is in no table is shown as it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


def _any(*wordings: str) -> re.Pattern[str]:
    return re.compile("|".join(wordings), re.IGNORECASE)


NUMBER = r"\(?([\d][\d,_]*)"
# A prompt, or prompt and answer together, beyond the model's context.
OVERFLOW = _any(
    r"context[ _-]?(?:length|window|size|limit)",
    r"exceed_context",
    r"maximum (?:context|prompt|model|input|sequence) ?length",
    r"maximum number of (?:input )?tokens",
    r"max(?:imum)? (?:sequence|seq|model|total|input)[ _-]?len",
    r"max_model_len|max_seq_len|tokens?_limit_reached|string_above_max|string too long|range of input length",
    r"(?:prompt|inputs?\b|messages?|request|conversation|query|text|payload)\W(?:[^.!?\n]{0,80}\W)?(?:is |are |was )?"
    r"(?:too (?:long|large|big)|exceed\w*|longer than|larger than|must have less than|超长|过长)",
    r"too many (?:input |prompt )?tokens",
    r"tokens?[^.!?\n]{0,60}(?:exceed\w*|must be <=|longer than|too many|over the limit)",
    r"(?:exceed\w*|above|over|beyond)[^.!?\n]{0,50}"
    r"(?:token limit|max(?:imum)? (?:allowed )?(?:number of )?(?:length|tokens)|"
    r"tokens? (?:allowed|supported)|allowed length)",
    r"reduce (?:the |your )?(?:length|size|prompt|message|input)",
    r"reduce the (?:number of )?(?:messages|tokens)",
    r"keep from the initial prompt",
    r"request too large",
    r"(?:输入|提示|上下文|请求)\S{0,12}(?:超|过长|长度)|prompt\s*超",
)
OVERFLOW_CODES = ("context_length", "context_size", "1261", "tokens_limit", "string_above_max")
PER_MINUTE = _any(r"per[ -](?:minute|min|day|hour|second)", r"\b[TR]P[MDS]\b", r"rate limit")
TOO_LARGE = _any(r"request too large", r"reduce (?:your )?(?:message|prompt)", r"tokens must be reduced")
LIMITS = (
    _any(r"n_ctx\D{0,4}" + NUMBER),
    _any(r">\s*" + NUMBER),
    _any(
        r"context[ _-]?(?:length|window|size|limit)(?: of)?(?: only)?(?: is)?(?: [a-z]\w*)?[:=]?\s*" + NUMBER,
    ),
    _any(
        r"(?:maximum|max)[ _]?(?:context|prompt|model|input|sequence|allowed|total)?[ _]?(?:length|tokens|len)\w*"
        r"(?: of| is| allowed| are)*[:=]?\s*" + NUMBER,
    ),
    _any(
        r"(?:less than|at most|no more than|up to|<=|limit(?: of|ed to| is)?:?|maximum of|supports?(?: only)?|"
        r"range .*?,)"
        r"\s*" + NUMBER,
    ),
    _any(NUMBER + r"\)?(?: tokens?)? (?:maximum|max\b|limit)"),
    _any(r"(?:cannot exceed|max[_ ](?:seq[_ ]len|size):?) " + NUMBER),
    _any(r"(?:for model with|longer than (?:this|the) model's) " + NUMBER),
    _any(r"(?:limit|maximum|allowed)(?![^\d\n]*\bby\b)[^\d\n]{0,40}" + NUMBER),
)
ASKED = (
    _any(r"n_prompt_tokens\D{0,4}" + NUMBER),
    _any(NUMBER + r" (?:in|from|of) (?:the|your|text) (?:messages|prompt|input)"),
    _any(NUMBER + r" tokens from the input"),
    _any(NUMBER + r" (?:`inputs` |input |prompt )tokens"),
    _any(NUMBER + r"(?: tokens)?(?: \+ \d+)? >"),
    _any(r"(?:request|input|prompt)(?: length)?(?: of)? " + NUMBER + r" tokens"),
    _any(r"(?<!maximum )(?:prompt|input|current)s?\W+(?:total )?length:?(?: is)? " + NUMBER),
    _any(r"(?:prompt is too long:|requested tokens|number of input tokens|received|requested:) " + NUMBER),
    _any(
        r"(?:resulted in|request(?:ed)?(?: has| contains)?|contains|token count(?: of)?|given:?)"
        r"\s*(?:about |a total of )?" + NUMBER,
    ),
)
MOST_OUT = _any(
    r"(?:at most|up to|<=|less than or equal to|maximum (?:value )?(?:of|is|allowed:?)|no more than|between \d+ and|"
    r"range of (?:\[\d+, ?)?|supports? (?:only )?)\s*[`'\"]?([\d,_]+)",
)
QUOTA = _any(
    r"insufficient[ _](?:quota|credit|balance|funds)",
    r"exceeded your current quota",
    r"quota (?:is |has been )?(?:used up|exhausted)",
    r"billing|payment required|out of credits|more credits|credit balance|no credits?\b",
    r"balance is (?:too low|insufficient)",
    r"spend(?:ing)? limit|usage limit (?:reached|exceeded)",
    r"free (?:tier|quota) .{0,30}(?:exceed|exhaust)",
    r"key limit exceeded|account is in good standing|arrear",
    r"余额不足|欠费",
)
LOADING = _any(
    r"loading model|warming up|cold start|starting up|not (?:yet )?ready|模型加载",
    r"model (?:\S+ )?is (?:currently |still )?(?:loading|not ready|being loaded|starting|warming)",
)
FILTERED = _any(
    r"content[ _]?(?:filter|management policy|policy)|responsible ?ai|safety (?:system|filter|settings)|moderation",
    r"content exists risk|(?:usage|acceptable use) polic|invalid_prompt|was flagged",
    r"data_inspection_failed|inappropriate content|prohibited content|敏感|安全",
)
BUSY = _any(r"rate[ _]?limit|too many requests|overloaded|over capacity|try again later|concurrency|1302|限流")
BAD_KEY = _any(
    r"(?:invalid|incorrect|missing|wrong|no|expired)[ _](?:\w+ )?(?:api[ _-]?key|token|credentials?)",
    r"authenticat|unauthori[sz]ed",
)
UNKNOWN_MODEL = _any(
    r"model[ _]not[ _]found",
    r"(?:no such|unknown|does not exist|not found).{0,20}model",
    r"model.{0,60}(?:does not exist|not found|not exist)",
)
NO_SYSTEM = _any(
    r"system (?:role|message|prompt|instruction)s?\b",
    r"role:? ['\"`]?system|['\"`]system['\"`]",
    r"roles? must alternate|alternate user|only user(?:,| and) assistant",
    r"developer instruction|first message must be",
)
TRY_AGAIN = _any(
    r"(?:try again|retry|wait)[^\d\n]{0,20}(?=\d)"
    r"(?:(\d+)h)?\s*(?:(\d+)m(?!s|i))?\s*(?:([\d.]+)\s*(ms|s(?:ec\w*)?\b))?",
)


@dataclass(frozen=True)
class TooLong:
    """A prompt beyond the context: the limit and the tokens of the prompt, where the server tells them, else 0."""

    limit: int = 0
    asked: int = 0


def too_long(said: str, status: int, code: str, more: dict[str, Any]) -> TooLong | None:
    """Whether a refusal says that a prompt does not fit, and what it tells of how long it may be."""
    by_code = any(word in code.lower() for word in OVERFLOW_CODES)
    limited = bool(PER_MINUTE.search(said)) and not TOO_LARGE.search(said)
    if status in (401, 403, 404) or limited or not (by_code or status == 413 or OVERFLOW.search(said)):
        return None
    limit, asked = _count(more.get("n_ctx")), _count(more.get("n_prompt_tokens"))
    return TooLong(limit or _first(LIMITS, said), asked or _first(ASKED, said))


def _first(wordings: Iterable[re.Pattern[str]], said: str) -> int:
    found = (match for wording in wordings if (match := wording.search(said)))
    return next((number for match in found if (number := _count(match[1])) >= 16), 0)


def _count(value: Any) -> int:
    """A number of tokens; 0 for any other value."""
    digits = re.sub(r"[,_]", "", str(value)) if not isinstance(value, bool) else ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else 0


def names(said: str, parameter: str) -> bool:
    """Whether a refusal names a parameter of the call."""
    camel = re.sub(r"_(\w)", lambda match: match[1].upper(), parameter)
    return bool(re.search(rf"(?<![\w-])(?:{re.escape(parameter)}|{camel})(?![\w-])", said, re.IGNORECASE))


def most_allowed(said: str) -> int:
    """The largest value that a refusal says a parameter may have; 0 where it says none."""
    found = MOST_OUT.search(said)
    return _count(found[1]) if found else 0


def wait_of(said: str) -> float:
    """The seconds after which a server says to try again; 0 where it says nothing of it."""
    for found in TRY_AGAIN.finditer(said):
        hours, minutes, seconds, unit = found.groups()
        if hours or minutes or seconds:
            small = float(seconds or 0) / (1000 if unit == "ms" else 1)
            return int(hours or 0) * 3600 + int(minutes or 0) * 60 + small
    return 0.0
