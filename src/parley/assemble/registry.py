"""Parts by name: ours, those of installed packages (entry points), and `module:Name`."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from itertools import groupby
from typing import Any, TypeVar

from parley.core.answered import plain, quietly
from parley.core.errors import BadInput
from parley.core.spec import bind, parse_spec, suggestion

T = TypeVar("T")

REFERENCE = re.compile(r"([A-Za-z_][\w.]*:[A-Za-z_]\w*)(?::(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Kind:
    """One name on the command line: a factory, whose signature and docstring are its documentation.

    The factory may be named by `module:name`, which is imported when it is used. What it returns is the part.
    """

    source: Callable[..., Any] | str
    cohort: int = 1024  # for planners: runs that move together by default
    first: str = ""  # the argument that may stand first in a spec without its name
    remote: bool = False  # it waits for a server: every cohort has a thread, however few cores there are
    imports: bool = False  # for worlds: its first argument names code, which it imports
    calls: int = 0  # for memories: answers that one has the planner's model write after an episode, at most

    @cached_property
    def factory(self) -> Callable[..., Any]:
        if not isinstance(self.source, str):
            return self.source
        module, _, name = self.source.partition(":")
        found: Callable[..., Any] = getattr(import_module(module), name)
        return found

    @property
    def line(self) -> str:
        """What `parley list` says of it: the first paragraph of the factory's docstring."""
        return " ".join((inspect.getdoc(self.factory) or "").partition("\n\n")[0].split()).rstrip(".")


@dataclass(frozen=True)
class Named:
    """A part that a spec names: its kind, and its arguments, still as text. `code` is where somebody else's is from."""

    spec: str
    name: str
    kind: Kind
    arguments: Mapping[str, str]
    code: str = ""


class Registry(Mapping[str, Kind]):
    """All parts of one role, `what`; installed packages add theirs under the entry-point group `parley.{what}s`."""

    def __init__(self, what: str, ours: dict[str, Kind], group: str = "") -> None:
        self.what, self.ours, self.group = what, ours, group or f"parley.{what}s"

    @cached_property
    def plugins(self) -> dict[str, EntryPoint]:
        """The parts that installed packages offer, by name. Our own names take precedence."""
        return {point.name: point for point in entry_points(group=self.group) if point.name not in self.ours}

    @property
    def faults(self) -> dict[str, str]:
        """What installed packages offer in vain, and why: names that are ours, or those of two packages."""
        found: dict[str, str] = {}
        for name, points in groupby(sorted(entry_points(group=self.group)), key=lambda point: point.name):
            values = list(dict.fromkeys(point.value for point in points))
            offers = f"{self.what} {name!r} is offered by {' and by '.join(values)}"
            if name in self.ours:
                found[name] = f"{offers}, but Parley has a part of that name: give that one another name"
            elif len(values) > 1:
                found[name] = f"{offers}: remove one of the packages, or name one of the two, module:Name"
        return found

    def __iter__(self) -> Iterator[str]:
        """All names, sorted."""
        return iter(sorted({*self.ours, *self.plugins}))

    def __len__(self) -> int:
        return len({*self.ours, *self.plugins})

    def __contains__(self, name: object) -> bool:
        return name in self.ours or name in self.plugins

    def __getitem__(self, name: str) -> Kind:
        """What a name stands for; raises `BadInput` with a suggestion, or with what its package raised."""
        if name in self.ours:
            return self.ours[name]
        if name in self.plugins:
            if name in (faults := self.faults):
                raise BadInput(faults[name])
            point = self.plugins[name]
            where = f"plugin {self.what} {name!r} ({point.value})"
            return self.kind(loaded(point.load, where), where)
        raise BadInput(f"unknown {self.what} {name!r}{suggestion(name, self)}")

    def find(self, spec: str, trust: bool = False) -> Named:
        """What a spec names.

        A name is looked up among our parts and the plugins. Else `module:Name` is imported, where `trust` allows it: a
        spec from somebody else's file must not run code.
        """
        name = spec.partition(":")[0].strip()
        if name in self:
            kind = self[name]
            _, arguments = parse_spec(spec, self.what, first=kind.first)
            return Named(spec, name, kind, arguments, self.plugins[name].value if name not in self.ours else "")
        found = REFERENCE.fullmatch(spec.strip())
        if found is None:
            raise BadInput(f"unknown {self.what} {name!r}{suggestion(name, self)}")
        reference, rest = found.group(1), found.group(2) or ""
        if not trust:
            raise BadInput(
                f"{self.what} {spec!r} is code that is no installed plugin, and nothing was imported: "
                "where you know what it does, say --trust (in Python: trust=True)"
            )
        where = f"{self.what} {spec!r}"
        kind = self.kind(load_reference(reference, where), where)
        _, arguments = parse_spec(f"{reference.replace(':', '.')}:{rest}", self.what, first=kind.first)
        return Named(spec, reference, kind, arguments, reference)

    def of(self, given: Any) -> Named:
        """A class or function that makes a part, as if its name had been given."""
        spec = reference_of(given)
        return Named(spec, spec, self.kind(given, self.what), {}, spec)

    def kind(self, loaded: Any, where: str) -> Kind:
        """The kind that somebody else's code names."""
        return kind_of(loaded, self.what, where)

    def make(self, named: Named, context: Mapping[str, Any] | None = None) -> Any:
        """The part, made with the arguments of its spec; `context` has what a factory may ask for by name."""
        where, factory, context = f"{self.what} {named.name!r}", named.kind.factory, context or {}
        bound = bind(factory, dict(named.arguments), where, skip=context)
        bound |= {key: value for key, value in context.items() if key in parameters(factory)}
        return factory(**bound) if not named.code else loaded(lambda: plain(factory(**bound)), where)


def makes(given: Any) -> bool:
    """Whether this makes a part, rather than being one."""
    return isinstance(given, type | partial) or inspect.isroutine(given)


def reference_of(thing: Any) -> str:
    """`module:Name` of a class or function, or of an object's class."""
    named = (thing.func if isinstance(thing, partial) else thing) if makes(thing) else type(thing)
    return f"{named.__module__}:{named.__qualname__}"


def parameters(factory: Callable[..., Any]) -> list[str]:
    """The names of a factory's parameters."""
    return list(inspect.signature(factory).parameters)


def kind_of(loaded: Any, what: str, where: str) -> Kind:
    """Somebody else's factory with what it says of itself, where it does: `cohort`, `first`, `remote` and `calls`."""
    if not callable(loaded):
        raise BadInput(f"{where}: expected a class or function that makes a {what}, found {type(loaded).__name__}")
    try:
        parameters(loaded)
    except ValueError:
        raise BadInput(
            f"{where}: expected a class or function whose arguments Python can name, found {loaded!r}"
        ) from None
    said = {name: getattr(loaded, name) for name in ("cohort", "first", "remote", "calls") if hasattr(loaded, name)}
    typed = {name: value for name, value in said.items() if isinstance(value, type(getattr(Kind, name)))}
    if typed.get("cohort", 1) < 1:
        raise BadInput(f"{where}: cohort={typed['cohort']!r}: expected a whole number of at least 1")
    return Kind(loaded, **typed)


def load_reference(reference: str, where: str) -> Any:
    """What `module:Name` names; modules of the working directory are found too."""
    module_name, _, attribute = reference.partition(":")
    if "" not in sys.path:
        sys.path.append("")
    module = loaded(lambda: import_module(module_name), where)
    if not hasattr(module, attribute):
        raise BadInput(f"{where}: the module {module_name!r} has no {attribute!r}")
    return getattr(module, attribute)


def loaded(does: Callable[[], T], where: str) -> T:
    """What somebody else's code gives, or one sentence on what it raised."""
    return quietly(does, lambda said: BadInput(f"{where} cannot be loaded: {said}"))
