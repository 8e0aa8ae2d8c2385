"""Shipped checkpoints outside of this package: plain transformers, and `transformers serve`."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from parley import assemble
from parley.execute import RunConfig, run
from parley.models.llama import Llama
from parley.report.summary import Curves
from tests.talker import Talker

SHIPPED = assemble.shipped_names()
NEW = 24  # tokens


def beginning(world: str) -> str:
    tables = assemble.world(world).tables
    heard = tables.initial[0] @ tables.emission[0]
    return f"task: {tables.instructions[0]}\n{tables.observations[int(heard.argmax())]}\n"


def continued(path: Path, tokens: list[int]) -> list[int]:
    """Our own greedy continuation."""
    cache, found = Llama(path).cache(1), []
    logits = cache.append(np.array([tokens]))
    for _ in range(NEW):
        found.append(int(logits[0].argmax()))
        logits = cache.append(np.array([found[-1:]]))
    return found


@pytest.mark.parametrize("world", SHIPPED)
def test_the_same_greedy_text_in_plain_transformers(world):
    path = assemble.shipped(world)
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModelForCausalLM.from_pretrained(path)
    asked = tokenizer(beginning(world), return_tensors="pt")
    with torch.no_grad():
        said = model.generate(**asked, do_sample=False, max_new_tokens=NEW)[0, asked.input_ids.shape[1] :].tolist()
    expected = continued(path, asked.input_ids[0].tolist())
    assert said == expected[: len(said)] and len(said) > 3
    assert tokenizer.decode(said).splitlines()[0] in {f"> {g}" for g in assemble.world(world).tables.menus[0]}


@pytest.fixture(scope="module")
def server():
    """`transformers serve` on a free port; to start takes it half a minute on a busy machine."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", "--port", str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    try:
        for _ in range(600):
            assert process.poll() is None
            try:
                urllib.request.urlopen(f"http://localhost:{port}/health", timeout=10).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://localhost:{port}/v1"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_it_answers_over_transformers_serve(server):
    path = assemble.shipped("shortcut")
    text = beginning("shortcut")
    token_of = AutoTokenizer.from_pretrained(path)
    expected = token_of.decode(continued(path, token_of(text).input_ids)[:4])
    body = {"model": str(path), "max_tokens": 4, "temperature": 0, "stream": False}
    messages = [{"role": "user", "content": text.rstrip("\n")}]
    for kind, more in (("completions", {"prompt": text}), ("chat/completions", {"messages": messages})):
        asked = urllib.request.Request(
            f"{server}/{kind}", json.dumps(body | more).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=300) as answer:
            (choice,) = json.loads(answer.read())["choices"]
        assert (choice["text"] if kind == "completions" else choice["message"]["content"]) == expected


@pytest.mark.slow
def test_an_endpoint_planner_finds_out_what_transformers_serve_cannot_do(server, tmp_path):
    path = assemble.shipped("shortcut")
    spec = f"endpoint:model=vllm/{path},base_url={server},template=transcript,max_tokens=1,temperature=0,backoff_s=0.01"
    spec += ",timeout_s=300"
    manifest = run(RunConfig("shortcut", f"{spec},tokenizer={path}", runs=1, episodes=2), tmp_path / "served")
    assert manifest["planner"]["way"] == "parse"
    assert set(manifest["planner"]["probe"]) == {"api", "echo", "letters", "constrained", "parse"}
    served, local = Curves.read(tmp_path / "served"), tmp_path / "local"
    run(RunConfig("shortcut", "transformer:decode=greedy", runs=1, episodes=2), local)
    np.testing.assert_allclose(served.values, Curves.read(local).values, atol=1e-12)


def test_a_served_model_that_fails_a_probe_is_not_given_up(tmp_path):
    """llama.cpp's server answers a JSON schema with 500: that way is none, another one is."""

    def fault(body: dict) -> str:
        return "500" if "response_format" in body else ""

    with Talker({"chat"}, fault=fault) as talker:
        spec = f"endpoint:model=vllm/m,base_url={talker.base_url},backoff_s=0.001"
        manifest = run(RunConfig("shortcut", spec, runs=1, episodes=1), tmp_path / "run")
    assert manifest["planner"]["probe"]["constrained"] == "the server refuses: server error (500)"
    assert manifest["planner"]["way"] == "parse"
