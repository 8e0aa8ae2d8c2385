"""What a server can do, found out by trying: its API, how it wants to be asked, and the first of the four ways."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from parley.core.calls import OK, Place, RunPaused
from parley.core.errors import BadInput
from parley.core.text import inert
from parley.models.endpoint import Endpoint
from parley.models.failures import Failure, Overflow, Refused, Unusable
from parley.planners.ways.answers import Answers, Constrained
from parley.planners.ways.api import Api
from parley.planners.ways.asking import PROBING, Asking, Asks, Question, Way
from parley.planners.ways.dearness import cheaper
from parley.planners.ways.free import Free
from parley.planners.ways.logprobs import MOST_LETTERS, Echo, Letters
from parley.prompting.template import Turn

REFUSES = "the server refuses"
LISTED: dict[str, type[Any]] = {"echo": Echo, "letters": Letters, "constrained": Constrained, "parse": Answers}
KINDS = {**LISTED, "free": Free}
Rehearsal = Callable[[Way], Question]  # a question as in a run, made up, for a way to be asked


@dataclass(frozen=True)
class Task:
    """Facts about the run before it begins: its longest menu, a made-up question, and the text of a long history.

    All may be unknown: 0 entries, None, an empty text.
    """

    longest_menu: int = 0
    rehearsal: Rehearsal | None = None
    history: str = ""


def choose_way(endpoint: Endpoint, asking: Asking, task: Task = Task()) -> tuple[Way, dict[str, str]]:
    """The first way that the server can do (or the one that is asked for), and what the probe found of each.

    The way that is chosen is tried with a question as in the run: what the server refuses of it is left out. Raises
    `BadInput` where no server answers, or it refuses model or key.
    """
    reached = _reach(endpoint, asking)
    found: dict[str, str] = {}
    names = ("parse",) if asking.think else tuple(LISTED)
    if asking.way != "auto":
        names = (asking.way,)
    api = reached
    for name in names:
        way = KINDS[name](endpoint, asking, api)
        if name == "letters" and task.longest_menu > MOST_LETTERS:
            found[name] = f"a menu of {task.longest_menu} subgoals has more than {MOST_LETTERS} letters"
        else:
            found[name] = _tried(way, asking.way != "auto") or _rehearsed(way, task) or OK
        if asking.way != "auto" and found[name].startswith(REFUSES):
            raise BadInput(f"way={name}: {endpoint.server.base_url}: {found[name]}")
        if found[name] == OK or asking.way != "auto":
            break
        api = api.and_also(way.api)
    else:
        raise BadInput(f"{endpoint.server.base_url}: no way to ask it was found: {found}")
    if name == "echo" and asking.way == "auto" and task.history and task.longest_menu <= MOST_LETTERS:
        way = _cheaper(way, KINDS["letters"](endpoint, asking, reached), task, found)
    if asking.way != "auto" and found[name] == OK:
        found[name] = "asked for"
    return way, {"api": _named(way.api, reached), **found, **_learnt(way.api)}


def known_way(endpoint: Endpoint, asking: Asking, about: Mapping[str, Any]) -> tuple[Way, dict[str, str]] | None:
    """The way that a manifest says (`about`) a run was asked by, without a call; None where it says none."""
    name, probe = str(about.get("way")), about.get("probe")
    if name not in KINDS or not isinstance(probe, dict):
        return None
    return KINDS[name](endpoint, asking, Api.of(about)), {str(key): str(value) for key, value in probe.items()}


def _tried(way: Any, asked_for: bool) -> str:
    """Empty where a way works, else why not: two tries before a server is said not to be able to."""
    request = way.probe()
    if request is None or asked_for:
        return ""
    why = ""
    for seed in (0, 1):

        def made(seed: int = seed) -> Any:
            request = way.probe()
            return way.api.shaped(replace(request, body={**request.body, "seed": seed}))

        try:
            why = str(way.ask(made, way.found, **PROBING))
        except (Refused, Failure) as refused:
            return f"{REFUSES}: {_kind(refused)}"
        if not why:
            break
    return why


def _rehearsed(way: Any, task: Task) -> str:
    """Empty where a way can be asked as in the run, else why not; a way that nothing comes after must be.

    Where it is refused, it is asked in other ways (`_others`). The first that is answered is taken.
    """
    if task.rehearsal is None:
        return ""
    try:
        return str(way.rehearse(task.rehearsal(way)))
    except (Refused, Failure, RunPaused) as refused:
        wrong: Any = refused
    if isinstance(wrong, Overflow) and (shorter := way.api.within(wrong.limit, way.tokens)):
        way.api = shorter
        return _rehearsed(way, task)
    heard = isinstance(wrong, Refused) or getattr(wrong, "outcome", "").startswith("server error")
    if heard and not _final(wrong):
        for api in _others(way.api):
            kept, way.api = way.api, api
            try:
                return str(way.rehearse(task.rehearsal(way)))
            except (Refused, Failure, RunPaused):
                way.api = kept
    if way.name == "parse" or isinstance(wrong, RunPaused) or _final(wrong):
        raise wrong if isinstance(wrong, BadInput) else BadInput(_unanswered(way.endpoint, wrong))
    said = getattr(wrong, "said", "")
    return f"{REFUSES}: {_kind(wrong)}" + (f": {inert(way.endpoint.server.hide(said), 200)}" if said else "")


def _others(api: Api) -> Iterator[Api]:
    """How else to ask a server that refuses without saying what: without the system role, and less and less besides."""
    left_out = api.left_out
    if api.chat and api.system:
        yield replace(api, system=False)
    for name in ("seed", "temperature"):
        left_out = (*left_out, *(() if name in left_out else (name,)))
        yield replace(api, left_out=left_out)
    if api.chat and api.system:
        yield replace(api, left_out=left_out, system=False)


def _final(wrong: Exception) -> bool:
    """Whether a refusal is about the key, the model or the account: no other way of asking helps."""
    return isinstance(wrong, Refused) and wrong.outcome.startswith(("bad key", "not allowed", "quota", "not found"))


def _kind(wrong: Exception) -> str:
    return str(getattr(wrong, "outcome", wrong))


def _cheaper(echo: Any, letters: Any, task: Task, found: dict[str, str]) -> Any:
    """Of two ways that give a distribution the one that is cheaper where the history is long, and why."""
    if _tried(letters, False) or _rehearsed(letters, task):
        return echo
    better, found["history"] = cheaper(echo, letters, task.history)
    return better


def _named(api: Api, reached: Api) -> str:
    """The API, as manifests say it."""
    limit = api.limit if api.limit != Api.limit else reached.limit
    return ("chat" if reached.chat else "completions") + (f", {limit}" if limit != Api.limit else "")


def _learnt(api: Api) -> dict[str, str]:
    """What the server refused, in words."""
    said = {name: "left out: the server refuses it" for name in api.left_out}
    if not api.system:
        said["system"] = "the rules stand in the first message of the user: the model has no system role"
    if api.tokens:
        said["reasoning"] = f"answers get {api.tokens} tokens: with fewer they are cut off before they say anything"
    return said


def _reach(endpoint: Endpoint, asking: Asking) -> Api:
    """The API that the server has, chat before completions, from a short call of each."""
    refusals: list[BadInput] = []
    for api in (Api(), Api(chat=False)):
        if asking.api != "auto" and api.chat != (asking.api == "chat"):
            continue
        asks = Asks(endpoint, asking, api)

        def made(asks: Asks = asks) -> Any:
            """With too few tokens for its reasoning, a model answers nothing."""
            tokens = 1 if asks.api.limit == Api.limit else asks.tokens
            return asks.request([Turn("user", "Say hello.\n")], Place(), "probe api", tokens)

        try:
            asks.ask(made, lambda answer: len(answer["choices"]), **PROBING)
        except Overflow as overflow:
            raise overflow
        except Refused as refused:
            if _final(refused) and not refused.outcome.startswith("not found"):
                raise
            refusals.append(refused)
        except Unusable as unusable:
            said = f"{endpoint.server.base_url} is no OpenAI-compatible server: {unusable}{endpoint.quoted(unusable)}"
            refusals.append(BadInput(said + endpoint.server.advice("no call")))
        except (Failure, RunPaused) as failed:
            refusals.append(BadInput(_unanswered(endpoint, failed)))
        else:
            return asks.api
    raise refusals[0]


def _unanswered(endpoint: Endpoint, failed: Exception) -> str:
    """The message for a server that gives no answer: its own words, if it has any."""
    at = endpoint.server.base_url + endpoint.through
    quoted = endpoint.quoted(failed) if isinstance(failed, Failure) else ""
    if isinstance(failed, Failure) and not failed.outcome.startswith(("no connection", "timeout")):
        return f"{at} does not answer: {failed}{quoted}{endpoint.server.advice(failed.outcome)}"
    return f"{at} does not answer ({failed}{quoted}): is the address right, and the server up?"
