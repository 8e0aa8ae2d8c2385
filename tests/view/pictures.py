"""The pictures of docs/viewer.md, made anew with chromium: `python -m tests.view.pictures [FOLDER [NAME ...]]`."""

import io
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from PIL import Image

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
WAIT_MS = 90_000  # what a machine may need whose cores are all busy
CARDS = Path(__file__).parents[2] / "docs" / "bench"
SIDE = urlencode([("card", f"{name}-0.json") for name in ("exact", "generated", "random")])
IDS = json.dumps([f"shortcut/{name}" for name in ("greedy", "epsilon-greedy", "adaptive", "exact")])
SHOTS: dict[str, dict[str, Any]] = {
    "runs": {"hash": "#/", "ready": "td.id .name"},
    "compare": {"hash": f"#/compare?ids={quote(IDS, safe='')}", "ready": ".uplot"},
    "run": {"hash": f"#/run/{quote('shortcut/epsilon-greedy', safe='')}", "ready": ".map canvas", "height": 1000},
    "episode": {"hash": f"#/run/{quote('household/adaptive', safe='')}/0/6/2", "ready": ".beliefs li"},
    "prompt": {
        "hash": f"#/run/{quote('lm/thinking', safe='')}/0/2/2",
        "ready": ".call[open] .reasoning",
        "height": 1500,
    },
    "cards": {"hash": f"#/cards?{SIDE}", "ready": "svg.between", "of": "cards", "height": 1000},
    "dark": {"hash": f"#/run/{quote('shortcut/adaptive', safe='')}", "ready": ".map canvas", "scheme": "dark"},
    "narrow": {"hash": f"#/run/{quote('household/adaptive', safe='')}/0/6/2", "ready": ".beliefs li", "width": 400},
}


def taken(browser: Any, url: str, name: str) -> bytes:
    """One picture, as PNG."""
    shot = SHOTS[name]
    size = {"width": shot.get("width", 1280), "height": shot.get("height", 820)}
    context = browser.new_context(viewport=size, color_scheme=shot.get("scheme", "light"), reduced_motion="reduce")
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(url + shot["hash"])
    page.locator(shot["ready"]).first.wait_for()
    while page.locator(".waiting").count():
        page.wait_for_timeout(50)
    page.wait_for_timeout(400)
    content: bytes = page.screenshot()
    context.close()
    return content


def main(out: Path, names: Sequence[str]) -> None:
    """Make the runs of the tests, and take pictures of them and of our cards."""
    from playwright.sync_api import sync_playwright

    from parley.view.app import Viewer
    from tests.view.made import make_all

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder) / "runs"
        root.mkdir()
        shutil.copytree(CARDS, Path(folder) / "cards")
        if not all("of" in SHOTS[name] for name in names):
            make_all(root)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name in names:
            with (
                Viewer(Path(folder) / SHOTS[name].get("of", "runs")) as viewer,
                Image.open(io.BytesIO(taken(browser, viewer.url, name))) as shown,
            ):
                shown.convert("RGB").quantize(128).save(out / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/figures/viewer"), sys.argv[2:] or list(SHOTS))
