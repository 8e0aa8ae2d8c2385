"""Model ids `provider/model`: which server they mean, and which key opens it."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parley.core.errors import BadInput, MissingExtra
from parley.core.spec import suggestion

# Default base URL, and whether the server wants a key.
PROVIDERS = {
    "openai": ("https://api.openai.com/v1", True),
    "vllm": ("http://localhost:8000/v1", False),
    "ollama": ("http://localhost:11434/v1", False),
    "parley": ("http://localhost:8000/v1", False),
}
LEAST_SECRET = 6  # characters of a key that is worth hiding: a local server's "x" would blot out every x


@dataclass(frozen=True)
class Server:
    """Where a model is asked. The key is never shown: `hide` blots it out of any text."""

    model: str
    base_url: str
    key: str = field(default="", repr=False)

    def hide(self, text: str) -> str:
        """`text` without the key, nor as JSON writes it."""
        if len(self.key) < LEAST_SECRET:
            return text
        return text.replace(self.key, "[key]").replace(json.dumps(self.key)[1:-1], "[key]")


def environment(path: Path = Path(".env")) -> dict[str, str]:
    """The process's variables over those of the file `.env`; nothing is exported."""
    try:
        from dotenv import dotenv_values
    except ImportError:
        raise MissingExtra("an endpoint planner", "endpoint") from None
    return {**{k: v for k, v in dotenv_values(path).items() if v is not None}, **os.environ}


def server(model: str, variables: Mapping[str, str], base_url: str = "") -> Server:
    """The server of `openai/...`, `vllm/...`, `ollama/...`, `parley/...`, or `openai-api/<name>/<model>`.

    `<NAME>_BASE_URL` and `<NAME>_API_KEY` are looked up in `variables`; `base_url` comes before them.

    >>> server("vllm/meta/llama", {}).base_url
    'http://localhost:8000/v1'
    """
    provider, _, name = model.partition("/")
    default, wants_key = PROVIDERS.get(provider, ("", False))
    if provider == "openai-api":
        provider, _, name = name.partition("/")
        wants_key = True
    elif provider not in PROVIDERS:
        known = (*PROVIDERS, "openai-api")
        raise BadInput(
            f"model={model!r}: expected provider/model; unknown provider {provider!r}{suggestion(provider, known)}"
        )
    if not name or not provider:
        raise BadInput(f"model={model!r}: expected provider/model, or openai-api/<name>/<model>")
    prefix = provider.upper().replace("-", "_")
    url = base_url or variables.get(f"{prefix}_BASE_URL", "") or default
    if not url:
        raise BadInput(
            f"model={model!r}: set {prefix}_BASE_URL to the address of the server, such as http://localhost:8000/v1"
        )
    if not url.startswith(("http://", "https://")):
        raise BadInput(f"{prefix}_BASE_URL={url!r}: expected an address that begins with http:// or https://")
    if "@" in url.split("://", 1)[1].split("/", 1)[0]:
        raise BadInput(f"{prefix}_BASE_URL holds a user name or password: give a key as {prefix}_API_KEY instead")
    key = variables.get(f"{prefix}_API_KEY", "").strip()
    if wants_key and not key:
        raise BadInput(f"model={model!r}: no key: set {prefix}_API_KEY, in the environment or in .env")
    if not key.isascii() or any(c.isspace() for c in key):
        raise BadInput(f"{prefix}_API_KEY holds characters that no key has: copy it again")
    return Server(name, url.rstrip("/"), key)
