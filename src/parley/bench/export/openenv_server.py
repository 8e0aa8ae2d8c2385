"""Worlds as a server that speaks OpenEnv's WebSocket protocol: a session plays streams (`bench.export.stream`)."""

import argparse
import contextlib
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from parley.bench.export.stream import Stream
from parley.core.errors import MissingExtra, ParleyError

MOST = 2**16  # bytes of a message


def session(worlds: Sequence[str], episodes: int, socket: Any) -> None:
    """One client: `reset` with a seed, and if it likes a `world`, then `step` with a `message` until it is done."""
    stream: Stream | None = None
    for text in socket:
        try:
            message = json.loads(text)
            kind, data = message["type"], message.get("data") or {}
            if kind == "close":
                break
            if kind == "reset":
                if stream is not None:
                    stream.close()
                stream, answer = _begun(worlds, episodes, data)
            elif kind == "step" and stream is not None:
                answer = _told(stream, *stream.say(str(data["message"])))
            else:
                raise ValueError("expected reset, then step")
        except (ParleyError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as wrong:
            said = {"message": str(wrong)[:300], "code": "VALIDATION_ERROR"}
            socket.send(json.dumps({"type": "error", "data": said}))
            continue
        socket.send(json.dumps({"type": "observation", "data": answer}))
    if stream is not None:
        stream.close()


def _begun(worlds: Sequence[str], episodes: int, data: dict[str, Any]) -> tuple[Stream, dict[str, Any]]:
    world = data.get("world") or worlds[0]
    if world not in worlds:
        raise ValueError(f"world={world!r:.80}: expected one of {', '.join(worlds)}")
    stream = Stream(world, episodes)
    return stream, _told(stream, stream.begin(abs(int(data.get("seed") or 0))), None, False)


def _told(stream: Stream, said: str, reward: float | None, done: bool) -> dict[str, Any]:
    about: dict[str, float] = {"episode": stream.episode, "invalid": stream.invalid}
    if done:
        about["regret"] = stream.regret / stream.episodes
    observation = {"said": said, "choices": list(stream.menu), "task": stream.task, "metadata": about}
    return {"observation": observation, "reward": reward, "done": done}


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
    with serve(worlds, episodes, args.host, args.port) as server:
        print(f"serving at http://{args.host}:{server.socket.getsockname()[1]}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
