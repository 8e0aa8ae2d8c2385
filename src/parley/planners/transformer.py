"""A pretrained causal model as Planner: reads the transcript, proposes by its next-token distribution over the menu."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.roles import State
from parley.core.said import Menu, Opening, Outcome, Proposal
from parley.core.tables import Sentences, Tables
from parley.models.checkpoint import Checkpoint, LineTokens
from parley.prompting.transcript import observation_line, subgoal_line, task_line
from parley.theory.posterior import normalised


class TransformerPlanner:
    """Proposes softmax(logits) over the menu, one token a line, from a key-value cache: a step costs its new tokens.

    The prompt is cut by rule, because a checkpoint was trained on documents of so many episodes. The cut comes when as
    many have been heard, or when the next one might not fit the model's positions. Then the next episode begins with
    the most recent half of them read again as a fresh document.
    """

    def __init__(self, path: Path, decode: str = "sample") -> None:
        self.decode = decode
        self.checkpoint = Checkpoint.load(path)
        self.model = self.checkpoint.model
        self.window = int(self.checkpoint.about["episodes"])
        self._task = LineTokens(self.checkpoint, task_line)
        self._observation = LineTokens(self.checkpoint, observation_line)
        self._subgoal = LineTokens(self.checkpoint, subgoal_line)

    def require(self, tables: Tables) -> None:
        """Raise `BadInput` unless the checkpoint knows every line and every step of the world of `tables`."""
        self._task(np.array(tables.instructions, dtype=object))
        self._observation(np.array(tables.observations, dtype=object))
        for menu in tables.menus:
            self._subgoal(np.array(menu, dtype=object))
        about, asked = self.checkpoint.about, (tables.horizon, len(tables.menus))
        if asked != (about["horizon"], len(about["menus"])):
            raise BadInput(
                f"checkpoint {str(self.checkpoint.path)!r} was trained for horizon {about['horizon']} and "
                f"{len(about['menus'])} Actor(s), world {tables.name!r} has {asked[0]} and {asked[1]}: "
                "train one for it with `parley pretrain`"
            )

    def start(self, draws: Draws) -> None:
        self.num_runs = draws.num_runs
        self._episodes: list[list[tuple[np.ndarray, np.ndarray]]] = []  # pieces (tokens, counts) of each episode kept
        self.cache = self.model.cache(self.num_runs)
        self.logits: np.ndarray = np.zeros((self.num_runs, 0))
        self._foretold: np.ndarray = np.zeros((self.num_runs, 0))  # logits before the token fed last, of two at least
        self._heard: Int[np.ndarray, " B"] = np.zeros(self.num_runs, dtype=np.intp)  # that token: an observation
        self._episode = 0
        self._fed = 0  # parts of the current joint subgoal that `propose` has already fed

    def hear(self, said: Opening | Outcome) -> None:
        self._episode = said.episode
        if isinstance(said, Opening):
            if self._is_full():
                self._restart(self._episodes[-(len(self._episodes) // 2) :] if len(self._episodes) > 1 else [])
            self._episodes.append([])
            lines = [self._task(said.instructions)[:, None], self._observation(said.observations)[:, None]]
            self._feed(np.concatenate(lines, axis=1), np.full(self.num_runs, 2))
        else:
            subgoals = self._subgoal(np.where(said.active[:, None], said.subgoals, said.subgoals[said.active][:1]))
            seen = np.where(said.active, said.observations, said.observations[said.active][:1])
            self._tell(subgoals[:, :-1])
            self._take_back(~said.active)
            tokens = np.stack([subgoals[:, -1], self._observation(seen)], axis=1)
            self._feed(tokens, np.where(said.active, 2, 0))
        self._fed = 0

    def _tell(self, parts: Int[np.ndarray, "B k"]) -> None:
        """Feed the parts of a joint subgoal not fed yet, each a piece of its own: `propose` and a replay feed alike."""
        for k in range(self._fed, parts.shape[1]):
            self._feed(parts[:, k : k + 1], np.ones(self.num_runs, dtype=np.intp))
        self._fed = max(self._fed, parts.shape[1])

    def _take_back(self, rows: Bool[np.ndarray, " B"]) -> None:
        """In `rows`, whose episode had ended, the parts were not said after all; a piece without tokens records it."""
        if self._fed and rows.any():
            self._feed(np.zeros((self.num_runs, 0), dtype=np.intp), np.where(rows, -self._fed, 0))

    def _is_full(self) -> bool:
        longest = max((sum(t.shape[1] for t, _ in pieces) for pieces in self._episodes), default=0)
        fits = int(self.cache.length.max()) + longest <= self.model.shape.positions
        return len(self._episodes) == self.window or not fits

    def _feed(self, tokens: Int[np.ndarray, "B n"], counts: Int[np.ndarray, " B"]) -> None:
        self._episodes[-1].append((tokens, counts))
        if not tokens.shape[1]:
            self.cache.length = self.cache.length + counts
            return
        every = self.cache.append(tokens, counts, every=True)
        logits = every[np.arange(self.num_runs), np.maximum(counts, 1) - 1]
        self.logits = logits if (counts > 0).all() else np.where((counts > 0)[:, None], logits, self.logits)
        if tokens.shape[1] > 1:
            self._foretold, self._heard = every[:, -2], tokens[:, -1]

    def _restart(self, episodes: list[list[tuple[np.ndarray, np.ndarray]]]) -> None:
        """Read these episodes as a fresh document, in the pieces in which they were heard."""
        self.cache.clear()
        self._episodes = []
        for pieces in episodes:
            self._episodes.append([])
            for tokens, counts in pieces:
                self._feed(tokens, counts)

    def log_likelihood(self) -> Float[np.ndarray, "B 1"]:
        """log P(o given all before) of the observation heard last; 0 if the checkpoint was trained to foretell none."""
        if self.checkpoint.about.get("recipe", {}).get("observation_weight", 1.0) == 0:
            return np.zeros((self.num_runs, 1))
        logits, heard = self._foretold.astype(np.float64), self._heard[:, None]
        return np.take_along_axis(logits, heard, axis=1) - np.logaddexp.reduce(logits, axis=1, keepdims=True)

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        self._tell(self._subgoal(parts))
        legal, sentences = np.broadcast_arrays(menu.legal, menu.sentences)  # forbidden entries may differ by run
        tokens = self._subgoal(np.where(legal, sentences, sentences[legal][0]))
        if not menu.legal.any(axis=1).all():
            raise BadInput("menu: at least one subgoal must be legal in every run")
        tokens = np.broadcast_to(tokens, (self.num_runs, tokens.shape[1]))
        logits = np.take_along_axis(self.logits, tokens, axis=1).astype(np.float64)
        logits = np.where(menu.legal, logits, -np.inf)
        left_out = np.full(self.num_runs, self._episode + 1 - len(self._episodes))
        return Proposal(normalised(logits), left_out=left_out)

    def snapshot(self) -> State:
        """The tokens since the last cut, with the boundaries of pieces and episodes."""
        state: State = {"pieces": np.array([len(pieces) for pieces in self._episodes], dtype=np.intp)}
        flat = [piece for pieces in self._episodes for piece in pieces]
        state["widths"] = np.array([tokens.shape[1] for tokens, _ in flat], dtype=np.intp)
        state["tokens"] = np.concatenate([tokens for tokens, _ in flat], axis=1) if flat else np.zeros((0, 0), np.intp)
        state["counts"] = np.array([counts for _, counts in flat], dtype=np.intp)
        return state

    def restore(self, state: State) -> None:
        """Read the same pieces again, in the same batch shape: bit-identical on the same machine and threads."""
        bounds = np.cumsum(state["widths"])[:-1]
        tokens = np.split(state["tokens"], bounds, axis=1) if len(state["widths"]) else []
        flat = iter(zip(tokens, state["counts"], strict=True))
        self._restart([[next(flat) for _ in range(count)] for count in state["pieces"]])
