"""Names to parts: ours, plugins, references, and what is refused."""

import json
from importlib.metadata import EntryPoint

import pytest
from hypothesis import given
from hypothesis import strategies as st

import parley
from parley import assemble
from parley.assemble.conformance import check
from parley.assemble.registry import Kind, Registry
from parley.cli import main
from parley.core.errors import BadInput
from parley.core.spec import parse_spec, spell

REGISTRIES = {
    "world": assemble.WORLDS,
    "planner": assemble.PLANNERS,
    "explorer": assemble.EXPLORERS,
    "memory": assemble.MEMORIES,
    "template": assemble.TEMPLATES,
    "hook": assemble.HOOKS,
}


def test_the_groups_are_those_that_others_rely_on():
    groups = {registry.group for registry in REGISTRIES.values()}
    names = ("worlds", "planners", "explorers", "memories", "templates", "hooks")
    assert groups == {f"parley.{name}" for name in names}


@pytest.mark.parametrize("what", ["world", "planner", "explorer", "memory"])
def test_every_part_of_ours_says_what_it_is(what):
    for name, kind in REGISTRIES[what].items():
        assert kind.line and "\n" not in kind.line and len(kind.line) > 15, name


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, "parley.planners")


def test_plugins_go_by_their_names_and_ours_stay_ours(monkeypatch):
    registry = Registry("planner", {"random": Kind("parley.planners.scripted:RandomPlanner")})
    points = [
        point("calm", "parley.planners.scripted:RandomPlanner"),
        point("random", "os:system"),
        point("lost", "no:x"),
    ]
    monkeypatch.setattr("parley.assemble.registry.entry_points", lambda group: points)
    assert list(registry) == ["calm", "lost", "random"] and "calm" in registry and "gone" not in registry
    assert registry.find("calm:decode=greedy").arguments == {"decode": "greedy"}
    assert registry.make(registry.find("calm:decode=greedy")).decode == "greedy"
    assert registry["random"].factory is registry["calm"].factory  # not os.system
    with pytest.raises(BadInput, match="plugin planner 'lost'.*cannot be loaded: ModuleNotFoundError"):
        registry.find("lost")
    with pytest.raises(BadInput, match="did you mean 'calm'"):
        registry.find("calmm")
    with pytest.raises(BadInput, match="no argument 'speed'"):
        registry.make(registry.find("calm:speed=3"))


def test_what_plugins_offer_in_vain(monkeypatch, capsys, tmp_path):
    """A package that does not import, two of one name, or one with a name of ours breaks nothing else."""
    (tmp_path / "leaves.py").write_text("raise SystemExit(0)")
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        *(EntryPoint("twin", f"parley.planners.scripted:{name}", "parley.planners") for name in ("RandomPlanner", "X")),
        *(point("exact", "os:system"), point("lost", "no.such:x"), point("leaves", "leaves:Planner")),
        point("calm", "parley.planners.scripted:RandomPlanner"),
        EntryPoint("short", "tests.assemble.test_registry:TEMPLATE", "parley.templates"),
        EntryPoint("lost", "no.such:world", "parley.worlds"),
    ]
    offered = {
        "planner": [("twin", "is offered by .*RandomPlanner and by .*X: remove one"), ("lost", "ModuleNotFoundError")],
        "world": [("lost", "ModuleNotFoundError: No module named 'no'")],
    }
    monkeypatch.setattr(
        "parley.assemble.registry.entry_points", lambda group: [one for one in points if one.group == group]
    )
    for registry in REGISTRIES.values():
        monkeypatch.delitem(vars(registry), "plugins", raising=False)
    try:
        for what, names in offered.items():
            for name, said in names:
                with pytest.raises(BadInput, match=said):
                    REGISTRIES[what].find(name)
        with pytest.raises(BadInput, match="SystemExit"):
            REGISTRIES["planner"].find("leaves")
        assert "lost" not in assemble.shipped_names()
        for what in ("planners", "worlds", "explorers", "memories", "templates", "hooks"):
            assert main(["list", what, "--json"]) == 0
            rows = {row["name"]: row["about"] for row in json.loads(capsys.readouterr().out)}
            if what == "planners":
                assert rows["calm"] and all("cannot be used" in rows[name] for name in ("twin", "lost", "leaves"))
                assert "Parley has a part of that name" in rows["exact"]
            if what == "templates":
                assert rows["short"] == "A template of somebody's" and check("template", "short") == []
    finally:
        for registry in REGISTRIES.values():
            vars(registry).pop("plugins", None)


TEMPLATE = '{# A template of somebody\'s #}\n{% extends "chat" %}'


def test_a_reference_runs_nothing_unless_trusted(tmp_path, monkeypatch):
    (tmp_path / "mine_too.py").write_text(
        "open('ran', 'w').close()\n"
        "from parley.planners.scripted import RandomPlanner\n"
        "class Mine(RandomPlanner):\n"
        "    cohort, remote, first = 3, True, 'decode'\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="nothing was imported.*--trust"):
        assemble.PLANNERS.find("mine_too:Mine")
    assert not (tmp_path / "ran").exists()
    named = assemble.PLANNERS.find("mine_too:Mine:greedy", trust=True)
    assert (tmp_path / "ran").exists() and named.arguments == {"decode": "greedy"}
    assert (named.kind.cohort, named.kind.remote, named.code) == (3, True, "mine_too:Mine")
    for spec, said in (
        ("mine_too:Other", "has no 'Other'"),
        ("mine_three:Mine", "cannot be loaded"),
        ("mine_too:RandomPlanner:x=1", "no argument 'x'"),
    ):
        with pytest.raises(BadInput, match=said):
            assemble.PLANNERS.make(assemble.PLANNERS.find(spec, trust=True))


text = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,6}", fullmatch=True), text, max_size=4))
def test_arguments_survive_being_spelt(arguments):
    spelt = {key: value for key, value in arguments.items() if value.strip() == value and value}
    assert parse_spec(f"kind:{spell(spelt)}", "planner") == ("kind", spelt)


@pytest.mark.parametrize(
    "spec, said",
    [
        ("exact:decode", "expected kind:key=value"),
        ("exact:decode=greedy,decode=sample", "'decode' is given twice"),
        ('exact:decode="greedy', "a quote is not closed"),
        ("exact:rho=much", "rho='much': expected a number"),
        ("hf", "the argument 'path' is required"),
    ],
)
def test_bad_specs(spec, said):
    with pytest.raises(BadInput, match=said):
        assemble.PLANNERS.make(assemble.PLANNERS.find(spec), {"scene": None})


def test_memories_of_the_configuration_and_of_the_planner():
    world = parley.make("shortcut")
    for memory, said in (
        ("short", "unknown memory 'short'"),
        ("window:size=-1", "size=-1"),
        ("note:words=0", "words=0"),
    ):
        with pytest.raises(BadInput, match=said):
            assemble.parts_of(world, "hf:path=x", "none", memory)
    with pytest.raises(BadInput, match="written by a model that answers prompts"):
        assemble.parts_of(world, "hf:path=x", "none", "note").memory.make(None)(None)
