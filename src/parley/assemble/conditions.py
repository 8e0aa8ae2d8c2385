"""The conditions of a run: what its manifest says of how it began, and whether they still hold when it goes on."""

import hashlib
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from parley.assemble.config import RunConfig
from parley.assemble.parts import Parts
from parley.assemble.schedule import draw_latents
from parley.assemble.trust import READS, require_trust
from parley.core.draws import Draws
from parley.core.errors import BadInput, RunDamaged
from parley.core.roles import Planner, World
from parley.runs.directory import versions
from parley.runs.ownership import mine
from parley.worlds.kit.expert import ExpertValues


def entries_of(
    config: RunConfig, parts: Parts, latents: np.ndarray, planner: Planner, reached: ExpertValues | None
) -> dict[str, Any]:
    """What the manifest says besides how the run ended."""
    world = parts.world
    names = [world.latents[int(z)] for z in latents]
    entries = dict(config=asdict(config), latents=names, horizon=world.horizon, menus=_menus(world), machine=machine())
    entries["inputs"] = inputs_of(parts)
    if parts.code:
        entries["code"], entries["given"], entries["name"] = parts.code, parts.given, str(world.name)
    if world.tables is None:
        stated = {"success_at": getattr(world, "success_at", 1.0), **getattr(world, "references", {})}
        entries["scores"] = stated
    if reached:
        entries["expert"] = reached.as_dict()
    about = getattr(planner, "about", None)
    return {**entries, "planner": about} if about else entries


def machine() -> dict[str, Any]:
    """What the last digit of a model's arithmetic depends on, besides the threads."""
    libraries = sorted({str(pool.get("architecture") or pool["internal_api"]) for pool in threadpool_info()})
    return {"processor": platform.machine(), "system": platform.system(), "arithmetic": ", ".join(libraries)}


def checked(
    out: Path, manifest: dict[str, Any], config: RunConfig, parts: Parts | None, trust: bool
) -> tuple[Parts, np.ndarray, list[str]]:
    """The parts and latents of a run that goes on, and in what its conditions differ from those it began under.

    Raises `BadInput` where it would do what nobody allowed, and `RunDamaged` where it is another run by now.
    """
    if parts is None:
        _require_named(out, manifest)
        require_trust(out, manifest, trust)
        parts = config.parts(trust or mine(manifest))
    world = parts.world
    for path, digest in inputs_of(parts).items():
        if manifest.get("inputs", {}).get(path, digest) != digest:  # earlier versions did not know all inputs
            raise RunDamaged(f"{out}: {path!r} is not what it was when the run began: put it back, or begin a new run")
    latents = draw_latents(world, Draws(config.seed, config.runs), config.latent)
    if [world.latents[int(z)] for z in latents] != manifest["latents"]:
        raise RunDamaged(f"{out}: its manifest holds other latents than world {config.world!r} gives for its seed")
    began, now = {**manifest["machine"], **manifest["versions"]}, {**machine(), **versions()}
    changed = [f"{name} was {began.get(name)}, is {now[name]}" for name in now if began.get(name) != now[name]]
    changed += [
        f"the code of the {role} has changed" for role, code in parts.code.items() if _other(manifest, role, code)
    ]
    return parts, latents, changed


def _require_named(out: Path, manifest: dict[str, Any]) -> None:
    """Raise `BadInput` where parts of a run were Python objects, which a manifest cannot bring back."""
    given = manifest.get("given", [])
    if given:
        roles = ", ".join(f"{role}=..." for role in given)
        raise BadInput(
            f"{out}: its {' and '.join(given)} {'were Python objects' if len(given) > 1 else 'was a Python object'}: "
            f"resume it in Python, parley.open({str(out)!r}).resume({roles})"
        )


def _other(manifest: dict[str, Any], role: str, code: dict[str, str]) -> bool:
    return bool(manifest.get("code", {}).get(role, {}).get("sha256") != code.get("sha256"))


def planner_changes(was: dict[str, Any], planner: Planner) -> list[str]:
    """In what a planner differs from the one that a manifest describes (an endpoint planner: its server, its way)."""
    about: dict[str, Any] = getattr(planner, "about", None) or {}
    return [f"{name} was {was[name]!r}, is {now!r}" for name, now in about.items() if name in was and now != was[name]]


def inputs_of(parts: Parts) -> dict[str, str]:
    """SHA-256 of what specs name by path: world file, policy, template, a checkpoint's descriptions."""
    world = parts.world_part
    name = world.spec.partition(":")[0]
    named = [name] if name.endswith(".json") else []
    named += [text for part in (parts.planner, parts.explorer) for key, text in part.arguments.items() if key in READS]
    named += [text.partition(":")[2] for key, text in world.arguments.items() if key in ("reporter", "actor")]
    found = {}
    for name in named:
        path = Path(name)
        files = sorted(path.glob("*.json")) if path.is_dir() else [path] if path.is_file() else []
        if files:
            found[name] = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    return found


def _menus(world: World) -> list[list[str]] | None:
    return [list(menu) for menu in world.tables.menus] if world.tables else None
