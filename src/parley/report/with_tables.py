"""Failure signatures by the world's tables: the planner's logged proposals are held against the exact planner's (BAIL).

What BAIL itself, having heard the same, would lose was never found out; the rest is the planner's own doing. Legend: B
runs, T episodes, Z latents, G subgoals; a run *pays* where its unexplored late episodes lose more than `PAYS` each.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from parley.core.draws import Draws
from parley.core.said import Opening, Outcome, Prediction, decode
from parley.core.tables import Tables
from parley.exploration.rejection import FALSE_ALARM, Bets
from parley.planners.exact import ExactPlanner
from parley.planners.world_model import WorldModelPlanner
from parley.report.signatures import (
    ALIKE,
    BELIEF,
    EXCESS,
    EXCESS_TRIALS,
    EXPLORE,
    FEWEST,
    HEALTHY,
    LATE,
    MODEL,
    OWN,
    PAYS,
    PRETRAINING,
    UNKNOWN,
    Diagnosis,
    Evidence,
    judged_mean,
    outcome,
    over_runs,
)
from parley.runs.log import LoggedEpisode
from parley.theory.beliefs import Beliefs
from parley.theory.regret import RegretMeter


@dataclass
class _Late:
    """What was found of the unexplored late episodes of every run."""

    own: Float[np.ndarray, "B T"]  # loss of the planner's proposals, NaN where not judged
    bail: Float[np.ndarray, "B T"]  # loss of BAIL's at the same histories
    spent: Float[np.ndarray, "B T"]  # what the subgoals that were executed lose, explored ones too
    chance: Float[np.ndarray, "B T"]  # what choosing at random loses at the same histories
    wealth: Float[np.ndarray, "B T"]  # log, of the bets against the latent that they do least against
    laws: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]  # rows, planner's, BAIL's, experts' (n, Z, G)


def with_tables(told: list[LoggedEpisode], beliefs: Beliefs, truth: np.ndarray, how: str, predicts: bool) -> Diagnosis:
    """The signature of late regret, by the planner's and by BAIL's proposals. `predicts`: it plans in predictions."""
    late, planner, rejected = _follow(told, beliefs, truth, how)
    own, bail = np.nan_to_num(judged_mean(late.own)), np.nan_to_num(judged_mean(late.bail))
    pays = own > PAYS
    statistics = {
        "paying": float(pays.mean()),
        "late regret": float(own.mean()),
        "of BAIL": float(bail.mean()),
    }
    few = min(FEWEST, len(pays))
    shown = pays if pays.sum() >= few else np.ones_like(pays)
    curves = {"the planner": over_runs(late.own, shown), "BAIL, having heard the same": over_runs(late.bail, shown)}
    losses = Evidence("expected loss of an unexplored episode", curves, PAYS)
    if rejected.sum() >= few:
        said = f"the sequential test rejects every latent in {int(rejected.sum())} of {len(rejected)} runs"
        wealth = Evidence(
            "log wealth of the bets against every latent",
            {"of these runs": over_runs(late.wealth, rejected)},
            -np.log(FALSE_ALARM),
        )
        return Diagnosis(
            BELIEF, said, statistics | {"rejected": float(rejected.mean())}, _worst(late.own, rejected), wealth
        )
    if pays.sum() < few:
        return _without_fault(late, pays, statistics, losses)
    unlike, residual, weights = _beliefs_of(late, pays, beliefs.tables)
    share = float((own[pays] - bail[pays]).sum() / own[pays].sum())
    wrong = weights[np.arange(len(truth)), truth]
    exact = planner.posterior[np.arange(len(truth)), truth]
    deluded = float(np.mean((residual[pays] <= ALIKE) & (wrong[pays] < exact[pays] / 2)))
    statistics |= {"planner's own share": share, "unlike BAIL": float(unlike[pays].mean()), "deluded": deluded}
    look = _worst(late.own, pays)
    if deluded > 0.5:
        said = "its proposals are those of experts of other latents, which what was heard does not bear out"
        return Diagnosis(BELIEF, said, statistics, look, losses)
    if share > OWN or float(unlike[pays].mean()) > 2 * ALIKE:
        said = "it loses where the exact planner, having heard the same, would not"
        return Diagnosis(MODEL if predicts else PRETRAINING, said, statistics, look, losses)
    said = "it proposes what the exact planner proposes, and loses because nothing was tried that could tell"
    return Diagnosis(EXPLORE, said, statistics, look, losses)


def _without_fault(
    late: _Late, pays: Bool[np.ndarray, " B"], statistics: dict[str, float], losses: Evidence
) -> Diagnosis:
    """Of a planner that loses nothing where it does not explore: whether the run as a whole does better than chance."""
    spent, chance = judged_mean(late.spent), judged_mean(late.chance)
    error = float((spent - chance).std(ddof=1) / np.sqrt(len(spent))) if len(spent) > 1 else 0.0
    statistics = statistics | {
        "late regret, explored too": float(spent.mean()),
        "of random choice": float(chance.mean()),
    }
    if spent.mean() > PAYS and spent.mean() > chance.mean() - error:
        said = f"late episodes lose {spent.mean():.3g} each, choosing at random there {chance.mean():.3g}"
        explores = np.isnan(late.own[:, ~np.isnan(late.spent).all(axis=0)]).mean() > 0.5
        return Diagnosis(
            EXCESS_TRIALS if explores else PRETRAINING, said, statistics, _worst(late.spent, spent > PAYS), losses
        )
    if np.isnan(late.own).all() and spent.mean() > PAYS:
        return Diagnosis(UNKNOWN, "every late episode explored: the planner alone was not seen", statistics, [], losses)
    said = f"{int(pays.sum())} of {len(pays)} runs still lose more than {PAYS} an unexplored episode"
    return Diagnosis(HEALTHY, said, statistics, [], losses)


def _follow(
    told: list[LoggedEpisode], beliefs: Beliefs, truth: np.ndarray, how: str
) -> tuple[_Late, ExactPlanner, Bool[np.ndarray, " B"]]:
    """Hear the log as BAIL, as the regret meter, and as the sequential test of the model."""
    num, first = len(truth), int(len(told) * (1 - LATE))
    planner, meter, bets = ExactPlanner(beliefs), RegretMeter(beliefs, truth), Bets()
    planner.start(Draws(0, num))
    bets.start(num)
    nothing = np.full((num, len(told)), np.nan)
    own, bail, spent, chance, wealth = (nothing.copy() for _ in range(5))
    late = _Late(own, bail, spent, chance, wealth, [])
    for t, episode in enumerate(told):
        explored = np.any([step.explored for step in episode.steps], axis=0)
        losses = np.zeros((4, num))  # of the planner's proposals, BAIL's, executed choices, random choice
        said: Opening | Outcome = episode.opening
        for step in [*episode.steps, None]:
            before = np.zeros_like(planner.log_environment) if isinstance(said, Opening) else planner.log_environment
            planner.hear(said)
            meter.hear(said)
            with np.errstate(invalid="ignore"):
                bets.hear(said, np.nan_to_num(planner.log_environment - before, nan=-50.0, neginf=-50.0))
            if step is None:
                break
            if t >= first:
                experts = beliefs.policy(planner.step, planner.place, planner.latent, planner.instruction)
                laws = [step.proposals[0].probs, planner.joint_proposal()]
                q = beliefs.optimal(meter.step, meter.place, meter.latents, meter.instruction)
                legal = np.broadcast_to(step.menus[0].legal, q.shape)
                random = legal / legal.sum(axis=1, keepdims=True)
                executed = np.eye(q.shape[1])[beliefs.tables.joint(step.subgoals)]
                for i, law in enumerate((*(decode(law, how) for law in laws), executed, random)):
                    losses[i] += np.where(step.active, q.max(axis=1) - (law * q).sum(axis=1), 0.0)
                rows = np.flatnonzero(step.active & ~explored)
                late.laws.append((rows, laws[0][rows], laws[1][rows], experts[rows]))
            said = outcome(t, step)
        late.wealth[:, t] = bets.least
        if t >= first:
            late.own[~explored, t], late.bail[~explored, t] = losses[0, ~explored], losses[1, ~explored]
            late.spent[:, t], late.chance[:, t] = losses[2:]
    return late, planner, bets.rejected


def _worst(losses: Float[np.ndarray, "B T"], runs: Bool[np.ndarray, " B"]) -> list[tuple[int, int]]:
    """The costliest judged episode of the first five of these runs."""
    found = []
    for run in np.flatnonzero(runs)[:5]:
        judged = np.nan_to_num(losses[run], nan=-1.0)
        found.append((int(run), int(judged.argmax())))
    return found


def _beliefs_of(
    late: _Late, pays: Bool[np.ndarray, " B"], tables: Tables
) -> tuple[Float[np.ndarray, " B"], Float[np.ndarray, " B"], Float[np.ndarray, "B Z"]]:
    """Distance to BAIL, the belief that a run's proposals are those of, and how far they are from any belief's.

    The belief is the mixture of experts of greatest likelihood (expectation maximisation over the late decisions).
    """
    num, z = len(pays), tables.num_latents
    unlike, residual, weights = np.zeros(num), np.zeros(num), np.full((num, z), 1 / z)
    for run in np.flatnonzero(pays):
        mine = [(p[rows == run], b[rows == run], e[rows == run]) for rows, p, b, e in late.laws if (rows == run).any()]
        law, bail, experts = (np.concatenate(parts) for parts in zip(*mine, strict=True))
        unlike[run] = 0.5 * np.abs(law - bail).sum(axis=1).mean()
        w = weights[run]
        for _ in range(300):
            mixed = np.einsum("nzg,z->ng", experts, w)
            share = np.einsum("ng,nzg->z", law / np.maximum(mixed, 1e-12), experts) * w
            w = share / share.sum()
        weights[run] = w
        residual[run] = 0.5 * np.abs(law - np.einsum("nzg,z->ng", experts, w)).sum(axis=1).mean()
    return unlike, residual, weights


def predictions(told: list[LoggedEpisode], num: int, beliefs: Beliefs, again: WorldModelPlanner) -> Diagnosis:
    """How much worse it predicted what came than the exact model, nats an observation, late and over all runs."""
    exact, rows = ExactPlanner(beliefs), np.arange(num)
    for reader in (exact, again):
        reader.start(Draws(0, num))
    excess, tables, none = np.full((num, len(told)), np.nan), beliefs.tables, np.zeros((num, 0), dtype=np.intp)
    for t, episode in enumerate(told):
        said: Opening | Outcome = episode.opening
        lost = []
        for step in [*episode.steps, None]:
            for reader in (exact, again):
                reader.hear(said)
            if step is None:
                break
            found: Prediction = again.model.predict(rows, none, none)
            subgoal, seen = tables.joint(step.subgoals), tables.observation_words.encode(step.next_observations)
            theirs = found.observations[rows, subgoal, seen]
            said = outcome(t, step)
            each = beliefs.predict(exact.step, exact.place, exact.latent, subgoal[:, None])
            ours = np.einsum("bz,bzo->bo", exact.posterior, each)[rows, seen]
            more = np.log(np.maximum(ours, 1e-12)) - np.log(np.maximum(theirs, 1e-12))
            lost.append(np.where(step.active, more, np.nan))
        excess[:, t] = judged_mean(np.array(lost).T)
    by_run = judged_mean(excess[:, len(told) // 2 :])
    mean, half = float(by_run.mean()), float(1.96 * by_run.std(ddof=1) / np.sqrt(num))
    because = f"it predicts {mean:.3f} ± {half:.3f} nats an observation worse than the exact model that heard the same"
    look = [(int(run), len(told) - 1) for run in np.argsort(-by_run)[:5]]
    bad = mean - half > EXCESS
    curves = {"more than the exact model": over_runs(excess, np.ones(num, dtype=bool))}
    evidence = Evidence("log-loss of an observation (nats)", curves, EXCESS)
    return Diagnosis(MODEL if bad else HEALTHY, because, {"excess nats": mean}, look if bad else [], evidence)
