"""The rules for prose find each kind of fault, and nothing in plain sentences."""

import pytest
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
        ("There are lists, some of which make cells.", "two sentences"),
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
        f'raise BadInput("{LONG}")',
        f'raise BadInput(f"{{x}} {LONG}" + y)',
        f'c.add_argument("--x", help="{LONG}")',
    ],
)
def test_docstrings_and_messages_are_read(code):
    assert [fault.text.split()[1] for fault in faults("a.py", code)] == ["words,"]
    assert faults("a.py", "# " + LONG + '\nx = "' + LONG + '"') == []  # comments and data are not
