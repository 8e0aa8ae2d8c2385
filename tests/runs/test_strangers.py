"""Run directories of strangers: what they name is neither imported, read, asked nor written, unless trusted."""

import copy
import inspect
import json
import random
import shutil

import pytest

from parley import assemble
from parley.assemble import trust
from parley.cli import main
from parley.execute import RunConfig, run
from parley.runs.ownership import mine, signature
from parley.worlds.kit.alterations import ALTERATIONS

CONFIG = RunConfig("shortcut", "exact", episodes=9, runs=2, seed=1, record="steps")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    run(CONFIG, out)
    return out


@pytest.fixture
def crafted(finished, tmp_path, monkeypatch):
    """Copies the run, changes its manifest, and goes to another user's place."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    def make(status="interrupted", **changes):
        out = tmp_path / "crafted"
        shutil.copytree(finished, out)
        manifest = json.loads((out / "manifest.json").read_text())
        for key, value in changes.items():
            if key in manifest["config"]:
                manifest["config"][key] = value
            else:
                manifest[key] = value
        manifest["status"] = status
        (out / "manifest.json").write_text(json.dumps(manifest))
        return out

    return make


def call(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, " ".join(said.err.split()), said.out


EVIL = "open('ran', 'w').close()\nclass World:\n    pass\n"
DEEDS = [
    ({"world": "evil:World"}, "import 'evil:World'"),
    ({"world": "evil:World:size=3"}, "import 'evil:World:size=3'"),
    ({"world": "secret.json"}, "read the world file 'secret.json'"),
    ({"world": "secret.json:floor=0.1"}, "read the world file 'secret.json'"),
    ({"world": "shortcut:reporter=learned:evil"}, "read 'evil' as a learned reporter"),
    ({"planner": "evil:World"}, "import 'evil:World'"),
    ({"planner": "transformer:checkpoint=evil"}, "read 'evil' as checkpoint="),
    ({"planner": "hf:evil/model"}, "read 'evil/model' as path="),
    ({"planner": "endpoint:model=openai/gpt"}, "ask 'openai/gpt' with a key of yours"),
    ({"planner": "endpoint:model=openai/gpt,base_url=http://evil.example/v1"}, "at 'http://evil.example/v1'"),
    ({"planner": "endpoint:model=vllm/m,cache=evil.sqlite"}, "write to 'evil.sqlite' as cache="),
    ({"planner": "endpoint:model=vllm/m,template=evil.jinja"}, "read 'evil.jinja' as template="),
    ({"planner": "world-model:model=openai/gpt"}, "ask 'openai/gpt'"),
    ({"explore": "evil:World"}, "import 'evil:World'"),
    ({"explore": "epsilon-greedy:epsilon=0.1,policy=evil.json"}, "read 'evil.json' as policy="),
    ({"memory": "evil:World"}, "import 'evil:World'"),
    ({"world": "scienceworld:boil,java=./evil.sh"}, "run './evil.sh' as java="),
    ({"world": "openenv:http://evil.example"}, "ask 'http://evil.example' as url="),
    ({"world": "jericho:evil.z5"}, "read 'evil.z5' as path="),
    ({"world": "textworld:evil.z8"}, "read the game 'evil.z8'"),
    ({"world": "gym:Ant-v5,settings=xml_file=evil.xml"}, "set 'xml_file=evil.xml' as settings="),
    ({"world": "verifiers:evil"}, "import the code of 'verifiers:evil'"),
    ({"planner": "hf:generated,adapter=evil"}, "read 'evil' as adapter="),
    ({"planner": "hf:generated,memory=evil:World"}, "import 'evil:World'"),
    ({"memory": "retrieval:embeddings=evil"}, "read 'evil' as embeddings="),
]


@pytest.mark.parametrize("changes, deed", DEEDS, ids=[deed for _, deed in DEEDS])
def test_resume_does_nothing_of_what_a_stranger_s_run_names(changes, deed, crafted, capsys, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text(EVIL)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    out = crafted(**changes)
    before = sorted(tmp_path.rglob("*"))
    code, said, _ = call(capsys, "resume", out)
    assert code == 2 and deed in said and "nothing was done" in said and "--trust" in said and "sk-secret" not in said
    assert not (tmp_path / "ran").exists() and set(tmp_path.rglob("*")) - set(before) <= set(
        (tmp_path / "state").rglob("*")
    ) | {tmp_path / "state"}


@pytest.mark.parametrize("changes, deed", DEEDS, ids=[deed for _, deed in DEEDS])
def test_looking_at_it_does_nothing_either(changes, deed, crafted, capsys, tmp_path):
    (tmp_path / "evil.py").write_text(EVIL)
    out = crafted(**changes)
    for command in (["show", out], ["show", out, "--episode", "1"], ["report", out], ["list", "runs", "--under", "."]):
        assert call(capsys, *command)[0] == 0, command
    for command in (["diagnose", out], ["diagnose", out, "--without-tables"], ["report", out, "--tree", "0:1:1"]):
        assert call(capsys, *command)[0] in (0, 2), command
    assert call(capsys, "prompt", out, "--episode", "1", "--step", "1", "--template", "chat")[0] in (0, 2)
    assert not (tmp_path / "ran").exists()


def test_a_run_of_one_s_own_goes_on_and_one_that_was_changed_does_not(finished, tmp_path, capsys):
    manifest = json.loads((finished / "manifest.json").read_text())
    assert mine(manifest)
    for entry, value in (("config", {**manifest["config"], "planner": "hf:x"}), ("latents", []), ("code", {"x": "y"})):
        assert not mine({**manifest, entry: value})
    assert mine({**manifest, "status": "failed", "totals": {}})
    assert not mine({key: value for key, value in manifest.items() if key != "signature"})
    assert signature(manifest) == manifest["signature"]


def test_ours_and_plugins_run_without_asking(crafted, capsys):
    out = crafted(planner="exact:decode=greedy")
    code, said, _ = call(capsys, "resume", out)
    assert "--trust" not in said  # it may not agree with its log, but nothing had to be trusted


@pytest.mark.parametrize("name", ["run.sqlite", "manifest.json", "run.sqlite-wal", "run.mark", "run.lock"])
@pytest.mark.parametrize("command", ["resume", "show", "report", "diagnose"])
def test_nothing_is_written_or_read_through_a_link(name, command, crafted, capsys, tmp_path):
    out, precious = crafted(), tmp_path / "precious"
    if (out / name).exists():
        shutil.copy(out / name, precious)
        (out / name).unlink()
    else:
        precious.write_text("precious")
    before = precious.read_bytes()
    (out / name).symlink_to(precious)
    code, said, _ = call(capsys, command, out)
    assert code == 2 and "is no plain file" in said and precious.read_bytes() == before


def test_pages_and_figures_do_not_follow_links(crafted, capsys, tmp_path):
    out, precious = crafted(status="finished"), tmp_path / "precious.gif"
    precious.write_bytes(b"GIF89a precious")
    names = ("report.html", "regret.png", "diagnosis.png", "report.html.tmp", "manifest.json.tmp", "regret.png.tmp")
    for name in names:
        (out / name).symlink_to(precious)
    (out / "films").mkdir()
    (out / "films" / "run0-episode1.gif").symlink_to(precious)
    assert call(capsys, "report", out)[0] == 0 and call(capsys, "diagnose", out)[0] == 0
    assert precious.read_bytes() == b"GIF89a precious" and not (out / "report.html").is_symlink()
    assert "R0lGODlh" not in (out / "report.html").read_text()  # what the link points to is not embedded


def mutations(seed, count):
    """So many manifests, each with an entry changed, taken away, or put where none was."""
    rng = random.Random(seed)
    strange = [
        None,
        True,
        -1,
        10**30,
        1e400,
        "",
        "x" * 300,
        [],
        {},
        [[]],
        {"a": 1},
        "../../etc",
        "\x1b[31m",
        "$x$",
        [1, 2],
    ]
    for _ in range(count):
        yield (
            rng.choice(["config", "latents", "horizon", "menus", "totals", "machine", "versions", "expert", "planner"]),
            (
                rng.choice(
                    [None, "world", "planner", "explore", "episodes", "runs", "seed", "latent", "record", "cohort"]
                )
            ),
            copy.deepcopy(rng.choice(strange)),
        )


@pytest.mark.parametrize("entry, key, value", list(mutations(2, 80)))
def test_mutated_manifests(entry, key, value, crafted, capsys):
    out = crafted()
    manifest = json.loads((out / "manifest.json").read_text())
    if key and isinstance(manifest.get(entry), dict):
        manifest[entry][key] = value
    else:
        manifest[entry] = value
    (out / "manifest.json").write_text(json.dumps(manifest))
    for command in ("show", "report", "diagnose", "resume"):
        assert call(capsys, command, out)[0] in (0, 1, 2)
    assert call(capsys, "list", "runs", "--under", ".")[0] == 0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"x"', "[" * 100_000, '{"format": "parley-run/2"}', "\ufeff{}"]
)
def test_what_is_no_manifest(text, crafted, capsys):
    out = crafted()
    (out / "manifest.json").write_text(text)
    for command in ("show", "report", "diagnose", "resume"):
        code, said, _ = call(capsys, command, out)
        assert code == 2 and "manifest.json" in said


# Arguments that are words of the part's own; those that a rule of `trust` knows; all others are in its `DEEDS`.
WORDS = set(
    "action actions actor alike api between calibrate chat decode device dtype epsilon evidence forget game id kind "
    "language late level menu mixture mute normalise observations per scenario script search seeded_by skills task "
    "text view way".split()
)
RULED = {"memory", "model", "base_url", "challenge", "name", "reporter"}


def test_every_argument_that_is_text_is_known_for_what_it_does():
    """A part with a new one has to say so here: does it read, ask, run, or is it a word?"""
    parts = (assemble.WORLDS, assemble.PLANNERS, assemble.EXPLORERS, assemble.MEMORIES)
    factories = [kind.factory for part in parts for kind in part.ours.values()]
    signatures = [inspect.signature(factory) for factory in (*factories, *ALTERATIONS.values())]
    told = [p for signature in signatures for p in signature.parameters.values()]
    assert {p.name for p in told if "str" in str(p.annotation)} <= WORDS | RULED | set(trust.DEEDS)
