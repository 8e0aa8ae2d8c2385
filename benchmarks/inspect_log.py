"""A log of as many samples, as inspect_ai keeps them: `PYTHON inspect_log.py PATH SAMPLES STEPS`.

PYTHON is one in which inspect-ai is installed. Its own writer takes 22 ms a sample: so the members of the archive
are written here, as it writes them.
"""

import json
import random
import sys
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalResults, EvalSample, EvalSpec, EvalStats
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser
from inspect_ai.scorer import Score

DIFFERENT = 64  # samples that are drawn; the others are these under other names


def sample(number: int, steps: int, rng: random.Random) -> EvalSample:
    """An episode as a conversation."""
    told: list[Any] = []
    for _ in range(steps):
        told.append(ChatMessageUser(content=f"it is not in cupboard {rng.randrange(9)}"))
        told.append(ChatMessageAssistant(content=f"look in drawer {rng.randrange(9)}"))
    scores = {"reward": Score(value=float(rng.random() < 0.3))}
    name = f"episode-{number}"
    return EvalSample(id=name, epoch=1, input="find the cup", target="1", messages=told, scores=scores, uuid=name)


def plain(model: Any, **more: Any) -> dict[str, Any]:
    """What JSON writes of one of its models."""
    return model.model_dump(mode="json", exclude_none=True, **more)


def main(path: str, samples: int, steps: int) -> None:
    """Write the archive."""
    when = "2026-01-01T00:00:00+00:00"
    spec = EvalSpec(
        created=when, task="household", dataset=EvalDataset(samples=samples), model="none/none", config=EvalConfig()
    )
    results = EvalResults(total_samples=samples, completed_samples=samples)
    log = EvalLog(status="success", eval=spec, results=results, stats=EvalStats(started_at=when, completed_at=when))
    rng = random.Random(0)
    drawn = [sample(number, steps, rng) for number in range(DIFFERENT)]
    whole, short = [json.dumps(plain(one)) for one in drawn], [plain(one.summary()) for one in drawn]
    listed = []
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        start = {"version": log.version, "eval": plain(log.eval), "plan": plain(log.plan)}
        archive.writestr("_journal/start.json", json.dumps(start))
        for number in range(samples):
            like, name = number % DIFFERENT, f"episode-{number}"
            text = whole[like].replace(f'"episode-{like}"', f'"{name}"')
            archive.writestr(f"samples/{name}_epoch_1.json", text)
            listed.append({**short[like], "id": name, "uuid": name})
        archive.writestr("summaries.json", json.dumps(listed))
        archive.writestr("header.json", json.dumps(plain(log, exclude={"samples"})))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
