"""How this installation gets an extra: the command depends on where it was installed from."""

import json
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NAME = "parley-rl"
CHECKOUT = Path(__file__).parents[3]


def install_command(*extras: str) -> str:
    """The command that adds these extras to the environment that runs now."""
    tool = "-m pip install" if find_spec("pip") else ""
    by = f"{shlex.quote(sys.executable)} {tool}" if tool else f"uv pip install --python {shlex.quote(sys.executable)}"
    return f"{by} {_requirement(_origin(), ','.join(extras))}"


def _origin() -> dict[str, Any]:
    """Where the package came from, by PEP 610; empty for a package index."""
    from importlib.metadata import PackageNotFoundError, distribution  # slow to import, seldom needed

    try:
        text = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        return {"url": CHECKOUT.as_uri(), "dir_info": {"editable": True}}
    return json.loads(text) if text else {}


def _requirement(origin: dict[str, Any], extras: str) -> str:
    url = origin.get("url", "")
    if origin.get("dir_info", {}).get("editable"):
        return f"-e {shlex.quote(url.removeprefix('file://') + f'[{extras}]')}"
    if "vcs_info" in origin:
        vcs = origin["vcs_info"]
        return shlex.quote(f"{NAME}[{extras}] @ {vcs['vcs']}+{url}@{vcs['commit_id']}")
    if url:
        return shlex.quote(f"{NAME}[{extras}] @ {url}")
    return shlex.quote(f"{NAME}[{extras}]")
