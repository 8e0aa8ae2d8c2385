"""Unfinished trainings on disk: killed at any moment, the same command goes on, and ends at the same weights.

`OUT.training/` stands beside the checkpoint to be written. `training.json` names the training and the last complete
state. `state-N/` holds the state after step N as safetensors: weights, the optimiser's moments and torch's random
state. `metrics.jsonl` holds the curve. The directory goes when the checkpoint is there; the curve stays in the
checkpoint.
"""

import json
import math
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parley.core.errors import BadInput, ParleyError
from parley.runs.directory import storage, write_whole
from parley.training.loop import Training
from parley.training.recipe import Recipe

FORMAT = "parley-training/2"
STATE, METRICS, ABOUT = "training.json", "metrics.jsonl", "parley.json"


def _step_of(line: str) -> float:
    """The step that a line of the curve is about; infinite for one that was cut short by a full disk."""
    try:
        return float(json.loads(line)["step"])
    except ValueError:
        return math.inf


def _trained(model: Any) -> list[tuple[str, Any]]:
    """The parameters that a training changes, by name."""
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


class Unfinished:
    """The directory of one training; `config` is everything that its weights depend on."""

    def __init__(self, out: Path, config: dict[str, Any]) -> None:
        self.folder, self.config = out.with_name(out.name + ".training"), json.loads(json.dumps(config))
        self.step, self._spent = 0, (0.0, list[str]())
        if (self.folder / STATE).exists():
            self._read()

    def _read(self) -> None:
        try:
            kept = json.loads((self.folder / STATE).read_text(encoding="utf-8"))
            format_, config, self.step = kept["format"], kept["config"], int(kept["step"])
            config["recipe"] = asdict(Recipe()) | config["recipe"]  # options that came later had their defaults
            self._spent = float(kept["elapsed_s"]), list(kept["devices"])
        except (OSError, ValueError, KeyError, TypeError) as wrong:
            raise BadInput(
                f"{str(self.folder)!r} is no unfinished training that can be read ({wrong!r}): remove it"
            ) from None
        if format_ != FORMAT or config != self.config:
            other = [name for name in self.config if config.get(name) != self.config[name]]
            raise BadInput(
                f"{str(self.folder)!r} holds an unfinished training of another {', '.join(other) or 'format'}: "
                "repeat its command, remove it, or name another --out"
            )

    def restore(self, training: Training) -> None:
        """Put weights, moments and random state back; raises `BadInput` where the state is damaged."""
        if not self.step:
            return
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        torch, folder = training.torch, self.folder / f"state-{self.step}"
        try:
            weights, rest = load_file(folder / "model.safetensors"), load_file(folder / "optimiser.safetensors")
            with torch.no_grad():
                for name, parameter in _trained(training.model):
                    parameter.copy_(weights[name])
                    if f"{name}.step" not in rest:  # an expert that no token has come to
                        continue
                    moments = {key: rest[f"{name}.{key}"] for key in ("exp_avg", "exp_avg_sq", "step")}
                    counted = () if training.optimiser.defaults["fused"] else ("step",)  # where it stays on the CPU
                    device = {k: v.to(training.place.device) for k, v in moments.items() if k not in counted}
                    training.optimiser.state[parameter] = {**moments, **device}
            torch.set_rng_state(rest["rng"])
        except (OSError, KeyError, SafetensorError, RuntimeError) as wrong:
            raise BadInput(
                f"the state in {str(folder)!r} is damaged ({wrong!r}): remove {str(self.folder)!r}"
            ) from None
        training.step, (training.elapsed_s, training.devices) = self.step, self._spent
        curve = self.folder / METRICS
        lines = curve.read_text(encoding="utf-8").splitlines(keepends=True) if curve.exists() else []
        write_whole(curve, "".join(line for line in lines if _step_of(line) <= self.step).encode())

    def save(self, training: Training) -> None:
        """Keep the state after the step just done; what was kept before goes once this is whole."""
        from safetensors.torch import save_file

        draft, state = self.folder / "draft", self.folder / f"state-{training.step}"
        if state.exists() and training.step == self.step:
            return
        try:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            weights = {name: p.detach().cpu().contiguous() for name, p in _trained(training.model)}
            rest = {"rng": training.torch.get_rng_state()}
            for name, parameter in _trained(training.model):
                for key, value in training.optimiser.state[parameter].items():
                    rest[f"{name}.{key}"] = value.detach().cpu().contiguous()
            save_file(weights, draft / "model.safetensors")
            save_file(rest, draft / "optimiser.safetensors")
            shutil.rmtree(state, ignore_errors=True)
            os.replace(draft, state)
            kept = {"format": FORMAT, "step": training.step, "config": self.config}
            kept |= {"elapsed_s": training.elapsed_s, "devices": training.devices}
            write_whole(self.folder / STATE, json.dumps(kept, indent=1).encode())
        except OSError as wrong:
            shutil.rmtree(draft, ignore_errors=True)
            raise ParleyError(
                f"the state after step {training.step} could not be kept in {str(self.folder)!r} "
                f"({wrong.strerror or wrong}); that of step {self.step} is whole: the same command goes on from there"
            ) from wrong
        self.step = training.step
        for old in self.folder.glob("state-*"):
            if old != state:
                shutil.rmtree(old, ignore_errors=True)

    def note(self, found: dict[str, float]) -> None:
        """Append to the curve."""
        with storage(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / METRICS).open("a", encoding="utf-8") as curve:
                curve.write(json.dumps(found) + "\n")

    def latest(self) -> dict[str, float]:
        """The last point of the curve; of a training that was at its end already, the last step's."""
        curve = self.folder / METRICS
        lines = curve.read_text(encoding="utf-8").splitlines() if curve.exists() else []
        return json.loads(lines[-1]) if lines else {}

    def finish(self, out: Path) -> None:
        """The checkpoint is there: the curve joins it, the rest goes."""
        if (self.folder / METRICS).exists():
            os.replace(self.folder / METRICS, out / METRICS)
        for folder in (self.folder / "draft", *self.folder.glob("state-*")):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)  # what says that this training was unfinished goes last

    def written(self, out: Path) -> dict[str, Any] | None:
        """What the checkpoint says of itself, where this training had written it when it was killed; else None."""
        if not self.step or not (out / ABOUT).exists():
            return None
        self.finish(out)
        about: dict[str, Any] = json.loads((out / ABOUT).read_text(encoding="utf-8"))
        return about


def require_new(out: Path) -> None:
    """Raise `BadInput` where `out` holds something, unless the unfinished training beside it may have written it."""
    ours = (out / ABOUT).exists() and (out.with_name(out.name + ".training") / STATE).exists()
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not ours:
        raise BadInput(f"out={str(out)!r} is not empty: name a new directory for the checkpoint")
