"""A program for a Python that has verifiers 0.4: it plays episodes of an environment, and asks for each reply.

`verifiers.py` starts it with the environment's settings as JSON; Parley never imports it. Lines of JSON go both ways.
In: `begin` a game with a task, `say` a reply, `stop`. Out: `ready` with the number of tasks, the messages `heard`, and
at the end the reward that was `paid`; or why it `failed`.
"""

import asyncio
import contextlib
import itertools
import json
import os
import sys
from importlib.metadata import version
from typing import Any

if not version("verifiers").startswith("0.4."):
    sys.exit(f"verifiers {version('verifiers')} is installed: expected 0.4")

import httpx
import verifiers.v1 as vf
from aiohttp import web
from verifiers.v1.configs.agent import agent_config_fields
from verifiers.v1.dialects.chat import message_to_wire

__all__ = ["Words"]  # verifiers finds a harness by this
OUT = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)  # what an environment prints is no message
CLIENT = httpx.AsyncClient(timeout=None, trust_env=False, verify=False)  # to this machine alone, in plain HTTP


class Words(vf.Harness[vf.HarnessConfig]):
    """One reply to every message, without tools and without a program."""

    APPENDS_SYSTEM_PROMPT = SUPPORTS_RESUME = True
    EXECUTES_CODE = NEEDS_CONTAINER = False

    async def launch(
        self, ctx: Any, trace: Any, runtime: Any, endpoint: str, secret: str, mcp_urls: Any, data: Any
    ) -> Any:
        """Ask for the reply through the endpoint, so that the trace holds it."""
        system, prompt = self.resolve_prompt(data)
        told = [{"role": "system", "content": system}] if system else []
        told += [{"role": "user", "content": prompt}] if isinstance(prompt, str) else map(message_to_wire, prompt or [])
        answer = await CLIENT.post(
            f"{endpoint}/chat/completions",
            json={"model": ctx.model, "messages": told},
            headers={"Authorization": f"Bearer {secret}"},
        )
        return vf.ProgramResult(int(answer.is_error), "", answer.text if answer.is_error else "")


class Playing:
    """The environment, its tasks as far as they were asked for, and the games that are being played."""

    def __init__(self, settings: dict[str, Any], horizon: int) -> None:
        sys.modules["parley_words"] = sys.modules[__name__]
        seats = list(agent_config_fields(vf.resolve_env_config(settings)))
        if len(seats) != 1:
            raise ValueError(f"it has the seats {', '.join(seats)}: Parley plays environments of one")
        seat = {**settings.get(seats[0], {}), "harness": {"id": "parley_words"}, "runtime": {"type": "subprocess"}}
        seat["max_turns"] = min(horizon, seat.get("max_turns") or horizon)
        self.env = vf.load_environment(vf.resolve_env_config({**settings, seats[0]: seat}))
        taskset = self.env.taskset
        kind = type(taskset).task_type()
        if kind.toolsets(taskset.config.task) or taskset.toolsets(taskset.config):
            raise ValueError("it offers tools: Parley replies in words alone")
        if kind.NEEDS_CONTAINER:
            raise ValueError("it needs a container: Parley has none")
        self.rest, self.tasks = iter(taskset), list[Any]()
        self.replies: dict[str, asyncio.Queue[str]] = {}
        self.pictures: set[str] = set()  # games that showed an image or a sound
        self.games: dict[str, asyncio.Task[None]] = {}

    def count(self) -> int | None:
        """How many tasks there are, where they end."""
        if not self.env.taskset.bounded:
            return None
        self.tasks.extend(self.rest)
        return len(self.tasks)

    def begin(self, game: str, task: int) -> None:
        self.tasks.extend(itertools.islice(self.rest, max(0, task + 1 - len(self.tasks))))
        self.replies[game] = asyncio.Queue()
        self.games[game] = asyncio.create_task(self.play(game, self.tasks[task]))

    async def stop(self, game: str) -> None:
        if (task := self.games.pop(game, None)) is not None:
            task.cancel()
            await asyncio.wait([task])
            del self.replies[game]

    async def play(self, game: str, task: Any) -> None:
        """One episode, from its first message to its reward."""
        client = vf.EvalClientConfig(base_url=self.address, api_key_var="PARLEY_HAS_NO_KEY")
        episode = await self.env.run_episode(task, vf.ModelContext(model=game, client=client))
        wrong = [error for one in (*episode.traces, episode) for error in one.errors]
        if game in self.pictures:
            tell(game=game, cannot="it shows an image or a sound, and Parley reads text alone")
        elif wrong or not episode.ok:
            tell(game=game, failed=f"{wrong[0].type}: {wrong[0].message}" if wrong else "the episode is not valid")
        else:
            tell(game=game, paid=sum(trace.reward for trace in episode.traces))

    async def reply(self, request: web.Request) -> web.Response:
        """The model's endpoint: tells what is new since its last reply, and waits for the next."""
        body = await request.json()
        game, told = body["model"], body["messages"]
        last = max((i for i, message in enumerate(told) if message["role"] == "assistant"), default=-1)
        heard = [(message["role"], text(message.get("content"))) for message in told[last + 1 :]]
        if any(words is None for _, words in heard):
            self.pictures.add(game)
            raise web.HTTPBadRequest
        tell(game=game, heard=heard)
        answer = {"role": "assistant", "content": await self.replies[game].get()}
        choice = {"index": 0, "finish_reason": "stop", "message": answer}
        used = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        whole = {"id": game, "object": "chat.completion", "created": 0, "model": game, "choices": [choice]}
        return web.json_response({**whole, "usage": used})

    async def serve(self) -> None:
        """Until nothing more comes in."""
        app = web.Application(client_max_size=2**30)
        app.router.add_post("/v1/chat/completions", self.reply)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        async with self.env.serving():
            tell(ready=True, tasks=self.count())
            while line := await asyncio.to_thread(sys.stdin.readline):
                asked = json.loads(line)
                if "begin" in asked:
                    self.begin(asked["game"], asked["begin"])
                elif "say" in asked:
                    self.replies[asked["game"]].put_nowait(asked["say"])
                else:
                    await self.stop(asked["game"])
            for game in list(self.games):
                await self.stop(game)
        await runner.cleanup()


def text(content: Any) -> str | None:
    """The words of a message; None where it holds anything else."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content]
        return None if None in parts else "\n".join(parts)
    return content or ""


def tell(**what: Any) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(what), file=OUT, flush=True)


if __name__ == "__main__":
    try:
        playing = Playing(*json.loads(sys.argv[1]))
    except Exception as wrong:
        tell(failed=f"{type(wrong).__name__}: {wrong}")
        sys.exit(1)
    asyncio.run(playing.serve())
