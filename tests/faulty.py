"""`parley serve` over a checkpoint that ships, failing on demand."""

import asyncio
import json
from typing import Any

from starlette.responses import JSONResponse

from parley import assemble
from parley.serving.app import Running
from tests.talker import Fault, spoilt


class Faulty(Running):
    """`fault(body)` names what goes wrong, if any; `said` holds a (path, body, fault) of every call."""

    def __init__(self, checkpoint: str, fault: Fault = lambda body: "", stall_s: float = 4.0) -> None:
        self.fault, self.stall_s = fault, stall_s
        self.said: list[tuple[str, dict, str]] = []
        super().__init__(assemble.shipped(checkpoint), around=self._around)

    def _around(self, app: Any) -> Any:
        async def failing(scope: dict, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)
            content = await _whole(receive)
            body = json.loads(content) if content else {}
            fault = self.fault(body) if body else ""
            self.said.append((scope["path"], body, fault))
            if fault.isdigit():
                refusal = JSONResponse({"error": {"message": "try later"}}, int(fault), {"Retry-After": "0"})
                return await refusal(scope, receive, send)
            if fault == "stall":
                await asyncio.sleep(self.stall_s)
            status, answer = await _answer(app, scope, content)
            said = spoilt(json.loads(answer), fault) if status == 200 else answer
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(said)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            if fault == "truncated":  # left without the rest, the connection is closed
                return await send({"type": "http.response.body", "body": said[: len(said) // 2], "more_body": True})
            return await send({"type": "http.response.body", "body": said})

        return failing


async def _whole(receive: Any) -> bytes:
    content, more = b"", True
    while more:
        event = await receive()
        content, more = content + event.get("body", b""), event.get("more_body", False)
    return content


async def _answer(app: Any, scope: dict, content: bytes) -> tuple[int, bytes]:
    """Status and body of what the application says."""
    events: list[dict] = []
    told = iter([{"type": "http.request", "body": content}])

    async def receive() -> dict:
        for event in told:
            return event
        return await asyncio.get_running_loop().create_future()  # the client stays, and says nothing more

    async def send(event: dict) -> None:
        events.append(event)

    await app(scope, receive, send)
    return events[0]["status"], b"".join(event.get("body", b"") for event in events[1:])
