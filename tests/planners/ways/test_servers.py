"""Servers as they are, without sockets: what the probe finds of them, and how decisions are asked for and heard."""

import hashlib
import json
import math
import random

import numpy as np
import pytest

from parley.core.calls import Place
from parley.core.errors import BadInput
from parley.models.failures import Overflow, Refused
from parley.planners.endpoint import smaller
from parley.planners.ways.alignment import shared
from parley.planners.ways.answers import Answers
from parley.planners.ways.api import Api
from parley.planners.ways.asking import REASONING, Asking
from parley.planners.ways.logprobs import Echo, Letters, first_token, mass_of
from tests.wire import MENU, Wire, chat, error, heard, only_chat, question

REFUSALS = [  # a parameter, what a server says of it, and what is done
    ("seed", 422, {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}),
    ("seed", 400, error("Unrecognized request argument supplied: seed")),
    ("seed", 400, error("property 'seed' is unsupported, did you mean 'speed'?")),
    ("seed", 200, error("Argument not supported: seed", code=400)),
    ("seed", 500, error("unknown parameter seed")),
    ("temperature", 400, error("temperature is deprecated for this model")),
    ("temperature", 400, error("Unsupported value: 'temperature' does not support 1.0 with this model.")),
    ("temperature", 422, {"detail": [{"loc": ["body", "temperature"], "msg": "Extra inputs are not permitted"}]}),
    ("max_tokens", 400, error("Unsupported parameter: 'max_tokens' is not supported with this model.")),
    ("max_tokens", 400, error("maxTokens: unknown field")),
]


@pytest.mark.parametrize(("name", "status", "body"), REFUSALS)
def test_a_parameter_that_is_refused_is_left_out_and_said_to_be(name, status, body):
    wire = Wire(only_chat(lambda asked: (status, body) if name in asked else chat("B")))
    way, found, at = wire.probed(way="parse")
    assert way.api.left_out == (name,) and found[name] == "left out: the server refuses it"
    before = len(wire.asked)
    probs = way.probs(question(p := heard(), p.turns((), MENU), Place(0, 0, 1)))
    assert probs.tolist() == [0, 1, 0] and len(wire.asked) == before + 1


@pytest.mark.parametrize(
    ("said", "limit", "most"),
    [
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "max_completion_tokens", 0),
        ("max_tokens is too large: 32. This model supports at most 16 completion tokens.", "max_tokens", 16),
        ("`max_tokens` must be less than or equal to `20`", "max_tokens", 20),
    ],
)
def test_the_limit_on_an_answer_is_renamed_or_made_smaller(said, limit, most):
    def answer(asked):
        refused = asked.get("max_tokens", 99) > most if most else "max_tokens" in asked
        return (400, error(said)) if refused else chat("B")

    way, _, _ = Wire(only_chat(answer)).probed(way="parse")
    assert (way.api.limit, way.api.most) == (limit, most)


def test_several_refusals_one_after_another():
    def answer(asked):
        for name in ("seed", "temperature", "max_tokens"):
            if name in asked:
                return 400, error(f"{name} is not supported")
        return (400, error("System role not supported")) if asked["messages"][0]["role"] == "system" else chat("B")

    way, found, _ = Wire(only_chat(answer)).probed(way="parse")
    assert sorted(way.api.left_out) == ["max_tokens", "seed", "temperature"] and not way.api.system
    assert {"system", "seed", "temperature", "max_tokens"} <= set(found)


@pytest.mark.parametrize("name", ["model", "messages", "nothing that we send"])
def test_a_refusal_that_names_nothing_that_can_be_left_out_is_told(name):
    wire = Wire(only_chat(lambda asked: (400, error(f"invalid {name}")) if len(asked["messages"]) > 1 else chat("B")))
    with pytest.raises(BadInput, match=f"invalid {name}"):
        wire.probed(way="parse")
    assert len(wire.asked) < 8


def test_draws_of_a_server_that_takes_no_seed_are_several():
    answers = iter("ABBABBABBABB")
    wire = Wire(only_chat(lambda asked: (422, error("seed: extra")) if "seed" in asked else chat(next(answers))))
    way, _, at = wire.probed(way="parse", answers=3)
    probs = way.probs(question(p := heard(), p.turns((), MENU), Place(0, 0, 1)))
    asked = [call for call in at.ledger.calls if call.purpose == "propose by parse" and call.outcome == "ok"]
    assert len(asked) == 3 == len({call.key for call in asked}) and 0 < probs[0] < 1


NO_SYSTEM = [
    (400, error("System role not supported")),
    (400, error("Conversation roles must alternate user/assistant/user/assistant/...")),
    (500, error("Value error: Only user and assistant roles are supported!")),
    (400, error("Developer instruction is not enabled for models/gemma-3")),
    (422, {"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Input should be 'user' or 'assistant'"}]}),
    (400, error("chat template error")),
    (500, error("Internal error")),
]


@pytest.mark.parametrize(("status", "body"), NO_SYSTEM)
def test_a_model_without_a_system_role_hears_the_rules_from_the_user(status, body):
    def answer(asked):
        roles = [message["role"] for message in asked["messages"]]
        alternate = all(role == ("user", "assistant")[i % 2] for i, role in enumerate(roles))
        return chat("B") if alternate else (status, body)

    wire = Wire(only_chat(answer))
    way, found, _ = wire.probed(way="parse")
    assert not way.api.system and "no system role" in found["system"]
    p = heard()
    assert way.probs(question(p, p.turns((), MENU), Place(0, 0, 1))).tolist() == [0, 1, 0]
    first = wire.asked[-1][1]["messages"][0]
    assert first["role"] == "user" and "B. try the back door" in first["content"]


def tops(pairs):
    """An answer whose first token has these probabilities."""
    entries = [{"token": token, "logprob": value} for token, value in pairs]
    content = [{**entries[0], "top_logprobs": entries}]
    return {"choices": [{"index": 0, "message": {"content": "x"}, "logprobs": {"content": content}}]}


def lettered(pairs):
    """A server with chat alone that tells log-probabilities."""
    return Wire(only_chat(lambda asked: tops(pairs) if asked.get("logprobs") else chat("B")))


@pytest.mark.parametrize(
    "pairs",
    [
        [("<think>", -0.0001), ("Okay", -9.5), ("A", -17.0), ("B", -19.0)],
        [("<think>", -0.0001), ("Okay", -9.5), ("The", -10.0)],
        [("The", -0.3), ("A", -2.0), ("B", -2.1)],
        [("\n", -0.2), ("A", -2.0), ("B", -3.0)],
        [("A", -9999.0), ("B", None)],
        [("a", -0.1), ("b", -3.0)],
    ],
)
def test_letters_without_mass_are_passed_over(pairs):
    way, found, _ = lettered(pairs).probed()
    assert way.name == "parse" and ("the letters hold" in found["letters"] or "server" in found["letters"])


@pytest.mark.parametrize(
    ("tokens", "spelt"),
    [
        (("A", "B", "C"), True),
        ((" A", " B", " C"), True),
        (("▁A", "▁B", "▁C"), True),
        (("ĠA", "ĠB", "ĠC"), True),
        (("A.", "B)", "(C"), True),
        (("**A", '"B', "`C"), True),
        (("Ａ", "Ｂ", "Ｃ"), True),
        (("<0x41>", "<0x42>", "<0x43>"), True),
        (("\nA", "ĊB", "C\n"), True),
        (("Apple", "Bee", "See"), False),
        (("AB", "BA", "CC"), False),
        (("1", "2", "3"), False),
    ],
)
def test_how_tokenizers_spell_a_letter(tokens, spelt):
    values = np.log([0.5, 0.3, 0.15])
    mass = mass_of(list(zip(tokens, values, strict=True)), ("A", "B", "C"))
    np.testing.assert_allclose(mass, [0.5, 0.3, 0.15] if spelt else 0, atol=1e-12)


@pytest.mark.parametrize("nothing", [None, -math.inf, -9999.0, -1e30])
def test_what_cannot_come_costs_its_letter_alone(nothing):
    wire = lettered([("A", math.log(0.6)), ("B", math.log(0.3)), ("C", nothing)])
    way, _, _ = wire.probed()
    assert way.name == "letters"
    probs = way.probs(question(p := heard(answer="letter"), p.turns((), MENU), Place(0, 0, 1)))
    np.testing.assert_allclose(probs, [2 / 3, 1 / 3, 0], atol=1e-9)


@pytest.mark.parametrize("wrong", [math.nan, 0.5, "x", True, [1]])
def test_what_is_no_log_probability_costs_the_answer(wrong):
    way, found, _ = lettered([("A", -0.1), ("B", wrong)]).probed()
    assert way.name == "parse" and found["letters"] == "the server ignores logprobs"


def test_a_decision_whose_letters_hold_little_is_not_usable():
    told = [[("A", -0.2), ("B", -2.0)]]
    wire = Wire(only_chat(lambda asked: tops(told[-1]) if asked.get("logprobs") else chat("B")))
    way, _, at = wire.probed()
    assert way.name == "letters"
    told.append([("Sure", -0.1), ("A", -3.0)])
    p = heard()
    assert way.probs(question(p, p.turns((), MENU), Place(0, 0, 1))) is None
    assert at.ledger.calls[-1].outcome == "outside the menu"


@pytest.mark.parametrize(
    ("said", "top"),
    [
        ("Invalid 'top_logprobs': must be between 0 and 5", 5),
        ("top_logprobs must be less than or equal to 8", 8),
        ("Requested sample logprobs of 20, which is greater than max allowed: 5", 5),
        ("top_logprobs: too many", 5),
    ],
)
def test_as_many_first_tokens_as_the_server_tells(said, top):
    def answer(asked):
        if asked.get("top_logprobs", 0) > top:
            return 400, error(said)
        return tops([("A", -0.2), ("B", -2.0)]) if asked.get("logprobs") else chat("B")

    way, _, _ = Wire(only_chat(answer)).probed()
    assert way.name == "letters" and way.api.top == top


@pytest.mark.parametrize(
    "logprobs",
    [
        {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": [{"token": "B", "logprob": -3.0}]}]},
        {"tokens": ["A"], "token_logprobs": [-0.1], "top_logprobs": [{"A": -0.1, "B": -3.0}]},
        {"top_logprobs": [[{"token": "A", "logprob": -0.1}, {"token": "B", "logprob": -3.0}]]},
        [{"token": "A", "logprob": -0.1, "top_logprobs": [{"token": "B", "logprob": -3.0}]}],
        {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": {"A": -0.1, "B": -3.0}}]},
        {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": [None, {"token": "B", "logprob": -3.0}]}]},
        {
            "content": [
                {"token": "A", "logprob": -0.1, "top_logprobs": [{"token": None}, {"token": "B", "logprob": -3.0}]}
            ]
        },
    ],
)
def test_the_forms_in_which_servers_tell_log_probabilities(logprobs):
    assert first_token(logprobs) == {"A": -0.1, "B": -3.0}


@pytest.mark.parametrize("logprobs", [None, {}, {"content": []}, {"content": None}, {"content": [None]}, [], "x", 3])
def test_forms_that_tell_nothing(logprobs):
    assert first_token(logprobs) == {}


# What is said in vain, and how often it is asked for.


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (chat(""), "no words"),
        (chat(None), "no words"),
        (chat(" \n"), "no words"),
        (chat("\u200b"), "no words"),
        (chat([]), "no words"),
        (chat("", reasoning_content="I choose B"), "no words"),
        (chat("<think>B</think>"), "no words"),
        (chat("", "length"), "cut off"),
        (chat("<think>B", "stop"), "cut off"),
        (chat("I could try the back door first, since", "length"), "cut off"),
        (chat("fly to the moon"), "outside the menu"),
        (chat(None, refusal="I'm sorry, I can't help with that."), "declined"),
        (chat("", "content_filter"), "declined"),
        (chat("B", "content_filter"), "declined"),
        (chat("B", "SAFETY"), "declined"),
    ],
)
def test_answers_in_vain_are_asked_for_again_but_never_alike(reply, outcome):
    wire = Wire(only_chat(lambda asked: reply))
    at = wire.endpoint(attempts=8)
    way = Answers(at, Asking(reasks=2))
    p = heard(budget=100_000)
    assert way.probs(question(p, p.turns((), MENU), Place(0, 0, 1), seeds=[1])) is None
    assert [call.outcome for call in at.ledger.calls] == [outcome] * 3
    sent = [json.dumps(body, sort_keys=True) for _, body in wire.asked]
    assert len(set(sent)) == 3
    for _, body in wire.asked:
        assert all(message["content"].strip("\n \u200b") for message in body["messages"])
        roles = [message["role"] for message in body["messages"]]
        assert all(a != b for a, b in zip(roles, roles[1:], strict=False))
    tokens = [body["max_tokens"] for _, body in wire.asked]
    assert tokens == ([32, 32 + REASONING, 32 + 2 * REASONING] if outcome == "cut off" else [32, 32, 32])


def test_more_tokens_never_take_more_than_the_budget_leaves():
    wire = Wire(only_chat(lambda asked: chat("<think>", "length")))
    way, p = Answers(wire.endpoint(), Asking(reasks=2)), heard(budget=1500)
    turns = p.turns((), MENU)
    way.probs(question(p, turns, Place(0, 0, 1), seeds=[1]))
    for _, body in wire.asked:
        size = sum(len(message["content"]) + 1 for message in body["messages"])
        assert size + body["max_tokens"] <= 1500 + 32


def test_a_model_that_reasons_gets_its_tokens_from_the_beginning():
    def answer(asked):
        return chat("<think>long</think>B") if asked["max_tokens"] >= 500 else chat("<think>lo", "length")

    wire = Wire(only_chat(answer))
    way, found, _ = wire.probed(way="parse")
    assert way.tokens == way.api.tokens == REASONING and "2048 tokens" in found["reasoning"]
    assert Api.of({"asks": json.loads(json.dumps(way.api.about))}) == way.api


def test_a_prompt_that_is_filtered_ends_no_run():
    def answer(asked):
        probing = "rehearsal" in json.dumps(asked) or len(asked["messages"]) < 2
        return chat("B") if probing else (400, error("content management policy", code="content_filter"))

    way, _, _ = Wire(only_chat(answer)).probed(way="parse")
    with pytest.raises(Refused) as refused:
        way.probs(question(p := heard(), p.turns((), MENU), Place(0, 0, 1)))
    assert refused.value.outcome == "filtered (400)"  # of which the planner makes an invalid decision


# Budgets that come down.


@pytest.mark.parametrize(
    ("size", "limit", "asked", "tokens", "budget"),
    [
        (4000, 0, 0, 32, 3000),  # nothing is told: a quarter less
        (4000, 1024, 2048, 32, int(4000 * 0.95 * 992 / 2048)),  # our count is corrected by the server's
        (4000, 3900, 0, 32, 3868),  # what surely fits
        (4000, 512, 0, 32, 3000),
        (4000, 100, 5000, 200, 3000),  # the answer alone is too long
        (4000, 1, 10**9, 0, 400),  # never to less than a tenth at once
    ],
)
def test_by_how_much_a_budget_comes_down(size, limit, asked, tokens, budget):
    assert smaller(size, limit, asked, tokens) == budget < size


def test_a_prompt_that_does_not_fit_is_no_failure_of_the_way():
    wire = Wire(only_chat(lambda asked: (400, error("prompt is too long: 900 tokens > 512 maximum"))))
    way, p = Answers(wire.endpoint(), Asking()), heard()
    with pytest.raises(Overflow):
        way.probs(question(p, p.turns((), MENU), Place(0, 0, 1)))
    assert len(wire.asked) == 1


# Echoed texts.


def by_bytes(text: str, lose_spaces: bool, special: bool) -> list[tuple[str, bytes]]:
    """Tokens of a text: pieces of 1 to 4 bytes, by what came before; as shown, and as they are."""
    raw, at, found = text.encode(), 0, []
    if special:
        found.append(("<s>", b""))
    while at < len(raw):
        length = 1 + hashlib.sha256(raw[:at]).digest()[0] % 4
        piece = raw[at : at + length]
        shown = piece.decode(errors="replace")
        found.append((shown.removeprefix(" ") if lose_spaces and len(shown) > 1 else shown, piece))
        at += length
    return found


def value_of(tokens: list[tuple[str, bytes]], i: int) -> float:
    before = b"".join(piece for _, piece in tokens[: i + 1])
    return -5 * int.from_bytes(hashlib.sha256(before).digest()[:6]) / 2**48


WORDS = ["open", "🚪", "🪟", " ", "door", "é", "日本", "語", "\n", "> ", "hall", "x", "🚪🚪", "a b", "ab", "—"]


@pytest.mark.parametrize("seed", range(60))
def test_what_texts_share_is_found_whatever_is_shown_of_their_tokens(seed):
    """The scores are those of whole texts, whose shared beginnings make no difference."""
    rng = random.Random(seed)
    prompt = "task: go\n" + "".join(rng.choices(WORDS, k=rng.randrange(40))) + "\n"
    texts = [prompt + "> " + "".join(rng.choices(WORDS, k=rng.randint(1, 4))) + "\n" for _ in range(4)]
    if len(set(texts)) < 4:
        return
    tokens = [by_bytes(text, rng.random() < 0.5 and seed % 2 == 0, seed % 3 == 0) for text in texts]
    values = [[value_of(one, i) for i in range(len(one))] for one in tokens]
    noisy = [[v + 1e-5 * rng.random() for v in one] for one in values]
    begin = shared([[shown for shown, _ in one] for one in tokens], noisy, texts)
    assert begin >= 1
    whole = np.array([sum(one) for one in values])
    after = np.array([sum(one[begin:]) for one in values])
    np.testing.assert_allclose(after - after[0], whole - whole[0], atol=1e-9)


def test_nearly_all_of_a_prompt_is_shared_though_a_server_computes_with_noise():
    prompt = "task: go home\n" + "you stand in the hall\n> walk on\n" * 100
    texts = [prompt + f"> {said}\n" for said in MENU]
    tokens = [by_bytes(text, False, True) for text in texts]
    noisy = [[value_of(one, i) + random.random() for i in range(len(one))] for one in tokens]
    begin = shared([[shown for shown, _ in one] for one in tokens], noisy, texts)
    sure = len([1 for i in range(1, len(tokens[0])) if sum(len(p) for _, p in tokens[0][:i]) <= len(prompt)])
    assert begin >= sure - 2


def test_tokens_shown_by_number_are_compared_by_it():
    tokens = [["token_id:1", "token_id:2", "token_id:3"], ["token_id:1", "token_id:2", "token_id:4"]]
    assert shared(tokens, [[0.0, -1.0, -2.0], [0.0, -1.1, -2.0]], ["ab c", "ab d"]) == 2


def echoing(values_of):
    """A server that echoes; `values_of(text)` are the log-probabilities of its characters."""

    def answer(path, body):
        if path.endswith("/models"):
            return {"data": [{"id": "m"}]}
        if "chat" in path:
            return chat("A")
        choices = []
        for index, text in enumerate(body["prompt"]):
            told = {"tokens": list(text), "token_logprobs": values_of(text)}
            choices.append({"index": index, "text": text, "logprobs": told})
        return {"choices": choices}

    return Wire(answer)


def ask_echo(wire, **options):
    p = heard("transcript")
    return Echo(wire.endpoint(), Asking(**options)).probs(question(p, p.turns((), MENU), Place(0, 0, 1)))


@pytest.mark.parametrize("nothing", [None, -math.inf, -9999.0])
@pytest.mark.parametrize("normalise", ["none", "length", "menu"])
def test_a_token_that_cannot_come_costs_its_candidate_alone(nothing, normalise):
    def values(text):
        told = [None, *[-0.1] * (len(text) - 1)]
        if text.endswith("wait\n"):
            told[-3] = nothing
        return told

    probs = ask_echo(echoing(values), normalise=normalise)
    assert probs[2] == 0 and probs[:2].min() > 0 and probs.sum() == pytest.approx(1)


@pytest.mark.parametrize("wrong", [math.nan, 1.0, "x", True])
def test_a_value_that_is_none_costs_the_answer(wrong):
    assert ask_echo(echoing(lambda text: [None, *[-0.1] * (len(text) - 2), wrong])) is None


def test_where_no_candidate_can_come_there_is_no_answer():
    assert ask_echo(echoing(lambda text: [None, *[-0.1] * (len(text) - 2), None])) is None


def test_of_two_ways_the_cheaper_is_taken_where_history_is_long(monkeypatch):
    """A server that reads the whole prompt again for echo, and one that does not."""
    clock = [0.0]
    monkeypatch.setattr("parley.planners.ways.dearness.time.perf_counter", lambda: clock[0])

    def server(echo_s: float):
        def answer(path, body):
            if path.endswith("/models"):
                return {"data": [{"id": "m"}]}
            clock[0] += echo_s if "chat" not in path else 0.1
            if "chat" in path:
                return tops([("A", -0.2), ("B", -2.0)]) if body.get("logprobs") else chat("A")
            choices = []
            for index, text in enumerate(body["prompt"]):
                told = {"tokens": list(text), "token_logprobs": [None, *[-0.1] * (len(text) - 1)]}
                choices.append({"index": index, "text": text, "logprobs": told})
            return {"choices": choices}

        return Wire(answer)

    way, found, _ = server(3.0).probed(history="> go on\nit is\n" * 1000)
    assert way.name == "letters" and found["history"].startswith(
        "letters: after 14,000 characters a call takes echo 3.0"
    )
    way, found, _ = server(0.12).probed(history="> go on\nit is\n" * 1000)
    assert way.name == "echo" and found["history"].startswith("echo: after 14,000 characters")
    way, found, _ = server(3.0).probed()
    assert way.name == "echo" and "history" not in found
    assert isinstance(way, Echo) and not isinstance(way, Letters)
