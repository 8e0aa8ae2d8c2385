"""Films of a run's episodes: made by playing them again, kept in `films/` of the run directory."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.roles import World
from parley.report.summary import reading
from parley.runs.directory import read_manifest, storage
from parley.worlds.kit.film import Frame, film, save_film
from parley.worlds.kit.physical import PhysicalWorld
from parley.worlds.kit.workers import WorkersWorld

NAME = re.compile(r"run(\d+)-episode(\d+)\.(gif|mp4)")
KINDS = {"gif": "image/gif", "mp4": "video/mp4"}


def physical_of(world: World, where: str) -> PhysicalWorld:
    """The physical world to film; raises `BadInput` if the world is not physical."""
    physical = world.world if isinstance(world, WorkersWorld) else world
    if not isinstance(physical, PhysicalWorld):
        raise BadInput(f"{where}: world {world.name!r} has no physical low level to film")
    return physical


def chosen(text: str, runs: int, episodes: int, option: str = "render") -> list[tuple[int, int]]:
    """The episodes of "RUN:EPISODE,..."; "-1" counts from the last.

    >>> chosen("0:0,1:-1", runs=2, episodes=10)
    [(0, 0), (1, 9)]
    """
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*([0-9]+):(-?[0-9]+)\s*", part)
        run, episode = map(int, match.groups()) if match else (-1, 0)
        if not (0 <= run < runs and -episodes <= episode < episodes):
            raise BadInput(
                f"{option}={text!r}: expected RUN:EPISODE,... with runs below {runs}, episodes below {episodes}"
            )
        found.append((run, episode % episodes))
    return list(dict.fromkeys(found))


def frames_of(out: Path, world: World, run: int, episode: int, every: int) -> list[Frame]:
    """The pictures of a logged episode; `every` low-level actions one."""
    manifest = read_manifest(out)
    with reading(out) as reader:
        steps = reader.trace(run, episode)
        instructions = reader.episodes("instruction")
    if not steps or run not in range(len(manifest["latents"])) or episode >= instructions.shape[1]:
        raise BadInput(f"{out}: no steps are recorded of run {run}, episode {episode}")
    physical = physical_of(world, str(out))
    seed = Draws(manifest["config"]["seed"], 1, run).seeds(episode)[0]
    several = world.num_actors > 1  # their parts are logged as JSON
    told = [" / ".join(json.loads(step["subgoal"])) if several else step["subgoal"] for step in steps]
    said = [(subgoal, step["next_observation"]) for subgoal, step in zip(told, steps, strict=True)]
    latent = manifest["latents"][run]
    if latent not in world.latents:
        raise BadInput(f"{out}: world {world.name!r} has no latent {latent!r:.100} any more, so it cannot be filmed")
    env = physical.text_env(world.latents.index(latent))
    try:
        return film(env, seed, instructions[run, episode], said, every)
    finally:
        env.close()


def render(out: Path, world: World, episodes: Sequence[tuple[int, int]], kind: str, every: int) -> Iterator[Path]:
    """Keep films (gif or mp4) of (run, episode)s in the run directory, one after the other."""
    for run, episode in episodes:
        path = out / "films" / f"run{run}-episode{episode}.{kind}"
        frames = frames_of(out, world, run, episode, every)
        with storage(path):
            if path.parent.is_symlink() or path.is_symlink():
                raise BadInput(f"{str(path)!r} lies behind a link: nothing is written through it")
            path.parent.mkdir(exist_ok=True)
            save_film(frames, path)
        yield path
