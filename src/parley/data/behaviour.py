"""Behaviours: who acts in the trajectories of pretraining documents, and mixes of them (theory.md 5).

`uniform`             Every subgoal alike.
`imposter`            The expert of a latent drawn apart from z (in some documents another takes over now and then).
`mixed`               Half the documents uniform. In each other a share of episodes (or steps) of its own is uniform.
                      The rest is an imposter's.
`epsilon-expert(e)`   The expert of z, but at each step with probability e a uniform subgoal.
`noisy-expert(t)`     Subgoals in proportion to exp(Q*_z / t), t in units of reward.
`logs:RUN_DIR`        What another planner did, from the log of a run.

A mix is a list with shares of documents, `uniform:0.5,noisy-expert(0.2):0.5`. Imposters bring the histories of a
Planner at work (fetching things; never trying the door in fifty episodes). Uniform subgoals hardly ever do, and a model
would have to extrapolate to them. The first three are no evidence about z. The two experts look at z, so their subgoals
are evidence. A model trained on them learns to take its own choices for evidence (theory.md 2).
"""

import re
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from jaxtyping import Float, Int

from parley.core.draws import sample_rows
from parley.core.errors import BadInput
from parley.core.spec import suggestion
from parley.core.tables import Tables

PLAIN = ("mixed", "uniform", "imposter")
EXPERTS = EPSILON, NOISY = ("epsilon-expert", "noisy-expert")
LOGS = "logs"
KINDS = (*PLAIN, *EXPERTS, LOGS)
EXPECTED = "expected a mix such as uniform:0.5,imposter:0.3,epsilon-expert(0.3):0.1,noisy-expert(0.2):0.1"


@dataclass(frozen=True)
class Behaviour:
    """One part of a mix: its kind, the number in its brackets, the run directory of `logs`, its share of documents."""

    kind: str
    share: float = 1.0
    noise: float = 0.0
    run: str = ""

    @property
    def name(self) -> str:
        if self.kind == LOGS:
            return f"{LOGS}:{self.run}"
        return f"{self.kind}({self.noise:g})" if self.kind in EXPERTS else self.kind

    @property
    def knows(self) -> bool:
        """Whether it looks at z."""
        return self.kind in EXPERTS


def parse_mix(spec: str) -> tuple[Behaviour, ...]:
    """The parts of a mix; shares may be left out where there is one part, and sum to one.

    >>> [(part.name, part.share) for part in parse_mix("uniform:0.75,epsilon-expert(0.3):0.25")]
    [('uniform', 0.75), ('epsilon-expert(0.3)', 0.25)]
    """
    texts = spec.split(",")
    parts = tuple(_part(text.strip(), spec, alone=len(texts) == 1) for text in texts)
    names = [part.name for part in parts]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"behaviour={spec!r}: {name!r} is given twice")
    total = sum(part.share for part in parts)
    if abs(total - 1) > 1e-6:
        raise BadInput(f"behaviour={spec!r}: the shares sum to {total:g}, expected 1")
    return parts


def _part(text: str, spec: str, alone: bool) -> Behaviour:
    def refuse(what: str) -> NoReturn:
        raise BadInput(f"behaviour={spec!r}: {what}; {EXPECTED}")

    kind, _, share = text.partition(":")
    run, noise = "", ""
    if kind == LOGS:
        run, _, last = share.rpartition(":")
        run, share = (run, last) if run and _is_number(last) else (share, "")
    if bracket := re.fullmatch(r"([a-z-]+)\(([^()]*)\)", kind):
        kind, noise = bracket[1], bracket[2]
    if kind not in KINDS:
        refuse(f"unknown {kind!r}{suggestion(kind, KINDS)}")
    if kind == LOGS and not run:
        refuse("logs needs a run directory, logs:RUN_DIR or logs:RUN_DIR:SHARE")
    if not (share or alone):
        refuse(f"{text!r} has no share")
    if share and not (_is_number(share) and 0 < float(share) <= 1):
        refuse(f"the share {share!r} of {kind!r} should be above 0 and at most 1")
    if (kind in EXPERTS) != bool(noise):
        refuse(f"{kind!r} takes {'a number in brackets' if kind in EXPERTS else 'no brackets'}")
    if noise and not (_is_number(noise) and float(noise) > 0 and (kind == NOISY or float(noise) <= 1)):
        refuse(f"the number of {kind!r} should be positive, and a probability for {EPSILON}")
    return Behaviour(kind, float(share or 1), float(noise or 0), run)


def _is_number(text: str) -> bool:
    try:
        return np.isfinite(float(text))
    except ValueError:
        return False


class Acting:
    """The behaviours of N documents at work: in each the imitated latent (its place is filtered apart), or nobody.

    `part` is the index in `mix` of each document's behaviour; expert episodes, a share rho, go before all others.
    """

    def __init__(
        self,
        mix: tuple[Behaviour, ...],
        part: Int[np.ndarray, " N"],
        rho: float,
        tables: Tables,
        z: Int[np.ndarray, " N"],
        rng: np.random.Generator,
    ) -> None:
        self.prior, self.z, self.rho, self.rng = np.tile(tables.prior, (len(z), 1)), z, rho, rng
        n, kind = len(z), np.array([b.kind for b in mix])[part]
        noise = np.array([b.noise for b in mix])[part]
        self.knows = np.isin(kind, EXPERTS)
        self.temperature = np.where(kind == NOISY, noise, 0.0)
        share = np.where((rng.random(n) < 0.5) & (kind == "mixed"), rng.random(n) ** 4, 1.0)
        acts = np.isin(kind, ("imposter", NOISY))
        self.uniform_share = np.where(kind == EPSILON, noise, np.where(acts, 0.0, share))
        self.by_step = (rng.random(n) < 0.5) | (kind == EPSILON)
        self.restless = rng.choice([0.0, 0.3, 1.0], n)  # how often another imposter takes over at an episode's start
        self.imposter = sample_rows(self.prior, rng.random(n))

    def begin(self) -> Int[np.ndarray, " N"]:
        """An episode begins; the latents whose experts may act in it."""
        n, rng = len(self.z), self.rng
        another = sample_rows(self.prior, rng.random(n))
        self.imposter = np.where(rng.random(n) < self.restless, another, self.imposter)
        self.demonstrated = rng.random(n) < self.rho
        self.uniform = rng.random(n) < self.uniform_share
        return np.where(self.demonstrated | self.knows, self.z, self.imposter)

    def act(self, imitated: Float[np.ndarray, "N G"], optimal: Float[np.ndarray, "N G"]) -> Int[np.ndarray, " N"]:
        """One subgoal a document, from the policies and values of the latents that `begin` gave."""
        n, rng = len(self.z), self.rng
        self.uniform = np.where(self.by_step, rng.random(n) < self.uniform_share, self.uniform)
        alike = (self.uniform & ~self.demonstrated)[:, None]
        law = np.where(alike, 1 / imitated.shape[1], imitated)
        noisy = (self.temperature > 0) & ~self.demonstrated
        if noisy.any():
            worse = optimal[noisy] - optimal[noisy].max(axis=1, keepdims=True)
            law[noisy] = np.exp(worse / self.temperature[noisy, None])
        return sample_rows(law, rng.random(n))
