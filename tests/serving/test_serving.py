"""`parley serve` against the forward pass, transformers, and the openai client."""

import json
import threading
import urllib.error
import urllib.request

import numpy as np
import openai
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from parley import assemble
from parley.core.errors import BadInput
from parley.models.llama import Llama
from parley.serving.app import Running
from parley.serving.engine import TOP, Engine, Sampling, _scored
from parley.serving.language import texts_of

PATH = assemble.shipped("shortcut")
TEXT = "task: go to the garden\nyou stand in the hall\n> try the back door\nyou stand in the hall\n"


@pytest.fixture(scope="module")
def server():
    with Running(PATH) as running:
        yield running


@pytest.fixture
def client(server):
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        yield client


def post(server, path: str, body, headers=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = urllib.request.Request(
        f"{server.base_url}/{path}", data, {"Content-Type": "application/json", **(headers or {})}
    )
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as wrong:
        with wrong:
            return wrong.code, json.loads(wrong.read())


def own_logprobs(tokens: list[int]) -> np.ndarray:
    logits = Llama(PATH).cache(1).append(np.array([tokens]), every=True)[0].astype(float)
    logs = (
        logits
        - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True))
        - logits.max(1, keepdims=True)
    )
    return logs[np.arange(len(tokens) - 1), tokens[1:]]


def test_every_logits_are_those_one_by_one():
    tokens = np.array([[5, 9, 300, 7]])
    whole, cache = Llama(PATH).cache(1).append(tokens, every=True), Llama(PATH).cache(1)
    for i in range(4):
        np.testing.assert_allclose(cache.append(tokens[:, i : i + 1])[0], whole[0, i], atol=1e-4)


def test_a_branch_goes_on_by_itself():
    cache = Llama(PATH).cache(1)
    cache.append(np.array([[5, 9, 300]]))
    branch = cache.branch(2)
    a, b = cache.append(np.array([[7]])), branch.append(np.array([[300, 7]]))
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_echoed_logprobs_are_the_models_and_transformers(client, server):
    tokenizer, model = AutoTokenizer.from_pretrained(PATH), AutoModelForCausalLM.from_pretrained(PATH)
    (choice,) = client.completions.create(model="shortcut", prompt=TEXT, max_tokens=0, echo=True, logprobs=3).choices
    ids = tokenizer(TEXT).input_ids
    assert choice.text == TEXT and len(choice.logprobs.tokens) == len(ids)
    assert choice.logprobs.token_logprobs[0] is None
    np.testing.assert_allclose(choice.logprobs.token_logprobs[1:], own_logprobs(ids), atol=1e-6)
    with torch.no_grad():
        logs = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    theirs = logs[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].numpy()
    np.testing.assert_allclose(choice.logprobs.token_logprobs[1:], theirs, atol=1e-4)
    assert [len(top) for top in choice.logprobs.top_logprobs[1:]] == [3] * (len(ids) - 1)
    assert [TEXT[at:] for at in choice.logprobs.text_offset][-1] == choice.logprobs.tokens[-1]


@pytest.mark.parametrize("num_tokens", [3, TOP, 500])
def test_the_likeliest_tokens_come_in_order_and_equal_ones_by_their_number(num_tokens: int) -> None:
    draws = np.random.default_rng(num_tokens)
    for values in (2, 5, 10**6):  # many are equal, some are, none is
        logs = np.append(draws.integers(values, size=num_tokens - 1).astype(float), -np.inf)
        found = _scored(1, logs)
        assert found.logprob == logs[1]
        due = sorted(range(num_tokens), key=lambda i: (-logs[i], i))[:TOP]
        assert found.top == [(i, logs[i]) for i in due]


def test_logprobs_do_not_depend_on_what_was_read_before(server):
    engine, (ids, _) = Engine(PATH, sessions=2), Engine(PATH).encode(TEXT)
    rng = np.random.default_rng(0)
    for _ in range(40):
        cut = int(rng.integers(1, len(ids)))
        prompts = [ids[:cut] + rng.integers(300, 310, int(rng.integers(0, 3))).tolist() for _ in range(3)]
        read, _ = engine.read(prompts)
        for prompt, tokens in zip(prompts, read, strict=True):
            assert [t.id for t in tokens] == prompt and tokens[0].logprob is None
            np.testing.assert_allclose([t.logprob for t in tokens[1:]], own_logprobs(prompt), atol=1e-4)


def test_greedy_text_is_that_of_transformers(client):
    tokenizer, model = AutoTokenizer.from_pretrained(PATH), AutoModelForCausalLM.from_pretrained(PATH)
    asked = tokenizer(TEXT, return_tensors="pt")
    with torch.no_grad():
        theirs = model.generate(**asked, do_sample=False, max_new_tokens=8)[0, asked.input_ids.shape[1] :]
    found = client.completions.create(model="shortcut", prompt=TEXT, max_tokens=8, temperature=0)
    assert found.choices[0].text == tokenizer.decode(theirs)
    assert found.usage.completion_tokens == 8 and found.choices[0].finish_reason == "length"
    messages = [{"role": "user", "content": TEXT.rstrip("\n")}]
    said = client.chat.completions.create(model="shortcut", messages=messages, max_tokens=8, temperature=0)
    assert said.choices[0].message.content + "\n" == tokenizer.decode(theirs)


def test_the_prefix_cache_is_used_and_told(client):
    prompt = "task: go to the garden\nyou stand in the corridor\n" * 5
    # Nothing is generated: a sampled token might be the beginning of a candidate, and then be found in the cache.
    first = client.completions.create(model="shortcut", prompt=prompt, max_tokens=0, echo=True).usage
    again = client.completions.create(model="shortcut", prompt=prompt + TEXT, max_tokens=0, echo=True).usage
    assert again.prompt_tokens_details.cached_tokens >= first.prompt_tokens == 10
    candidates = [prompt + TEXT + f"> {said}\n" for said in ("walk on along the corridor", "try the back door")]
    echoed = client.completions.create(model="shortcut", prompt=candidates, max_tokens=0, echo=True, logprobs=0).usage
    assert echoed.prompt_tokens - echoed.prompt_tokens_details.cached_tokens == 2


def test_runs_with_a_common_beginning_keep_their_sessions():
    engine = Engine(PATH)
    (ids, _) = engine.encode(TEXT)
    prompts = [[*ids, 300 + r] for r in range(8)]
    for turn in range(4):
        for r in range(8):
            _, (cached,) = engine.read([prompts[r]])
            assert turn == 0 or cached == len(prompts[r]) - 1
            prompts[r].append(310 + turn)


def test_seeds_make_answers(client):
    def say(seed, n=4):
        found = client.completions.create(model="shortcut", prompt=TEXT, max_tokens=6, seed=seed, n=n, temperature=2)
        return [choice.text for choice in found.choices]

    assert say(1) == say(1) and len(set(say(1, 16))) > 1
    assert say(1, 16) != say(2, 16)


def test_samples_follow_the_probabilities():
    engine = Engine(PATH)
    ids, _ = engine.encode(TEXT)
    drawn = [engine.generate(ids, Sampling(1, seed=0), i)[0].tokens[0] for i in range(500)]
    for token, logprob in drawn[0].top[:2]:
        share = np.mean([t.id == token for t in drawn])
        assert abs(share - np.exp(logprob)) < 5 * np.sqrt(0.25 / 500)  # five standard deviations
    narrow = {engine.generate(ids, Sampling(1, top_p=1e-9, seed=i))[0].tokens[0].id for i in range(20)}
    assert narrow == {drawn[0].top[0][0]}


def test_answers_keep_to_a_schema(client):
    schema = {"type": "object", "properties": {"subgoal": {"enum": ["walk on", 'say "hi"', "zürich"]}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    messages = [{"role": "user", "content": "hello"}]
    found = client.chat.completions.create(
        model="shortcut", messages=messages, response_format=form, n=20, seed=3, temperature=2, max_tokens=64
    )
    said = {json.loads(choice.message.content)["subgoal"] for choice in found.choices}
    assert said <= {"walk on", 'say "hi"', "zürich"} and len(said) > 1
    assert all(choice.finish_reason == "stop" for choice in found.choices)


@pytest.mark.parametrize(
    "form",
    [
        {"type": "yaml"},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"schema": {"type": "string"}}},
        {"type": "json_schema", "json_schema": {"schema": {"type": "object", "properties": {}}}},
        {"type": "json_schema", "json_schema": {"schema": {"enum": []}}},
        {"type": "json_schema", "json_schema": {"schema": {"enum": [["a"]]}}},
        {
            "type": "json_object",
            "schema": {"type": "object", "properties": {k: {"enum": list(range(300))} for k in "ab"}},
        },
    ],
)
def test_schemas_that_are_not_supported(form):
    with pytest.raises(BadInput, match="response_format"):
        texts_of(form)


def test_first_token_logprobs_of_a_chat(client):
    messages = [{"role": "user", "content": TEXT.rstrip("\n")}]
    found = client.chat.completions.create(
        model="shortcut", messages=messages, max_tokens=1, logprobs=True, top_logprobs=5
    )
    (first,) = found.choices[0].logprobs.content
    assert len(first.top_logprobs) == 5
    values = [top.logprob for top in first.top_logprobs]
    assert values == sorted(values, reverse=True) and 0.9 < sum(np.exp(values)) <= 1


def test_stops_and_streams(client):
    whole = client.completions.create(model="shortcut", prompt=TEXT, max_tokens=6, temperature=0).choices[0].text
    first = client.completions.create(model="shortcut", prompt=TEXT, max_tokens=6, temperature=0, stop="\n")
    assert first.choices[0].text == whole.split("\n")[0] and first.choices[0].finish_reason == "stop"
    with client.completions.create(model="shortcut", prompt=TEXT, max_tokens=6, temperature=0, stream=True) as stream:
        assert "".join(event.choices[0].text for event in stream if event.choices) == whole
    messages = [{"role": "user", "content": TEXT.rstrip("\n")}]
    with client.chat.completions.create(
        model="shortcut", messages=messages, max_tokens=6, temperature=0, stream=True
    ) as stream:
        said = "".join(event.choices[0].delta.content for event in stream if event.choices)
    assert said == whole.removesuffix("\n")


def test_prompts_may_be_token_ids_and_lists(client):
    ids, _ = Engine(PATH).encode(TEXT)
    found = client.completions.create(model="shortcut", prompt=[ids, ids], max_tokens=1, temperature=0, echo=True)
    assert [choice.text.startswith(TEXT) for choice in found.choices] == [True, True]
    assert [choice.index for choice in found.choices] == [0, 1]


def test_text_makes_no_special_tokens():
    ids, _ = Engine(PATH).encode("<|endoftext|>")
    assert not set(ids) & Engine(PATH).ends


def test_many_threads_get_the_answers_of_one(client):
    prompts = [
        TEXT + f"> {said}\n" * n for said in ("walk on along the corridor", "try the back door") for n in range(16)
    ]
    expected = [own_logprobs(Engine(PATH).encode(prompt)[0])[-1] for prompt in prompts]
    found: dict[int, float] = {}

    def ask(i: int) -> None:
        answer = client.completions.create(model="shortcut", prompt=prompts[i], max_tokens=0, echo=True, logprobs=0)
        found[i] = answer.choices[0].logprobs.token_logprobs[-1]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose([found[i] for i in range(len(prompts))], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("completions", b"{", 400, "no JSON"),
        ("completions", [], 400, "JSON object"),
        ("completions", {"model": "gpt", "prompt": "a"}, 404, "not served"),
        ("completions", {"model": "shortcut"}, 400, "prompt"),
        ("completions", {"model": "shortcut", "prompt": ""}, 400, "empty"),
        ("completions", {"model": "shortcut", "prompt": [10**9]}, 400, "token ids"),
        ("completions", {"model": "shortcut", "prompt": "a", "n": 0}, 400, "n=0"),
        ("completions", {"model": "shortcut", "prompt": "a", "max_tokens": "x"}, 400, "max_tokens"),
        ("completions", {"model": "shortcut", "prompt": "a", "temperature": True}, 400, "temperature"),
        ("completions", {"model": "shortcut", "prompt": "a", "logprobs": 99}, 400, "logprobs"),
        ("completions", {"model": "shortcut", "prompt": "x " * 5000}, 400, "longer than this model"),
        ("completions", {"model": "shortcut", "prompt": "a", "stop": [1]}, 400, "stop"),
        ("chat/completions", {"model": "shortcut", "messages": []}, 400, "messages"),
        ("chat/completions", {"model": "shortcut", "messages": [{"role": "user"}]}, 400, "messages"),
        ("embeddings", {}, 404, "there is no"),
    ],
)
def test_errors_are_those_of_the_api(server, path, body, status, says):
    found, answer = post(server, path, body)
    assert found == status and says in answer["error"]["message"]


def test_a_prompt_beyond_the_context_has_its_code(server):
    _, answer = post(server, "completions", {"model": "shortcut", "prompt": "x " * 5000})
    assert answer["error"]["code"] == "context_length_exceeded"


def test_a_key_is_asked_for():
    with Running(PATH, key="sesame-open") as running:
        body = {"model": "shortcut", "prompt": "a", "max_tokens": 1}
        assert post(running, "completions", body)[0] == 401
        assert post(running, "completions", body, {"Authorization": "Bearer wrong"})[0] == 401
        assert post(running, "completions", body, {"Authorization": "Bearer sesame-open"})[0] == 200


def test_models_are_listed(client):
    (model,) = client.models.list().data
    assert model.id == "shortcut" and model.max_model_len == Engine(PATH).positions


def test_what_is_no_checkpoint(tmp_path):
    with pytest.raises(BadInput):
        Engine(tmp_path)
