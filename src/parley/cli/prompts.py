"""The command prompt: what a planner read, or would read, before a decision."""

import argparse
import json
from pathlib import Path
from typing import Any

from parley import assemble
from parley.assemble.trust import require_trusted_world
from parley.cli.console import OUT, AddCommand, AddGroup
from parley.core.errors import BadInput
from parley.core.told import Told
from parley.memory.kinds import MEMORIES
from parley.prompting.template import as_messages, as_text
from parley.report.summary import reading
from parley.report.tables import plain
from parley.runs.directory import read_manifest
from parley.runs.ownership import mine
from parley.runs.reader import RunReader


def add(command: AddCommand, group: AddGroup) -> None:
    """The command and its options."""
    c = command("prompt", _prompt)
    c.add_argument("run", type=Path, help="the run directory")
    c.add_argument("--episode", type=int, required=True, help="counted from 0")
    c.add_argument("--step", type=int, required=True, help="counted from 1")
    c.add_argument("--of-run", type=int, default=0, help="default 0")
    c.add_argument(
        "--template",
        help="chat, transcript, or a file: make the prompt anew, of any planner's run (default: as it was sent)",
    )
    c.add_argument("--memory", default="full", choices=MEMORIES, help="with --template (default: full)")
    c.add_argument("--size", type=int, default=8, help="with --template: episodes of the memory (default 8)")
    c.add_argument("--answer", default="line", choices=["line", "letter", "json", "think"], help="with --template")
    c.add_argument("--trust", action="store_true", help="read and import what a run names that you did not begin")


def _prompt(args: argparse.Namespace) -> Any:
    manifest = read_manifest(args.run)
    with reading(args.run) as reader:
        sent = reader.prompt(args.of_run, args.episode, args.step) if args.template is None else None
        episodes = [] if sent is not None else _told(reader, args)
    if sent is None:
        template = args.template or "transcript"
        how = (args.answer, template, args.memory, args.size)
        require_trusted_world(args.run, manifest, args.trust)
        world = assemble.world(manifest["config"]["world"], args.trust or mine(manifest))
        turns = assemble.prompt_of(world, episodes, *how)
        sent = as_text(turns) if template == "transcript" else json.dumps(as_messages(turns), ensure_ascii=False)
    messages = _messages(sent)
    if not args.json:
        for message in messages:
            if message["role"]:
                OUT.print(f"[bold]{plain(message['role'])}[/]")
            for line in message["content"].splitlines():
                OUT.print(plain(line), soft_wrap=True, highlight=False)
    return {"run": args.of_run, "episode": args.episode, "step": args.step, "messages": messages}


def _messages(sent: str) -> list[dict[str, str]]:
    """Messages, or one without a role where the prompt was a text."""
    try:
        found = json.loads(sent)
    except ValueError:
        found = None
    listed = isinstance(found, list) and all(isinstance(m, dict) and {"role", "content"} <= set(m) for m in found)
    return found if listed else [{"role": "", "content": sent}]


def _told(reader: RunReader, args: argparse.Namespace) -> list[Told]:
    """What the run had been told before the decision."""
    runs, instructions = reader.runs(), reader.episodes("instruction")
    if args.of_run not in runs or not 0 <= args.episode < instructions.shape[1]:
        raise BadInput(
            f"run {args.of_run}, episode {args.episode}: the log holds {len(runs)} runs of "
            f"{instructions.shape[1]} finished episodes each, counted from 0"
        )
    found = []
    for episode in range(args.episode + 1):
        steps = reader.trace(args.of_run, episode)
        if not steps:
            raise BadInput(f"{args.run}: its steps were not recorded (--record episodes): no prompt can be made of it")
        told = Told(str(instructions[runs.index(args.of_run), episode]), (steps[0]["observation"],))
        if episode == args.episode:
            if not 1 <= args.step <= len(steps):
                raise BadInput(f"step={args.step}: this episode has steps 1 to {len(steps)}")
            steps = steps[: args.step - 1]
        for step in steps:
            joint = isinstance(step["menu"][0], list)
            parts = tuple(json.loads(step["subgoal"])) if joint else (step["subgoal"],)
            told = told.after(parts, step["next_observation"], step["reward"])
        found.append(told)
    return found
