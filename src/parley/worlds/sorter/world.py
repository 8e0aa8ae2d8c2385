"""The world `sorter`: its low level, Actor and Reporter put together."""

from dataclasses import replace
from pathlib import Path

from parley.core.errors import BadInput
from parley.worlds.kit.physical import Abstraction, PhysicalWorld
from parley.worlds.kit.wrap import wrap
from parley.worlds.sorter.actor import PickPlaceActor, straight
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
    at = dict(zip(tables.states, states(), strict=True))

    def learned(world: PhysicalWorld, spec: str) -> PhysicalWorld:
        """Reaching as it was learned, by the policy that comes with the package or another one."""
        kind, _, path = spec.partition(":")
        if kind != "reach":
            raise BadInput(f"actor={spec!r}: expected reach or reach:PATH (of `parley pretrain-reach --out PATH`)")
        reach = ReachPolicy.load(Path(path) if path else SHIPPED)
        return replace(world, text_env=lambda z: world.text_env(z).acted_by(PickPlaceActor(reach)))

    abstraction = Abstraction(
        state=lambda raw: sentence(places(raw["blocks"])),
        mechanism=lambda z, s, g: mechanism(PLANS[z], at[s], g),
    )
    return wrap(
        lambda latent: SorterArm(rules, PLANS[latent]),
        skills=lambda: PickPlaceActor(straight),
        describe=SorterReporter,
        max_actions=400,
        tables=tables,
        abstraction=abstraction,
        offers={"actor": learned},
        learns={"reach": learn_reach},
    )
