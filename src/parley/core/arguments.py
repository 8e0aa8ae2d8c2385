"""Arguments of the public functions, held to their plain annotations: a wrong type is one sentence, not a traceback."""

import inspect
from collections.abc import Callable
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from types import NoneType
from typing import Any, ParamSpec, TypeVar, get_args

from parley.core.errors import BadInput
from parley.core.text import shown

P = ParamSpec("P")
T = TypeVar("T")

PLAIN = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "True or False",
    Path: "a path",
    NoneType: "None",
}


def plainly(function: Callable[P, T]) -> Callable[P, T]:
    """The function, which raises `BadInput` where an argument has another type than the plain ones of its annotation.

    Whole numbers may be numpy's; a whole number is a number. Annotations that name anything else are left alone.
    """
    signature = inspect.signature(function)
    kinds = {p.name: _kinds(p.annotation) for p in signature.parameters.values()}

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as wrong:  # as Python says it of a function that is called directly
            raise TypeError(f"{function.__name__}() {wrong}") from None
        for name, value in bound.arguments.items():
            if kinds[name]:
                bound.arguments[name] = _plain(name, value, kinds[name])
        return function(*bound.args, **bound.kwargs)

    return checked


def _kinds(annotation: Any) -> tuple[type, ...]:
    """The plain types of an annotation; none where it names others too."""
    named = get_args(annotation) or (annotation,)
    return named if all(isinstance(one, type) and one in PLAIN for one in named) else ()


def _plain(name: str, value: Any, kinds: tuple[type, ...]) -> Any:
    if not isinstance(value, bool) or bool in kinds:
        if isinstance(value, kinds):
            return value
        if isinstance(value, Integral) and {int, float} & set(kinds):
            return int(value)
        if isinstance(value, Real) and float in kinds:
            return float(value)
    expected = " or ".join(PLAIN[kind] for kind in kinds)
    raise BadInput(f"{name}={shown(value)}: expected {expected}, found {type(value).__name__}")
