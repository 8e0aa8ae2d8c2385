"""What a server can do, found out by trying: its API, and the first of the four ways in which it can be asked."""

from dataclasses import replace
from typing import Any

from parley.core.calls import Place, RunPaused
from parley.core.errors import BadInput
from parley.models.endpoint import Endpoint
from parley.models.failures import Failure, Refused, Unusable
from parley.planners.ways.answers import Answers, Constrained
from parley.planners.ways.asking import Api, Asking, Asks, Way
from parley.planners.ways.free import Free
from parley.planners.ways.logprobs import MOST_LETTERS, Echo, Letters
from parley.prompting.template import Turn

ATTEMPTS = 5
LISTED: dict[str, type[Any]] = {"echo": Echo, "letters": Letters, "constrained": Constrained, "parse": Answers}
KINDS = {**LISTED, "free": Free}


def choose_way(endpoint: Endpoint, asking: Asking, longest_menu: int = 0) -> tuple[Way, dict[str, str]]:
    """The first way that the server can do (or the one that is asked for), and what the probe found of each.

    `longest_menu` is the number of entries of the world's longest menu, 0 where it is not known: letters are no way to
    choose from one that is too long. Raises `BadInput` where no server answers, or it refuses model or key.
    """
    api = _reach(endpoint, asking)
    found = {"api": ("chat" if api.chat else "completions") + (f", {api.limit}" if api.limit != Api.limit else "")}
    if asking.way != "auto":
        return KINDS[asking.way](endpoint, asking, api), {**found, asking.way: "asked for"}
    for name in ("parse",) if asking.think else LISTED:
        way = KINDS[name](endpoint, asking, api)
        if name == "letters" and longest_menu > MOST_LETTERS:
            found[name] = f"a menu of {longest_menu} subgoals has more than {MOST_LETTERS} letters"
        else:
            found[name] = _tried(way) or "ok"
        if found[name] == "ok":
            return way, found
    raise BadInput(f"{endpoint.server.base_url}: no way to ask it was found: {found}")


def _tried(way: Any) -> str:
    """Empty where a way works, else why not: two tries before a server is said not to be able to."""
    request = way.probe()
    if request is None:
        return ""
    why = ""
    for seed in (0, 1):
        try:
            asked = replace(request, body={**request.body, "seed": seed})
            why = str(way.endpoint.ask(asked, way.found, attempts=ATTEMPTS, probing=True))
        except (Refused, Failure) as refused:
            return f"the server refuses: {refused.outcome}"
        if not why:
            break
    return why


def _reach(endpoint: Endpoint, asking: Asking) -> Api:
    """The API that the server has, chat before completions, from a short call of each."""
    refusals: list[BadInput] = []
    for api in (Api(), Api(limit="max_completion_tokens"), Api(chat=False)):
        unwanted = asking.api != "auto" and api.chat != (asking.api == "chat")
        if unwanted or (api.limit != Api.limit and not any(api.limit in str(said) for said in refusals)):
            continue
        asks = Asks(endpoint, asking, api)
        tokens = 1 if api.limit == Api.limit else asks.tokens  # with too few for its reasoning, a model answers nothing
        request = asks.request([Turn("user", "Say hello.\n")], Place(), "probe api", tokens)
        try:
            endpoint.ask(request, lambda answer: len(answer["choices"]), attempts=ATTEMPTS, probing=True)
        except Refused as refused:
            if "key" in refused.outcome:
                raise
            refusals.append(refused)
        except Unusable as unusable:
            refusals.append(BadInput(f"{endpoint.server.base_url} is no OpenAI-compatible server: {unusable}"))
        except (Failure, RunPaused) as failed:
            said = f"{endpoint.server.base_url} does not answer ({failed}): is the address right, and the server up?"
            refusals.append(BadInput(said))
        else:
            return api
    raise refusals[0]
