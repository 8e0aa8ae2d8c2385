"""The HTTP side: the routes of the OpenAI API, its streams, and a server in a thread."""

import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from parley.core.errors import BadInput, MissingExtra
from parley.serving.api import Api, Problem
from parley.serving.engine import Engine

LONGEST_BODY = 1 << 24


def _events(answer: dict[str, Any]) -> Iterator[str]:
    """An answer as server-sent events. It was generated whole: a small model takes milliseconds."""
    chat = answer["object"] == "chat.completion"
    about = {name: answer[name] for name in ("id", "created", "model", "object")}
    if chat:
        about["object"] = "chat.completion.chunk"

    def event(choices: list[dict[str, Any]], **more: Any) -> str:
        return f"data: {json.dumps({**about, 'choices': choices, **more})}\n\n"

    def piece(index: int, text: str, finish: str | None = None) -> list[dict[str, Any]]:
        said: dict[str, Any] = {"delta": {"role": "assistant", "content": text}} if chat else {"text": text}
        return [{"index": index, **said, "finish_reason": finish}]

    for choice in answer["choices"]:
        text = choice["message"]["content"] if chat else choice["text"]
        for line in text.splitlines(keepends=True):
            yield event(piece(choice["index"], line))
        yield event(piece(choice["index"], "", choice["finish_reason"]))
    yield event([], usage=answer["usage"])
    yield "data: [DONE]\n\n"


def application(engine: Engine, name: str, key: str = "") -> Any:
    """The ASGI application; where a `key` is given, it is asked for."""
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import Request
        from starlette.responses import JSONResponse, Response, StreamingResponse
        from starlette.routing import Route
    except ImportError:
        raise MissingExtra("parley serve", "serve") from None
    api = Api(engine, name)

    def refused(status: int, message: str, code: str = "") -> Any:
        error = {"message": message, "type": "invalid_request_error", "code": code or None}
        return JSONResponse({"error": error}, status)

    def route(does: Callable[[Any], dict[str, Any]]) -> Any:
        async def answer(request: Request) -> Any:
            given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
            if key and not hmac.compare_digest(given, key.encode()):
                return refused(401, "the key is not the one of this server", "invalid_api_key")
            try:
                body = await _body(request) if request.method == "POST" else {}
                said = await run_in_threadpool(does, body)
            except Problem as wrong:
                return refused(wrong.status, wrong.message, wrong.code)
            except (BadInput, TypeError, ValueError) as wrong:
                return refused(400, str(wrong))
            if body.get("stream"):
                return StreamingResponse(_events(said), media_type="text/event-stream")
            return Response(orjson.dumps(said), media_type="application/json")

        return answer

    async def _body(request: Request) -> Any:
        content = bytearray()
        async for piece in request.stream():
            content += piece
            if len(content) > LONGEST_BODY:
                raise Problem(413, f"the body is longer than {LONGEST_BODY} bytes")
        try:
            return json.loads(bytes(content))
        except ValueError:
            raise Problem(400, "the body is no JSON") from None

    async def nowhere(request: Request, wrong: Exception) -> Any:
        return refused(getattr(wrong, "status_code", 404), f"there is no {request.method} {request.url.path} here")

    routes = [
        Route("/v1/models", route(lambda body: api.models()), methods=["GET"]),
        Route("/v1/completions", route(api.completions), methods=["POST"]),
        Route("/v1/chat/completions", route(api.chat), methods=["POST"]),
        Route("/health", lambda request: JSONResponse({"status": "ok"}), methods=["GET"]),
    ]
    return Starlette(routes=routes, exception_handlers={404: nowhere, 405: nowhere})


class Running:
    """A server in a thread of this process, for experiments and tests; `around` may wrap the ASGI application."""

    def __init__(
        self,
        path: Path,
        name: str = "",
        key: str = "",
        sessions: int = 256,
        around: Callable[[Any], Any] = lambda app: app,
    ) -> None:
        try:
            import uvicorn
        except ImportError:
            raise MissingExtra("parley serve", "serve") from None
        self.engine = Engine(path, sessions)
        app = around(application(self.engine, name or path.name, key))
        self._server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
        self._thread = threading.Thread(target=self._server.run, name="parley-serve", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise BadInput("the server did not start")
            time.sleep(0.01)
        self.base_url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}/v1"

    def close(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(timeout=30)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
