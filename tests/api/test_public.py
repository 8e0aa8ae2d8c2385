"""The public API: what is there, with which signatures, and what importing it costs."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import parley

SIGNATURES = {
    "run": "(world, planner='exact', explorer='none', *, episodes=100, runs=64, seed=0, memory=None, out=None, "
    "on=None, latent=None, instructions='cyclic', record='auto', cohort=0, threads=1, token_limit=0, cost_limit=0.0, "
    "prices=None, hooks=(), progress=None)",
    "open": "(path)",
    "compare": "(run_a, run_b)",
    "stepthrough": "(world, planner='exact', explorer='none', *, seed=0, episodes=100, latent=None, "
    "instructions='cyclic')",
    "make": "(world, **settings)",
    "gym": "(world, latent=None, **settings)",
    "check": "(kind, spec, on='shortcut')",
    "FunctionPlanner": "(plan, decode='sample')",
    "Run.summary": "(self)",
    "Run.frame": "(self, table='episodes')",
    "Run.episode": "(self, run=0, episode=0)",
    "Run.curve": "(self)",
    "Run.plot": "(self)",
    "Run.diagnose": "(self, tables=True)",
    "Run.resume": "(self, *, world=None, planner=None, explorer=None, memory=None, token_limit=0, cost_limit=0.0, "
    "prices=None, hooks=(), trust=False, on=None)",
}
HEAVY = ("matplotlib", "gymnasium", "jinja2", "torch", "transformers", "pyarrow", "scipy", "httpx2", "rich")


def plainly(function) -> str:
    """A signature without annotations."""
    signature = inspect.signature(function)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_stay(name):
    thing = parley
    for part in name.split("."):
        thing = getattr(thing, part)
    assert plainly(thing) == SIGNATURES[name]


def test_every_name_is_there_typed_and_documented():
    assert parley.__all__ == sorted(parley.__all__) == dir(parley)
    for name in parley.__all__:
        thing = getattr(parley, name)
        if name != "__version__":
            assert thing.__doc__, name
        if inspect.isfunction(thing):
            annotated = inspect.signature(thing)
            assert annotated.return_annotation is not inspect.Signature.empty, name
            assert all(p.annotation is not p.empty for p in annotated.parameters.values()), name
    with pytest.raises(AttributeError, match="'parley' has no attribute 'nothing'"):
        parley.nothing  # noqa: B018


def imported(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter has imported after `code`."""
    script = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return set(said.splitlines()[-1].split())


def test_importing_imports_nothing_heavy():
    assert not imported("import parley") & {*HEAVY, "numpy"}
    parsed = "from parley.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    assert not imported(parsed) & {*HEAVY, "numpy"}


def test_gymnasium_finds_our_worlds_whichever_way():
    made = "import gymnasium, parley\ngymnasium.make('parley/Shortcut-v0').reset(seed=1)"
    named = "import parley, gymnasium\ngymnasium.make('parley.registration:parley/Shortcut-v0').reset(seed=1)"
    for code in (made, named):
        assert "gymnasium" in imported(code)


def test_as_a_module():
    said = subprocess.run([sys.executable, "-m", "parley", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == f"parley {parley.__version__}"


def test_what_nothing_can_be_made_of(tmp_path):
    """No runs, names that no file can have, and actions that are no sentence."""
    run = parley.run("shortcut", "random", episodes=1, runs=1, out=tmp_path / "run")
    none, env = run[5:], parley.gym("shortcut")
    env.reset(seed=1)
    for does in (
        none.summary,
        none.plot,
        lambda: none.out,
        lambda: parley.run("shortcut", out=str(tmp_path / "a\0b"), episodes=1),
        lambda: parley.run("shortcut", out=str(tmp_path / "a\ud83d"), episodes=1),
        lambda: env.step(["walk on"]),
        lambda: env.reset(options=[1]),
        lambda: parley.run("shortcut", episodes=np.ones((2, 2))),  # its repr has two lines
    ):
        with pytest.raises(parley.BadInput) as refused:
            does()
        assert "\n" not in str(refused.value)
    with pytest.raises(TypeError, match=r"^run\(\) got an unexpected keyword argument 'epsiodes'"):
        parley.run("shortcut", epsiodes=5)
