"""The way to a server: which proxy and which certificates, from the variables that other programs read too."""

import importlib.util
import ipaddress
import os
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from parley.core.errors import BadInput, MissingExtra

SCHEMES = ("http", "https", "socks5", "socks5h")


def library() -> Any:
    """The HTTP library."""
    try:
        import httpx2
    except ImportError:
        raise MissingExtra("an endpoint planner", "endpoint") from None
    return httpx2


def connections(base_url: str, most: int, variables: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Options of a client for one server: proxy, certificates, and at most so many connections.

    Redirects are not followed and nothing else is read from the environment: the key is for this server only.
    """
    http = library()
    proxy = proxy_for(base_url, variables)
    options: dict[str, Any] = {
        "trust_env": False,
        "follow_redirects": False,
        "verify": _certificates(base_url, variables),
    }
    options["limits"] = http.Limits(max_connections=most, max_keepalive_connections=most)
    return {**options, "proxy": http.Proxy(proxy)} if proxy else options


def proxy_for(base_url: str, variables: Mapping[str, str]) -> str:
    """The proxy through which an address is reached, empty for none; raises `BadInput` where that is no proxy.

    No proxy applies to this machine, whatever the variables say, nor to the hosts in `NO_PROXY`.

    >>> proxy_for("http://localhost:8000/v1", {"ALL_PROXY": "http://proxy:3128"})
    ''
    """
    at = urlsplit(base_url)
    host = (at.hostname or "").rstrip(".")
    if is_loopback(host) or _excepted(host, at.port, variables):
        return ""
    for name in (f"{at.scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if value := variables.get(variable, "").strip():
                return _proxy(variable, value)
    return ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def _excepted(host: str, port: int | None, variables: Mapping[str, str]) -> bool:
    """Whether `NO_PROXY` names a host: itself, its domain, an address or a network of it, or all."""
    listed = variables.get("no_proxy") or variables.get("NO_PROXY") or ""
    for entry in filter(None, (entry.strip().lower() for entry in listed.replace(" ", ",").split(","))):
        if entry == "*":
            return True
        name = entry.rpartition("://")[2].removeprefix("*")
        if "/" in name:
            if _within(host, name):
                return True
            continue
        name, _, of_port = name.rpartition(":") if name.count(":") == 1 else (name, "", "")
        name = name.strip("[]").lstrip(".")
        same = host.lower() == name or host.lower().endswith(f".{name}")
        if same and (not of_port or of_port == str(port)):
            return True
    return False


def _within(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")) in ipaddress.ip_network(network, strict=False)
    except (ValueError, TypeError):
        return False


def _proxy(variable: str, value: str) -> str:
    """A proxy's address, as a variable gives it."""
    url = value if "://" in value else f"http://{value}"
    shown = value.rpartition("@")[2]  # not its password
    wrong = f"{variable}={shown!r}: expected the address of a proxy, such as http://proxy:3128"
    try:
        at = urlsplit(url)
        known = at.scheme in SCHEMES and bool(at.hostname) and (at.port is None or at.port > 0) and url.isascii()
    except ValueError as why:
        raise BadInput(f"{wrong} ({why})") from None
    if not known or any(c.isspace() for c in url):
        raise BadInput(f"{wrong}; unset it, or name the server in NO_PROXY")
    if at.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise BadInput(
            f"{variable}={shown!r}: a SOCKS proxy needs `pip install socksio`; or name the server in NO_PROXY"
        )
    return url


def _certificates(base_url: str, variables: Mapping[str, str]) -> ssl.SSLContext:
    """The authorities that are trusted: of `SSL_CERT_FILE` or `SSL_CERT_DIR`, else the library's. None for http."""
    if not base_url.startswith("https://"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    file, folder = variables.get("SSL_CERT_FILE"), variables.get("SSL_CERT_DIR")
    try:
        if file or folder:
            return ssl.create_default_context(cafile=file or None, capath=folder or None)
        made: ssl.SSLContext = library().create_ssl_context(trust_env=False)
        return made
    except (OSError, ssl.SSLError) as wrong:
        named = f"SSL_CERT_FILE={file!r}" if file else f"SSL_CERT_DIR={folder!r}" if folder else "the system's"
        raise BadInput(f"{named}: certificates cannot be read from it: {wrong}") from None
