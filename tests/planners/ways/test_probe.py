import pytest

from parley.core.errors import BadInput
from parley.execute import RunConfig, run
from tests.talker import Talker, config, rows


class Reasoning(Talker):
    """A chat model that reasons first, as OpenAI's do: another name for the limit, one temperature, no log-probs."""

    needs = 100  # tokens, before it says anything

    def reply(self, path: str, body: dict) -> tuple[int, dict]:
        if not path.endswith("/chat/completions") or body.get("model") != "m":
            return super().reply(path, body) if path.endswith("/models") else (404, {"error": {"message": "no"}})
        for name, wrong in (("max_tokens", "max_tokens" in body), ("logprobs", "logprobs" in body)):
            if wrong:
                said = f"Unsupported parameter: {name!r} is not supported with this model. "
                said += "Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
                return 400, {"error": {"message": said, "code": "unsupported_parameter"}}
        if body.get("temperature", 1) != 1:
            return 400, {"error": {"message": "Unsupported value: 'temperature'", "code": "unsupported_value"}}
        reply = self._chat(body)
        if body["max_completion_tokens"] < self.needs:
            reply["choices"][0] |= {"finish_reason": "length", "message": {"role": "assistant", "content": ""}}
        return 200, reply


@pytest.mark.parametrize("memory", ["full", "note"])
def test_models_that_cannot_but_reason_are_asked_in_their_way(tmp_path, memory):
    with Reasoning({"chat"}) as talker:
        manifest = run(config(talker, "auto", runs=1, episodes=2, more=f",memory={memory}"), tmp_path / "run")
    about = manifest["planner"]
    assert (about["way"], about["probe"]["api"]) == ("parse", "chat, max_completion_tokens")
    assert about["probe"]["letters"] == "the server refuses: refused (400)"
    assert rows(tmp_path / "run", "SELECT DISTINCT proposal_source FROM steps") == [("parse: 1 answer",)]


def test_reasoning_that_takes_all_tokens_is_no_answer_and_is_asked_again_with_more(tmp_path):
    with Reasoning({"chat"}) as talker:
        run(config(talker, "parse", runs=1, episodes=1, more=",max_tokens=20,reasks=1"), tmp_path / "run")
    asked = "SELECT outcome, count(*) FROM calls WHERE purpose LIKE 'propose%' GROUP BY 1"
    assert rows(tmp_path / "run", asked) == [("cut off", 3), ("ok", 3)]
    assert rows(tmp_path / "run", "SELECT DISTINCT proposal_source FROM steps") == [("parse: 1 answer",)]


@pytest.mark.parametrize(("api", "path"), [("chat", "/v1/chat/completions"), ("completions", "/v1/completions")])
def test_the_api_can_be_chosen(tmp_path, api, path):
    class Both(Talker):
        def _echo(self, body: dict) -> dict:
            return {"choices": [{"index": 0, "text": "A"}]}

    with Both() as talker:
        manifest = run(config(talker, "parse", runs=1, episodes=1, more=f",api={api}"), tmp_path / "run")
        assert {where for where, body, _ in talker.said if body} == {path}
    assert manifest["planner"]["probe"]["api"] == api


def test_an_api_that_is_not_there(tmp_path):
    with Talker({"chat"}) as talker, pytest.raises(BadInput, match="not found"):
        run(config(talker, "parse", more=",api=completions"), tmp_path / "run")
    with Talker() as talker, pytest.raises(BadInput, match="api='rest'"):
        run(RunConfig("shortcut", config(talker, "parse", more=",api=rest").planner), tmp_path / "run")
