"""The HTTP side: the routes of the OpenAI API, its streams, and a server in a thread."""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from parley.core.errors import BadInput, MissingExtra
from parley.core.text import inert
from parley.serving.api import Api, Problem
from parley.serving.engine import Abandoned, Engine
from parley.serving.waiting import Gone, Room, decoded

LONGEST_MESSAGE = 500  # characters of an error
Does = Callable[[Any, Callable[[], bool]], dict[str, Any]]  # from a body, and whether the client has gone


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


def _done(does: Does, about: dict[str, Any], content: bytes, gone: Callable[[], bool]) -> tuple[dict[str, Any], bool]:
    """The reply to a body (`about` the path if the body is empty), and whether it goes out as a stream."""
    body = decoded(content) if content else about
    return does(body, gone), isinstance(body, dict) and body.get("stream") is True


def application(engine: Engine, name: str, key: str = "", room: Room | None = None) -> Any:
    """The ASGI application; where a `key` is given, it is asked for."""
    try:
        from starlette.applications import Starlette
        from starlette.requests import ClientDisconnect, Request
        from starlette.responses import JSONResponse, Response, StreamingResponse
        from starlette.routing import Route
    except ImportError:
        raise MissingExtra("parley serve", "serve") from None
    api, room, expected = Api(engine, name), room or Room(), hashlib.sha256(key.encode()).digest()

    def refused(status: int, message: str, code: str = "") -> Any:
        error = {"message": inert(message, LONGEST_MESSAGE), "type": "invalid_request_error", "code": code or None}
        return JSONResponse({"error": error}, status, {"Retry-After": "1"} if status == 503 else None)

    def knows_the_key(request: Request) -> bool:
        """In a time that depends on nothing but the length of what was given."""
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        sent = hashlib.sha256(given.strip().encode(errors="replace") if kind.lower() == "bearer" else b"").digest()
        return hmac.compare_digest(sent, expected)

    def route(does: Does) -> Any:
        async def answer(request: Request) -> Any:
            if key and not knows_the_key(request):
                return refused(401, "the key is not the one of this server", "invalid_api_key")
            try:
                async with room.reading(request) as content:
                    said, stream = await room.answer(request, partial(_done, does, dict(request.path_params), content))
            except Problem as wrong:
                return refused(wrong.status, wrong.message, wrong.code)
            except (BadInput, TypeError, ValueError, OverflowError, RecursionError) as wrong:
                return refused(400, str(wrong))
            except (Gone, Abandoned, ClientDisconnect):
                return refused(503, "the server ends")  # or nobody reads it
            if stream:
                return StreamingResponse(_events(said), media_type="text/event-stream")
            return Response(orjson.dumps(said), media_type="application/json")

        return answer

    async def nowhere(request: Request, wrong: Exception) -> Any:
        return refused(getattr(wrong, "status_code", 404), f"there is no {request.method} {request.url.path} here")

    async def health(request: Request) -> Any:
        return JSONResponse({"status": "ok"})

    routes = [
        Route("/v1/models", route(lambda body, gone: api.models()), methods=["GET"]),
        Route("/v1/models/{model:path}", route(lambda body, gone: api.model(body["model"])), methods=["GET"]),
        Route("/v1/completions", route(api.completions), methods=["POST"]),
        Route("/v1/chat/completions", route(api.chat), methods=["POST"]),
        Route("/health", health, methods=["GET"]),
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
            from parley.serving.listening import Listening, bound
        except ImportError:
            raise MissingExtra("parley serve", "serve") from None
        self.engine, self.room, at = Engine(path, sessions), Room(), bound("127.0.0.1", 0)
        app = around(application(self.engine, name or path.name, key, self.room))
        self.base_url = f"http://127.0.0.1:{at.getsockname()[1]}/v1"
        ready = threading.Event()
        self._server = Listening(app, at, ready.set, self.room)
        self._thread = threading.Thread(target=self._server.serve_forever, name="parley-serve", daemon=True)
        self._thread.start()
        while not ready.wait(0.1):
            if not self._thread.is_alive():
                raise BadInput("the server did not start")

    def close(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(timeout=30)
        self.room.close()

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
