"""Documents as text, rendered by the code that renders prompts at run time, and as chat messages to tune models on.

There are two renderings. One is the plain transcript in one message. The other is the messages that an endpoint planner
sends with a template and a memory (a window, a summary). So a model is trained on the texts that it will read, for any
number of episodes.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from parley.core.tables import Tables
from parley.core.told import Told
from parley.data.documents import Documents
from parley.memory.kinds import memory_of
from parley.prompting.prompter import Prompter, Prompting, Words
from parley.prompting.template import PromptTemplate, as_messages
from parley.prompting.transcript import observation_line, subgoal_line, task_line

SYSTEM = "You choose the next subgoal of an agent whose world keeps a secret from episode to episode. "


Messages = list[dict[str, str]]
# The episodes told so far and the joint subgoal that answers -> prompt and answer.
Rendering = Callable[[Sequence[Told], Sequence[str], np.random.Generator], Messages]


def transcripts(tables: Tables) -> Rendering:
    """The menu as system message, the whole transcript as one message of the user, one line an Actor as answer."""
    system = {"role": "system", "content": system_message(tables)}

    def messages(episodes: Sequence[Told], parts: Sequence[str], rng: np.random.Generator) -> Messages:
        user = {"role": "user", "content": full(episodes).rstrip("\n")}
        return [system, user, {"role": "assistant", "content": "".join(map(subgoal_line, parts)).rstrip("\n")}]

    return messages


def templated(tables: Tables, template: str, memory: str, size: int) -> Rendering:
    """What an endpoint planner sends and is answered; with several Actors, for one of them, drawn at random."""
    how = Prompting(PromptTemplate(template), Words(tuple(map(tuple, tables.menus)), tables.horizon, tables.rules))
    remembers = memory_of(memory, size)

    def messages(episodes: Sequence[Told], parts: Sequence[str], rng: np.random.Generator) -> Messages:
        prompter, k = Prompter(how, remembers()), int(rng.integers(len(parts)))
        prompter.retell(episodes)
        answer = prompter.candidate(parts[k], tables.menus[k]).rstrip("\n")
        asked = as_messages(prompter.turns(parts[:k], tables.menus[k]))
        return [*asked, {"role": "assistant", "content": answer}]

    return messages


def full(episodes: Sequence[Told]) -> str:
    """The whole transcript, see `prompting.transcript`."""
    return "".join(line for episode in episodes for line in episode_lines(episode))


def episode_lines(episode: Told) -> Iterator[str]:
    """The lines of one episode."""
    yield task_line(episode.instruction)
    yield observation_line(episode.observations[0])
    for parts, observation in zip(episode.subgoals, episode.observations[1:], strict=True):
        yield from map(subgoal_line, parts)
        yield observation_line(observation)


def told(documents: Documents, tables: Tables, row: int, episode: int, step: int) -> list[Told]:
    """What had been said in document `row` when the subgoal of `step` (from 1; H + 1: none is left) was chosen."""
    return [_told(documents, tables, row, e, step if e == episode else tables.horizon + 1) for e in range(episode + 1)]


def _told(documents: Documents, tables: Tables, row: int, episode: int, step: int) -> Told:
    observations = (tables.observations[o] for o in documents.observations[row, episode, :step])
    subgoals = (subgoal_parts(tables, g) for g in documents.subgoals[row, episode, : step - 1])
    instruction = documents.instructions[row, episode]
    rewards = tables.reward[documents.observations[row, episode, 1:step], instruction].tolist()
    return Told(tables.instructions[instruction], tuple(observations), tuple(subgoals), tuple(rewards))


def subgoal_parts(tables: Tables, subgoal: int) -> tuple[str, ...]:
    """The sentences of a joint subgoal, one an Actor."""
    split = np.unravel_index(subgoal, [len(menu) for menu in tables.menus])
    return tuple(menu[i] for menu, i in zip(tables.menus, split, strict=True))


def system_message(tables: Tables) -> str:
    """What the model is told before anything else: what to do, and the menu of each Actor."""
    rule = "Answer with one of these lines:\n" if tables.num_actors == 1 else "Answer with one line for each actor.\n"
    menus = []
    for k, menu in enumerate(tables.menus):
        title = f"Actor {k + 1}:\n" if tables.num_actors > 1 else ""
        menus.append(title + "".join(map(subgoal_line, menu)))
    return (SYSTEM + rule + "".join(menus)).rstrip("\n")


def examples(
    documents: Documents,
    tables: Tables,
    first: int,
    count: int,
    rng: np.random.Generator,
    rendering: Rendering | None = None,
) -> Iterator[dict[str, Any]]:
    """Chat examples, `count` of each document at random steps: the prompt, and a subgoal drawn from its label.

    Each is {"messages": [..., assistant], "document", "episode", "step"}; documents are counted from `first`.
    """
    n, num_episodes, horizon = documents.subgoals.shape
    rendering = rendering or transcripts(tables)
    for row in range(n):
        for _ in range(count):
            episode, step = int(rng.integers(num_episodes)), int(rng.integers(horizon)) + 1
            answer = int(rng.choice(tables.num_subgoals, p=documents.labels[row, episode, step - 1]))
            messages = rendering(told(documents, tables, row, episode, step), subgoal_parts(tables, answer), rng)
            yield {"messages": messages, "document": first + row, "episode": episode, "step": step}
