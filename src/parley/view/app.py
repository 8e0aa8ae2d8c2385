"""The HTTP side: static files, answers as JSON, server-sent events; nothing for other hosts and other origins."""

import contextlib
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput, MissingExtra, ParleyError
from parley.report.films import KINDS, NAME
from parley.view import findings
from parley.view.answers import Answers
from parley.view.found import Found
from parley.view.laboratory import Laboratory
from parley.view.notes import Notes
from parley.view.texts import encoded
from parley.view.watch import Watch

STATIC = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/app.css": ("app.css", "text/css; charset=utf-8"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
LONGEST_BODY = 1 << 16

Asgi = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


def application(answers: Answers, watch: Watch, host: str = "127.0.0.1") -> Any:
    """The ASGI application."""
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import Request
        from starlette.responses import Response, StreamingResponse
        from starlette.routing import Route
    except ImportError:
        raise MissingExtra("parley view", "view") from None
    static = {path: files("parley.view").joinpath("static", name).read_bytes() for path, (name, _) in STATIC.items()}

    def said(answer: Any, status: int = 200) -> Any:
        return Response(encoded(answer), status, media_type="application/json")

    async def answered(does: Callable[[], Any]) -> Any:
        try:
            return await run_in_threadpool(does)
        except BadInput as wrong:
            return said({"error": str(wrong)}, 400)
        except ParleyError as wrong:
            return said({"error": str(wrong)}, 422)

    async def page(request: Request) -> Any:
        return Response(static[request.url.path], media_type=STATIC[request.url.path][1])

    async def question(request: Request) -> Any:
        asked = dict(request.query_params)
        return await answered(lambda: said(answers.answer(request.path_params["question"], asked)))

    async def note(request: Request) -> Any:
        content = bytearray()
        async for piece in request.stream():
            content += piece
            if len(content) > LONGEST_BODY:
                return said({"error": f"a note is at most {LONGEST_BODY} bytes"}, 413)
        try:
            body = json.loads(bytes(content))
            name, text, tags = body["id"], body["note"], body["tags"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return said({"error": "expected an object with id, note and tags"}, 400)

        kept = await answered(lambda: answers.put_note(str(name), text, tags))
        if isinstance(kept, dict):
            watch.tell({"runs": [kept], "gone": []})
            return said(kept)
        return kept

    async def events(request: Request) -> Any:
        return StreamingResponse(watch.events(), media_type="text/event-stream")

    async def film(request: Request) -> Any:
        name, run = request.query_params.get("name", ""), request.query_params.get("id", "")

        def read() -> Any:
            content, kind = film_of(answers.found, run, name)
            return Response(content, media_type=kind)

        return await answered(read)

    async def picture(request: Request) -> Any:
        asked = dict(request.query_params)

        def read() -> Any:
            content, kind = findings.picture_of(answers.found, asked.get("id", ""), asked.get("file", ""))
            return Response(content, media_type=kind)

        return await answered(read)

    routes = [
        *(Route(path, page, methods=["GET"]) for path in STATIC),
        Route("/api/events", events, methods=["GET"]),
        Route("/api/notes", note, methods=["PUT"]),
        Route("/api/{question}", question, methods=["GET"]),
        Route("/film", film, methods=["GET"]),
        Route("/picture", picture, methods=["GET"]),
    ]
    return guarded(Starlette(routes=routes), host)


def film_of(found: Found, run: str, name: str) -> tuple[bytes, str]:
    """A kept film's bytes and what they are."""
    if not NAME.fullmatch(name):
        raise BadInput(f"name={name!r}: this is no name of a film")
    return found.file(found.run(run) / "films" / name).read_bytes(), KINDS[name.rpartition(".")[2]]


def guarded(app: Asgi, host: str) -> Asgi:
    """The application, only for those who asked this server by its own name, from its own pages or by hand."""

    async def guard(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        why = refusal(scope, host)

        async def answer(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        if why:
            body = json.dumps({"error": why}).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await answer({"type": "http.response.start", "status": 403, "headers": headers})
            await answer({"type": "http.response.body", "body": body})
        else:
            await app(scope, receive, answer)

    return guard


def refusal(scope: dict[str, Any], host: str) -> str:
    """Why a request is refused; empty where it is not.

    If somebody else's DNS name leads here, `Host` shows it. If somebody else's page asks, `Origin` shows it, or the
    browser's `Sec-Fetch-Site`. A link from elsewhere may open the page itself.
    """
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    hosts, origins = headers.get("host", []), headers.get("origin", [])
    if len(hosts) != 1 or not _ours(hosts[0], host):
        return "Host: this server is asked by the address at which it was started"
    if origins and origins != [f"{scope.get('scheme', 'http')}://{hosts[0]}"]:
        return "Origin: pages of other origins get nothing from this server"
    site = headers.get("sec-fetch-site", ["none"])
    opens = scope["path"] == "/" and headers.get("sec-fetch-mode") == ["navigate"]
    opens = opens and headers.get("sec-fetch-dest") == ["document"]
    if site not in (["none"], ["same-origin"]) and not opens:
        return "Sec-Fetch-Site: pages of other sites get nothing from this server"
    return ""


def _ours(given: str, host: str) -> bool:
    """Whether a `Host` names this server: the loopback, the host it was told, or an address where it is open to all."""
    name, colon, port = given.rpartition(":")
    name = name if colon and port.isdigit() else given
    if name.lower() in (*LOOPBACK, host.lower(), f"[{host.lower()}]"):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return host in ("0.0.0.0", "::")


def listening(host: str, port: int) -> socket.socket:
    """A socket at which we can be asked; who asks before we serve waits."""
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
    except OSError as wrong:
        found.close()
        raise BadInput(f"{host}:{port} cannot be opened ({wrong.strerror}): is another viewer there?") from None
    return found


class Viewer:
    """A viewer that serves: `run` until it is interrupted, or in a thread of this process (`with Viewer(...) as v`)."""

    def __init__(self, root: Path, host: str = "127.0.0.1", port: int = 0, notes: Path | None = None) -> None:
        try:
            import uvicorn
        except ImportError:
            raise MissingExtra("parley view", "view") from None
        self.found, self._socket = Found(root), listening(host, port)
        self.found.look()
        self.laboratory = Laboratory(self.found.root)
        try:
            self.notes = Notes(notes) if notes else None
        except BadInput:
            self._socket.close()
            raise
        self.answers = Answers(self.found, self.notes, self.laboratory.ask)
        watch = Watch(self.answers)
        app = application(self.answers, watch, host)
        config = uvicorn.Config(
            app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=1, lifespan="off", ws="none"
        )

        class Server(uvicorn.Server):
            """Ends the streams of events before it waits for open requests."""

            async def shutdown(self, sockets: Any = None) -> None:
                watch.end()
                await super().shutdown(sockets)

        self._server = Server(config)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def run(self) -> None:
        """Serve until interrupted."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self.close()

    def __enter__(self) -> "Viewer":
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self.close()

    def close(self) -> None:
        """Give back the held connections."""
        self.laboratory.close()
        self.answers.close()
        if self.notes:
            self.notes.close()
        with contextlib.suppress(OSError):
            self._socket.close()
