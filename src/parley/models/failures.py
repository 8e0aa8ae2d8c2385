"""What goes wrong with a call to a server, told apart: what may pass, what will not, and how long to wait."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any

from parley.core.errors import BadInput
from parley.models import wordings
from parley.models.wordings import TooLong

RETRIED = {408, 409, 425, 429}
NAMES = {401: "bad key", 402: "quota used up", 403: "not allowed", 404: "not found", 429: "rate limit"}
NAMES[407] = "proxy refuses"
SENTENCE = ("message", "msg", "detail", "error_description", "status_msg", "reason", "title", "error_msg", "error")
MEANT = (  # the status that a sentence means, where an answer with status 200 holds one
    (wordings.QUOTA, 402),
    (wordings.BUSY, 429),
    (wordings.BAD_KEY, 401),
    (wordings.UNKNOWN_MODEL, 404),
    (wordings.FILTERED, 400),
)
CODE = ("code", "type", "error_code", "status_code", "status")


class Failure(Exception):
    """An attempt without an answer: its kind, whether another may help, and how long the server wants us to wait.

    `said` is the server's sentence. `pauses`: nothing helps now, but later it may (a quota that is used up).
    `too_long`: the prompt does not fit the model's context.
    """

    def __init__(
        self,
        outcome: str,
        retry: bool = True,
        wait_s: float = 0.0,
        said: str = "",
        code: str = "",
        pauses: bool = False,
        too_long: TooLong | None = None,
    ) -> None:
        super().__init__(outcome)
        self.outcome, self.retry, self.wait_s, self.said, self.code = outcome, retry, wait_s, said, code
        self.pauses, self.too_long = pauses, too_long


class Unusable(Failure):
    """An answer that came whole, in which what was asked for cannot be found: `outcome` says why."""

    def __init__(self, outcome: str, said: str = "") -> None:
        super().__init__(outcome, said=said)


class Refused(BadInput):
    """The server refuses the call at every attempt; `outcome`, its error `code` and its text `said` give the reason."""

    def __init__(self, message: str, outcome: str, code: str, said: str = "") -> None:
        super().__init__(message)
        self.outcome, self.code, self.said = outcome, code, said


class Overflow(Refused):
    """The prompt does not fit the model's context."""

    def __init__(self, message: str, outcome: str, code: str, said: str, too_long: TooLong) -> None:
        super().__init__(message, outcome, code, said)
        self.limit, self.asked = too_long.limit, too_long.asked


@contextmanager
def told_apart(http: Any) -> Iterator[None]:
    """What can go wrong on the way, by its kind; `http` is the client's library."""
    try:
        yield
    except http.TimeoutException:
        raise Failure("timeout") from None
    except http.RemoteProtocolError as wrong:
        raise Failure("truncated answer", said=str(wrong)) from None
    except http.ProxyError as wrong:
        raise Failure("proxy refuses", retry="503" in str(wrong), said=str(wrong)) from None
    except (http.ConnectError, http.ReadError, http.WriteError, http.CloseError) as wrong:
        raise _unconnected(str(wrong)) from None
    except http.DecodingError as wrong:
        raise Failure("malformed answer", said=str(wrong)) from None
    except (http.HTTPError, http.InvalidURL, ValueError, UnicodeError) as wrong:
        raise Failure("no call", retry=False, said=str(wrong)) from None


def _unconnected(why: str) -> Failure:
    """No connection, by what the system says of it."""
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return Failure("certificate not trusted", retry=False, said=why)
    if "SSL" in why or "TLS" in why:
        return Failure("no TLS", retry="EOF" in why, said=why)
    return Failure("no connection", said=why)


@dataclass(frozen=True)
class Reply:
    """What a server says instead of an answer: its sentence, its code, and the other fields of the object."""

    said: str
    code: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, content: bytes) -> "Reply":
        """From a body: JSON in any of the forms in which servers say errors, a web page, or text."""
        text = content.decode(errors="replace")
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            page = page_of(text)
            return cls(f"a web page: {page}" if page else text.strip())
        said, code = "", ""
        more: dict[str, Any] = {}
        for level in _levels(found):
            if isinstance(level, str):
                said = said or level
                continue
            more |= level
            said = said or _sentence(level)
            code = code or next((str(level[name]) for name in CODE if isinstance(level.get(name), str | int)), "")
        raw = more.get("metadata", {}).get("raw") if isinstance(more.get("metadata"), dict) else None
        return cls(f"{said}: {raw}" if isinstance(raw, str) else said or text.strip(), code, more)

    @property
    def status(self) -> int:
        """The HTTP status that a code is, or that a sentence means; 0 where neither is one."""
        if self.code.isascii() and self.code.isdigit() and 400 <= int(self.code) < 600:
            return int(self.code)
        about = f"{self.code} {self.said}"
        return next((status for wording, status in MEANT if wording.search(about)), 0)


def _levels(found: Any) -> Iterator[Any]:
    """The objects of an error from within, and sentences that stand for one."""
    if isinstance(found, list):
        found = found[0] if found else {}
    if not isinstance(found, dict):
        yield str(found)
        return
    for name in ("error", "errors", "detail", "fault", "base_resp"):
        inner = found.get(name)
        if isinstance(inner, list) and name == "detail":
            yield "; ".join(map(_placed, inner))
        elif isinstance(inner, dict | list):
            yield from _levels(inner)
        elif isinstance(inner, str) and inner.strip():
            yield inner
    yield found


def _sentence(level: dict[str, Any]) -> str:
    return next((level[name] for name in SENTENCE if isinstance(level.get(name), str) and level[name].strip()), "")


def _placed(one: Any) -> str:
    """The fault of a field, in FastAPI's words."""
    if not isinstance(one, dict):
        return str(one)
    place = one.get("loc")
    return f"{'.'.join(map(str, place))}: {one.get('msg')}" if isinstance(place, list) else str(one.get("msg") or one)


def page_of(text: str) -> str:
    """The text of a web page that came instead of an answer; empty for a text that is not a web page."""
    if not re.match(r"\s*(?:<!doctype html|<html|<head|<body|<!--|<\?xml)", text, re.IGNORECASE):
        return ""
    title = re.search(r"<title[^>]*>(.*?)</title|<h1[^>]*>(.*?)</h1", text, re.IGNORECASE | re.DOTALL)
    words = next(filter(None, title.groups()), "") if title else re.sub(r"<[^>]*>", " ", text)
    return f"{' '.join(unescape(re.sub(r'<[^>]*>', ' ', words)).split())[:200]!r}"


def refusal(status: int, headers: Any, content: bytes) -> Failure:
    """What an answer other than 200 says."""
    reply, where = Reply.of(content), headers.get("location", "")
    if 300 <= status < 400:
        return Failure(f"redirect ({status})", retry=False, said=f"it sends elsewhere: {where}", code=reply.code)
    return told(reply, status, retry_after(headers.get("retry-after", "")))


def told(reply: Reply, status: int, wait_s: float = 0.0) -> Failure:
    """The failure that a server tells of by a status and a sentence."""
    said, code = reply.said, reply.code
    if too_long := wordings.too_long(said, status, code, reply.more):
        return Failure(f"prompt too long ({status})", retry=False, said=said, code=code, too_long=too_long)
    if status == 402 or (status in (400, 403, 429) and wordings.QUOTA.search(f"{code} {said}")):
        return Failure(f"quota used up ({status})", retry=False, said=said, code=code, pauses=True)
    if status in (400, 403) and wordings.FILTERED.search(f"{code} {said}"):
        return Failure(f"filtered ({status})", retry=False, said=said, code=code)
    outcome = NAMES.get(status, "server error" if status >= 500 else "refused")
    if status >= 500 and wordings.LOADING.search(said):
        outcome = "loading the model"
    retry = status in RETRIED or status >= 500
    return Failure(f"{outcome} ({status})", retry, max(wait_s, wordings.wait_of(said)) if retry else 0.0, said, code)


def error_within(body: Any, content: bytes) -> Failure | None:
    """The failure that an answer with status 200 tells of, None where it is an answer."""
    if not isinstance(body, dict) or body.get("choices") or body.get("data"):
        choices = body.get("choices") if isinstance(body, dict) else None
        first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        if not first.get("error") or first.get("message", {}).get("content"):
            return None
        content = json.dumps({"error": first["error"]}).encode()
    elif not (body.get("error") or body.get("errors") or body.get("detail") or body.get("base_resp") or _failed(body)):
        return None
    reply = Reply.of(content)
    failure = told(reply, reply.status or 500)
    if not reply.status and not failure.too_long:
        failure.outcome = "error in the answer"
    return failure


def _failed(body: dict[str, Any]) -> bool:
    """Whether an object without choices says an error by its code and message alone."""
    return "choices" not in body and bool(_sentence(body)) and any(name in body for name in CODE)


def no_json(content: bytes, content_type: str) -> Failure:
    """What an answer is that is no JSON."""
    text = content[:4000].decode(errors="replace")
    if page := page_of(text):
        return Failure("web page", retry=False, said=page)
    lines = text.split("\n", 1)  # objects one a line, as Ollama streams
    many = len(lines) > 1 and lines[0].startswith("{") and lines[1].startswith("{")
    if text.lstrip().startswith(("data:", "event:", ": ")) or many or "event-stream" in content_type:
        return Failure("event stream", retry=False, said=f"it streams, which was not asked for: {text}")
    return Failure("malformed JSON", said=content.decode(errors="replace"))


def retry_after(header: str) -> float:
    """Seconds of a Retry-After header, given as seconds or as a date; 0 without a readable header."""
    try:
        seconds = float(header)
        return max(0.0, seconds) if seconds < float("inf") else 0.0
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
