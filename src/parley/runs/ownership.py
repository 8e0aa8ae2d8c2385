"""Whose run a directory is: manifests carry a signature by a key that stays with the user."""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SIGNED = ("format", "config", "latents", "inputs", "code", "planner")


def signature(manifest: Mapping[str, Any]) -> str | None:
    """The signature of what a manifest has run; None where no key can be kept."""
    key = _key()
    if key is None:
        return None
    text = json.dumps({name: manifest.get(name) for name in SIGNED}, sort_keys=True, default=str)
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def mine(manifest: Mapping[str, Any]) -> bool:
    """Whether this user began the run, and what it runs is what it ran then."""
    signed, own = manifest.get("signature"), signature(manifest)
    return isinstance(signed, str) and own is not None and hmac.compare_digest(signed, own)


def _key() -> bytes | None:
    """The user's key, made when it is asked for first; None where there is no place to keep it."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(base) / "parley" / "signing-key"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
            try:
                os.link(draft, path)  # a second process takes the first one's key
            except FileExistsError:
                pass
            draft.unlink()
        key = path.read_bytes()
    except (OSError, RuntimeError):
        return None
    return key if len(key) >= 32 else None
