"""The front end that is in the package: made from the sources beside it, small, and asking nobody for anything."""

import hashlib
import json
import re
from pathlib import Path

import parley.view

ROOT = Path(__file__).parents[2] / "viewer"
STATIC = Path(parley.view.__file__).parent / "static"
MADE_FROM = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.mjs", "src", "public")


def digest(files: dict[str, Path]) -> str:
    """As viewer/vite.config.mjs computes it."""
    found = hashlib.sha256()
    for name, path in sorted(files.items()):
        found.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def test_the_committed_build_is_of_these_sources():
    made = [
        path for name in MADE_FROM for path in ([ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*"))
    ]
    hashes = json.loads((STATIC / "build.json").read_text())
    sources = {path.relative_to(ROOT).as_posix(): path for path in made if path.is_file()}
    assert hashes["sources"] == digest(sources), "run `make viewer`, and commit what it builds"
    built = {name: STATIC / name for name in ("app.css", "app.js", "index.html", "licences.txt")}
    assert hashes["built"] == digest(built), "the build was changed by hand: run `make viewer`"


def test_it_is_small_and_asks_nobody():
    assert sum(path.stat().st_size for path in STATIC.iterdir()) < 400_000
    for name in ("index.html", "app.css", "app.js"):
        text = (STATIC / name).read_text(encoding="utf-8")
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}[^\s\"'`)]*", text))
        assert not {a for a in addresses if "www.w3.org" not in a}, name
        for word in ("dangerouslySetInnerHTML=", "eval(", "new Function", "document.write", "insertAdjacentHTML"):
            assert word not in text
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").glob("*.ts*"))
    assert "innerHTML" not in sources and "any>" not in sources and ": any" not in sources
