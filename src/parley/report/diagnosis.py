"""How a run goes wrong: which of the five failure signatures of theory.md section 8 its log shows, if any.

With tables, the planner's logged proposals are held against those of the exact planner which hears the same log
(BAIL): what BAIL itself would lose there was never found out, the rest is the planner's own doing. Without tables, a
run's own outcomes are all there is: what it could have known from them, and what other runs of the log reached.
Legend: B runs, Z latents, G subgoals; a run *pays* where its unexplored late episodes lose more than `PAYS` each.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.said import Opening, Outcome, Prediction, StepRecord, decode
from parley.core.tables import Tables
from parley.exploration.rejection import Bets
from parley.planners.exact import ExactPlanner
from parley.planners.world_model import WorldModelPlanner
from parley.report.summary import readable_manifest
from parley.runs.directory import storage
from parley.runs.log import LoggedEpisode, StepsLog
from parley.theory.beliefs import Beliefs
from parley.theory.regret import RegretMeter

HEALTHY = "healthy"
EXPLORE = "too little exploration"
PRETRAINING = "pretraining error"
BELIEF = "wrong or deluded belief"
UNUSABLE = "unusable subgoals"
MODEL = "world-model error"
NEXT = {
    HEALTHY: "nothing: go on",
    EXPLORE: "explore: --explore adaptive (with tables), adaptive-proposals, or epsilon-greedy:epsilon=theory",
    PRETRAINING: "train the planner longer or on better labels (parley evaluate shows where it is off)",
    BELIEF: "check that the planner counts no subgoal of its own as evidence, and the model (parley world verify)",
    UNUSABLE: "change the prompt or the way answers are heard (parley prompt, way=...), or take another model",
    MODEL: "train the model on this world's observations (parley evaluate), or plan by imitation instead",
}
PAYS = 0.03  # reward an unexplored late episode
LATE = 0.25  # share of the episodes, the last ones, that are judged
OWN = 0.5  # share of what is paid that must be the planner's own doing for it to be blamed
ALIKE = 0.05  # total variation up to which two laws are called the same
EXCESS = 0.05  # nats an observation that a world model may predict worse than the exact one
INVALID = 0.05  # share of unusable answers
DOUBT = 0.02  # probability of a subgoal that is hardly tried
FEWEST = 2  # runs that pay before anything is said


@dataclass(frozen=True)
class Diagnosis:
    """A signature, the numbers that decided it, and the (run, episode)s to look at."""

    signature: str
    because: str
    statistics: dict[str, float]
    look_at: list[tuple[int, int]] = field(default_factory=list)

    @property
    def try_next(self) -> str:
        return NEXT[self.signature]

    def as_dict(self) -> dict[str, Any]:
        steps = [list(pair) for pair in self.look_at]
        about = {"signature": self.signature, "because": self.because, "try_next": self.try_next}
        return {**about, "statistics": self.statistics, "look_at": steps}


def diagnose(
    out: Path, beliefs: Beliefs | None, again: WorldModelPlanner | None = None, tables_too: bool = True
) -> Diagnosis:
    """The signature of the run in `out`, which must have recorded its steps.

    `again` is the run's planner, made anew, where it plans in predictions: it is asked for them once more. `tables_too`
    False decides without the world's tables even where there are any. Raises `BadInput`.
    """
    manifest = readable_manifest(out)
    if manifest["config"]["record"] != "steps":
        raise BadInput(f"{out}: steps were not recorded; repeat the run with --record steps")
    if len(manifest["menus"] or [[]]) > 1:
        raise BadInput(f"{out}: runs of several Actors are not diagnosed")
    num = len(manifest["latents"])
    with storage(out):
        told = list(_episodes(StepsLog(out / "run.sqlite", 0, num)))
    if len(told) < 8:
        raise BadInput(f"{out}: {len(told)} whole episodes: a diagnosis takes 8 at least")
    unusable = _unusable(told)
    if unusable.signature != HEALTHY:
        return unusable
    how = "greedy" if "decode=greedy" in manifest["config"]["planner"] else "sample"
    if beliefs is None or not tables_too:
        return _without_tables(told, num, how)
    if again is not None:
        found = _world_model(told, num, beliefs, again)
        if found.signature != HEALTHY:
            return found
    truth = np.array([beliefs.tables.latents.index(name) for name in manifest["latents"]])
    return _with_tables(told, beliefs, truth, how, again is not None)


def _episodes(log: StepsLog) -> Iterator[LoggedEpisode]:
    t = 0
    while (episode := log.episode(t)) is not None and episode.complete:
        yield episode
        t += 1


def _outcome(t: int, step: StepRecord) -> Outcome:
    return Outcome(t, step.step, step.subgoals, step.next_observations, step.rewards, step.active)


def _unusable(told: list[LoggedEpisode]) -> Diagnosis:
    """The share of answers that chose nothing of the menu, against `INVALID` (Wilson's lower limit)."""
    total, bad, where = 0, 0, list[tuple[int, int]]()
    for t, episode in enumerate(told):
        for step in episode.steps:
            valid = step.proposals[0].valid
            wrong = step.active & ~valid if valid is not None else np.zeros_like(step.active)
            total, bad = total + int(step.active.sum()), bad + int(wrong.sum())
            where += [(int(run), t) for run in np.flatnonzero(wrong)]
    share, z = bad / total, 1.96
    low = (share + z**2 / (2 * total) - z * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))) / (
        1 + z**2 / total
    )
    said = f"{share:.1%} of the planner's answers choose nothing of the menu"
    return Diagnosis(UNUSABLE if low > INVALID else HEALTHY, said, {"invalid": share}, list(dict.fromkeys(where))[:5])


# -- with tables ------------------------------------------------------------------------------------------------------


@dataclass
class _Late:
    """What was found of the unexplored late episodes of every run."""

    own: Float[np.ndarray, "B T"]  # what the planner's law loses, NaN where not judged
    bail: Float[np.ndarray, "B T"]  # what BAIL's law loses at the same histories
    laws: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]  # rows, planner's, BAIL's, experts' (n, Z, G)


def _with_tables(told: list[LoggedEpisode], beliefs: Beliefs, truth: np.ndarray, how: str, predicts: bool) -> Diagnosis:
    late, planner, rejected = _follow(told, beliefs, truth, how)
    own, bail = _mean(late.own), _mean(late.bail)
    pays = own > PAYS
    statistics = {
        "paying": float(pays.mean()),
        "late regret": float(np.nanmean(own)),
        "of BAIL": float(np.nanmean(bail)),
    }
    if rejected.sum() >= FEWEST:
        said = f"the sequential test rejects every latent in {int(rejected.sum())} of {len(rejected)} runs"
        return Diagnosis(BELIEF, said, statistics | {"rejected": float(rejected.mean())}, _worst(late.own, rejected))
    if pays.sum() < FEWEST:
        said = f"{int(pays.sum())} of {len(pays)} runs still lose more than {PAYS} an unexplored episode"
        return Diagnosis(HEALTHY, said, statistics)
    unlike, residual, weights = _beliefs_of(late, pays, beliefs.tables)
    share = float((own[pays] - bail[pays]).sum() / own[pays].sum())
    wrong = weights[np.arange(len(truth)), truth]
    exact = planner.posterior[np.arange(len(truth)), truth]
    deluded = float(np.mean((residual[pays] <= ALIKE) & (wrong[pays] < exact[pays] / 2)))
    statistics |= {"planner's own share": share, "unlike BAIL": float(unlike[pays].mean()), "deluded": deluded}
    look = _worst(late.own, pays)
    if deluded > 0.5:
        said = "its proposals are those of experts of other latents, which what was heard does not bear out"
        return Diagnosis(BELIEF, said, statistics, look)
    if share > OWN or float(unlike[pays].mean()) > 2 * ALIKE:
        said = "it loses where the exact planner, having heard the same, would not"
        return Diagnosis(MODEL if predicts else PRETRAINING, said, statistics, look)
    said = "it proposes what the exact planner proposes, and loses because nothing was tried that could tell"
    return Diagnosis(EXPLORE, said, statistics, look)


def _follow(
    told: list[LoggedEpisode], beliefs: Beliefs, truth: np.ndarray, how: str
) -> tuple[_Late, ExactPlanner, Bool[np.ndarray, " B"]]:
    """Hear the log as BAIL, as the regret meter, and as the sequential test of the model."""
    num, first = len(truth), int(len(told) * (1 - LATE))
    planner, meter, bets = ExactPlanner(beliefs), RegretMeter(beliefs, truth), Bets()
    planner.start(Draws(0, num))
    bets.start(num)
    late = _Late(np.full((num, len(told)), np.nan), np.full((num, len(told)), np.nan), [])
    for t, episode in enumerate(told):
        explored = np.any([step.explored for step in episode.steps], axis=0)
        losses = np.zeros((2, num))
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
                for i, law in enumerate(laws):
                    law = decode(law, how)
                    losses[i] += np.where(step.active, q.max(axis=1) - (law * q).sum(axis=1), 0.0)
                rows = np.flatnonzero(step.active & ~explored)
                late.laws.append((rows, laws[0][rows], laws[1][rows], experts[rows]))
            said = _outcome(t, step)
        if t >= first:
            late.own[~explored, t], late.bail[~explored, t] = losses[0, ~explored], losses[1, ~explored]
    return late, planner, bets.rejected


def _mean(losses: Float[np.ndarray, "B T"]) -> Float[np.ndarray, " B"]:
    """Of the judged episodes of each run; 0 where all were explored."""
    judged = ~np.isnan(losses)
    return np.where(judged, losses, 0.0).sum(axis=1) / np.maximum(judged.sum(axis=1), 1)


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


def _world_model(told: list[LoggedEpisode], num: int, beliefs: Beliefs, again: WorldModelPlanner) -> Diagnosis:
    """How much worse it predicted what came than the exact model, nats an observation, late and over all runs."""
    exact, rows = ExactPlanner(beliefs), np.arange(num)
    for reader in (exact, again):
        reader.start(Draws(0, num))
    excess, tables, none = list[np.ndarray](), beliefs.tables, np.zeros((num, 0), dtype=np.intp)
    for t, episode in enumerate(told):
        said: Opening | Outcome = episode.opening
        for step in [*episode.steps, None]:
            for reader in (exact, again):
                reader.hear(said)
            if step is None:
                break
            found: Prediction = again.model.predict(rows, none, none)
            subgoal, seen = tables.joint(step.subgoals), tables.observation_words.encode(step.next_observations)
            theirs = found.observations[rows, subgoal, seen]
            said = _outcome(t, step)
            each = beliefs.predict(exact.step, exact.place, exact.latent, subgoal[:, None])
            ours = np.einsum("bz,bzo->bo", exact.posterior, each)[rows, seen]
            if t >= len(told) // 2:
                lost = np.log(np.maximum(ours, 1e-12)) - np.log(np.maximum(theirs, 1e-12))
                excess.append(np.where(step.active, lost, np.nan))
    by_run = np.nanmean(np.array(excess), axis=0)
    mean, half = float(by_run.mean()), float(1.96 * by_run.std(ddof=1) / np.sqrt(num))
    because = f"it predicts {mean:.3f} ± {half:.3f} nats an observation worse than the exact model that heard the same"
    look = [(int(run), len(told) - 1) for run in np.argsort(-by_run)[:5]]
    bad = mean - half > EXCESS
    return Diagnosis(MODEL if bad else HEALTHY, because, {"excess nats": mean}, look if bad else [])


# -- without tables ---------------------------------------------------------------------------------------------------


def _without_tables(told: list[LoggedEpisode], num: int, how: str) -> Diagnosis:
    """What a run's own returns show, by instruction, first observation and first subgoal.

    A run *ignores* where late, unexplored episodes give up more than `PAYS` each against another first subgoal, as its
    own log has it. It is *in doubt* where late proposals keep `DOUBT` for a first subgoal tried once at most: the
    planner itself thinks that it may be better, and nobody finds out. Beliefs that feed on themselves leave no doubt:
    they are not seen here.
    """
    first = int(len(told) * (1 - LATE))
    seen: list[dict[tuple[str, str, str], list[float]]] = [{} for _ in range(num)]
    late: list[list[_Decision]] = [[] for _ in range(num)]
    for t, episode in enumerate(told):
        explored = np.any([step.explored for step in episode.steps], axis=0)
        returns = np.sum([np.where(step.active, step.rewards, 0.0) for step in episode.steps], axis=0)
        opening = episode.steps[0]
        menu = np.broadcast_to(opening.menus[0].sentences, (num, opening.menus[0].sentences.shape[1]))
        probs = opening.proposals[0].probs
        law = decode(probs, how)
        for run in range(num):
            place = (str(episode.opening.instructions[run]), str(episode.opening.observations[run]))
            seen[run].setdefault((*place, str(opening.subgoals[run, 0])), []).append(float(returns[run]))
            if t >= first and not explored[run]:
                late[run].append(_Decision(t, place, tuple(map(str, menu[run])), probs[run], law[run]))
    ignored, doubt, kept = (np.array(x) for x in zip(*map(_own, seen, late), strict=True))
    ignores, doubts = ignored > PAYS, doubt > 0.5
    statistics = {"ignoring": float(ignores.mean()), "in doubt": float(doubts.mean())}
    look = [(int(run), late[run][-1].episode) for run in np.flatnonzero(ignores | doubts)[:5] if late[run]]
    if ignores.sum() >= max(FEWEST, doubts.sum()):
        share = float(kept[ignores].mean())
        name = PRETRAINING if share > 0.1 else BELIEF
        said = f"{int(ignores.sum())} of {num} runs choose what their own log shows to be worse"
        return Diagnosis(name, said, statistics | {"for the better one": share}, look)
    if doubts.sum() >= FEWEST:
        said = f"{int(doubts.sum())} of {num} runs keep thinking that something may be better, and do not try it"
        return Diagnosis(EXPLORE, said, statistics, look)
    return Diagnosis(HEALTHY, "no run chooses what it has seen to be worse, or leaves its doubts alone", statistics)


@dataclass
class _Decision:
    """The first decision of a late, unexplored episode: proposals as they were logged, and decoded."""

    episode: int
    place: tuple[str, str]
    menu: tuple[str, ...]
    probs: Float[np.ndarray, " M"]
    law: Float[np.ndarray, " M"]


def _own(seen: dict[tuple[str, str, str], list[float]], late: list[_Decision]) -> tuple[float, float, float]:
    """Of a run: what it gives up an episode, the share of them in doubt, its probability of what it knows is best."""
    ignored, doubt, kept = 0.0, 0, 0.0
    for one in late:
        tried = {g: seen.get((*one.place, g), []) for g in one.menu}
        known = {g: values for g, values in tried.items() if len(values) >= 4}
        if known:
            mean = {g: float(np.mean(values)) for g, values in known.items()}
            top = max(mean, key=lambda g: mean[g])
            error = max(float(np.std(values)) / np.sqrt(len(values)) for values in known.values())
            value = sum(p * mean.get(g, mean[top]) for g, p in zip(one.menu, one.law, strict=True))
            ignored += max(0.0, mean[top] - value - error) / len(late)
            kept += float(one.law[one.menu.index(top)]) / len(late)
        doubt += any(p > DOUBT and len(tried[g]) < 2 for g, p in zip(one.menu, one.probs, strict=True))
    return ignored, doubt / max(len(late), 1), kept
