"""The site builds, and nothing on it points to nothing; pages are short; the code cites sections that exist."""

import fcntl
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import DOCS, ROOT

LONGEST = 2_500  # words of a page
LONGEST_RESULTS = 6_000  # words of all results
LOADED = re.compile(r"""<(?:script|img|link rel="stylesheet")[^>]*(?:src|href)="(https?://[^"]+)""")
BY_ITSELF = ("README.md", "CONTRIBUTING.md", "AGENTS.md", "CHANGELOG.md")


class Page(HTMLParser):
    """What a page points to, and the places on it that can be pointed to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets, self.places = list[str](), set[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.places |= {value for value in (told.get("id"), told.get("name")) if value}
        for key in ("href", "src"):
            if tag in ("a", "img", "script", "link") and (target := told.get(key)):
                self.targets.append(target)


@pytest.fixture(scope="module")
def site() -> Path:
    """The site, built once for all workers of a test run: a second build would remove the files of the first."""
    pytest.importorskip("zensical")
    this_run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"process {os.getpid()}")
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "site.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if lock.read() != this_run:
            done = subprocess.run(
                [sys.executable, ROOT / "scripts" / "site.py"], capture_output=True, text=True, cwd=ROOT
            )
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
            lock.truncate(0)
            lock.write(this_run)
    return ROOT / "site"


def test_nothing_on_the_site_points_to_nothing(site):
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    assert len(pages) > 80
    dead = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            meant = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not meant.exists():
                dead.append(f"{path.relative_to(site)}: {target}")
            elif parts.fragment and meant in pages and unquote(parts.fragment) not in pages[meant].places:
                dead.append(f"{path.relative_to(site)}: {target}")
    assert dead == []


def test_every_public_name_and_command_is_on_the_site(site):
    import parley
    from parley.cli import COMMANDS

    api = "".join(path.read_text() for path in (site / "reference" / "api").glob("*.html"))
    commands = "".join(path.read_text() for path in (site / "reference" / "commands").glob("*.html"))
    assert not [name for name in parley.__all__ if name != "__version__" and f'id="parley.{name}"' not in api]
    assert not [name for name in COMMANDS if f"parley {name}" not in commands]


def test_the_site_loads_nothing_from_elsewhere(site):
    for path in site.rglob("*.html"):
        assert LOADED.findall(path.read_text()) == [], path


@pytest.mark.parametrize("name", BY_ITSELF)
def test_links_of_pages_beside_the_site(name):
    text = re.sub(r"```.*?```", "", (ROOT / name).read_text(), flags=re.S)
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in target]
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_no_page_is_long():
    lengths = {path.relative_to(DOCS).as_posix(): len(path.read_text().split()) for path in DOCS.rglob("*.md")}
    assert {name: words for name, words in lengths.items() if words > LONGEST} == {}
    assert sum(words for name, words in lengths.items() if name.startswith("results")) <= LONGEST_RESULTS


def test_sections_of_the_theory_that_the_code_cites_exist():
    sections = set(re.findall(r"^## (\d)\.", (DOCS / "theory.md").read_text(), re.M))
    cited = {
        number
        for path in (ROOT / "src").rglob("*.py")
        for found in re.findall(r"theory\.md(?: section)? ((?:\d(?:, | and )?)+)", path.read_text())
        for number in re.findall(r"\d", found)
    }
    assert len(cited) >= 5 and cited <= sections


def test_the_index_of_the_log_is_made_from_its_pages():
    from scripts.log_index import index

    assert (DOCS / "log.md").read_text() == index(), "make it by `python scripts/log_index.py`"


def test_every_extra_is_on_the_page_about_installing():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    page = (DOCS / "how-to" / "install.md").read_text()
    assert [extra for extra in extras if f"`{extra}`" not in page] == []


def test_each_page_says_who_it_is_for():
    for path in [*DOCS.rglob("tutorials/*.md"), *DOCS.rglob("how-to/*.md"), *DOCS.rglob("concepts/*.md")]:
        paragraph = path.read_text().split("\n\n")[1]
        assert paragraph.startswith("For "), path


NOTEBOOKS = sorted((DOCS / "tutorials").glob("*.ipynb"))


def without_times(cell: dict) -> str:
    """Its outputs; neither times nor the names of temporary directories are the same again."""
    said = json.dumps(cell.get("outputs"), sort_keys=True)
    return re.sub(r"/tmp/[\w./-]+", "/tmp/DIR", re.sub(r"\d+(\.\d+)? s\b", "T s", said))


def test_two_tutorials_are_notebooks():
    assert len(NOTEBOOKS) >= 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_its_page(path):
    nbformat = pytest.importorskip("nbformat")
    from scripts.notebook import cells

    page = path.with_suffix(".md").read_text()
    assert f"[notebook]({path.name})" in page
    kept = nbformat.read(path, as_version=4)
    assert [(cell.cell_type, cell.source) for cell in kept.cells] == [
        (cell.cell_type, cell.source) for cell in cells(page)
    ]
    outputs = [one for cell in kept.cells if cell.cell_type == "code" for one in cell.outputs]
    assert len(outputs) >= 3 and not [one for one in outputs if one.output_type == "error"]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_what_it_said(path):
    nbformat = pytest.importorskip("nbformat")
    from scripts.notebook import execute

    again = execute(path.with_suffix(".md").read_text())
    kept = nbformat.read(path, as_version=4)
    assert list(map(without_times, again.cells)) == list(map(without_times, kept.cells))
