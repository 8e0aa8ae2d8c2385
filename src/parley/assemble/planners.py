"""The planners by name."""

from pathlib import Path

from parley.assemble.scene import Kind, Scene
from parley.core.errors import BadInput
from parley.core.roles import Planner
from parley.core.spec import bind, parse_spec, suggestion
from parley.planners.exact import ExactPlanner, ExpertPlanner, PosteriorSamplingPlanner
from parley.planners.scripted import RandomPlanner, ScriptedPlanner
from parley.planners.transformer import TransformerPlanner
from parley.theory.posterior import Evidence

CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"


def exact(
    scene: Scene, evidence: str = "environment", rho: float = 0.0, mixture: str = "episode", decode: str = "sample"
) -> Planner:
    return ExactPlanner(scene.beliefs, Evidence(evidence, rho, mixture), decode)


def expert(scene: Scene, decode: str = "sample") -> Planner:
    return ExpertPlanner(scene.beliefs, scene.latents, decode)


def posterior_sampling(scene: Scene, decode: str = "sample") -> Planner:
    return PosteriorSamplingPlanner(scene.beliefs, decode=decode)


def at_random(scene: Scene, decode: str = "sample") -> Planner:
    return RandomPlanner(decode)


def scripted(scene: Scene, script: str, decode: str = "sample") -> Planner:
    return ScriptedPlanner(tuple(filter(None, script.split("|"))), decode)


def transformer(scene: Scene, checkpoint: str = "", decode: str = "sample") -> Planner:
    path = Path(checkpoint) if checkpoint else CHECKPOINTS / parse_spec(scene.spec, "world")[0]
    if not checkpoint and not path.is_dir():
        shipped = ", ".join(sorted(p.name for p in CHECKPOINTS.iterdir() if p.is_dir()))
        raise BadInput(
            f"no checkpoint ships for world {scene.spec!r} (only for {shipped}): train one with `parley pretrain` "
            "and name it, transformer:checkpoint=PATH"
        )
    planner = TransformerPlanner(path, decode=decode)
    if scene.world.tables is not None:
        planner.require(scene.world.tables)
    return planner


PLANNERS: dict[str, Kind] = {
    "exact": Kind(exact, "BAIL from the world's tables: what a perfectly pretrained model computes"),
    "expert": Kind(expert, "knows z: the zero-regret reference"),
    "posterior-sampling": Kind(posterior_sampling, "draws one z an episode from the exact posterior"),
    "random": Kind(at_random, "proposes every legal subgoal alike"),
    "scripted": Kind(scripted, "says the subgoals of a script in turn: scripted:script=one|two"),
    "transformer": Kind(
        transformer, "a pretrained Llama-architecture model; alone: the checkpoint that ships", cohort=64
    ),
}


def planner(spec: str, scene: Scene) -> Planner:
    """The planner of a spec, for one cohort."""
    kind, arguments = parse_spec(spec, "planner")
    if kind not in PLANNERS:
        raise BadInput(f"unknown planner {kind!r}{suggestion(kind, PLANNERS)}")
    factory = PLANNERS[kind].factory
    bound = bind(factory, arguments, f"planner {kind!r}", skip=["scene"])
    if bound.get("decode", "sample") not in ("sample", "greedy"):
        raise BadInput(f"planner {spec!r}: decode={bound['decode']!r}: expected 'sample' or 'greedy'")
    scene.planner = factory(scene, **bound)
    return scene.planner
