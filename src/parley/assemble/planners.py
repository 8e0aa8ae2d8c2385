"""The planners by name."""

from collections.abc import Mapping
from pathlib import Path

from parley.assemble.endpoint import endpoint, served_model
from parley.assemble.foreign import foreign_planner
from parley.assemble.local import gguf, hf, local_model
from parley.assemble.registry import Kind, Registry
from parley.assemble.scene import Scene, beliefs_of
from parley.assemble.worlds import checkpoint as checkpoint_at
from parley.assemble.worlds import checkpoint_of, shipped_names
from parley.core.errors import BadInput
from parley.core.factored import FactoredTables
from parley.core.roles import KeptPlanner, Planner, WorldModel
from parley.core.spec import spell
from parley.planners.decentralised import DecentralisedPlanner, SubstitutedPlanner
from parley.planners.exact import ExactPlanner, ExpertPlanner, PosteriorSamplingPlanner
from parley.planners.factored import FactoredPlanner
from parley.planners.forgetting import forgetting
from parley.planners.habit import HabitPlanner
from parley.planners.prediction import ExactWorldModel, TransformerWorldModel
from parley.planners.scripted import RandomPlanner, ScriptedPlanner
from parley.planners.transformer import TransformerPlanner
from parley.planners.world_model import Search, WorldModelPlanner
from parley.theory.posterior import Evidence
from parley.worlds.kit.tabular.jumping import JumpingWorld

ENUMERATED = 3  # Actors up to whom joint subgoals are enumerated


def exact(
    scene: Scene,
    evidence: str = "environment",
    rho: float = 0.0,
    mixture: str = "episode",
    forget: str = "",
    label_error: float = 0.0,
    decode: str = "sample",
) -> KeptPlanner:
    """BAIL from the world's tables: what a perfectly pretrained model computes."""
    tables, found = scene.world.tables, Evidence(evidence, rho, mixture)
    if forget and (found.demonstrator or scene.world.num_actors > 1):
        raise BadInput(f"forget={forget!r}: goes with one Actor, and with evidence=environment")
    if not 0 <= label_error <= 1 or (label_error and forget):
        raise BadInput(f"label_error={label_error}: expected a share from 0 to 1, without forget")
    if isinstance(tables, FactoredTables) and not found.demonstrator and not label_error:
        return FactoredPlanner(tables.factored, beliefs_of(tables.factored.summary), decode)
    _require_few(scene, "'exact' enumerates joint subgoals unless the world factors them and evidence=environment")
    return (
        forgetting(scene.beliefs, forget, decode) if forget else ExactPlanner(scene.beliefs, found, decode, label_error)
    )


def _require_few(scene: Scene, enumerates: str) -> None:
    """Raise `BadInput` where the product of the menus is not for enumerating."""
    if scene.world.num_actors > ENUMERATED:
        raise BadInput(
            f"world {scene.spec!r} has {scene.world.num_actors} Actors: planner {enumerates}, which is done for up to "
            f"{ENUMERATED} Actors; use a learned planner"
        )


def expert(scene: Scene, decode: str = "sample") -> KeptPlanner:
    """Knows z: the zero-regret reference."""
    if isinstance(scene.world, JumpingWorld):
        raise BadInput(f"world {scene.spec!r}: planner 'expert' knows the latent of a run, and here it has two")
    return ExpertPlanner(scene.beliefs, scene.latents, decode)


def posterior_sampling(scene: Scene, decode: str = "sample") -> KeptPlanner:
    """Draws one z an episode from the exact posterior."""
    return PosteriorSamplingPlanner(scene.beliefs, decode=decode)


def decentralised(scene: Scene, doubt: float = 0.1, decode: str = "sample") -> KeptPlanner:
    """Each Actor plans exactly for itself and does not hear what the others do."""
    return DecentralisedPlanner(scene.beliefs, doubt, decode)


def with_expert(scene: Scene, actor: int, decode: str = "sample") -> KeptPlanner:
    """Exact, with Actor N's part from the expert who knows z: with-expert:actor=1."""
    if not 1 <= actor <= scene.world.num_actors:
        raise BadInput(f"actor={actor}: world {scene.spec!r} has Actors 1 to {scene.world.num_actors}")
    return SubstitutedPlanner(exact(scene, decode=decode), expert(scene, decode), actor - 1)


def at_random(scene: Scene, decode: str = "sample") -> KeptPlanner:
    """Proposes every legal subgoal alike."""
    return RandomPlanner(decode)


def habit(scene: Scene, decode: str = "sample") -> KeptPlanner:
    """Learns by a rule: does again what paid best from the same observation, else what it tried least."""
    return HabitPlanner(decode)


def scripted(scene: Scene, script: str, decode: str = "sample") -> KeptPlanner:
    """Says the subgoals of a script in turn: scripted:script=one|two."""
    return ScriptedPlanner(tuple(filter(None, script.split("|"))), decode)


def transformer(scene: Scene, checkpoint: str = "", decode: str = "sample") -> KeptPlanner:
    """A pretrained Llama-architecture model; alone: the checkpoint that ships."""
    planner = TransformerPlanner(_checkpoint(scene, checkpoint), decode=decode)
    if scene.world.tables is not None:
        planner.require(scene.world.tables)
    return planner


def _checkpoint(scene: Scene, named: str) -> Path:
    """The named checkpoint, a directory or one that ships; or the one that ships for the world."""
    if named:
        return checkpoint_at(named)
    path = checkpoint_of(scene.spec.partition(":")[0].strip())
    if path is None:
        shipped = ", ".join(shipped_names())
        raise BadInput(
            f"no checkpoint ships for world {scene.spec!r} (only for {shipped}): train one with `parley pretrain` "
            "and name it by checkpoint=PATH"
        )
    return path


def world_model(
    scene: Scene,
    model: str = "transformer",
    checkpoint: str = "",
    search: str = "tree",
    budget: int = 256,
    cut: float = 1e-3,
    forget: str = "",
    base_url: str = "",
    way: str = "auto",
    answers: int = 8,
    temperature: float = 1.0,
    template: str = "",
    memory: str = "full",
    tokenizer: str = "",
    decode: str = "sample",
) -> KeptPlanner:
    """Searches in what a model predicts: world-model:model=exact|transformer|PROVIDER/MODEL."""
    _require_few(scene, "'world-model' searches over joint subgoals")
    tables, found = scene.beliefs.tables, Search(search, budget, cut)
    if checkpoint and model != "transformer" or forget and model != "exact" or base_url and "/" not in model:
        raise BadInput(
            f"model={model!r}: checkpoint goes with transformer, forget with exact, base_url with provider/model"
        )
    predicts: WorldModel
    if model == "exact":
        predicts = ExactWorldModel(scene.beliefs, forgetting(scene.beliefs, forget) if forget else None)
    elif model == "transformer":
        predicts = TransformerWorldModel(_checkpoint(scene, checkpoint), tables)
    elif "/" in model and tables.num_actors == 1:
        asked = dict(way=way, answers=answers, temperature=temperature, memory=memory, tokenizer=tokenizer)
        predicts = served_model(scene, model, template, base_url=base_url, **asked)
    else:
        raise BadInput(f"model={model!r}: expected exact, transformer, or provider/model behind a server (one Actor)")
    return WorldModelPlanner(predicts, tables, found, decode)


PLANNERS = Registry(
    "planner",
    {
        "exact": Kind(exact),
        "expert": Kind(expert),
        "posterior-sampling": Kind(posterior_sampling),
        "world-model": Kind(world_model, cohort=64),
        "decentralised": Kind(decentralised),
        "with-expert": Kind(with_expert),
        "random": Kind(at_random),
        "habit": Kind(habit),
        "scripted": Kind(scripted),
        "transformer": Kind(transformer, cohort=64),
        "endpoint": Kind(endpoint, cohort=1, first="model", remote=True),
        "hf": Kind(hf, cohort=64, first="path"),
        "gguf": Kind(gguf, cohort=64, first="path"),
    },
)


# Options of an endpoint planner that say how it asks, not what it is: a run may go on with others.
CHANGEABLE = (
    *("budget", "way", "api", "max_tokens", "reasks", "timeout_s", "attempts", "backoff_s", "breaker"),
    *("concurrency", "base_url", "cache"),
)


def changed(spec: str, changes: Mapping[str, str]) -> str:
    """The spec of an endpoint planner with other options of asking; raises `BadInput` on all others."""
    named = PLANNERS.find(spec)
    known = CHANGEABLE if named.name == "endpoint" else ()
    for name in changes:
        if name not in known:
            raise BadInput(
                f"{name}={changes[name]!r} cannot be changed on resuming planner {spec!r}: "
                f"expected {', '.join(known) or 'nothing, as it asks no server'}"
            )
    return f"{named.name}:{spell({**named.arguments, **changes})}"


def remote(spec: str) -> bool:
    """Whether the planner of a spec asks a server, or fetches a model: what merely looks at a run does neither."""
    named = PLANNERS.find(spec)
    model, path = named.arguments.get("model", ""), named.arguments.get("path", "")
    served = named.kind.remote or (named.name == "world-model" and "/" in model)
    return served or (named.name == "hf" and not local_model(path))


def planner(spec: str, scene: Scene, trust: bool = False) -> Planner:
    """The planner of a spec, for one cohort."""
    named = PLANNERS.find(spec, trust)
    if (decode := named.arguments.get("decode", "sample")) not in ("sample", "greedy"):
        raise BadInput(f"planner {spec!r}: decode={decode!r}: expected 'sample' or 'greedy'")
    scene.trust = trust
    made: Planner = PLANNERS.make(named, {"scene": scene})
    if named.code:
        made = foreign_planner(made, f"planner {named.name!r}")
    scene.planner = made
    return made
