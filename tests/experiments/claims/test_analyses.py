"""Every analysis on made-up regret: what its claim says is supported, the contrary is not, and noise is undecided."""

import json
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from parley import assemble
from parley.core.errors import BadInput
from parley.execute import RunConfig
from parley.experiments import unseen_families
from parley.experiments.base import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from parley.experiments.claims import (
    adaptive_exploration,
    adaptive_proposals,
    bail,
    continuous_control,
    control_lengths,
    delusion,
    demo_ratio,
    diagnosis,
    epsilon_families,
    epsilon_greedy,
    jump,
    memory,
    multi_agent,
    pretraining_error,
    prior_coverage,
    prompts,
    search_budget,
    traps_measured,
    unseen_worlds,
    world_model,
    world_model_regret,
    wrong_model,
)
from parley.experiments.claims.adaptive_lines import trapped
from parley.experiments.families import many_families
from parley.theory.bounds import regret_bound, theory_epsilon
from parley.theory.curves import Estimate
from parley.theory.distinguishability import classes_of
from parley.theory.traps import traps
from parley.worlds.generated.world import EVALUATED, generated


def verdict(experiment, make, seed=0):
    """What the analysis says of cells filled by `make(config, rng)`; its finding can be written down."""
    cells = experiment.cells(True)
    finding = experiment.analyse(cells, [make(c, np.random.default_rng((seed, i))) for i, c in enumerate(cells)])
    assert finding.interval[0] <= finding.estimate <= finding.interval[1] and finding.rows
    json.dumps(finding.as_dict(), allow_nan=False)
    return finding.verdict


def spread(config, mean, noise, rng):
    """Regret of runs and episodes with a given mean total."""
    totals = mean + noise * rng.normal(size=(config.runs, 1))
    return np.repeat(totals / config.episodes, config.episodes, axis=1)


def test_bail():
    for extra, noise, expected in ((0.001, 0.01, SUPPORTED), (0.1, 0.01, NOT_SUPPORTED), (0.02, 0.3, UNDECIDED)):

        def make(c, rng, extra=extra, noise=noise):
            mean = 3.0 + extra * c.episodes * (c.planner == "transformer")
            return spread(c, mean, noise * c.episodes, rng)

        assert verdict(bail, make) == expected


def test_adaptive_proposals():
    def make(better, noise):
        def made(c, rng):
            mean = 5.0 + better * ((c.planner, c.explore) != adaptive_proposals.MINE)
            return spread(c, mean, noise, rng)

        return made

    assert verdict(adaptive_proposals, make(1.0, 0.1)) == SUPPORTED
    assert verdict(adaptive_proposals, make(-1.0, 0.1)) == NOT_SUPPORTED
    assert verdict(adaptive_proposals, make(0.1, 3.0)) == UNDECIDED


def long_house(config, rng, rate=0.5, sampled=0.01, rare=0.3):
    """A cell of `control_lengths`: greedy loses 0.2 an episode, epsilon-greedy T^rate in T episodes."""
    each = 2 * config.episodes ** (rate - 1) if config.explore == control_lengths.THEORY else 0.2
    if "decode" not in config.planner:
        each = rare if control_lengths.PRIORS[0.00001] in config.world else sampled
    regret = np.full((config.runs, config.episodes), each) * rng.uniform(0.998, 1.002, (config.runs, 1))
    return np.stack([regret, np.full_like(regret, np.nan)])


def test_continuous_control():
    def make(greedy, exploring, flat, noise, sampling=0.2, **long):
        def made(c, rng):
            if isinstance(c, control_lengths.Longer):
                return long_house(c, rng, **long)
            power = exploring if c.explore == continuous_control.EPSILON else greedy
            power = sampling if (c.planner, c.explore) == ("transformer", "none") else power
            scale = flat if "cap" in c.world else 0.2
            cumulative = scale * np.arange(1, c.episodes + 1) ** (1.0 if "cap" in c.world else power)
            regret = np.diff(cumulative, prepend=0) * rng.uniform(1 - noise, 1 + noise, (c.runs, 1))
            return np.stack([regret, np.full_like(regret, 300.0)])

        return made

    assert verdict(continuous_control, make(1.0, 0.5, 0.9, 0.02)) == SUPPORTED
    assert verdict(continuous_control, make(0.5, 0.5, 0.9, 0.02)) == NOT_SUPPORTED
    assert verdict(continuous_control, make(1.0, 1.0, 0.9, 0.02)) == NOT_SUPPORTED
    assert verdict(continuous_control, make(1.0, 0.5, 0.1, 0.02)) == NOT_SUPPORTED
    assert verdict(continuous_control, make(1.0, 0.5, 0.2, 0.9)) == UNDECIDED
    assert verdict(continuous_control, make(1.0, 0.5, 0.9, 0.02, sampling=0.7)) == NOT_SUPPORTED  # exploring pays
    assert verdict(continuous_control, make(1.0, 0.5, 0.9, 0.02, sampled=0.5)) == NOT_SUPPORTED


@pytest.mark.parametrize(
    ("otherwise", "refuted"),
    [
        ({}, ""),
        ({"rate": 1.0}, "epsilon-greedy: slope of regret in T"),
        ({"sampled": 0.5}, "epsilon-greedy loses more than sampled"),
        ({"rare": 0.0}, "sampled loses more than epsilon-greedy"),
    ],
)
def test_the_long_runs_of_continuous_control(otherwise, refuted):
    """Each statement of the criterion is refuted by regret for which it is wrong."""
    cells, rng = control_lengths.cells(False), np.random.default_rng(0)
    judged = control_lengths.judged(cells, [long_house(c, rng, **otherwise)[0] for c in cells])
    assert len(judged) == 8
    wrong = {row["statement"] for row in judged if row["verdict"] != SUPPORTED}
    assert refuted in wrong if refuted else not wrong


def test_the_first_short_way_is_the_earliest_of_all_runs():
    regret = np.array([[0.2, 0.2, 0.0], [0.2, 0.0, 0.2]])
    assert continuous_control.first_short_way(regret) == (1, 1)
    assert continuous_control.first_short_way(regret + 0.1) is None


def along(config, rng, eta=0.5, latents=0.0, exploited=0.0):
    """Two totals of a family's cell, with given exponents in 1/eta and |Z|; the second has others in `exploited`."""
    _, of, number, _ = epsilon_families._sizes(config)
    x, power = (1 / of, eta) if config.against == "1 / eta" else (number, latents)
    return np.array([10 * x**power, x ** (power + exploited)]) * rng.uniform(0.9, 1.1, (config.runs, 1))


def curves(config, power, noise, rng, scale=1.0, anytime=None):
    if isinstance(config, epsilon_families.Alone):
        return along(config, rng)
    marks = np.linspace(0, 1, epsilon_greedy.MARKS + 1)[1:]
    tabulated = epsilon_greedy.sizes(config.world)
    if config.explore == epsilon_greedy.ANYTIME:
        shape = scale * (marks * config.episodes) ** (power if anytime is None else anytime)
    else:
        shape = marks * (scale * config.episodes * theory_epsilon(config.episodes, *tabulated)) ** (2 * power)
    return shape * rng.uniform(1 - noise, 1 + noise, (config.runs, 1))


@pytest.mark.parametrize(
    "power, scale, anytime, expected",
    [
        (0.5, 0.1, 0.5, SUPPORTED),
        (1.0, 0.1, 0.5, NOT_SUPPORTED),
        (0.5, 100.0, 0.4, NOT_SUPPORTED),
        (0.5, 0.1, 0.6, NOT_SUPPORTED),  # sublinear, but not at the rate of its epsilons
        (0.5, 0.1, 1.0, NOT_SUPPORTED),
    ],
    ids=["at its rate", "a line", "above the bound", "within a run above its rate", "within a run a line"],
)
def test_epsilon_greedy(power, scale, anytime, expected):
    assert verdict(epsilon_greedy, lambda c, rng: curves(c, power, 0.02, rng, scale, anytime)) == expected


@pytest.mark.parametrize(
    "how, expected",
    [
        ({"eta": 0.4, "latents": 0.05}, SUPPORTED),
        ({"eta": 0.7}, NOT_SUPPORTED),
        ({"latents": 0.3}, NOT_SUPPORTED),
        ({"exploited": 0.3}, NOT_SUPPORTED),  # hidden under what exploring costs
    ],
    ids=["slower", "in 1/eta", "in |Z|", "without exploration"],
)
def test_epsilon_greedy_along_eta_and_latents(how, expected):
    def make(c, rng):
        return along(c, rng, **how) if isinstance(c, epsilon_families.Alone) else curves(c, 0.5, 0.02, rng, 0.1)

    assert verdict(epsilon_greedy, make) == expected


def test_one_quantity_alone_changes_along_a_family():
    of = {
        against: [epsilon_families._sizes(c) for c in epsilon_families.cells(False) if c.against == against]
        for against in epsilon_families.FAMILIES
    }
    assert [size[1] for size in of["1 / eta"]] == pytest.approx(epsilon_families.Q)
    assert len({(h, z, round(c_z, 4)) for h, _, z, c_z in of["1 / eta"]}) == 1
    assert [size[2] for size in of["|Z|"]] == [n + 1 for n in epsilon_families.BOXES]
    assert len({(h, round(eta, 4), round(c_z, 4)) for h, eta, _, c_z in of["|Z|"]}) == 1


def test_exploitation_is_charged_apart():
    """`treasure` with the gold full: 1/2 in every exploitation episode before the gold is found, and then nothing.

    An exploration episode costs 1/2 unless it opens the first chest, and not its share of the coin.
    """
    (config, *_) = epsilon_families.cells(True)
    config = replace(config, runs=64, episodes=400)
    rate = float(config.explore.partition("epsilon=")[2])
    total, exploited = epsilon_families.measure(config, lambda record, runs: None).T
    assert (np.round(2 * exploited) == np.round(2 * exploited, 9)).all()  # whole episodes, each 1/2
    assert (exploited > 0).mean() > 0.5 and (total >= exploited - 1e-9).all()
    assert (total - exploited).mean() == pytest.approx(rate * 400 * 0.5 * (1 - config.first), rel=0.1)


def test_epsilon_greedy_is_undecided_through_noise():
    assert verdict(epsilon_greedy, lambda c, rng: curves(c, 0.5, 0.99, rng, 0.1)) == UNDECIDED


def test_epsilon_greedy_is_undecided_where_only_the_mean_is_below_the_bound():
    """Of each latent one run of all is dear: the mean is below the bound, its upper limit is not."""

    def make(c, rng):
        if isinstance(c, epsilon_families.Alone):
            return along(c, np.random.default_rng(0))
        share = np.full(c.runs, 0.1)
        share[:: c.runs // 2 - 1] = 4.0
        power = 0.5 if c.explore == epsilon_greedy.ANYTIME else 1.0
        shape = np.linspace(0, 1, epsilon_greedy.MARKS + 1)[1:] ** power
        return np.outer(share, regret_bound(c.episodes, *epsilon_greedy.sizes(c.world)) * shape)

    cells = epsilon_greedy.cells(True)
    rows = epsilon_greedy.analyse(cells, [make(c, None) for c in cells]).rows
    assert all(
        row["largest_share_of_bound"] < 1 < row["share_interval"][1] for row in rows if row.get("world") == "shortcut"
    )
    assert verdict(epsilon_greedy, make) == UNDECIDED


def test_epsilon_greedy_asks_the_anytime_variant_for_the_bound_at_every_point():
    """A dear beginning that the bound at the end would forgive is not forgiven."""

    def make(c, rng):
        fine = curves(c, 0.5, 0.02, rng, 0.1)
        if c.explore != epsilon_greedy.ANYTIME:  # of the families neither
            return fine
        tabulated = epsilon_greedy.sizes(c.world)
        first = c.episodes // epsilon_greedy.MARKS
        assert 2 * regret_bound(first, *tabulated) < regret_bound(c.episodes, *tabulated)
        return 2 * regret_bound(first, *tabulated) + 1e-3 * fine

    assert verdict(epsilon_greedy, make) == NOT_SUPPORTED


def test_epsilon_greedy_gives_the_anytime_variant_the_rows_of_the_other():
    cells = epsilon_greedy.cells(True)
    found = epsilon_greedy.analyse(cells, [curves(c, 0.5, 0.02, np.random.default_rng(0), 0.1) for c in cells])
    for row in [row for row in found.rows if "world" in row]:
        # The sum of s^(-1/2) is 2 sqrt(t) - 1.46 in the main: a little steeper than sqrt(t).
        assert -0.02 < row["anytime_interval"][0] <= row["anytime_slope"] <= row["anytime_interval"][1] < 0.001
        assert row["anytime_exponent_interval"] == pytest.approx([0.5, 0.5], abs=0.02) and row["anytime"] == "sublinear"
        assert 0 < row["anytime_share_of_bound"] <= row["anytime_share_interval"][1] < 1


def test_epsilon_greedy_takes_the_worst_latent():
    """A slope that only one latent has is found."""

    def make(c, rng):
        fine, bad = curves(c, 0.5, 0.02, rng, 0.1), curves(c, 1.0, 0.02, rng, 0.1)
        if isinstance(c, epsilon_families.Alone):
            return fine
        of = np.arange(c.runs) % len(assemble.world(c.world).latents)
        return np.where((of == 1)[:, None], bad, 0.01 * fine)

    assert verdict(epsilon_greedy, make) == NOT_SUPPORTED


def test_epsilon_greedy_does_not_take_noise_for_the_worst_latent(monkeypatch):
    """Latents alike, and noise in short runs only: the largest of each length would flatten the slope."""
    monkeypatch.setattr(epsilon_greedy, "_share", lambda *_: Estimate(0.1, 0.1, 0.1))

    def make(c, rng):
        fine = curves(c, 0.5, 0.0, rng, 0.1)
        short = c.episodes < 10_000
        return fine * rng.uniform(0.2, 1.8, (c.runs, 1)) if short else fine

    cells = [c for c in epsilon_greedy.cells(False) if c.world == "treasure" and c.explore == epsilon_greedy.THEORY]
    slopes = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        slopes.append(epsilon_greedy.analyse(cells, [make(c, rng) for c in cells]).rows[0]["slope"])
    assert np.mean(slopes) == pytest.approx(0, abs=0.02)


def test_epsilon_greedy_runs_every_latent_often_enough_for_an_interval():
    cells = epsilon_greedy.cells(False)
    assert min(c.runs // len(assemble.world(c.world).latents) for c in cells) == 8
    lengths = [c.episodes for c in cells if (c.world, c.instructions) == ("household", "doubling")]
    assert lengths == [lengths[0], 10 * lengths[0], 100 * lengths[0]]


def test_delusion():
    """Regret and the posterior of the truth, run by run: each must hold."""

    def make(more, deluded, noise=0.0):
        def made(c, rng):
            shared = np.random.default_rng(0).exponential(size=(c.runs, c.episodes))  # of all cells alike
            own = noise * rng.normal(size=(c.runs, 1))
            if c.planner == "exact":
                return np.stack([shared + own, np.ones_like(shared)])
            true = np.where(np.arange(c.runs) < deluded * c.runs, 0.01, 1.0)[:, None]
            return np.stack([shared + more + own, np.broadcast_to(true, shared.shape)])

        return made

    assert verdict(delusion, make(0.1, 0.9)) == SUPPORTED
    assert verdict(delusion, make(-0.1, 0.9)) == NOT_SUPPORTED
    assert verdict(delusion, make(0.1, 0.2)) == NOT_SUPPORTED  # most end with the truth
    assert verdict(delusion, make(0.1, 0.0)) == NOT_SUPPORTED  # no less is believed
    assert verdict(delusion, make(0.1, 0.52)) == UNDECIDED
    assert verdict(delusion, make(0.01, 0.9, noise=1.0)) == UNDECIDED


def test_wrong_model():
    """A watched explorer's regret must bend, an unwatched one's must not; worlds beside the claim decide nothing."""

    def make(watched, unwatched, losing=9):
        def made(c, rng):
            power = watched if c.explore in wrong_model.WATCHED else unwatched
            power = power if (c.world, c.latent) in wrong_model.TRAPPED else 1.0
            regret = power * np.arange(1, c.episodes + 1) ** (power - 1.0) * rng.exponential(size=(c.runs, 1))
            regret[:-losing] = 0.0
            return np.column_stack([np.full(c.runs, -1 if ":" in c.explore else 60), regret])

        return made

    assert verdict(wrong_model, make(0.5, 1.0)) == SUPPORTED
    assert verdict(wrong_model, make(1.0, 1.0)) == NOT_SUPPORTED
    assert verdict(wrong_model, make(0.5, 0.5)) == NOT_SUPPORTED
    assert verdict(wrong_model, make(0.5, 1.0, losing=1)) == UNDECIDED  # many a resample has none that loses
    shown = [RunConfig("household", explore="adaptive", episodes=100, runs=9, latent="each")]
    cells = [*wrong_model.cells(True), *shown]
    rng = np.random.default_rng(0)
    finding = wrong_model.analyse(cells, [make(0.5, 1.0)(c, rng) for c in cells])
    assert finding.verdict == SUPPORTED and finding.rows[-1]["grows"] == "linear"
    drawn = wrong_model.drawn(finding.rows)
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == [c.explore for c in cells[:4]]


def test_wrong_model_is_wrong_and_is_rejected_where_it_is_watched():
    tables = assemble.world("shortcut:jam=0.3").tables
    believed = wrong_model.overconfident(tables)
    assert believed.transition.max(axis=-1).min() > 0.92 and tables.transition.max(axis=-1).min() == 0.7
    watched, _, unwatched, _ = (replace(c, episodes=150, runs=32) for c in wrong_model.cells(True)[:4])
    kept = [wrong_model.measure(c, lambda *said: None) for c in (watched, unwatched)]
    assert {k.shape for k in kept} == {(32, 151)}
    assert (kept[0][:, 0] > 0).mean() > 0.9 and (kept[1][:, 0] == -1).all()
    rows = wrong_model.analyse([watched, unwatched], kept).rows
    assert rows[0]["rejected"] > 0.9 and rows[1]["median_episode_of_rejection"] is None
    experts = [c for c in wrong_model.cells(True) if c.planner == wrong_model.EXPERT]
    assert all((wrong_model.measure(c, lambda *said: None)[:, 1:] == 0).all() for c in experts)
    # Regret is by the world's own tables: whatever is believed of the jamming, the corridor pays 0.7, and the door 0.7
    # at once, else what a second and a third try are worth.
    walks = wrong_model.measure(replace(watched, explore="none", episodes=3), lambda *said: None)
    np.testing.assert_allclose(walks[:, 1:], 0.7 + 0.3 * (0.7 * 0.7 + 0.3 * 0.7 * 0.4) - 0.7, atol=1e-12)


def test_delusion_keeps_what_the_planner_believes():
    """The posterior of an open door after each episode: of its own evidence, or of choices as if an expert's."""
    cells = [replace(c, episodes=12, runs=64) for c in delusion.cells(True)]
    kept = [delusion.measure(c, lambda *said: None) for c in cells]
    assert {k.shape for k in kept} == {(2, 64, 12)}
    plain, deluded = kept[0][1], kept[delusion.SHARES.index(0.5)][1]
    walked = deluded[:, -1] < 0.1
    assert 0.6 < walked.mean() < 1 and (np.diff(deluded[walked], axis=1) < 0).mean() > 0.9
    assert np.median(plain[:, 0]) == pytest.approx(0.1)  # walking says nothing about the door
    found = delusion.analyse(cells, kept)
    along = [row for row in found.rows if "posterior of the truth" in row]
    assert [row["after episodes"] for row in along if row["rho"] == 0.5] == [1, 10, 12]
    assert along[0]["interval"][0] < plain[:, 0].mean() < along[0]["interval"][1]


def test_traps():
    def make(factor, noise, longer=1.0):
        def made(c, rng):
            said = traps_measured.predicted(c)
            means = np.array([factor * said.cost, longer * said.paying])
            return means + noise * (means + 0.1) * rng.normal(size=(c.runs, 2))

        return made

    assert verdict(traps_measured, make(1.0, 0.01)) == SUPPORTED
    assert verdict(traps_measured, make(1.5, 0.01)) == NOT_SUPPORTED
    assert verdict(traps_measured, make(1.1, 3.0)) == UNDECIDED
    assert verdict(traps_measured, make(1.0, 0.01, longer=1.5)) == NOT_SUPPORTED  # the escape time counts
    assert verdict(traps_measured, make(1.0, 0.3, longer=1.1)) == UNDECIDED


def test_one_refuted_cell_refutes_traps_however_noisy_another_is():
    cells = traps_measured.cells(True)
    kept = []
    for i, c in enumerate(cells):
        said, rng = traps_measured.predicted(c), np.random.default_rng(i)
        means = np.array([said.cost, said.paying]) * (2 if i == 1 else 1)
        kept.append(means + (5 * (means + 0.1) if i == 2 else 0) * rng.normal(size=(c.runs, 2)))
    assert traps_measured.analyse(cells, kept).verdict == NOT_SUPPORTED


def test_traps_that_are_never_escaped_are_held_against_all_their_episodes():
    cells = [c for c in traps_measured.cells(True) if c.world == "traps"]
    assert [c.latent for c in cells] == ["0", "3"] and {c.planner for c in cells} == {"exact:decode=greedy"}
    usual, rare = map(traps_measured.predicted, cells)
    assert (rare.escape, rare.paying, rare.stuck) == (np.inf, 200, 1) and usual.paying == 0
    kept = [traps_measured.measure(c, lambda *said: None) for c in cells]
    finding = traps_measured.analyse(cells, kept)
    row = finding.rows[1]
    assert row["method"] == "exact" and row["never_escaped"] == 1 and row["escape_interval"] == [200, 200]
    assert row["predicted_escape"] == 200 and row["for_ever"] == 1 and finding.verdict == SUPPORTED


def test_prior_coverage():
    def make(without, level, noise, scale=10.0):
        def made(c, rng):
            x = prior_coverage.c_z(c)
            mean = 0.5 * x**without if c.explore == "none" else scale * max(x / 200, 1) ** level
            return spread(c, mean, noise, rng)

        return made

    assert verdict(prior_coverage, make(1.0, 0.0, 0.01)) == SUPPORTED
    assert verdict(prior_coverage, make(1.0, 0.2, 0.01)) == NOT_SUPPORTED
    assert verdict(prior_coverage, make(0.6, 0.0, 0.01, 0.1)) == NOT_SUPPORTED
    assert verdict(prior_coverage, make(1.0, 0.0, 0.01, 100.0)) == NOT_SUPPORTED  # level, and yet too much
    assert verdict(prior_coverage, make(0.92, 0.04, 1.0)) == UNDECIDED


def test_memory():
    def make(gain, noise):
        return lambda c, rng: spread(c, 5.0 + gain * (memory.kind_of(c) == memory.NOTHING), noise, rng)

    assert verdict(memory, make(2.0, 0.1)) == SUPPORTED
    assert verdict(memory, make(-2.0, 0.1)) == NOT_SUPPORTED
    assert verdict(memory, make(0.1, 3.0)) == UNDECIDED


def test_memory_reads_regret_off_at_three_horizons():
    cells = memory.cells(True)
    ramp = [np.tile(np.arange(c.episodes, dtype=float), (c.runs, 1)) for c in cells]
    rows = memory.analyse(cells, ramp).rows
    assert [(row["T"], row["regret"]) for row in rows[:3]] == [(2, 1.0), (8, 28.0), (32, 496.0)]
    assert len(rows) == 3 * len(memory.KINDS)


def test_prompts():
    """By the chat that comes nearest: one that plans as well is enough against the claim."""

    def make(gain, least, noise):
        def made(c, rng):
            design = prompts.design_of(c)
            more = {prompts.CHATS[1]: least}.get(design, gain) if design in prompts.CHATS else 0.0
            return spread(c, 5.0 + more, noise, rng)

        return made

    assert verdict(prompts, make(4.0, 2.0, 0.1)) == SUPPORTED
    assert verdict(prompts, make(4.0, -2.0, 0.1)) == NOT_SUPPORTED
    assert verdict(prompts, make(4.0, 0.1, 2.0)) == UNDECIDED


def test_multi_agent():
    def make(bought, alone, noise=0.01):
        def made(c, rng):
            t = np.arange(1, c.episodes + 1)
            curve = np.full(c.episodes, 0.3) if c.explore == "none" else bought * t**-0.5
            curve = curve * (alone if c.planner.startswith("decentralised") else 0.5 if "expert" in c.planner else 1.0)
            return curve * (1 + noise * rng.normal(size=(c.runs, 1)))

        return made

    assert verdict(multi_agent, make(0.3, 1.5)) == SUPPORTED
    assert verdict(multi_agent, make(0.3, 0.8)) == NOT_SUPPORTED
    assert verdict(multi_agent, make(0.3, 1.001, 0.3)) == UNDECIDED

    def never_bends(c, rng):
        return np.full((c.runs, c.episodes), 0.3 if c.planner.startswith("exact") else 0.4)

    assert verdict(multi_agent, never_bends) == NOT_SUPPORTED


def totals(c, rng, mine, noise):
    """One entry a run; the optimum is one number."""
    if c.explore == adaptive_exploration.LIMIT[1]:
        return np.array([[0.5]])
    mean = mine if c.explore == "adaptive" else 1.3
    return mean + noise * rng.normal(size=(c.runs, 1))


@pytest.fixture
def few_bootstraps(monkeypatch):
    monkeypatch.setattr(adaptive_exploration, "BOOTSTRAPS", 60)


@pytest.mark.usefixtures("few_bootstraps")
def test_adaptive_exploration():
    cells = adaptive_exploration.cells(True)
    for mine, noise, expected in ((0.25, 0.02, SUPPORTED), (9.0, 0.02, NOT_SUPPORTED), (0.28, 0.3, UNDECIDED)):
        made = [totals(c, np.random.default_rng(i), mine, noise) for i, c in enumerate(cells)]
        finding = adaptive_exploration.analyse(cells, made)
        assert finding.verdict == expected and finding.interval[0] <= finding.estimate <= finding.interval[1]
        assert finding == adaptive_exploration.from_rows(finding.rows)
        bayes = [row for row in finding.rows if row.get("criterion") == "bayes"]
        tight = {row["without slack"]: row for row in finding.rows if "without slack" in row}
        assert sum(tight["bayes"][verdict] for verdict in (SUPPORTED, UNDECIDED, NOT_SUPPORTED)) == 5
        assert tight["bayes"]["largest excess"] == pytest.approx(0.25 - min(row["margin"] for row in bayes))
        assert len(bayes) == 5 and all(row["regret"] == pytest.approx(mine, abs=noise) for row in bayes)
    assert {row["criterion"] for row in finding.rows if "criterion" in row} == {
        "bayes",
        "worst",
        "half",
        "optimum",
        "proposals",
    }
    json.dumps(finding.as_dict(), allow_nan=False)


def test_half_is_asked_behind_traps_that_the_theory_finds():
    assert [trapped(world) for world in many_families(4)] == [False, True, False, False]
    assert trapped("shortcut") and trapped("traps")
    for world in ("treasure", "team"):  # the chain says so of these as well, and they are not asked
        beliefs = assemble.beliefs_of(assemble.world(world).tables)
        found = traps(beliefs, classes_of(beliefs), 10_000)
        assert {e.method for e in found.escapes if e.decoding == "greedy"} == {"exact"}
        assert not found.reveals("greedy") and not trapped(world)


def small_but_whole() -> list[RunConfig]:
    """The cells of the quick form with as many runs as the full one has at first: it looks again."""
    return [replace(c, runs=c.runs * (4 if c.runs > 1 else 1)) for c in adaptive_exploration.cells(True)]


@pytest.mark.usefixtures("few_bootstraps")
def test_a_bound_that_decides_nothing_is_run_for_longer_and_noise_more_often():
    cells = small_but_whole()

    def made(noise, mean=0.25):
        return [totals(c, np.random.default_rng(i), mean, noise) for i, c in enumerate(cells)]

    assert adaptive_exploration.further(cells, made(0.02)) == []
    quick = adaptive_exploration.cells(True)
    once = adaptive_exploration.further(quick, [totals(c, np.random.default_rng(0), 1.0, 3.0) for c in quick])
    assert {c.seed for c in once} <= {0}
    longer = adaptive_exploration.further(cells, made(0.02, 9.0))
    assert longer and {(c.seed, c.episodes) for c in longer} == {(0, 1000)}
    while more := adaptive_exploration.further(cells, made(0.02, 9.0)):
        assert {c.seed for c in more} == {0}  # refuted for certain: more runs would not help
        cells += more
    assert adaptive_exploration.analyse(cells, made(0.02, 9.0)).verdict == NOT_SUPPORTED
    looks: dict[str, list[list[int]]] = {}
    while more := adaptive_exploration.further(cells, made(3.0, 1.0)):
        cells += more
        for world in {c.world for c in more if c.seed}:
            looks.setdefault(world, []).append(sorted({c.seed for c in more if c.world == world}))
    assert looks
    assert max(map(len, looks.values())) == len(adaptive_exploration.SEEDS)  # and none after the last
    for used in looks.values():
        assert used == [list(s[: len(u)]) for s, u in zip(adaptive_exploration.SEEDS, used, strict=False)]
    assert len(set(cells)) == len(cells)


@pytest.mark.usefixtures("few_bootstraps")
def test_what_a_line_has_had_it_needs_no_more():
    """At a further look the lines of a margin come to the same number of runs."""
    mine, block = adaptive_exploration.ADAPTIVE, adaptive_exploration.BLOCK
    cells = [c for c in small_but_whole() if c.world == small_but_whole()[0].world]
    world = cells[0].world
    cells += [adaptive_exploration._cell(world, mine, 1000, block, seed) for seed in (1, 2)]
    more: list[RunConfig] = []
    while not any(c.seed for c in more):
        cells += more
        made = [totals(c, np.random.default_rng(i), 0.3, 0.8) for i, c in enumerate(cells)]
        more = adaptive_exploration.further(cells, made)
        assert more
    blocks = Counter((c.planner, c.explore) for c in more)
    proposals = blocks[adaptive_exploration.PROPOSALS]
    assert proposals > 2
    assert blocks == {adaptive_exploration.PROPOSALS: proposals, mine: proposals - 2}


@pytest.mark.usefixtures("few_bootstraps")
def test_a_bound_refutes_nothing():
    """Adaptive is above 1.1 times what exploring with probability 1/t costs at least, but that may cost more."""
    cells = adaptive_exploration.cells(True)
    finding = adaptive_exploration.analyse(cells, [totals(c, np.random.default_rng(0), 0.5, 0.001) for c in cells])
    row = next(r for r in finding.rows if r["criterion"] == "bayes" and r["world"].startswith("random"))
    assert row["interval"][1] < 0 and row["best_is"] == "at least" and row["verdict"] == UNDECIDED


def trained(c, rng, exponent, noise):
    error = 2.0 * (c.documents * c.episodes) ** exponent * np.exp(noise * rng.normal())
    return np.array([[error, 0.01 * error, 1.0, 100, 1000, *(error + 0.001 * rng.normal(size=c.runs))]])


def test_pretraining_error():
    assert verdict(pretraining_error, lambda c, rng: trained(c, rng, -0.5, 0.02)) == SUPPORTED
    assert verdict(pretraining_error, lambda c, rng: trained(c, rng, -0.1, 0.02)) == NOT_SUPPORTED
    assert verdict(pretraining_error, lambda c, rng: trained(c, rng, -0.5, 1.0)) == UNDECIDED


def test_the_width_that_binds_is_no_evidence_of_the_exponent():
    numbers = {16: np.array([0.1]), 64: np.array([0.05]), 256: np.array([0.049])}
    larger = {16: np.array([0.1]), 64: np.array([0.049]), 256: np.array([0.025])}
    assert pretraining_error.binding({8: numbers, 16: larger}) == {8: {256}, 16: set()}


def test_demo_ratio():
    def make(gap, half, at=(2.0, 1.8, 1.6, 1.8, 2.0)):
        def made(c, rng):
            regret = at[demo_ratio.RHOS.index(c.rho)]
            found = ((0.01, 0.001), (0.01 + gap, 0.001), (gap, half), (regret, 0.1), (1.9, 0.1), (1.0, 0.2))
            return np.array(found)

        return made

    assert verdict(demo_ratio, make(0.01, 0.001)) == SUPPORTED
    assert verdict(demo_ratio, make(-0.01, 0.001)) == NOT_SUPPORTED
    assert verdict(demo_ratio, make(0.001, 0.01)) == UNDECIDED
    assert (
        verdict(demo_ratio, make(0.01, 0.001, (1.6, 1.8, 2.0, 2.2, 2.4))) == NOT_SUPPORTED
    )  # not lowest in the middle
    assert verdict(demo_ratio, make(0.01, 0.001, (2.0, 2.0, 1.9, 2.0, 2.4))) == UNDECIDED
    cells = demo_ratio.cells(False)
    shares = {(c.rho, c.label_error) for c in cells}
    assert {rho for rho, _ in shares} == {wrong for _, wrong in shares} == {0.0, 0.25, 0.5, 0.75, 1.0}
    assert all(rho == 0 or wrong == 0 for rho, wrong in shares)  # corrupted separately
    worlds, widths, seeds = demo_ratio.WORLDS, demo_ratio.WIDTHS, demo_ratio.SEEDS
    every = {(world, width, *share, s) for world in worlds for width in widths for share in shares for s in seeds}
    assert {(c.world, c.width, c.rho, c.label_error, c.seed) for c in cells} == every and len(every) == len(
        cells
    ) == 324
    rows = demo_ratio.analyse(cells, [make(0.01, 0.001)(c, None) for c in cells]).rows
    shape = {(row["in"], row["to rho"]): (row["trainings"], row["verdict"]) for row in rows if "in" in row}
    assert shape["traps", 0.5] == (12, SUPPORTED) and shape["treasure:n=2", 0.5] == (12, NOT_SUPPORTED)
    rows = [row for row in rows if "error" in row]
    assert {tuple(row["delusion_interval"]) for row in rows} == {(0.8, 1.2)}
    assert {"closer_by" in row for row in rows if not row["rho"] + row["label_error"]} == {False}
    assert {c.matching for c in cells if c.label_error} == {f"exact:label_error={x}" for x in (0.25, 0.5, 0.75, 1.0)}


def test_world_model():
    def make(excess, half, calibration):
        row = [excess, half, 0.3, 0.01, calibration, 0.8, *np.full(30, 0.1)]
        other = [9.0, 0.1, 0.3, 0.01, 0.9, *row[5:]]  # reported only: deeper, of an episode, of a model trained here

        def made(c, rng):
            return np.array([other if isinstance(c, world_model.Observing) else row, other, *[other] * c.episodes])

        return made

    assert verdict(world_model, make(0.005, 0.002, 0.01)) == SUPPORTED
    assert verdict(world_model, make(0.05, 0.002, 0.01)) == NOT_SUPPORTED
    assert verdict(world_model, make(0.005, 0.002, 0.03)) == NOT_SUPPORTED
    assert verdict(world_model, make(0.019, 0.01, 0.01)) == UNDECIDED
    cells = world_model.cells(False)
    trained = [c for c in cells if isinstance(c, world_model.Observing)]
    assert {c.world.partition(":")[0] for c in trained} == {"shortcut", "weather"}
    assert {c.width for c in trained} == {8, 16, 24, 32} and {c.rho for c in trained} == {0.0, 0.25, 0.5, 0.75, 1.0}
    kept = [make(0.005, 0.002, 0.01)(c, None) + getattr(c, "seed", 0) for c in cells]  # trainings differ
    rows = world_model.analyse(cells, kept).rows
    of_shortcut = [row for row in rows if row["trainings"] == 3 and row["of"] == "depth 1"]
    assert len(of_shortcut) == 4 and {row["excess_nats"] for row in of_shortcut} == {10.0}  # 9, 10 and 11
    half = 4.303 / 3**0.5  # of Student's t with two degrees of freedom
    np.testing.assert_allclose(of_shortcut[0]["interval"], [10 - half, 10 + half], atol=1e-2)
    assert {tuple(row["interval"]) for row in rows if row["world"].startswith("weather:")} == {(8.9, 9.1)}


def test_world_model_regret():
    def make(factor, noise, clone=40.0, alone=1.0):
        def made(c, rng):
            mine = c.planner == world_model_regret.MODEL
            without = isinstance(c, world_model_regret.Unlabelled)
            mean = clone if c.planner == "random" else 4.0 * (alone if without else factor if mine else 1.0)
            return spread(c, mean, noise, rng)

        return made

    assert verdict(world_model_regret, make(1.0, 0.05)) == SUPPORTED
    assert verdict(world_model_regret, make(1.5, 0.05)) == NOT_SUPPORTED
    assert verdict(world_model_regret, make(1.1, 2.0)) == UNDECIDED
    assert verdict(world_model_regret, make(1.0, 0.05, alone=1.5)) == NOT_SUPPORTED  # than in the exact model
    assert verdict(world_model_regret, make(1.0, 0.05, clone=5.0)) == NOT_SUPPORTED  # than half of the clone


def test_what_regret_is_due_to_adds_up():
    cells = world_model_regret.cells(False)
    worth = {world_model_regret.MODEL: 8.0, world_model_regret.EXACT_MODEL: 6.0}
    worth |= {world_model_regret.ALL_HISTORIES: 5.0, world_model_regret.LEARNING[0]: 2.0}
    made = [np.full((c.runs, c.episodes), worth.get(c.planner, 9.0) / c.episodes) for c in cells]
    for row in world_model_regret.analyse(cells, made).rows:
        parts = [row[f"due_to_{name}"] for name in ("model", "search", "exploration", "learning")]
        np.testing.assert_allclose(parts, [2.0, 1.0, 3.0, 2.0])
        assert row["share_exploration"] == pytest.approx(3 / 8)
        assert row["slope"] == pytest.approx(1) and row["slope_interval"] == pytest.approx([1, 1])  # a straight line
        assert ("bound" in row) == (row["explore"] == world_model_regret.RATE)


def test_search_budget():
    def make(found, noise):
        def made(c, rng):
            whole = 2.0 + rng.random((c.runs, len(search_budget.HEARD) * 4))
            share = np.where(np.arange(whole.shape[1]) % 4 == 0, found, 1.0) + noise * rng.normal(size=(c.runs, 1))
            return np.stack([share * whole, whole, whole], axis=-1)

        return made

    assert verdict(search_budget, make(0.97, 0.001)) == SUPPORTED
    assert verdict(search_budget, make(0.92, 0.001)) == NOT_SUPPORTED  # enough for 256 calls, not for 1,024
    assert verdict(search_budget, make(0.96, 0.05)) == UNDECIDED


def test_jump():
    def make(delay, spread, alarms):
        def made(c, rng):
            regret, alarm = np.full((2, c.runs, c.episodes), 0.01)
            alarm = np.zeros_like(regret)
            if "jump" not in c.world:
                alarm = (rng.random(alarm.shape) < alarms).astype(float)
            elif c.planner == jump.RESTART:
                at = np.minimum(jump.JUMP + delay + rng.integers(0, spread, c.runs), c.episodes - 1)
                alarm[np.arange(c.runs), at] = 1
            elif c.world == jump.MOVED:
                regret[:, jump.JUMP + 2 :] = np.nan  # the exact planner had to stop
            return np.stack([regret, alarm])

        return made

    assert verdict(jump, make(1, 10, 1e-4)) == SUPPORTED
    assert verdict(jump, make(1, 40, 1e-4)) == NOT_SUPPORTED  # too late
    assert verdict(jump, make(1, 10, 3e-3)) == NOT_SUPPORTED  # too often
    assert verdict(jump, make(0, 22, 1e-4)) == UNDECIDED


def test_diagnosis():
    """All named right is supported; a tenth of healthy runs called ill is not; a few wrong names leave it open."""

    def make(wrong):
        def made(c, rng):
            true = diagnosis.NAMES.index(c.failure)
            return np.array([[wrong(c, true, rng), true, 1]], dtype=float)

        return made

    ill = diagnosis.NAMES.index(diagnosis.EXPLORE)
    cells = diagnosis.cells(False)
    for wrong, expected in (
        (lambda c, true, rng: true, SUPPORTED),
        (lambda c, true, rng: ill if true == 0 and rng.random() < 0.3 else true, NOT_SUPPORTED),
        (lambda c, true, rng: 0 if rng.random() < 0.3 else true, NOT_SUPPORTED),
    ):
        found = [make(wrong)(c, np.random.default_rng(i)) for i, c in enumerate(cells)]
        assert diagnosis.analyse(cells, found).verdict == expected
    few = cells[:: len(cells) // 18]
    assert diagnosis.analyse(few, [make(lambda c, true, rng: true)(c, None) for c in few]).verdict == UNDECIDED


def test_diagnosis_where_an_explorer_acts():
    """What does not count decides nothing; names that are wrong without tables refute, and so do alarms."""

    def make(without, counts=lambda c: 1):
        def made(c):
            true = diagnosis.NAMES.index(c.failure)
            if isinstance(c, diagnosis.Planted):
                return np.array([[true, true, 1]], dtype=float)
            return np.array([[true, without(c, true), counts(c)]], dtype=float)

        return made

    ill, unknown = diagnosis.NAMES.index(diagnosis.EXPLORE), diagnosis.NAMES.index("cannot tell")
    cells = diagnosis.cells(False)
    for made, expected in (
        (make(lambda c, true: true), SUPPORTED),
        (make(lambda c, true: true if c.kind == "signs" else ill, lambda c: c.kind == "signs"), UNDECIDED),  # few count
        (make(lambda c, true: ill if true == 0 and c.kind in ("ask", "lock") else true), NOT_SUPPORTED),
        (make(lambda c, true: unknown if true == 0 and c.kind == "lock" else true), SUPPORTED),  # no alarm
        (make(lambda c, true: unknown), NOT_SUPPORTED),
    ):
        assert diagnosis.analyse(cells, [made(c) for c in cells]).verdict == expected


def test_unseen_worlds():
    """Memory that saves, exploration that saves where there are traps, and regret that falls: each must hold."""

    def make(saved, explored, left, elsewhere=()):
        """Sets that the claim names; `elsewhere` those where it is the other way round."""

        def made(c, rng):
            if isinstance(c, unseen_worlds.Property):
                return np.array([[float((c.seed + i) % 2)] for i in range(c.runs)])
            if isinstance(c, unseen_worlds.Seen):
                return np.zeros((1, 1))
            if (c.world in unseen_worlds.HOLDS) == (c.world in elsewhere):
                return np.full((c.runs, c.episodes), 0.3)
            total = 10.0 + saved * ("memory=none" in c.planner) - explored * (c.explore == "adaptive-proposals")
            falls = np.linspace(1.0, left, c.episodes)
            return (total * falls / falls.sum())[None] * rng.uniform(0.9, 1.1, size=(c.runs, 1))

        return made

    for saved, explored, left, expected in (
        (3.0, 3.0, 0.2, SUPPORTED),
        (-3.0, 3.0, 0.2, NOT_SUPPORTED),
        (3.0, -3.0, 0.2, NOT_SUPPORTED),
        (3.0, 3.0, 0.9, NOT_SUPPORTED),
        (0.02, 3.0, 0.2, UNDECIDED),
    ):
        assert verdict(unseen_worlds, make(saved, explored, left)) == expected
    for wrong in ("generated:kind=lock", "generated:kind=ask", "household"):
        assert verdict(unseen_worlds, make(3.0, 3.0, 0.2, (wrong,))) == NOT_SUPPORTED


def test_unseen_worlds_asks_for_more_families_where_the_claim_is_undecided():
    """Twice as many at each further look, of the lines that decide; the others stay as they are."""
    rng, cells = np.random.default_rng(0), list(unseen_worlds.cells(False)[3:])
    cells = [c for c in cells if c.world == "generated" and not isinstance(c, unseen_worlds.Grown)]

    def made(c, left):
        if isinstance(c, unseen_worlds.Seen):
            return np.zeros((1, 1))
        if isinstance(c, unseen_worlds.Property):
            return (np.arange(c.runs)[:, None] % 4 == 0).astype(float)
        loss = 3.0 if "memory=none" in c.planner else 1.0 if c.explore == "adaptive-proposals" else 2.0
        return loss * np.linspace(1.0, left, c.episodes) * rng.exponential(size=(c.runs, c.episodes))

    regrets = [made(c, 0.5) for c in cells]
    for number in (256, 512):
        more = unseen_worlds.further(cells, regrets)
        assert len(more) == 1 + 4 * number // 16 and len(set(more)) == len(more)
        assert (more[0].seed, more[0].runs) == (number, number) and {c.seed % 16 for c in more} == {0}
        cells, regrets = [*cells, *more], [*regrets, *(made(c, 0.5) for c in more)]
    assert not unseen_worlds.further(cells, regrets)  # there are no more, decided or not
    rows = [row for row in unseen_worlds.analyse(cells, regrets).rows if "compared" in row]
    assert [row["families"] for row in rows] == [1024, 256, 64, 1024]
    assert [row["holds"] for row in rows[:2]] == [SUPPORTED, SUPPORTED] and rows[3]["holds"] == UNDECIDED
    cells = [c for c in cells if c.seed < 256]
    assert not unseen_worlds.further(cells, [made(c, 0.1) for c in cells])


def test_unseen_worlds_refuses_families_that_were_trained_on(monkeypatch):
    trained = partial(generated, EVALUATED + 3)
    again = {unseen_families.fingerprint(trained()): trained}
    monkeypatch.setattr(unseen_families, "trained_on", lambda: again)
    cells = [unseen_worlds.Seen("generated", runs=4, seed=first) for first in (4, 0)]
    none, one = [unseen_worlds.measure(cell, lambda *said: None) for cell in cells]
    assert none == 0 and one == 1
    with pytest.raises(BadInput, match="1 of its families"):
        unseen_worlds.gathered(cells[1:], [one])


def test_unseen_worlds_in_small():
    """A chunk of families is run by every planner; the exact one loses least; traps are found."""
    few = dict(episodes=4, runs=3)
    regret = {}
    for title in ("exact", "at random"):
        cell = RunConfig("generated", *unseen_worlds.ARMS[title], **few)
        regret[title] = unseen_worlds.measure(cell, lambda *said: None)
    assert regret["exact"].shape == (3, 4) and regret["exact"].sum() < regret["at random"].sum()
    trapped = unseen_worlds.measure(unseen_worlds.Property("generated:kind=ask", **few), lambda *said: None)
    assert trapped.shape == (3, 1) and set(trapped.ravel()) <= {0.0, 1.0}
