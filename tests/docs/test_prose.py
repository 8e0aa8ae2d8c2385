"""The rules for prose find each kind of fault, and nothing in plain sentences."""

import pytest
from scripts import prose
from scripts.prose import faults

LONG = "The planner says " + "one more word " * 9
PLAIN = "The planner chooses a subgoal. The environment carries it out.\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LONG + ".", "30 words"),
        (f"- {LONG}.", "30 words"),
        (f"| a | {LONG} |", "30 words"),
        ("Draw from its law.", "probability distribution"),
        ("On trial is what is done.", "name the thing"),
        ("It goes to whoever asks.", "say who"),
        ("There are lists, of which some make cells.", "two sentences"),
        ("An answer is none.", "say which"),
        ("|Z| is the number of latents. " + LONG, "30 words"),
        ("It takes A, B, ... " + LONG, "34 words"),
        ("#1 is a number, and no heading. " + LONG, "30 words"),
        ("!!! note\n\n    " + LONG, "30 words"),
        ("| a | " + LONG, "30 words"),
        ("A planner by XQZ does this.", "in the glossary"),
        ("The run is resumed by the program. " * 12, "passive"),
        (
            "The planner chooses one of the subgoals on its menu, and the world then carries this out to its end. "
            * 40,
            "average",
        ),
    ],
)
def test_a_fault_is_found(text, said):
    assert any(said in fault.text for fault in faults("a.md", PLAIN + "\n" + text))


@pytest.mark.parametrize(
    "text",
    [
        PLAIN * 20,
        f"# {LONG}",
        f"```\n{LONG}.\n```",
        f"Run it:\n\n    {LONG}.\n",
        "It is None. See a GPU, BAIL and CONTRIBUTING.md.",
        "See Mr. `a b c d` in [the page](of/many-words.md), e.g. with 0.5 and 1,000.",
    ],
)
def test_plain_prose_code_and_headings_pass(text):
    assert faults("a.md", text) == []


@pytest.mark.parametrize(
    "code",
    [
        f'"""{LONG}."""',
        f'def f():\n    """Plain.\n\n    {LONG}.\n    """',
        f'def f(x):\n    """Plain.\n\n    Args:\n        x: a word.\n        y: {LONG}.\n    """',
        f'raise BadInput("{LONG}")',
        f'raise BadInput(f"{{x}} {LONG}" + y)',
        f'raise BadInput("{LONG}" if x else "y")',
        f'c.add_argument("--x", help="{LONG}")',
        f'print(f"{LONG}")',
        f'CLAIM = "{LONG}"',
        f'CARD = """# A heading\n\n{LONG}."""',
        f"# {LONG}.",
        f"x = 1  # {LONG}",
        "# The planner says " + "one more word " * 5 + "\n# " + "one more word " * 4 + ".",
    ],
)
def test_docstrings_comments_and_messages_are_read(code):
    assert [fault.text.split()[1] for fault in faults("a.py", code)] == ["words,"]


@pytest.mark.parametrize(
    "code", [f'x = "{"A " * 30}"', "# noqa: E501", f'def f():\n    """Plain.\n\n        {LONG}\n\n    Plain.\n    """']
)
def test_data_directives_and_examples_are_no_prose(code):
    assert faults("a.py", code) == []


def test_what_models_read_is_no_message():
    code = f'TASK = "{LONG}"\nraise BadInput("{LONG}")'
    assert [fault.line for fault in faults("src/parley/worlds/a.py", code)] == [2]


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("a.md", f"A short sentence.\nAnother one, of two\nlines. {LONG}\nand its end.", 3),
        ("a.md", f"A [link\nof two lines](b.md). {LONG}.", 2),
        ("a.py", f'def f():\n    """Plain.\n\n    Plain.\n    {LONG}.\n    """', 5),
        ("a.py", f"x = 1\n# Plain.\n# {LONG}.", 3),
    ],
)
def test_a_fault_is_at_its_own_line(path, text, line):
    assert [fault.line for fault in faults(path, text)] == [line]


def test_any_fault_fails_the_check(tmp_path, monkeypatch, capsys):
    page = tmp_path / "a.md"
    page.write_text("A short sentence.\n")
    monkeypatch.setattr(prose, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["prose"])
    assert prose.main() == 0
    page.write_text(f"{LONG}.\n")
    assert prose.main() == 1 and "a.md:1: 30 words" in capsys.readouterr().out
