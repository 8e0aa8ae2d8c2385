"""What every memory and every template that `assemble` knows must keep."""

import pytest

from parley import assemble
from parley.assemble.conformance import check
from parley.core.errors import BadInput

BROKEN = {
    "carries out what was said": ("{% block opening %}{{ instruction }}{% endblock %}", "begins a line of its own"),
    "shows no observation": ("{% block observation %}something happened{% endblock %}", "'observation' does not show"),
    "shows no note": ("{% block memory %}{% endblock %}", "'memory' does not show 'a note'"),
    "says no subgoal": ("{% block subgoal %}> done{% endblock %}", "does not show the subgoal"),
}


@pytest.mark.parametrize("memory", [*assemble.MEMORIES, "window:size=0", "retrieval:size=1"])
def test_a_memory_conforms(memory):
    assert check("memory", memory) == []


@pytest.mark.parametrize("template", assemble.TEMPLATES)
def test_a_template_conforms(template):
    assert check("template", template) == []


@pytest.mark.parametrize("what", BROKEN)
def test_a_template_that_breaks_its_contract(what, tmp_path):
    text, said = BROKEN[what]
    path = tmp_path / "mine.jinja"
    path.write_text('{% extends "chat" %}' + text)
    assert any(said in one for one in check("template", str(path)))


def test_what_cannot_be_checked():
    for kind, name, said in (
        ("hat", "x", "kind='hat': expected world, planner"),
        ("memory", "long", "unknown memory 'long'"),
        ("template", "nowhere.jinja", "template='nowhere.jinja'"),
        ("hook", "logging", "unknown hook"),
    ):
        with pytest.raises(BadInput, match=said):
            check(kind, name)
