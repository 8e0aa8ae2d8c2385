"""The connection to one server: bytes go out, and JSON comes back, or a `Failure` that says why not."""

import json
import re
import time
from typing import Any

from parley.models import failures
from parley.models.calling import Calling
from parley.models.failures import Failure, told_apart
from parley.models.network import connections, library
from parley.models.providers import Server

LONGEST_ANSWER = 1 << 22  # bytes of a body; more is no answer
PAGE_S = 2.0  # how long we wait for what a server says of itself


class Connection:
    """Safe to use from many threads. `transport` is of the HTTP library, in the place of the network."""

    def __init__(self, server: Server, calling: Calling, transport: Any = None) -> None:
        self._http = library()
        headers = {"Content-Type": "application/json"}
        if server.key:
            headers["Authorization"] = f"Bearer {server.key}"
        way = {"transport": transport} if transport else connections(server.base_url, calling.most)
        self.through = f" through the proxy {way['proxy'].url.netloc.decode()}" if "proxy" in way else ""
        self._base_url, self._timeout_s = server.base_url, calling.timeout_s
        self._client = self._http.Client(headers=headers, timeout=calling.timeout_s, **way)
        self._urls: dict[str, Any] = {}  # by path: reading an address anew for every call is dear

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def send(self, path: str, content: bytes | None) -> Any:
        """The JSON that answers; raises `Failure` for every other answer, and for none."""
        with told_apart(self._http):
            if path not in self._urls:
                self._urls[path] = self._http.URL(f"{self._base_url}/{path}")
            method = "GET" if content is None else "POST"
            with self._client.stream(method, self._urls[path], content=content) as response:
                answer = bytearray()
                deadline = time.monotonic() + self._timeout_s  # of the whole answer, not of each piece
                for piece in response.iter_bytes():
                    answer += piece
                    if len(answer) > LONGEST_ANSWER:
                        raise Failure("endless answer")
                    if time.monotonic() > deadline:
                        raise Failure("timeout")
        raw = bytes(answer)
        if not 200 <= response.status_code < 300:
            raise failures.refusal(response.status_code, response.headers, raw)
        if not raw.strip():
            raise Failure("empty answer")
        try:
            body = json.loads(_unicode(raw, response.charset_encoding))
        except (ValueError, RecursionError):
            raise failures.no_json(raw, response.headers.get("content-type", "")) from None
        if wrong := failures.error_within(body, raw):
            raise wrong
        return body

    def page(self, name: str) -> str:
        """A page of the server's beside its API; empty where it has no such page."""
        root = re.sub(r"/v[0-9]+$", "", self._base_url)
        try:
            response = self._client.get(f"{root}/{name}", timeout=PAGE_S)
        except self._http.HTTPError:
            return ""
        return str(response.text) if response.status_code == 200 and len(response.content) < LONGEST_ANSWER else ""


def _unicode(raw: bytes, charset: str | None) -> bytes | str:
    """A body as JSON is read; by the charset that its header names where it is not UTF-8, which JSON should be."""
    if not charset or charset.lower().startswith("utf"):
        return raw
    try:
        raw.decode()
    except UnicodeDecodeError:
        try:
            return raw.decode(charset)
        except LookupError:
            pass
    return raw
