"""Targets of training as a reader of the documents knows them: the laws of z, averaged over its posterior at each step.

What an expert of the drawn z does there, and what z gives to hear, have these means given all that was read before: the
loss has the same minimiser, and its gradient is without the noise of what was drawn. That is distillation of BAIL and
of its world model (theory.md 2 and 6), not maximum likelihood on what came.
"""

from dataclasses import replace

import numpy as np

from parley.data.documents import Documents
from parley.theory.beliefs import Beliefs
from parley.theory.posterior import Evidence, bail, normalised


def averaged(beliefs: Beliefs, documents: Documents, evidence: Evidence | None = None) -> Documents:
    """The same trajectories, with the averaged laws for `labels` and, of what is heard, for `expected`.

    `evidence` is what who acted tells of z: with a share rho of expert episodes theirs, else nothing. What is heard is
    expected after its subgoal, which is then evidence as well.
    """
    evidence, t = evidence or Evidence(), beliefs.tables
    n, num_episodes, horizon = documents.subgoals.shape
    labels = np.empty((n, num_episodes, horizon, t.num_subgoals))
    expected = np.empty((n, num_episodes, horizon + 1, len(t.observations)))
    z, rows = np.arange(t.num_latents)[None], np.arange(n)
    with np.errstate(divide="ignore"):
        known = np.tile(np.log(t.prior), (n, 1))  # log weights of the latents, but for this episode's choices
        for e in range(num_episodes):
            instruction, seen = documents.instructions[:, e, None], documents.observations[:, e, :, None]
            chosen, expert, behaviour = np.zeros_like(known), np.zeros_like(known), np.zeros(n)
            expected[:, e, 0] = bail(normalised(known), beliefs.first_prob)
            place, likely = beliefs.begin(z, seen[:, 0])
            known = known + np.log(likely)
            for h in range(horizon):
                subgoal, policy = documents.subgoals[:, e, h], beliefs.policy(h + 1, place, z, instruction)
                labels[:, e, h] = bail(normalised(known + chosen), policy)
                if evidence.demonstrator:
                    expert = expert + np.log(policy[rows, :, subgoal])
                    behaviour = behaviour - np.log(t.num_subgoals)
                    chosen = evidence.of_episode(expert, behaviour)
                heard = beliefs.predict(h + 1, place, z, subgoal[:, None])
                expected[:, e, h + 1] = bail(normalised(known + chosen), heard)
                place, likely = beliefs.advance(h + 1, place, z, subgoal[:, None], seen[:, h + 1])
                known = known + np.log(likely)
            known = known + chosen
    return replace(documents, labels=labels, expected=expected)
