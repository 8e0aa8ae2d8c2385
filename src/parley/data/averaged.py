"""Targets of training for a reader of the documents: the distributions given z, averaged over its posterior.

These are the means, given everything read before, of the expert's subgoals and the observations of the drawn z. So the
loss has the same minimiser, and its gradient is without the noise of the draws. That is distillation of BAIL and of its
world model (theory.md 2 and 6), not maximum likelihood on the data drawn.
"""

from dataclasses import replace

import numpy as np

from parley.data.documents import Documents
from parley.theory.beliefs import Beliefs
from parley.theory.posterior import Evidence, bail, normalised


def averaged(beliefs: Beliefs, documents: Documents, evidence: Evidence | None = None) -> Documents:
    """The same trajectories, with the averaged distributions for `labels` and, for observations, for `expected`.

    `evidence` says what the acted subgoals tell of z: with a share rho of expert episodes, the experts' choices count.
    Otherwise the subgoals tell nothing. An observation is predicted after its subgoal, which then counts as evidence as
    well.
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
