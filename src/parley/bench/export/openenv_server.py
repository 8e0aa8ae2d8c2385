"""Worlds as a server that speaks OpenEnv's WebSocket protocol: a session plays streams (`bench.export.stream`)."""

import argparse
import json
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial
from typing import Any

from parley.bench.export.stream import Stream
from parley.core.errors import MissingExtra, ParleyError

MOST = 2**16  # bytes of a message
WRONG = (ParleyError, ValueError, KeyError, TypeError, AttributeError, RecursionError)  # what a message may bring about


def session(worlds: Sequence[str], episodes: int, socket: Any) -> None:
    """One client: `reset` with a seed, and if it likes a `world`, then `step` with a `message` until it is done."""
    with ExitStack() as held:
        stream: Stream | None = None
        for text in socket:
            try:
                message = json.loads(text)
                kind, data = message["type"], message.get("data") or {}
                if kind == "close":
                    break
                if kind == "reset":
                    held.close()
                    stream = held.enter_context(closing(_begun(worlds, episodes, data)))
                elif kind == "step" and stream is not None:
                    stream.say(str(data["message"]))
                else:
                    raise ValueError("expected reset, then step")
                answer = {"type": "observation", "data": _told(stream)}
            except WRONG as wrong:
                answer = {"type": "error", "data": {"message": str(wrong)[:300], "code": "VALIDATION_ERROR"}}
            socket.send(json.dumps(answer))


def _begun(worlds: Sequence[str], episodes: int, data: dict[str, Any]) -> Stream:
    world = data.get("world") or worlds[0]
    if world not in worlds:
        raise ValueError(f"world={world!r:.80}: expected one of {', '.join(worlds)}")
    return Stream(world, episodes, abs(int(data.get("seed") or 0)))


def _told(stream: Stream) -> dict[str, Any]:
    about = {"episode": stream.episode, **stream.metrics}
    observation = {"said": stream.said, "choices": stream.menu, "task": stream.task, "metadata": about}
    return {"observation": observation, "reward": stream.reward, "done": stream.over}


def serve(worlds: Sequence[str], episodes: int, host: str = "127.0.0.1", port: int = 0) -> Any:
    """The server, which `serve_forever` starts; each session has a thread."""
    try:
        from websockets.sync.server import serve as listen
    except ImportError:
        raise MissingExtra("an OpenEnv server", "openenv") from None
    return listen(partial(session, worlds, episodes), host, port, max_size=MOST)


def main(worlds: Sequence[str], episodes: int) -> None:
    """Serve until it is stopped."""
    parser = argparse.ArgumentParser(description=f"An OpenEnv server of {', '.join(worlds)}.")
    parser.add_argument("--host", default="127.0.0.1", help="others than this machine reach another one (no key)")
    parser.add_argument("--port", type=int, default=8000)
    args = parser.parse_args()
    with serve(worlds, episodes, args.host, args.port) as server, suppress(KeyboardInterrupt):
        print(f"serving at http://{args.host}:{server.socket.getsockname()[1]}", flush=True)
        server.serve_forever()
