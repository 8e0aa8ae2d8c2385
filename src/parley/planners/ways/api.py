"""How a server wants to be asked: its API, the names and limits of parameters, the roles it knows.

It is found out as the server refuses: what a refusal names is left out, renamed or made smaller, and asked again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from parley.models import wordings
from parley.models.calling import Request
from parley.models.failures import Failure, Overflow, Refused

LATER = "max_completion_tokens"  # the newer name of the limit on an answer
OPTIONAL = ("seed", "temperature", "stop", "top_p")  # parameters without which a call is still what it was
TOPS = ("top_logprobs", "logprobs")
FEWEST = 5  # first tokens that come with log-probabilities on every server that tells any


@dataclass(frozen=True)
class Api:
    """Which of the two APIs a server is asked by, and how.

    `limit` is the name of the parameter for the most tokens of an answer. `most` is how many it may be (0: any), and
    `tokens` how many are needed (0: as the way needs). `system` says whether the server knows that role. `top` is the
    number of first tokens whose log-probabilities it tells, and `left_out` lists the parameters it refuses.
    """

    chat: bool = True
    limit: str = "max_tokens"
    system: bool = True
    left_out: tuple[str, ...] = ()
    top: int = 20
    most: int = 0
    tokens: int = 0

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> "Api":
        """From what a manifest says (`about`); one of a version before names the API alone."""
        told, probe = about.get("asks"), about.get("probe")
        if isinstance(told, dict):
            known = {f.name for f in fields(cls)}
            found: dict[str, Any] = {name: value for name, value in told.items() if name in known}
            return cls(**{**found, "left_out": tuple(found.get("left_out", ()))})
        api = str(probe.get("api", "chat")) if isinstance(probe, dict) else "chat"
        return cls("chat" in api, LATER if LATER in api else cls.limit)

    @property
    def about(self) -> dict[str, Any]:
        """For the manifest."""
        return {**asdict(self), "left_out": list(self.left_out)}

    @property
    def path(self) -> str:
        """The route, below the base URL."""
        return "chat/completions" if self.chat else "completions"

    def shaped(self, request: Request) -> Request:
        """A request without what the server refuses; without a seed, draws are told apart by us alone."""
        if request.body is None or not (self.left_out or self.most):
            return request
        body = {name: value for name, value in request.body.items() if name not in self.left_out}
        if self.most and body.get(self.limit, 0) > self.most:
            body[self.limit] = self.most
        seed = request.body.get("seed")
        return replace(request, body=body, draw="" if seed is None or "seed" in body else f"seed {seed}")

    def within(self, context: int, tokens: int) -> "Api | None":
        """How to ask where an answer of so many tokens takes most of a context; None where it does not."""
        most = context // 4
        return replace(self, most=most) if context and tokens > 2 * most and not 0 < self.most <= most else None

    def and_also(self, other: "Api") -> "Api":
        """What two threads learnt, together."""
        return replace(
            self,
            limit=other.limit if self.limit == Api.limit else self.limit,
            system=self.system and other.system,
            left_out=(*self.left_out, *(name for name in other.left_out if name not in self.left_out)),
            top=min(self.top, other.top),
            most=min(filter(None, (self.most, other.most)), default=0),
        )

    def after(self, refused: Refused | Failure, body: Mapping[str, Any]) -> "Api | None":
        """How to ask after a refusal of `body`; None where it says nothing that can be done otherwise."""
        if isinstance(refused, Overflow) or not refused.outcome.startswith(("refused", "server error", "error in")):
            return None
        said = refused.said
        if self.limit in body and wordings.names(said, self.limit):
            return self._limited(said, body[self.limit])
        asked = next((body[name] for name in TOPS if type(body.get(name)) is int), 0)
        if asked > FEWEST and any(wordings.names(said, name) for name in TOPS):
            return replace(self, top=wordings.most_allowed(said) if 0 < wordings.most_allowed(said) < asked else FEWEST)
        for name in OPTIONAL:
            if name in body and wordings.names(said, name):
                return replace(self, left_out=(*self.left_out, name))
        if self.chat and self.system and wordings.NO_SYSTEM.search(said) and _has_system(body):
            return replace(self, system=False)
        return None

    def _limited(self, said: str, asked: int) -> "Api":
        """After a refusal of the limit on an answer: by its other name, smaller, or without one."""
        if LATER in said and self.limit != LATER:
            return replace(self, limit=LATER)
        most = wordings.most_allowed(said)
        if 0 < most < asked:
            return replace(self, most=most)
        return replace(self, left_out=(*self.left_out, self.limit))


def _has_system(body: Mapping[str, Any]) -> bool:
    return any(message.get("role") == "system" for message in body.get("messages", ()))
