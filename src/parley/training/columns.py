"""Documents as token columns, and their loss: the expert's probabilities at subgoals, then the words heard."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from parley.core.tables import Tables
from parley.data.documents import Documents
from parley.prompting.transcript import observation_line, subgoal_line, task_line


@dataclass(frozen=True)
class Batch:
    """Documents as tensors.

    `tokens` is (n, L). Each Actor has the positions at which its part is predicted, and the probability distribution
    (n, T, H, M) there.

    Positions of predictions are counted from the `first` token of `Columns`.
    """

    tokens: Any
    laws: list[tuple[np.ndarray, Any, Any]]  # positions in an episode, token ids of the menu, targets
    heard: Any  # tokens of the observations, (n, T, H+1)
    expected: Any = None  # distributions of the observations (n, T, H+1, O), to be predicted in their place


class Columns:
    """Documents as token columns: an episode is task, o_1, then (the K parts of g_h, o_{h+1}) for each step.

    With `lines_only` the model predicts over the world's lines only, not over words and bytes too. Words and bytes are
    most of a small vocabulary, and half of the cost of a small model. The probability of any other token is then not
    trained.
    """

    def __init__(self, tables: Tables, tokenizer: Any, lines_only: bool = False) -> None:
        token = tokenizer.get_vocab()
        self.tables = tables
        self.token_of = {entry.content: i for i, entry in tokenizer.added_tokens_decoder.items()}
        self.task = np.array([token[task_line(w)] for w in tables.instructions])
        self.observation = np.array([token[observation_line(o)] for o in tables.observations])
        self.parts = [np.array([token[subgoal_line(g)] for g in menu]) for menu in tables.menus]
        lines = np.concatenate([self.task, self.observation, *self.parts])
        self.first = int(lines.min()) if lines_only else 0  # lines come last in a world's tokenizer
        self.per_step = len(self.parts) + 1
        self.per_episode = 2 + tables.horizon * self.per_step

    def length(self, num_episodes: int) -> int:
        return num_episodes * self.per_episode

    def tokens(self, documents: Documents) -> np.ndarray:
        """Token ids, shape (N, T * tokens of an episode)."""
        n, num_episodes, horizon = documents.subgoals.shape
        split = np.unravel_index(documents.subgoals, [len(part) for part in self.parts])
        said = [part[index] for part, index in zip(self.parts, split, strict=True)]
        steps = np.stack([*said, self.observation[documents.observations[:, :, 1:]]], axis=-1)
        opening = np.stack(
            [self.task[documents.instructions], self.observation[documents.observations[:, :, 0]]], axis=-1
        )
        return np.concatenate([opening, steps.reshape(n, num_episodes, -1)], axis=-1).reshape(n, -1)

    def labels(self, documents: Documents) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each Actor: the positions in an episode at which its part is predicted, and the target distribution
        there.

        The target of a later part depends on the parts played before it. It sums to the expert's probability of those
        parts (times their number), not to one. With these weights, maximum likelihood yields the conditional of the
        mixture over z. This conditional is sum_z P(z) pi_z(parts so far) / sum_z P(z) pi_z(parts before), as the exact
        planner computes it.
        """
        n, num_episodes, horizon, _ = documents.labels.shape
        joint = documents.labels.reshape(n, num_episodes, horizon, *map(len, self.parts))
        split = np.unravel_index(documents.subgoals, [len(part) for part in self.parts])
        found = []
        for k in range(len(self.parts)):
            law = joint.sum(axis=tuple(range(4, joint.ndim)))
            found.append((1 + k + np.arange(horizon) * self.per_step, law))
            index = split[k].reshape(*split[k].shape, *[1] * (joint.ndim - 3))
            joint = np.take_along_axis(joint, index, axis=3)[:, :, :, 0] * len(self.parts[k])
        return found

    def prepare(self, torch: Any, documents: Documents, device: str = "cpu") -> Batch:
        """Documents as a batch on a device."""

        def tensor(values: np.ndarray) -> Any:
            return torch.from_numpy(np.ascontiguousarray(values)).to(device)

        laws = []
        for k, (positions, law) in enumerate(self.labels(documents)):
            laws.append((positions, tensor(self.parts[k] - self.first), tensor(law.astype(np.float32))))
        heard = tensor(self.observation[documents.observations] - self.first)
        expected = None if documents.expected is None else tensor(documents.expected.astype(np.float32))
        return Batch(tensor(self.tokens(documents)), laws, heard, expected)

    def losses(self, torch: Any, model: Any, batch: Batch) -> tuple[Any, Any]:
        """Mean cross-entropy on the expert's distribution at subgoals, and on the observations that followed.

        Where a batch has `expected` distributions, they replace the observations.
        """
        log_probs = self.log_law(torch, model, batch)
        label_loss = log_probs.new_zeros(())
        for positions, menu, law in batch.laws:
            label_loss = label_loss - (law * log_probs[:, :, positions][..., menu]).sum(dim=-1).mean()
        horizon = batch.heard.shape[2] - 1
        before = np.concatenate([[0], self.per_step * np.arange(1, horizon + 1)])  # the token before each observation
        ahead = log_probs[:, :, before]
        if batch.expected is None:
            return label_loss, -ahead.gather(-1, batch.heard[..., None]).mean()
        return label_loss, -(batch.expected * ahead[..., self.observation - self.first]).sum(dim=-1).mean()

    def log_law(self, torch: Any, model: Any, batch: Batch) -> Any:
        """log P(next token) after every token, (n, T, tokens of an episode, V), V from the `first` one on."""
        if self.first:
            hidden = model.base_model(input_ids=batch.tokens, use_cache=False).last_hidden_state
            logits = hidden @ model.get_output_embeddings().weight[self.first :].T
        else:
            logits = model(input_ids=batch.tokens, use_cache=False).logits
        n, num_episodes = batch.heard.shape[:2]
        return torch.log_softmax(logits.float().reshape(n, num_episodes, self.per_episode, -1), dim=-1)
