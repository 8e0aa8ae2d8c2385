"""Any causal language model as Planner: reads the transcript as plain text, scores every line of the menu whole."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from parley.core.draws import Draws
from parley.core.errors import BadInput
from parley.core.roles import State
from parley.core.said import Menu, Opening, Outcome, Proposal
from parley.core.tables import Sentences
from parley.core.told import Memory, packed, unpacked
from parley.models.language_model import LanguageModel, Prompt
from parley.models.scoring import line_scores
from parley.prompting.likeness import require_distinct
from parley.prompting.prompter import Prompter, Prompting, Words
from parley.prompting.shortening import SHORTEST, shortened
from parley.prompting.template import PromptTemplate, as_text
from parley.prompting.transcript import choices_line, observation_line, subgoal_line, task_line
from parley.theory.posterior import normalised


@dataclass(frozen=True)
class Scoring:
    """How a model is asked.

    `normalise` is as in `models.scoring.line_scores`; `context` in tokens, 0 for the model's; with `header` the prompt
    begins with the world's rules and menu.
    """

    normalise: str = "none"
    context: int = 0
    header: bool = False

    def __post_init__(self) -> None:
        line_scores([], [], self.normalise)
        if self.context < 0:
            raise BadInput(
                f"context={self.context}: expected a number of tokens, or 0 for all of the model's positions"
            )


class LanguageModelPlanner:
    """Proposes softmax of the summed log-probabilities of the subgoals' lines after the transcript (He et al. 2024).

    Each run has a prompt and a cache of its own. The text read is a function of the messages only. Parts of a joint
    subgoal that are being chosen begin the continuations, and are read when the subgoal has been carried out. The
    prompt is cut by rule, if it would leave less than an eighth of the positions for continuations. Then the oldest
    half of the episodes is dropped and the rest is read again. With a `memory` (made for each run) the prompt comes
    from the template `transcript`, and is read again where it does not go on. `words` are a header's words about the
    world. With `choices` each step's menu stands before its choice, for worlds whose menus change; then half of the
    positions are kept for it.
    """

    def __init__(
        self,
        model: LanguageModel,
        decode: str = "sample",
        scoring: Scoring | None = None,
        words: str = "",
        memory: Callable[[], Memory] | None = None,
        choices: bool = False,
    ) -> None:
        self.model, self.decode, self.options, self.words = model, decode, scoring or Scoring(), words
        self._choices = choices
        self._memory = memory
        self.positions = min(self.options.context or model.positions, model.positions)
        self.room = self.positions // (2 if choices else 8)
        budget = max(1, self.positions - self.room - len(model.text.encode(words)))
        count = lru_cache(maxsize=1 << 14)(lambda text: len(model.text.plain(text)))
        self._how = Prompting(PromptTemplate("transcript"), Words((), 0), budget=budget, count=count)

    def start(self, draws: Draws) -> None:
        memory, self._episode = self._memory, 0
        made = [Prompter(self._how, memory()) if memory else None for _ in range(draws.num_runs)]
        self._runs = [_Run(self.model.prompt(), prompter) for prompter in made]

    def hear(self, said: Opening | Outcome) -> None:
        self._episode = said.episode
        for i, run in enumerate(self._runs):
            if run.prompter:
                run.prompter.hear(said, i)
                run.show(self.words + as_text(run.prompter.turns()))
            elif isinstance(said, Opening):
                if not run.prompt.text and self.words:
                    run.read(self.words)
                run.episodes.append(len(run.prompt.text))
                opening = self._short(said.instructions[i]), self._short(said.observations[i])
                self._read(run, task_line(opening[0]) + observation_line(opening[1]))
            elif said.active[i]:
                heard = observation_line(self._short(said.observations[i]))
                self._read(run, "".join(map(subgoal_line, said.subgoals[i])) + heard)

    def _short(self, sentence: str) -> str:
        """What was heard, shortened by half at a time where it alone takes more than a quarter of the context."""
        short, longest, most = str(sentence), len(sentence), self.positions // 4
        while longest >= 2 * SHORTEST and len(short) > most and len(self.model.text.plain(short)) > most:
            longest //= 2
            short = shortened(sentence, longest)
        return short

    def _read(self, run: "_Run", more: str) -> None:
        text, most = run.prompt.text + more, self.positions - self.room
        if len(self.model.text.encode(text)) <= most:
            run.read(more)
            return
        episodes = run.episodes
        while len(episodes) > 1:
            episodes = episodes[-(len(episodes) // 2) :]
            if len(self.model.text.encode(self.words + text[episodes[0] :])) <= most:
                run.forget([start - episodes[0] + len(self.words) for start in episodes])
                run.read(self.words + text[episodes[0] :])
                return
        if cut := self._cut(text[episodes[-1] :], most):
            run.forget([len(self.words)])
            run.read(cut)
            return
        raise BadInput(
            f"{self.model.name!r}: the last step takes more than {most} tokens of its context of {self.positions}. An "
            "eighth of it is kept for the menu: take a model with more positions, or a larger context"
        )

    def _cut(self, episode: str, most: int) -> str:
        """An episode too long by itself without its first lines after the task, half at a time; "" where none fits."""
        task, *lines = episode.splitlines(keepends=True)
        while len(lines) > 1:
            lines = lines[len(lines) // 2 :]
            text = f"{self.words}{task}[the first steps are left out]\n{''.join(lines)}"
            if len(self.model.text.encode(text)) <= most:
                return text
        return ""

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        if not menu.legal.any(axis=1).all():
            raise BadInput("menu: at least one subgoal must be legal in every run")
        num = len(self._runs)
        sentences = np.broadcast_to(menu.sentences, (num, menu.sentences.shape[1]))
        legal = np.broadcast_to(menu.legal, sentences.shape)
        probs = np.zeros(sentences.shape)
        for i, run in enumerate(self._runs):
            if menu.asked is not None and not menu.asked[i]:
                probs[i] = legal[i] / legal[i].sum()
                continue
            listed = sentences[i, legal[i]]
            require_distinct(listed)
            law = self._probs(run.prompt, self._before(parts[i], menu.row(i)), listed)
            probs[i, legal[i]] = run.prompter.tilted(law, tuple(parts[i]), listed) if run.prompter else law
        shown = [run.prompter.left_out if run.prompter else self._episode + 1 - len(run.episodes) for run in self._runs]
        return Proposal(probs, left_out=np.array(shown))

    def _before(self, parts: Sentences, menu: tuple[str, ...]) -> str:
        """What stands between what was heard and the line that is scored."""
        return (choices_line(menu) if self._choices else "") + "".join(map(subgoal_line, parts))

    def _probs(self, prompt: Prompt, said: str, sentences: Sentences) -> Float[np.ndarray, " M"]:
        """Softmax over lines that follow the prompt and the parts already `said`, which all share."""
        begin = prompt.continuations("", [said])[0] if said else []
        lines = prompt.continuations(said, [subgoal_line(sentence) for sentence in sentences])
        longest = len(begin) + max(map(len, lines))
        if len(prompt.tokens) + longest > self.positions:
            raise BadInput(f"a menu line of {longest} tokens does not fit a context of {self.positions}")
        found = [values[len(begin) :] for values in prompt.logprobs([begin + line for line in lines])]
        return normalised(line_scores(lines, found, self.options.normalise))

    def snapshot(self) -> State:
        """The text since the last cut, its episodes and the pieces in which it was read, and what memories hold."""
        return {
            "heard": packed([run.prompter.episodes if run.prompter else [] for run in self._runs]),
            "text": np.frombuffer("".join(run.prompt.text for run in self._runs).encode(), dtype=np.uint8),
            "counts": np.array([(len(run.episodes), len(run.pieces)) for run in self._runs], dtype=np.intp),
            "episodes": np.array([start for run in self._runs for start in run.episodes], dtype=np.intp),
            "pieces": np.array([length for run in self._runs for length in run.pieces], dtype=np.intp),
        }

    def restore(self, state: State) -> None:
        """Read the same pieces again: bit-identical on the same machine and threads."""
        text, at = bytes(state["text"]).decode(), 0
        heard = iter(unpacked(state["heard"]))
        episodes, pieces = iter(state["episodes"].tolist()), iter(state["pieces"].tolist())
        for run, (num_episodes, num_pieces) in zip(self._runs, state["counts"].tolist(), strict=True):
            run.forget([next(episodes) for _ in range(num_episodes)])
            if run.prompter:
                run.prompter.retell(next(heard))
            for _ in range(num_pieces):
                length = next(pieces)
                run.read(text[at : at + length])
                at += length


@dataclass
class _Run:
    """A run's prompt, where each episode begins in its text, and the lengths of the pieces in which it was read."""

    prompt: Prompt
    prompter: Prompter | None = None
    episodes: list[int] = field(default_factory=list)
    pieces: list[int] = field(default_factory=list)

    def read(self, more: str) -> None:
        self.prompt.read(more)
        self.pieces.append(len(more))

    def show(self, text: str) -> None:
        """Have the prompt say this, reading on where it begins so."""
        if not text.startswith(self.prompt.text):
            self.forget([])
        if more := text[len(self.prompt.text) :]:
            self.read(more)

    def forget(self, episodes: list[int]) -> None:
        self.prompt.clear()
        self.episodes, self.pieces = episodes, []
