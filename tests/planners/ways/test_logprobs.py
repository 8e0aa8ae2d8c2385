import re

import numpy as np
import pytest

from parley.core.calls import Forgetful, Place
from parley.execute import RunConfig, run
from parley.memory.full import Full
from parley.models.calling import Calling
from parley.models.endpoint import Endpoint
from parley.models.providers import server
from parley.planners.ways.asking import Api, Asking, Question
from parley.planners.ways.logprobs import Echo
from parley.planners.ways.probe import choose_way
from parley.prompting.prompter import Prompter, Prompting, Words
from parley.prompting.template import PromptTemplate, as_text
from tests.talker import Talker, chance, config, rows

MENU = ("walk on", "try the back door", "wait")


@pytest.fixture
def ask():
    """The distribution that a talker's echo gives over `MENU`, and the prompt."""

    def asked(talker: Talker, **options):
        prompter = Prompter(Prompting(PromptTemplate("transcript"), Words((MENU,), 3)), Full())
        prompter.begin("go home", "in the hall")
        at = Endpoint(server("vllm/m", {}, talker.base_url), Calling(attempts=2, backoff_s=0.001), Forgetful())
        turns = prompter.turns((), MENU)
        found = Echo(at, Asking(**options), Api()).probs(Question(prompter, turns, MENU, Place(0, 0, 1), []))
        at.close()
        return found, as_text(turns)

    return asked


def scores(prompt: str, mean: bool) -> np.ndarray:
    """What a talker makes of the candidates: token i of a text, the special one counted, has -5 chance(i, token)."""
    found, shared = [], len(re.findall(r"\S+|\s", prompt + "> "))
    for said in MENU:
        tokens = re.findall(r"\S+|\s", f"{prompt}> {said}\n")
        each = [-5 * chance(i + 1, token) for i, token in enumerate(tokens)][shared:]
        found.append(np.mean(each) if mean else np.sum(each))
    return np.array(found)


@pytest.mark.parametrize("mean", [False, True])
def test_all_tokens_of_a_candidate_count_whatever_stands_before_the_prompt(ask, mean):
    """A talker echoes as vLLM does: offsets that are late by a special token cut no end of a candidate off."""
    with Talker() as talker:
        found, prompt = ask(talker, normalise="length" if mean else "none")
    weights = np.exp(scores(prompt, mean))
    np.testing.assert_allclose(found, weights / weights.sum(), atol=1e-12)


class Generating(Talker):
    """Takes `max_tokens=0` for no limit, as some servers do."""

    def _echo(self, body: dict) -> dict:
        return super()._echo({**body, "max_tokens": 16})


def test_a_server_that_generates_where_nothing_was_asked_for_does_not_echo(ask):
    with Generating() as talker:
        assert ask(talker)[0] is None
        at = Endpoint(server("vllm/m", {}, talker.base_url), Calling(), Forgetful())
        way, probe = choose_way(at, Asking())
        at.close()
    assert way.name == "letters" and probe["echo"] == "the server gives no log-probabilities of a prompt"


def test_letters_are_not_found_for_a_menu_that_has_too_many(tmp_path):
    with Talker({"chat", "letters", "constrained"}) as talker:
        manifest = run(RunConfig("treasure:n=30", config(talker, "auto").planner, runs=1, episodes=1), tmp_path / "run")
    assert manifest["planner"]["way"] == "constrained"
    assert manifest["planner"]["probe"]["letters"] == "a menu of 30 subgoals has more than 26 letters"
    assert rows(tmp_path / "run", "SELECT DISTINCT proposal_source FROM steps") == [("constrained: 1 answer",)]
