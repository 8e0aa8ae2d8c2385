"""Finite languages: the texts that a JSON schema of enumerated values allows, and their tokens as a trie."""

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from parley.core.errors import BadInput

MOST = 20_000  # texts of a language
LONGEST = 1 << 20  # characters of all of them
SUPPORTED = "an enum or const of strings and numbers, or an object all of whose properties are such"


@dataclass
class Trie:
    """What may come next: token to the rest."""

    children: dict[int, "Trie"] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]]) -> "Trie":
        """A trie of token sequences; no sequence may begin another."""
        root = cls()
        for tokens in texts:
            node = root
            for token in tokens:
                node = node.children.setdefault(token, cls())
        return root


def texts_of(response_format: Any) -> list[str]:
    """The texts that a `response_format` allows; an empty list if it allows any. Raises `BadInput` on an unsupported
    format.
    """
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if response_format is None or kind == "text":
        return []
    if kind == "json_schema":
        schema = (response_format.get("json_schema") or {}).get("schema")
    elif kind == "json_object":
        schema = response_format.get("schema")
    else:
        raise BadInput(f"response_format: expected type text, json_schema or json_object, found {kind!r}")
    found = [json.dumps(value, ensure_ascii=False) for value in _values(schema)]
    if sum(map(len, found)) > LONGEST:
        raise BadInput(f"response_format: the texts that are allowed have more than {LONGEST} characters together")
    return list(dict.fromkeys(found))


def _values(schema: Any) -> list[Any]:
    if not isinstance(schema, dict):
        raise BadInput(f"response_format: a schema is needed that is {SUPPORTED}")
    if "const" in schema:
        return [_plain(schema["const"])]
    if "enum" in schema:
        if not isinstance(schema["enum"], list) or not 0 < len(schema["enum"]) <= MOST:
            raise BadInput(f"response_format: an enum needs 1 to {MOST} values")
        return [_plain(value) for value in schema["enum"]]
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, dict) or not properties:
        raise BadInput(f"response_format: this server supports {SUPPORTED}")
    listed = [_values(of) for of in properties.values()]
    count = 1
    for values in listed:
        count *= len(values)
    if count > MOST:
        raise BadInput(f"response_format: {count} texts are allowed; this server supports {MOST}")
    return [dict(zip(properties, values, strict=True)) for values in itertools.product(*listed)]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput("response_format: a number in it is too large")
    if not isinstance(value, str | int | float | bool | None):
        raise BadInput(f"response_format: this server supports {SUPPORTED}")
    return value
