"""What a run would take, before it is begun: decisions, calls, tokens, time."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from parley.assemble.cohorts import cohort_of
from parley.assemble.config import RunConfig
from parley.assemble.memories import MEMORIES, Mute, remembering
from parley.assemble.parts import Parts
from parley.assemble.registry import parameters
from parley.assemble.scene import Scene
from parley.assemble.schedule import draw_latents
from parley.assemble.templates import template_of
from parley.core.draws import Draws
from parley.core.said import Menu, Opening, Outcome, Proposal
from parley.core.spec import bind
from parley.core.tables import Sentences
from parley.exploration.explorers import NoExploration
from parley.loop import steps_of
from parley.models.tokens import AROUND, token_counter
from parley.planners.scripted import RandomPlanner
from parley.prompting.prompter import Prompter, Prompting, Words

PILOT_EPISODES, PILOT_RUNS = 2, 8
SAMPLED = 12  # episodes whose prompts are counted


@dataclass(frozen=True)
class Estimate:
    """What a run would take at most; None where nothing is known without asking a server.

    `calls` assumes one answer to each question, and none asked again. Tokens are of prompts, counted over an episode
    of random choices each; caches make them cheaper. `wall_s` is from a pilot of two episodes.
    """

    decisions: int
    calls: int
    prompt_tokens: int | None
    wall_s: float | None


def estimate(config: RunConfig, parts: Parts) -> Estimate:
    """Measure a pilot of planners of this machine; count prompts of planners that ask a server, without asking it."""
    decisions = config.runs * config.episodes * parts.world.horizon * parts.world.num_actors
    if not parts.planner.kind.remote:
        return Estimate(decisions, 0, None, _pilot_s(config, parts))
    asked = _settings(parts)
    answers = asked.get("answers", 1)
    named = (config.memory or asked.get("memory", "full")).partition(":")[0]
    kind = MEMORIES[named] if named in MEMORIES else None
    written = max(kind.calls, 1) if kind and "writer" in parameters(kind.factory) else 0
    calls = decisions * answers + config.runs * config.episodes * written
    return Estimate(decisions, calls, round(_tokens(config, parts) * config.runs * answers), None)


def _settings(parts: Parts) -> dict[str, Any]:
    """The arguments of the planner's spec, converted."""
    planner = parts.planner
    return bind(planner.kind.factory, dict(planner.arguments), f"planner {planner.spec!r}", skip=["scene"])


def _scene(config: RunConfig, parts: Parts, runs: int) -> Scene:
    latents = draw_latents(parts.world, Draws(config.seed, runs), config.latent)
    scene = Scene(config.world, parts.world, latents, config.episodes, trust=True)
    scene.memory = parts.memory.make(scene) if parts.memory else None
    return scene


def _pilot_s(config: RunConfig, parts: Parts) -> float:
    """Seconds of the whole run, from a few runs over two episodes."""
    config = config.resolved(parts)
    runs, episodes = min(config.cohort, PILOT_RUNS), min(config.episodes, PILOT_EPISODES)
    scene = _scene(config, parts, runs)
    with scene.closing:
        draws = Draws(config.seed, runs)
        planner, explorer = parts.planner.make(scene), parts.explorer.make(scene)
        told = dict[str, Any](instructions=config.instructions, num_episodes=episodes)
        cohort = cohort_of(scene, draws, planner, explorer, **told)
        began = time.perf_counter()
        for _ in steps_of(cohort):
            pass
        spent = time.perf_counter() - began
        cohort.envs.close()
    return spent / (runs * episodes) * config.runs * config.episodes


def _tokens(config: RunConfig, parts: Parts) -> float:
    """Tokens of all prompts of one run, from its prompts in some episodes of random choices."""
    scene, asked = _scene(config, parts, 1), _settings(parts)
    sampled = set(np.linspace(0, config.episodes - 1, min(SAMPLED, config.episodes)).astype(int).tolist())
    counter = token_counter(asked.get("tokenizer", ""), AROUND)
    budget = asked.get("budget", 0) or 8192
    template = template_of(asked.get("template") or "chat", trust=True)
    how = Prompting(template, Words.of(parts.world), asked.get("answer", "letter"), budget, counter)
    settings = {key: asked[key] for key in ("size", "words", "embeddings") if key in asked}
    make = scene.memory or remembering(scene, asked.get("memory", "full"), **settings)
    counting = Counting(Prompter(how, make(Mute())), sampled)
    with scene.closing:
        draws = Draws(config.seed, 1)
        cohort = cohort_of(scene, draws, counting, NoExploration(), instructions=config.instructions)
        for _ in steps_of(cohort):
            pass
        cohort.envs.close()
    return counting.tokens * config.episodes / len(sampled)


class Counting(RandomPlanner):
    """Chooses at random, and counts the tokens of the prompts that would have been sent in some episodes."""

    def __init__(self, prompter: Prompter, sampled: set[int]) -> None:
        super().__init__()
        self.prompter, self.sampled, self.tokens = prompter, sampled, 0
        self._episode = 0

    def hear(self, said: Opening | Outcome) -> None:
        self._episode = said.episode
        self.prompter.hear(said, 0)

    def propose(self, menu: Menu, parts: Sentences) -> Proposal:
        if self._episode in self.sampled:
            turns = self.prompter.turns(tuple(parts[0]), tuple(menu.sentences[0, menu.legal[0]]))
            self.tokens += sum(self.prompter.how.count(turn.text) for turn in turns)
        return super().propose(menu, parts)
