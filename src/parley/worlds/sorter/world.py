"""The world `sorter`: its low level, Actor and Reporter put together."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from parley.core.errors import BadInput
from parley.worlds.kit.physical import Abstraction, PhysicalWorld
from parley.worlds.kit.script import Script
from parley.worlds.kit.text_env import TextEnv
from parley.worlds.sorter.actor import PickPlaceActor, Reach, straight
from parley.worlds.sorter.environment import SorterArm
from parley.worlds.sorter.layout import places
from parley.worlds.sorter.reach_training import learn_reach
from parley.worlds.sorter.reaching import SHIPPED, ReachPolicy
from parley.worlds.sorter.reporter import SorterReporter
from parley.worlds.sorter.tables import PLANS, Rules, mechanism, rules_tables, sentence, states


def sorter(usual: float = 0.3, horizon: int = 4, noise: float = 0.05, friction: float = 0.5) -> PhysicalWorld:
    """MuJoCo (extra mujoco): a robot arm, and which mat keeps which block."""
    rules = Rules(usual, horizon, noise, friction)
    tables = rules_tables(rules)
    script, at = Script.of(tables), dict(zip(tables.states, states(), strict=True))

    def reaching(reach: Reach) -> Callable[[int], TextEnv]:
        def text_env(latent: int) -> TextEnv:
            low = SorterArm(rules, PLANS[latent])
            return TextEnv(low, PickPlaceActor(reach), SorterReporter(), script, max_actions=400)

        return text_env

    def learned(world: PhysicalWorld, spec: str) -> PhysicalWorld:
        """Reaching as it was learned, by the policy that comes with the package or another one."""
        kind, _, path = spec.partition(":")
        if kind != "reach":
            raise BadInput(f"actor={spec!r}: expected reach or reach:PATH (of `parley pretrain-reach --out PATH`)")
        return replace(world, text_env=reaching(ReachPolicy.load(Path(path) if path else SHIPPED)))

    abstraction = Abstraction(
        state=lambda raw: sentence(places(raw["blocks"])),
        mechanism=lambda z, s, g: mechanism(PLANS[z], at[s], g),
    )
    learns = {"reach": learn_reach}
    return PhysicalWorld.of(tables, reaching(straight), abstraction, offers={"actor": learned}, learns=learns)
