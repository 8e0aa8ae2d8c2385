"""What every planner that `assemble` knows must keep, on every world it can plan in."""

import pytest

from parley import assemble
from parley.assemble.conformance import check
from tests.talker import Talker
from tests.tiny import tiny_gguf, tiny_language_model

CASES = [
    *(
        (w, p)
        for w in ("shortcut", "household")
        for p in assemble.PLANNERS
        if p not in ("scripted", "with-expert", "decentralised", "world-model", "hf", "gguf", "endpoint")
    ),
    ("shortcut", "world-model:budget=8"),
    ("household", "world-model:model=exact,budget=8"),
    ("shortcut", "hf"),
    ("shortcut", "hf:context=300"),  # cut in the midst of it
    ("random:actors=2", "hf:normalise=length"),
    ("household", "hf:way=letters,calibrate=contextual,permutations=2"),
    ("shortcut", "gguf"),
    ("household", "gguf:way=letters,calibrate=pmi"),
    ("shortcut", "endpoint:way=echo"),
    ("household", "endpoint:way=letters"),
    ("shortcut", "endpoint:way=constrained,answers=2,memory=window,size=1"),
    ("shortcut", "endpoint:way=parse,memory=summary,think=true,keep_thoughts=true"),
    ("random:actors=2", "endpoint:way=parse,memory=retrieval,size=2"),
    ("shortcut", "endpoint:way=parse,memory=playbook"),
    ("shortcut", "endpoint:way=letters,memory=advantage"),
    ("team", "endpoint:way=echo,memory=advantage"),
    ("random:actors=2", "hf:memory=advantage"),
    ("household", "hf:way=letters,memory=advantage,permutations=2"),
    ("shortcut", "gguf:memory=advantage"),
    ("random:actors=2", "exact"),
    ("team", "exact"),
    ("team:actors=3,late=1", "exact"),
    ("team", "posterior-sampling"),
    ("team", "decentralised"),
    ("team", "world-model:model=exact,budget=8"),
    ("team:actors=3", "world-model:model=exact,budget=8"),
    ("team", "world-model:budget=8"),
    ("team", "transformer"),
    ("team", "hf"),
    ("team", "endpoint:way=letters"),
    ("team", "endpoint:way=parse"),
    ("team", "endpoint:way=echo,memory=window,size=2"),
    ("team:actors=3", "with-expert:actor=2"),
    ("treasure", "scripted:script=open chest 3|open chest 1"),
    ("treasure:n=4", "exact:evidence=environment+demonstrator,rho=0.5"),
]


@pytest.fixture(scope="module")
def talker():
    with Talker() as talker:
        yield talker


@pytest.mark.parametrize("world, planner", CASES)
def test_a_planner_conforms(world, planner, request, tmp_path):
    """Distributions over the legal menu; the same again, in any batch, after hearing a log, and from a snapshot."""
    kind, _, rest = planner.partition(":")
    if kind == "hf":
        planner = f"hf:{tiny_language_model(tmp_path)},{rest}"
    if kind == "gguf":
        planner = f"gguf:{tiny_gguf(tmp_path)},{rest}"
    if kind == "endpoint":
        planner = f"endpoint:model=vllm/m,base_url={request.getfixturevalue('talker').base_url},{rest}"
    assert check("planner", planner, world) == []
