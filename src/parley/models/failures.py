"""What goes wrong with a call to a server, told apart: what may pass, what will not, and how long to wait."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from parley.core.errors import BadInput

RETRIED = {408, 409, 425, 429}
NAMES = {401: "bad key", 403: "bad key", 404: "not found", 429: "rate limit"}


class Failure(Exception):
    """An attempt without an answer: its kind, whether another may help, and how long the server wants us to wait."""

    def __init__(self, outcome: str, retry: bool = True, wait_s: float = 0.0, said: str = "", code: str = "") -> None:
        super().__init__(outcome)
        self.outcome, self.retry, self.wait_s, self.said, self.code = outcome, retry, wait_s, said, code


class Unusable(Failure):
    """An answer that came whole, in which what was asked for cannot be found: `outcome` says why."""

    def __init__(self, outcome: str, said: str = "") -> None:
        super().__init__(outcome, said=said)


class Empty(Unusable):
    """The model said nothing: an answer of use to nobody, but of a server that is up."""

    def __init__(self, said: str = "") -> None:
        super().__init__("empty answer", said)


class Refused(BadInput):
    """The server refuses the call whatever is tried: `status` and its error `code` say why."""

    def __init__(self, message: str, outcome: str, code: str) -> None:
        super().__init__(message)
        self.outcome, self.code = outcome, code


@contextmanager
def told_apart(http: Any) -> Iterator[None]:
    """What can go wrong on the way, by its kind; `http` is the client's library."""
    try:
        yield
    except http.TimeoutException:
        raise Failure("timeout") from None
    except http.RemoteProtocolError:
        raise Failure("truncated answer") from None
    except (http.ConnectError, http.ReadError, http.WriteError, http.CloseError):
        raise Failure("no connection") from None
    except http.DecodingError:
        raise Failure("malformed answer") from None
    except (http.HTTPError, http.InvalidURL, ValueError, UnicodeError) as wrong:
        raise Failure("no call", retry=False, said=str(wrong)) from None


def refusal(response: Any, content: bytes) -> Failure:
    """What an answer other than 200 says."""
    status = response.status_code
    said = content[:2000].decode(errors="replace")
    try:
        error = json.loads(content)["error"]
        said, code = str(error["message"]), str(error.get("code") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        code = ""
    retry = status in RETRIED or status >= 500
    outcome = NAMES.get(status, "server error" if status >= 500 else "refused")
    wait_s = retry_after(response.headers.get("retry-after", ""))
    return Failure(f"{outcome} ({status})", retry, wait_s, said, code)


def retry_after(header: str) -> float:
    """Seconds of a Retry-After header, given as seconds or as a date; 0 where there is none that can be read."""
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
