"""Runs against a server whose context is smaller than was believed: prompts become shorter by rule, and stay so."""

import json
from pathlib import Path

import pytest

from parley.core.calls import RunPaused
from parley.core.errors import BadInput
from parley.execute import RunConfig, resume, run
from parley.runs.ledger import Limits
from tests.talker import EVERYTHING, Talker, config, is_asked, letter_by_chance, rows, tables

WORDINGS = {
    "a code alone": ("too long", {"code": "context_length_exceeded"}),
    "llama.cpp": ("the request exceeds the available context size (1900 tokens), try increasing it", {"n_ctx": 1900}),
    "TGI": (
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 1900. Given: {asked} `inputs` tokens",
        {},
    ),
    "Anthropic": ("prompt is too long: {asked} tokens > 1900 maximum", {}),
    "GLM": ("Prompt exceeds max length", {"code": "1261"}),
    "Ollama": ("the input length exceeds the context length", {}),
}


class Smaller(Talker):
    """Does not tell its context, and counts a token for each four bytes; `wording` is how it says what does not fit."""

    wording, context_tokens, bytes_per_token = "a code alone", 1900, 1

    def reply(self, path: str, body: dict) -> tuple[int, dict]:
        if body and self.size(body) // self.bytes_per_token > self.context_tokens:
            said, more = WORDINGS[self.wording]
            asked = self.size(body) // self.bytes_per_token
            return 400, {"error": {"message": said.format(asked=asked), **more}}
        return super().reply(path, body)


def longest(talker: Smaller) -> int:
    """Tokens of the longest prompt that was answered."""
    sizes = (talker.size(body) // talker.bytes_per_token for _, body, _ in talker.said if is_asked(body))
    return max(size for size in sizes if size <= talker.context_tokens)


@pytest.mark.parametrize("wording", WORDINGS)
def test_every_wording_makes_prompts_shorter(tmp_path, wording):
    with Smaller({"chat"}) as talker:
        talker.wording = wording
        manifest = run(config(talker, "parse", runs=2, episodes=16), tmp_path / "run")
    assert manifest["status"] == "finished" and manifest["planner"]["budget"] == 8192 - 32
    narrowed = rows(tmp_path / "run", "SELECT run, outcome FROM calls WHERE purpose = 'smaller budget'")
    assert {run for run, _ in narrowed} == {0, 1} and all(900 < int(budget) < 2400 for _, budget in narrowed)
    assert rows(tmp_path / "run", "SELECT DISTINCT proposal_source FROM steps") == [("parse: 1 answer",)]
    assert longest(talker) > 1400
    assert "smaller budget" not in json.dumps(manifest["totals"])


def run_whole_and_cut(cfg: RunConfig, tmp_path: Path) -> None:
    """Run at once, and paused three times: the tables are equal, and nothing that was answered is asked again."""
    run(cfg, tmp_path / "whole")
    spent = sum(rows(tmp_path / "whole", "SELECT sum(prompt_tokens), sum(completion_tokens) FROM calls")[0])
    for part in range(1, 4):
        limits = Limits(tokens=int(spent * part / 4))
        try:
            resume(tmp_path / "cut", limits=limits) if part > 1 else run(cfg, tmp_path / "cut", limits=limits)
        except RunPaused:
            continue
    if json.loads((tmp_path / "cut/manifest.json").read_text())["status"] != "finished":
        resume(tmp_path / "cut")
    assert tables(tmp_path / "cut") == tables(tmp_path / "whole")
    answered = "SELECT max(n) FROM (SELECT count(*) n FROM calls WHERE outcome = 'ok' GROUP BY key)"
    assert rows(tmp_path / "cut", answered) == [(1,)]


@pytest.mark.parametrize("memory", ["full", "window,size=5", "summary", "retrieval,size=5", "note,words=20"])
@pytest.mark.parametrize("way", ["parse", "letters", "echo"])
def test_every_memory_and_way_goes_on_and_a_resumption_asks_nothing_twice(tmp_path, memory, way):
    if way == "echo" and memory.startswith("note"):
        pytest.skip("a note is asked for by chat")
    with Smaller(EVERYTHING if way == "echo" else EVERYTHING - {"echo"}) as talker:
        talker.context_tokens = 1300 if way != "echo" else 500
        cfg = config(talker, way, runs=2, episodes=8, more=f",memory={memory}")
        run_whole_and_cut(cfg, tmp_path)
    cut, whole = (rows(tmp_path / name, NARROWED) for name in ("cut", "whole"))
    assert cut == whole and (whole or memory in ("summary", "note,words=20"))


NARROWED = "SELECT run, episode, step, outcome FROM calls WHERE purpose = 'smaller budget' ORDER BY 1, 2, 3, rowid"


def test_a_context_that_the_rules_alone_do_not_fit_ends_the_run_with_the_servers_words(tmp_path):
    with Smaller({"chat"}) as talker:
        talker.context_tokens, talker.wording = 400, "Anthropic"
        with pytest.raises(BadInput, match="tokens > 1900 maximum"):
            run(config(talker, "parse", runs=1, episodes=1), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_answer_that_takes_all_of_the_context_is_made_shorter(tmp_path):
    with Smaller({"chat"}) as talker:
        talker.context_tokens, talker.wording = 1900, "llama.cpp"
        run(config(talker, "parse", runs=1, episodes=2, more=",max_tokens=1800"), tmp_path / "run")
        asked = [body["max_tokens"] for _, body, _ in talker.said if is_asked(body)]
    assert asked[-1] == 475 and rows(tmp_path / "run", "SELECT DISTINCT proposal_source FROM steps") != [("invalid",)]


def test_options_of_asking_may_be_changed_on_resuming(tmp_path):
    """A budget, a way, a time-out: the run goes on with these, and its manifest says so."""
    with Talker(answer=letter_by_chance) as talker:
        with pytest.raises(RunPaused):
            run(config(talker, "parse", runs=1, episodes=12), tmp_path / "run", limits=Limits(tokens=2000))
        said = []
        done = resume(
            tmp_path / "run", warn=said.append, changes={"budget": "1500", "way": "letters", "timeout_s": "7"}
        )
        sizes = [talker.size(body) for body in talker.asked()[-10:]]
    assert done["status"] == "finished" and max(sizes) <= 1500 + 32
    assert any("way was 'parse', is 'letters'" in one and "budget was" in one for one in said)
    assert "budget=1500" in done["config"]["planner"] and "way=letters" in done["config"]["planner"]
    assert len(done["changed"]) == 1 and "way=parse" in done["changed"][0]["was"]


@pytest.mark.parametrize(
    "changes", [{"model": "vllm/other"}, {"memory": "summary"}, {"template": "stated"}, {"x": "1"}]
)
def test_what_a_run_is_may_not_be_changed_on_resuming(tmp_path, changes):
    with Talker() as talker:
        with pytest.raises(RunPaused):
            run(config(talker, "parse", runs=1, episodes=4), tmp_path / "run", limits=Limits(tokens=500))
        with pytest.raises(BadInput, match="cannot be changed on resuming"):
            resume(tmp_path / "run", changes=changes)
