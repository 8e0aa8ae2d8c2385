"""Model ids `provider/model`: which server they mean, and which key opens it."""

import io
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import quote, urlsplit

from parley.core.errors import BadInput, MissingExtra
from parley.core.spec import suggestion

# Default base URL, and whether the server wants a key.
PROVIDERS = {
    "openai": ("https://api.openai.com/v1", True),
    "vllm": ("http://localhost:8000/v1", False),
    "ollama": ("http://localhost:11434/v1", False),
    "parley": ("http://localhost:8000/v1", False),
}
VERSION = re.compile(r"/(?:v\d+\w*|openai|api)(?:/|$)")  # of an API, in an address
LEAST_SECRET = 6  # characters of a key that is worth hiding: a local server's "x" would blot out every x


@dataclass(frozen=True)
class Server:
    """Where a model is asked. The key is never shown: `hide` blots it out of any text."""

    model: str
    base_url: str
    key: str = field(default="", repr=False)

    def hide(self, text: str) -> str:
        """`text` without the key, nor as JSON, an address or a web page writes it."""
        if len(self.key) < LEAST_SECRET:
            return text
        for form in (self.key, json.dumps(self.key)[1:-1], quote(self.key, safe=""), escape(self.key)):
            text = text.replace(form, "[key]")
        return text

    def advice(self, outcome: str) -> str:
        """What may be wrong with the address or the network, by the kind of a failure."""
        at = urlsplit(self.base_url)
        if outcome.startswith(("not found", "error in", "web page", "no call")) and not VERSION.search(at.path):
            return f"; the address names no version of an API: is it base_url={self.base_url}/v1?"
        if outcome.startswith("certificate"):
            return "; name the file of the authority that you trust in SSL_CERT_FILE"
        if outcome.startswith("no TLS"):
            return f"; is it http://{at.netloc}, without TLS?" if at.scheme == "https" else ""
        if outcome.startswith("truncated answer"):
            return f"; is it https://{at.netloc}?" if at.scheme == "http" else ""
        if outcome.startswith("proxy"):
            return "; is the proxy of HTTPS_PROXY or ALL_PROXY the right one, or the server one for NO_PROXY?"
        return ""


def environment(path: Path = Path(".env")) -> dict[str, str]:
    """The process's variables over those of the file `.env`; nothing is exported."""
    try:
        from dotenv import dotenv_values
    except ImportError:
        raise MissingExtra("an endpoint planner", "endpoint") from None
    if not path.is_file():
        return dict(os.environ)
    try:
        named = dotenv_values(stream=io.StringIO(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError) as wrong:
        raise BadInput(
            f"{str(path.absolute())!r} cannot be read as UTF-8: {wrong}; save it so, or move it away"
        ) from None
    return {**{k: v for k, v in named.items() if v is not None}, **os.environ}


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
    try:
        at = urlsplit(url)
        valid = (
            bool(at.hostname)
            and (at.port is None or at.port > 0)
            and not any(c.isspace() or not c.isprintable() for c in url)
        )
    except ValueError:
        valid = False
    if not valid:
        raise BadInput(f"{prefix}_BASE_URL={url!r} is no address: expected one such as http://localhost:8000/v1")
    if url.rstrip("/").endswith("/completions"):
        raise BadInput(f"{prefix}_BASE_URL={url!r}: give the part before /chat/completions or /completions")
    key = variables.get(f"{prefix}_API_KEY", "").strip()
    if wants_key and not key:
        raise BadInput(f"model={model!r}: no key: set {prefix}_API_KEY, in the environment or in .env")
    if not key.isascii() or any(c.isspace() for c in key):
        raise BadInput(f"{prefix}_API_KEY holds characters that no key has: copy it again")
    return Server(name, url.rstrip("/"), key)
