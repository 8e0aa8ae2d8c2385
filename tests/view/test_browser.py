"""The viewer in a real browser: every view, live runs, hostile texts, keys, narrow windows, accessibility."""

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from parley.execute import RunConfig, run
from parley.runs.directory import read_manifest, write_manifest
from parley.view.app import Viewer
from parley.view.page import report_page
from tests.view.hostile import PAYLOADS, hostile_cards, hostile_experiments, hostile_log, hostile_manifests
from tests.view.made import CARDS
from tests.view.pictures import FLAGS, WAIT_MS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def viewer(runs, tmp_path_factory):
    with Viewer(runs, notes=tmp_path_factory.mktemp("notes") / "notes.sqlite") as served:
        yield served


class Window:
    """A window that remembers what went wrong in it: errors, dialogs, and requests to anybody else."""

    def __init__(self, browser, url: str, width: int = 1440, height: int = 900, **options) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, **options)
        self.page, self.url, self.wrong = self.context.new_page(), url, []
        self.page.set_default_timeout(WAIT_MS)
        self.page.add_init_script(
            "window.pwned = [];addEventListener('securitypolicyviolation', e => window.pwned.push(e.violatedDirective))"
        )
        self.page.on("console", lambda said: said.type == "error" and self.wrong.append(said.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: request.url.startswith(url) or self._other(request.url))

    def _other(self, address: str) -> None:
        if not address.startswith("data:"):
            self.wrong.append(f"request to {address}")

    def open(self, *path, **query) -> None:
        """Go to a view by its link."""
        self.page.goto(self.url + link(*path, **query))

    def go(self, *path, **query) -> None:
        """Go to a view without loading the page again; it is drawn, if not filled, when this comes back."""
        self.page.evaluate(GO, link(*path, **query))

    def settled(self) -> None:
        """Wait until nothing is waited for."""
        self.until("document.querySelector('h1') && !document.querySelector('.waiting')")

    def until(self, expression: str) -> None:
        """Wait until something changes that makes it true.

        Playwright's own way is an `eval` in the page, which its policy forbids.
        """
        if not self.page.evaluate(UNTIL % (expression, WAIT_MS)):
            raise AssertionError(f"never true: {expression}; the page says {self.page.inner_text('body')[:500]!r}")

    def fine(self) -> None:
        """Nothing went wrong, and nothing of what is shown acts."""
        assert self.page.evaluate("window.pwned") == []
        assert self.wrong == []

    def close(self) -> None:
        self.context.close()


GO = """async to => {
    const before = location.href;
    location.hash = to;
    if (location.href !== before) await new Promise(done => addEventListener('hashchange', done, {once: true}));
    for (let i = 0; i < 2; i++) await new Promise(done => requestAnimationFrame(done));
}"""
UNTIL = """() => new Promise(done => {
    const end = found => (seen.disconnect(), clearTimeout(timer), done(found));
    const look = () => (%s) && end(true);
    const seen = new MutationObserver(look);
    const timer = setTimeout(() => end(false), %d);
    seen.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
    look();
})"""


def link(*path, **query) -> str:
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return f"#/{'/'.join(quote(str(part), safe='') for part in path)}" + (f"?{asked}" if asked else "")


@pytest.fixture
def window(browser, viewer):
    opened = Window(browser, viewer.url)
    yield opened
    opened.close()


IDS = json.dumps([f"shortcut/{name}" for name in ("greedy", "epsilon-greedy", "adaptive", "exact")])
VIEWS = {
    "runs": ((), {}, "shortcut/adaptive"),
    "compare": (("compare",), {"ids": IDS}, "both met the same random numbers"),
    "difference": (("compare",), {"ids": IDS, "way": "difference"}, "difference in cumulative"),
    "run": (("run", "shortcut/epsilon-greedy"), {}, "Every episode of every run"),
    "run of a language model": (("run", "lm/letters"), {}, "tokens"),
    "run without steps": (("run", "episodes-only"), {}, "without their steps"),
    "episode": (("run", "shortcut/epsilon-greedy", 3, 5, 2), {}, "unknown to the planner"),
    "thinking": (("run", "lm/thinking", 0, 2, 2), {}, "2 for this decision"),
    "letters": (("run", "lm/letters", 0, 2, 2), {}, "log-probability"),
    "echo": (("run", "lm/echo", 0, 2, 2), {}, "log-probability"),
    "search": (("run", "search", 0, 1, 2), {}, "Grow it again"),
    "several Actors": (("run", "team", 0, 1, 2), {}, "Actor 2"),
    "film": (("run", "keys", 1, 1, 1), {}, "low-level actions"),
    "scores": (("run", "doors/one"), {}, "the last quarter less the first"),
    "compared by scores": (("compare",), {"ids": '["doors/one","doors/third"]'}, "mean score so far"),
    "a menu of one's own": (("run", "free", 0, 1, 2), {}, "open the red door"),
    "experiments": (("experiments",), {}, "linear-regret"),
    "experiment": (("experiment", "experiments/linear-regret"), {}, "supported"),
    "cards": (("cards",), {"card": "cards/exact-0.json"}, "share of the way"),
    "experiment that goes on": (("experiment", "experiments/half"), {}, "not finished"),
}


def test_every_view_in_light_and_dark_wide_and_narrow(window):
    """What it should say is there; axe finds nothing serious, contrast in both themes; nothing sticks out at 400 px."""
    from axe_playwright_python.sync_playwright import Axe

    axe, problems = Axe(), []
    for name, (path, query, said) in VIEWS.items():
        window.page.set_viewport_size({"width": 1440, "height": 900})
        window.page.emulate_media(color_scheme="light")
        window.open(*path, **query)
        window.page.get_by_text(said).first.wait_for()
        window.settled()
        for scheme, options in (("light", None), ("dark", {"runOnly": ["color-contrast"]})):
            window.page.emulate_media(color_scheme=scheme)
            found = axe.run(window.page, options={"resultTypes": ["violations"], **(options or {})})
            for one in found.response["violations"]:
                if one["impact"] in ("serious", "critical"):
                    problems += [f"{name}, {scheme}: {one['id']}: {one['nodes'][0]['html'][:150]}"]
        for width in (400, 1000, 3840):
            window.page.set_viewport_size({"width": width, "height": 900})
            sticks = window.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if sticks > 0:
                problems.append(f"{name}: {sticks} pixels stick out at {width}")
    assert problems == [], "\n".join(problems)
    window.fine()


def test_cards_stand_side_by_side_with_their_intervals_and_what_is_not_known(window):
    page = window.page
    window.open("cards", card="cards/exact-0.json")
    page.get_by_text("cards/broken.json").wait_for()  # it is refused, and the page says why
    page.get_by_text("value='high': expected a finite number or null").wait_for()
    assert page.get_by_label("cards/random-0.json").is_checked() is False
    for name in ("random-0", "generated-0"):
        page.get_by_label(f"cards/{name}.json").check()
    assert "card=cards%2Fgenerated-0.json" in page.url
    row = page.locator("tr", has_text="apart/bandit:arms=4,gap=0.5").first
    assert row.locator("svg.between .interval").count() == 3
    due = json.loads((CARDS / "generated-0.json").read_text("utf-8"))
    line = next(one for one in due["entries"] if one["name"] == "apart/bandit:arms=4,gap=0.5")
    assert f"{line['num_runs']} runs" in row.inner_text()
    assert f"[{line['low']:.3g}" in row.inner_text()
    page.get_by_text("not asked").first.wait_for()
    page.get_by_text("unknown: no run has ended").first.wait_for()
    page.get_by_text("it reads no prompt, so memories cannot be compared").first.wait_for()
    page.get_by_label("cards/exact-0.json").uncheck()
    assert page.locator("svg.between .interval").count() > 0
    assert row.locator("svg.between .interval").count() == 2
    window.fine()


def test_search_trees_prompts_diagnoses_and_replays_are_made_on_request(window):
    page = window.page
    window.open("run", "search", 1, 2, 2)
    page.get_by_role("button", name="Grow it again").click()
    page.get_by_text("model calls. Each subgoal").wait_for()
    assert page.locator(".tree summary").first.inner_text().count("visits") == 1
    window.open("run", "shortcut/adaptive", 0, 1, 2)
    page.get_by_role("button", name="Show what the model read").click()
    page.locator("mark").first.wait_for()
    assert "task: go to the garden" in page.locator(".prompt").inner_text()
    window.open("run", "shortcut/greedy")
    page.get_by_role("button", name="What goes wrong").click()
    page.get_by_text("Try next:").wait_for()
    window.open("run", "keys", 0, 0, 1)
    page.get_by_role("button", name="Film this episode").click()
    page.locator("img.film").wait_for()
    assert page.evaluate("document.querySelector('img.film').naturalWidth") > 200
    window.fine()


def test_filter_sort_group_and_compare_by_keys_alone(window):
    page = window.page
    window.open()
    page.get_by_role("link", name="shortcut/adaptive").wait_for()
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "search":
            break
    page.keyboard.type("world:shortcut planner:transformer")
    window.until("document.querySelectorAll('td.id .name').length == 3")
    window.until("!document.querySelector('td.regret .pending')")  # numbers come after the list, if they must
    header = page.get_by_role("button", name="Regret")
    header.focus()
    page.keyboard.press("Enter")
    window.until("document.querySelector('td.id .name').innerText == 'shortcut/greedy'")
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Regret")
    page.keyboard.press("Enter")
    window.until("[...document.querySelectorAll('td.id .name')].at(-1).innerText == 'shortcut/greedy'")
    for name in ("shortcut/greedy", "shortcut/adaptive"):
        page.get_by_role("checkbox", name=f"Choose {name}").focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="Compare 2").focus()
    page.keyboard.press("Enter")
    page.locator(".uplot").wait_for()
    page.locator(".plot").focus()
    page.keyboard.press("End")
    page.get_by_text("episode 24", exact=True).wait_for()
    page.keyboard.press("ArrowLeft")
    page.get_by_text("episode 23", exact=True).wait_for()
    page.go_back()
    page.get_by_label("Group by").select_option("world")
    assert {"shortcut", "household", "keys:horizon=2", "team"} <= set(
        page.locator(".group h2 .words").all_inner_texts()
    )
    window.fine()


def test_a_heat_map_and_an_episode_by_keys_alone(window):
    """From the map to an episode, from step to step, from episode to episode, and back up; links say where we are."""
    page = window.page
    window.open("run", "shortcut/epsilon-greedy")
    page.locator(".map canvas").wait_for()
    page.locator(".map").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    page.get_by_text("episode 3").first.wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Step 1").wait_for()
    assert page.url.endswith("/2/3")
    page.keyboard.press("ArrowRight")
    page.get_by_role("heading", name="Step 2").wait_for()
    assert page.url.endswith("/2/3/2")
    page.keyboard.press("k")
    page.get_by_role("heading", name="Step 1").wait_for()
    window.until("document.querySelector('a[title=\"key N\"]').getAttribute('aria-disabled') == 'false'")
    page.keyboard.press("n")
    page.wait_for_url("**/2/4")
    page.keyboard.press("N")
    page.wait_for_url("**/3/4")
    page.keyboard.press("p")
    page.wait_for_url("**/3/3")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    page.locator(".map canvas").wait_for()
    box = page.locator(".map canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] - 8, box["y"] + 5)
    page.wait_for_url("**/0/23")
    window.fine()


LATE_NOTES = """const asked = window.fetch;
window.fetch = async (address, options) => {
    if (String(address).includes('/api/notes')) await new Promise(done => setTimeout(done, 1000));
    return asked(address, options);
};"""


def test_notes_and_tags_are_seen_by_other_windows(browser, viewer, window):
    other = Window(browser, viewer.url)
    other.open()
    other.page.get_by_role("link", name="team").wait_for()
    window.page.add_init_script(LATE_NOTES)  # the note is sent before the tag has been answered
    window.open("run", "team")
    window.page.get_by_label("Add a tag").fill("good <b>one</b>")
    window.page.keyboard.press("Enter")
    window.page.get_by_label("Note").fill("look at episode 3")
    window.page.get_by_label("Note").blur()
    other.page.get_by_text("good <b>one</b>").wait_for()
    other.page.get_by_text("look at episode 3").wait_for()
    window.page.get_by_role("button", name="Remove the tag").click()
    other.page.get_by_text("good <b>one</b>").wait_for(state="detached")
    for one in (window, other):
        one.fine()
    other.close()


EPISODES = 5000  # of the run that grows: some tens of seconds, in which it is halted while the page is not measured
COMMAND = [sys.executable, "-m", "parley"]


def begun(root: Path, name: str, episodes: int) -> subprocess.Popen:
    """A run that goes on."""
    options = [
        "--episodes",
        str(episodes),
        "--runs",
        "16",
        "--record",
        "steps",
        "--explore",
        "epsilon-greedy:epsilon=0.2",
    ]
    command = [*COMMAND, "run", "--world", "household", *options, "--out", str(root / name), "--json"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_run_that_grows_is_killed_and_is_resumed_while_the_page_is_open(browser, tmp_path):
    """Nothing is loaded again: rows, heat map and episode follow; new rows are there within two seconds."""
    import sqlite3

    with Viewer(tmp_path) as viewer:
        window = Window(browser, viewer.url)
        page = window.page
        window.open()
        page.get_by_text("There is no run below").wait_for()
        page.evaluate("window.mark = 1")
        process = begun(tmp_path, "live", EPISODES)
        try:
            page.get_by_role("link", name="live").wait_for()
            page.locator("td .chip.running").wait_for()

            def shown() -> float:
                return page.evaluate("document.querySelector('td progress')?.value ?? 1") * 16 * EPISODES

            def written() -> int:
                db = sqlite3.connect(f"file:{tmp_path / 'live' / 'run.sqlite'}?mode=ro", uri=True)
                try:
                    return db.execute("SELECT COUNT(*) FROM episodes").fetchone()[0]
                finally:
                    db.close()

            late = []
            while len(late) < 10 and min(late, default=2) >= 2:  # other tests may take the cores for a while
                process.send_signal(signal.SIGCONT)
                time.sleep(0.5)
                there = written()
                began = time.monotonic()
                while shown() < there and time.monotonic() - began < 5:
                    time.sleep(0.05)
                late.append(time.monotonic() - began)
                process.send_signal(
                    signal.SIGSTOP
                )  # it is not to finish before it is killed, however slow the window is
            assert min(late) < 2, late
            window.go("run", "live")
            page.locator(".map canvas").wait_for()
            said = page.locator(".pager span").inner_text
            before = said()
            process.send_signal(signal.SIGCONT)
            window.until(f"document.querySelector('.pager span').innerText != {json.dumps(before)}")
            process.send_signal(signal.SIGSTOP)
            window.go("run", "live", 2, 1, 1)
            page.get_by_role("heading", name="Step 1").wait_for()
            window.go()
            assert process.poll() is None, "it finished too soon"
            process.send_signal(signal.SIGKILL)
            process.wait()
            page.locator("td .chip.interrupted").wait_for()
            page.get_by_text("its process was killed").wait_for()
            resumed = subprocess.Popen(
                [*COMMAND, "resume", str(tmp_path / "live"), "--json"], stdout=subprocess.DEVNULL
            )
            page.locator("td .chip.running").wait_for()
            page.locator("td .chip.finished").wait_for(timeout=300_000)
            assert resumed.wait(60) == 0
            shutil.rmtree(tmp_path / "live")
            page.get_by_text("There is no run below").wait_for()
            assert page.evaluate("window.mark") == 1
            window.fine()
        finally:
            process.kill()
            process.wait()
            window.close()


def test_an_answer_does_not_undo_what_an_event_told_since(browser, tmp_path):
    """Everything is read while an event says that the run failed: the older answer does not bring it back."""
    run(RunConfig("shortcut", "random", episodes=4, runs=1), tmp_path / "one")
    with Viewer(tmp_path) as viewer:
        window = Window(browser, viewer.url)

        def late(route) -> None:
            older = route.fetch()
            manifest = read_manifest(tmp_path / "one")
            write_manifest(tmp_path / "one", {**manifest, "status": "failed", "error": "no such luck"})
            time.sleep(3)
            route.fulfill(response=older)
            window.answered = True

        window.page.route("**/api/runs*", late)
        window.open()
        window.page.locator("td .chip.failed").wait_for()
        window.page.get_by_text("live", exact=True).first.wait_for()
        assert window.answered
        window.page.wait_for_timeout(500)
        assert window.page.locator("td .chip.finished").count() == 0
        window.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A directory in which nothing can be trusted."""
    root = tmp_path_factory.mktemp("hostile") / "root"
    run(RunConfig("shortcut", "exact", "epsilon-greedy:epsilon=0.5", episodes=50, runs=1), root / "real")
    hostile_log(root, root / "real")
    hostile_manifests(root, root / "real")
    hostile_experiments(root)
    hostile_cards(root)
    return root


ALONE = r"""() => {
    const tags = ['IFRAME', 'OBJECT', 'EMBED', 'BASE', 'FRAME', 'AUDIO', 'FOREIGNOBJECT'];
    const leads = /^(href|src|action|data|xlink:href|formaction)$/;
    const acts = a => a.name.startsWith('on') || leads.test(a.name) && /^\s*(javascript|data:text)/i.test(a.value);
    const odd = [...document.querySelectorAll('*')].filter(e => tags.includes(e.tagName) || [...e.attributes].some(acts)
        || (e.tagName === 'A' && !(e.getAttribute('href') ?? '').startsWith('#')));
    const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u206f]/;
    const bad = document.body.innerText.match(control);
    return {
        odd: odd.map(e => e.outerHTML.slice(0, 200)), scripts: document.querySelectorAll('script').length,
        bad: bad && bad[0].charCodeAt(0).toString(16), polluted: {}.polluted,
    };
}"""


def test_hostile_texts_are_shown_and_never_act(browser, hostile):
    """Fifty payloads in every text of manifests, logs, calls, findings: shown, visible, inert."""
    with Viewer(hostile) as viewer:
        window = Window(browser, viewer.url)
        page = window.page

        def inert(*path, **query) -> None:
            window.go(*path, **query)
            window.settled()
            found = page.evaluate(ALONE)
            assert found == {"odd": [], "scripts": 1, "bad": None, "polluted": None}, path

        window.open()
        page.get_by_role("link", name="real").wait_for()
        inert()
        rows = page.evaluate("fetch('/api/runs').then(r => r.json())")["runs"]
        assert len(rows) == 62
        names = [row["id"] for row in rows if row["id"].startswith("manifests/")]
        page.get_by_label("Group by").select_option("planner")
        inert()
        inert("compare", ids=json.dumps(names[:24]))
        for name in names[::7]:
            inert("run", name)
        for k in range(len(PAYLOADS)):
            window.go("run", "log", 0, k, 1)
            page.locator(".call").nth(2).wait_for()
            inert("run", "log", 0, k, 1)
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
            inert("run", "log", 0, k, 1)
        inert("experiments")
        assert page.locator(".card").count() == 50
        for k in range(0, 50, 9):
            inert("experiment", f"experiments/e{k}")
        inert("cards")
        names = page.evaluate("fetch('/api/cards').then(r => r.json())")["cards"]
        assert len(names) > 40
        for at in range(0, len(names), 12):
            some = [quote(card["id"], safe="") for card in names[at : at + 12]]
            page.evaluate(GO, f"#/cards?card={'&card='.join(some)}")
            inert_now = page.evaluate(ALONE)
            assert inert_now == {"odd": [], "scripts": 1, "bad": None, "polluted": None}, at
        window.fine()
        for row in rows:
            if row["status"] == "damaged":
                inert("run", row["id"])
                page.get_by_text("which no run writes there").wait_for()
        assert all("status of 4" in said for said in window.wrong)  # the browser's words for a question refused
        assert page.evaluate("window.pwned") == []
        window.close()


def test_hostile_texts_in_a_report(browser, hostile, tmp_path):
    (tmp_path / "report.html").write_bytes(
        report_page([hostile / "log", hostile / "real"], [[(0, k) for k in range(50)], []])
    )
    url = (tmp_path / "report.html").as_uri()
    window = Window(browser, url, offline=True)
    window.page.goto(url)
    window.page.get_by_role("link", name="log").wait_for()
    for k in range(0, 50, 3):
        window.go("run", str(hostile / "log"), 0, k, 1)
        window.page.locator(".call").nth(2).wait_for()
        found = window.page.evaluate(ALONE)
        assert found["odd"] == [] and found["bad"] is None and found["scripts"] == 2
    window.fine()
    window.close()


def test_a_report_shows_the_same_views_from_a_file_and_asks_nobody(browser, runs, tmp_path):
    outs = [runs / name for name in ("shortcut/greedy", "shortcut/adaptive", "lm/thinking", "search", "keys")]
    (tmp_path / "r.html").write_bytes(report_page(outs, [[(0, 3), (2, 23)], None, None, None, None], [(0, 4, 2)]))
    url = (tmp_path / "r.html").as_uri()
    window = Window(browser, url, offline=True)
    page = window.page
    page.goto(url)
    page.get_by_role("link", name="shortcut/greedy").wait_for()
    for out in outs[:2]:
        page.get_by_role("checkbox", name=f"Choose {out}").check()
    page.get_by_role("button", name="Compare 2").click()
    page.get_by_text("both met the same random numbers").wait_for()
    window.go("run", str(outs[1]))
    page.locator(".map canvas").wait_for()
    page.get_by_text("Try next:").wait_for()
    window.go("run", str(outs[0]), 2, 23, 1)
    page.get_by_text("unknown to the planner").wait_for()
    page.locator(".beliefs li").first.wait_for()
    window.go("run", str(outs[0]), 5, 5, 1)
    page.get_by_text("This file does not hold the steps of this episode").wait_for()
    window.go("run", str(outs[2]), 0, 2, 2)
    page.locator(".reasoning:visible").first.wait_for()
    window.go("run", str(outs[4]), 1, 1, 1)
    page.locator("img.film").wait_for()
    assert page.evaluate("document.querySelector('img.film').naturalWidth") > 200
    window.fine()
    window.close()


def test_a_page_of_another_origin_learns_nothing(browser, viewer, tmp_path):
    """It may open a link; it cannot read an answer, run our script, show a picture, or put us in a frame."""
    (tmp_path / "evil.html").write_text("<!doctype html><title>evil</title><div id=there></div>")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/evil.html")
    tried = page.evaluate(
        """async (url) => {
            const failed = promise => promise.then(() => false, () => true);
            const loads = (tag, name, value) => new Promise(done => {
                const made = document.createElement(tag);
                made.onload = () => done(true); made.onerror = () => done(false);
                made[name] = value; document.body.append(made);
            });
            return {
                read: await failed(fetch(url + 'api/runs')),
                opaque: (await fetch(url + 'api/runs', {mode: 'no-cors'}).then(r => r.type, () => 'refused')),
                write: await failed(fetch(url + 'api/notes', {method: 'PUT', body: '{}'})),
                events: await new Promise(done => { const e = new EventSource(url + 'api/events');
                    e.onopen = () => done(true); e.onerror = () => done(false); }),
                script: await loads('script', 'src', url + 'app.js'),
                picture: await loads('img', 'src', url + 'picture?id=experiments/linear-regret&file=figure.png'),
            };
        }""",
        viewer.url,
    )
    assert tried == {
        "read": True, "opaque": "refused", "write": True, "events": False, "script": False, "picture": False,
    }  # fmt: skip
    page.evaluate(
        "url => { const f = document.createElement('iframe'); f.src = url; document.body.append(f) }", viewer.url
    )
    page.wait_for_timeout(500)
    assert not any(frame.url == viewer.url for frame in page.frames)
    context.close()
    server.shutdown()
    server.server_close()


PICTURES = Path(__file__).parents[2] / "docs" / "figures" / "viewer"


@pytest.mark.parametrize("name", ["runs", "compare", "run", "episode", "prompt", "dark", "narrow"])
def test_the_pictures_of_the_documentation_are_of_this_viewer(name, browser, viewer):
    """Loosely: blurred, since fonts, times and durations differ from machine to machine."""
    import numpy as np
    from PIL import Image

    from tests.view.pictures import taken

    with Image.open(PICTURES / f"{name}.png") as kept:
        kept_size, was = kept.size, np.asarray(kept.convert("RGB").resize((24, 16)), dtype=float)
    content = taken(browser, viewer.url, name)
    import io

    with Image.open(io.BytesIO(content)) as shown:
        assert shown.size[0] == kept_size[0]
        now = np.asarray(shown.convert("RGB").resize((24, 16)), dtype=float)
    assert np.abs(was - now).mean() < 12
    assert re.fullmatch(r"\w+", name)
