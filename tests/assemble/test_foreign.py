"""Parts of plugins and callers that break their contract: one sentence each, and nothing is lost."""

import sys

import numpy as np
import pytest

import parley
from parley.assemble.memories import maker
from parley.assemble.registry import Kind, Named
from parley.core.told import Told
from parley.planners.scripted import RandomPlanner


def planner(name, **methods):
    """A planner that proposes all subgoals alike, but for these methods."""
    return type(name, (RandomPlanner,), methods)()


def proposing(change):
    """A planner whose proposals are changed before it gives them."""

    def propose(self, menu, parts):
        proposal = RandomPlanner.propose(self, menu, parts)
        return change(proposal.probs.copy())

    return {"propose": propose}


def nan(p):
    p[1, 0] = np.nan
    return parley.Proposal(p)


def raising(*_):
    raise RuntimeError("the model is gone")


PLANNERS = {  # what it does -> methods, and what is said
    "is none": ({"propose": None}, "has no method 'propose'"),
    "returns a list": (proposing(lambda p: p.tolist()), "proposed a list: expected a Proposal"),
    "proposes a list": (proposing(lambda p: parley.Proposal(p.tolist())), "probabilities in a list: expected an array"),
    "has the wrong shape": (proposing(lambda p: parley.Proposal(p[:, :1])), r"shape \(4, 1\).*expected \(4, 2\)"),
    "proposes NaN": (proposing(nan), "proposed nan in row 1"),
    "proposes infinity": (proposing(lambda p: parley.Proposal(p * np.inf)), "proposed inf in row 0"),
    "proposes below 0": (proposing(lambda p: parley.Proposal(p - [[1.0, -1.0]])), "a probability of -0.5"),
    "sums to 2": (proposing(lambda p: parley.Proposal(2 * p)), "sum to 2 in row 0: expected 1"),
    "gives text": (proposing(lambda p: parley.Proposal(p.astype(str))), "probabilities of shape"),
    "raises when it plans": ({"propose": raising}, "raised in `propose`.*RuntimeError: the model is gone"),
    "raises when it hears": ({"hear": raising}, "raised in `hear`.*test_foreign.py, line"),
    "raises when it starts": ({"start": raising}, "raised in `start`"),
    "says valid of the wrong shape": (
        proposing(lambda p: parley.Proposal(p, "said", np.ones(7, dtype=bool))),
        r"proposed valid of shape \(7,\), bool: expected \(4,\) truths",
    ),
    "writes into what it hears": (
        {"hear": lambda self, said: said.observations.fill("nothing")},
        "raised in `hear`.*read-only: change a copy",
    ),
    "writes into the menu": (
        {"propose": lambda self, menu, parts: menu.legal.fill(False)},
        "raised in `propose`.*read-only: change a copy",
    ),
    "ends the program": ({"propose": lambda self, menu, parts: sys.exit(0)}, "raised in `propose`.*SystemExit"),
    "decodes in a way of its own": (
        {"hear": lambda self, said: setattr(self, "decode", "argmax")},
        "decode='argmax': expected 'sample' or 'greedy'",
    ),
    "says what no file can hold": ({"about": {"model": object()}}, "about=.*expected a dictionary that JSON can hold"),
    "names no source": (proposing(lambda p: parley.Proposal(p, None)), "source=None: expected a text"),
    "says valid in words": (
        proposing(lambda p: parley.Proposal(p, "said", np.array(["yes"] * 4))),
        r"valid of shape \(4,\), <U3: expected \(4,\) truths",
    ),
    "keeps a snapshot of objects": (
        {"snapshot": lambda self: {"x": np.array([object()])}},
        "a snapshot whose 'x' is a ndarray: expected a plain array",
    ),
    "keeps no dictionary": ({"snapshot": lambda self: [1]}, "a snapshot of type list"),
}


@pytest.mark.parametrize("what", PLANNERS)
def test_a_planner_that_breaks_its_contract(what, tmp_path, monkeypatch):
    methods, said = PLANNERS[what]
    monkeypatch.setattr("parley.runs.recorder.SNAPSHOT_S", -1.0)
    kept = "episodes" if "snapshot" in methods else "steps"
    out = tmp_path / "run"
    with pytest.raises(parley.ParleyError, match=said) as raised:
        parley.run("shortcut", planner("Odd", **methods), out=out, episodes=2, runs=4, record=kept)
    assert "\n" not in str(raised.value) and "Odd" in str(raised.value)
    if out.exists():
        assert parley.open(out).status == "failed" and parley.open(out).frame("steps").num_rows in (0, 4)


class Plain:
    """An explorer that takes the first entry."""

    def start(self, draws, num_episodes, horizon):
        self.num = draws.num_runs

    def hear(self, said):
        pass

    def choose(self, proposal, how, menu, moment):
        law = np.eye(proposal.probs.shape[1])[np.zeros(self.num, dtype=int)]
        return parley.Choice(np.zeros(self.num, dtype=int), np.zeros(self.num, dtype=bool), law)


def choosing(change):
    def choose(self, proposal, how, menu, moment):
        choice = Plain.choose(self, proposal, how, menu, moment)
        return change(choice)

    return {"choose": choose}


EXPLORERS = {
    "is none": ({"choose": None}, "has no method 'choose'"),
    "returns an index": (choosing(lambda c: c.index), "chose a ndarray: expected a Choice"),
    "chooses off the menu": (
        choosing(lambda c: parley.Choice(c.index + 2, c.explored, c.law)),
        "entry 2 of a menu of 2",
    ),
    "chooses below 0": (choosing(lambda c: parley.Choice(c.index - 1, c.explored, c.law)), "entry -1 of a menu of 2"),
    "chooses halves": (choosing(lambda c: parley.Choice(c.index + 0.5, c.explored, c.law)), "float64.*whole numbers"),
    "chooses for one run": (choosing(lambda c: parley.Choice(c.index[:1], c.explored, c.law)), r"shape \(1,\)"),
    "says explored once": (
        choosing(lambda c: parley.Choice(c.index, c.explored[:1], c.law)),
        r"explored of shape \(1,\), bool",
    ),
    "gives no law": (choosing(lambda c: parley.Choice(c.index, c.explored, c.law[:, :1])), r"shape \(4, 1\)"),
    "gives a law of NaN": (choosing(lambda c: parley.Choice(c.index, c.explored, c.law * np.nan)), "drew from nan"),
    "gives a law that sums to 3": (choosing(lambda c: parley.Choice(c.index, c.explored, 3 * c.law)), "sum to 3"),
    "says explored in numbers": (
        choosing(lambda c: parley.Choice(c.index, c.explored * np.nan, c.law)),
        r"explored of shape \(4,\), float64: expected \(4,\) truths",
    ),
    "chooses what its law excludes": (
        choosing(lambda c: parley.Choice(1 - c.index, c.explored, c.law)),
        "chose 'try the back door' in row 0, which has no weight in the `law` it gives",
    ),
    "writes into the proposal": (
        {"choose": lambda self, proposal, *_: proposal.probs.fill(0)},
        "raised in `choose`.*read-only: change a copy",
    ),
    "raises": ({"choose": raising}, "raised in `choose`.*the model is gone"),
    "raises at the start": ({"start": raising}, "raised in `start`"),
}


@pytest.mark.parametrize("what", EXPLORERS)
def test_an_explorer_that_breaks_its_contract(what, tmp_path):
    methods, said = EXPLORERS[what]
    with pytest.raises(parley.ParleyError, match=said) as raised:
        odd = type("Odd", (Plain,), methods)()
        parley.run("shortcut", "random", odd, out=tmp_path / "run", episodes=2, runs=4)
    assert "\n" not in str(raised.value)


def test_a_plain_explorer_runs(tmp_path):
    run = parley.run("shortcut", "random", Plain(), out=tmp_path / "run", episodes=2, runs=4)
    assert {step.choice for step in run.episode(0, 0)} == {"walk on along the corridor"}


def recalling(recalled):
    return {"recall": lambda self, earlier, now, fits: recalled(earlier)}


STRANGE = Told("never heard of", ("nothing",))
MEMORIES = {
    "is none": ({}, "has no method 'recall'"),
    "returns text": (recalling(lambda earlier: "notes"), "recalled 'notes': expected Recalled"),
    "returns nothing": (recalling(lambda earlier: None), "recalled None"),
    "has notes that are none": (recalling(lambda earlier: parley.Recalled(3)), "notes being a text"),
    "tilts by a number": (recalling(lambda earlier: parley.Recalled(tilt=1.0)), "a tilt of type float"),
    "has notes of bytes": (recalling(lambda earlier: parley.Recalled(b"x")), "notes being a text"),
    "makes an episode up": (recalling(lambda earlier: parley.Recalled("", (STRANGE,))), "none of the earlier ones"),
    "recalls words": (recalling(lambda earlier: parley.Recalled("", ("an episode",))), "none of the earlier ones"),
    "recalls a copy": (
        recalling(lambda earlier: parley.Recalled("", (Told(*vars(earlier[0]).values()),))),
        "none of the earlier ones",
    ),
    "raises": ({"recall": raising}, "raised in `recall`.*the model is gone"),
    "divides by 0": (recalling(lambda earlier: 1 / 0), "ZeroDivisionError"),
}


@pytest.mark.parametrize("what", MEMORIES)
def test_a_memory_that_breaks_its_contract(what):
    methods, said = MEMORIES[what]
    kind = Kind(type("Odd", (), methods))
    with pytest.raises(parley.ParleyError, match=said) as raised:
        memory = maker(Named("odd", "odd", kind, {}, "odd:Odd"))(None)
        memory.recall([Told("task", ("seen",))], Told("task", ("seen",)), lambda recalled: True)
    assert "\n" not in str(raised.value)


def test_a_tilt_that_raises_says_whose_it_is():
    kind = Kind(type("Odd", (), recalling(lambda earlier: parley.Recalled(tilt=lambda now, parts, menu: 1 / 0))))
    memory = maker(Named("odd", "odd", kind, {}, "odd:Odd"))(None)
    recalled = memory.recall([], Told("task", ("seen",)), lambda recalled: True)
    with pytest.raises(parley.ParleyError, match="memory 'odd' raised in `tilt`.*ZeroDivisionError"):
        recalled.tilt(Told("task", ("seen",)), (), ("wait",))


class Lucky(RandomPlanner):
    """Draws its proposals anew."""

    def propose(self, menu, parts):
        probs = np.random.default_rng().dirichlet(np.ones(menu.sentences.shape[1]), size=self.num_runs)
        return parley.Proposal(probs)


class Crowded(RandomPlanner):
    """Proposes by the number of runs."""

    def propose(self, menu, parts):
        law = np.full((self.num_runs, menu.sentences.shape[1]), 1.0)
        law[:, 0] += self.num_runs
        return parley.Proposal(law / law.sum(axis=1, keepdims=True))


class Counting(RandomPlanner):
    """Remembers how often it was asked."""

    asked = 0

    def start(self, draws):
        super().start(draws)
        self.asked = 0

    def propose(self, menu, parts):
        self.asked += 1
        law = np.full((self.num_runs, menu.sentences.shape[1]), 1.0)
        law[:, 0] += self.asked
        return parley.Proposal(law / law.sum(axis=1, keepdims=True))


class Untrue(Plain):
    """Says that it had drawn the last entry almost surely."""

    def choose(self, proposal, how, menu, moment):
        law = np.full((self.num, proposal.probs.shape[1]), 0.01)
        law[:, -1] = 1 - law[:, 1:].sum(axis=1)
        return parley.Choice(np.zeros(self.num, dtype=int), np.zeros(self.num, dtype=bool), law)


class Waiting(parley.Hook):
    """Is heard by nobody: its methods are coroutines."""

    async def step(self, record, first_run):
        pass


class Changing(parley.Hook):
    """Writes into what it is told."""

    def episode(self, record, first_run):
        record.returns[:] = 1


@pytest.mark.parametrize(
    "kind, made, said",
    [("explorer", Untrue, "do not come from the `law`"), ("hook", Waiting, "async"), ("hook", Changing, "read-only")],
)
def test_the_check_finds_what_a_run_would_not_show(kind, made, said):
    (found,) = parley.check(kind, made)
    assert said in found


@pytest.mark.parametrize(
    "made, said",
    [
        (Lucky, "the same seed gives another run"),
        (Crowded, "depends on which other runs"),
        (Counting, "its state is no function of what it heard"),
    ],
)
def test_the_check_finds_what_no_single_answer_shows(made, said):
    for given in (f"tests.assemble.test_foreign:{made.__name__}", made, made()):
        found = parley.check("planner", given)
        assert any(said in one for one in found), found
