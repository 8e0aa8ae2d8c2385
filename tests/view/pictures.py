"""The pictures of docs/viewer.md: `python -m tests.view.pictures`, which needs chromium, makes them anew."""

import io
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

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
    "dark": {"hash": f"#/run/{quote('shortcut/adaptive', safe='')}", "ready": ".map canvas", "scheme": "dark"},
    "narrow": {"hash": f"#/run/{quote('household/adaptive', safe='')}/0/6/2", "ready": ".beliefs li", "width": 400},
}


def taken(browser: Any, url: str, name: str) -> bytes:
    """One picture, as PNG."""
    shot = SHOTS[name]
    size = {"width": shot.get("width", 1280), "height": shot.get("height", 820)}
    context = browser.new_context(viewport=size, color_scheme=shot.get("scheme", "light"), reduced_motion="reduce")
    page = context.new_page()
    page.goto(url + shot["hash"])
    page.locator(shot["ready"]).first.wait_for()
    while page.locator(".waiting").count():
        page.wait_for_timeout(50)
    page.wait_for_timeout(400)
    content: bytes = page.screenshot()
    context.close()
    return content


def main(out: Path) -> None:
    """Make the runs of the tests, and take all pictures of them."""
    from playwright.sync_api import sync_playwright

    from parley.view.app import Viewer
    from tests.view.made import make_all

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder) / "runs"
        root.mkdir()
        make_all(root)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with Viewer(root) as viewer:
            for name in SHOTS:
                with Image.open(io.BytesIO(taken(browser, viewer.url, name))) as shown:
                    shown.convert("RGB").quantize(128).save(out / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/figures/viewer"))
