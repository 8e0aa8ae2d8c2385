"""What the pages tell a reader to do works: each page's commands and snippets, in order, in an empty directory."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from glob import glob
from pathlib import Path

import pytest

from parley import cli
from tests.docs.pages import DOCS, ROOT, Block, Command, blocks, commands, pages

RUN = [page for page in pages() if page.parent.name in ("tutorials", "how-to", "concepts") or page.name == "faq.md"]
ELSEWHERE = {"git", "make", "pip", ".", "cd", "export", "eval", "uv", "python3", "sudo", "pytest"}
SERVERS = {"serve", "view"}
SLACK = 3  # between a stated duration and the measured one
IDLE_S = 0.07  # of CPU, for a million additions of squares
SHORT_S = 8  # of a stated duration from which on it is also checked from below


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def wanted(block: Block, slow: bool) -> bool:
    return not block.how.startswith("no,") and (slow or block.how != "slow")


@pytest.fixture
def servers() -> Iterator[list[subprocess.Popen]]:
    begun: list[subprocess.Popen] = []
    yield begun
    for one in begun:
        one.send_signal(signal.SIGTERM)
        one.wait(20)
        for stream in (one.stdout, one.stderr):
            stream and stream.close()


def serve(words: list[str], begun: list[subprocess.Popen], monkeypatch) -> None:
    """A server that is left running, on a port that is free."""
    kept = words[1:-1] if words[-1] == "&" else words[1:]
    if "--port" in kept:
        at = kept.index("--port")
        kept[at : at + 2] = []
    command = [sys.executable, "-m", "parley", *kept, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    begun.append(process)
    while not (found := re.search(r"http://[\w.:]+", line := process.stdout.readline())):
        assert line, f"{words} ended"
    monkeypatch.setenv("PARLEY_BASE_URL", f"{found[0]}/v1")
    if words[1] == "view":
        with urllib.request.urlopen(found[0], timeout=20) as answer:
            assert answer.status == 200


def cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def pace() -> float:
    """How much slower this machine is now than an idle one: other work takes caches and clock from a process."""
    before = time.process_time()
    sum(i * i for i in range(1_000_000))
    return max(1.0, (time.process_time() - before) / IDLE_S)


def carry_out(command: Command, expected: int, begun: list[subprocess.Popen], monkeypatch) -> None:
    words = [one for word in command.words for one in (sorted(glob(word)) if "*" in word else [word])]
    if words[0] == "parley" and words[1] in SERVERS:
        return serve(words, begun, monkeypatch)
    before = cpu_s()
    if words[0] == "parley" and not {">", "|"} & set(words):
        try:
            code = cli.main(words[1:])
        except SystemExit as stop:
            code = int(stop.code or 0)
    elif words[0] in ("parley", "python"):
        first = [sys.executable, "-m", "parley"] if words[0] == "parley" else [sys.executable]
        where = {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
        out = None
        if ">" in words:
            words, out = words[: words.index(">")], words[-1]
        done = subprocess.run([*first, *words[1:]], capture_output=True, text=True, env={**os.environ, **where})
        code = done.returncode
        if out:
            Path(out).write_text(done.stdout)
        assert code == expected, done.stderr
    else:
        assert words[0] in ELSEWHERE, words
        return None
    assert code == expected, words
    took = cpu_s() - before
    if command.seconds:
        told = f"{words}: {took:.1f} s of CPU at a pace of {pace():.1f}, stated {command.seconds} s"
        assert took / pace() <= SLACK * command.seconds + 1, told
        assert command.seconds < SHORT_S or took >= command.seconds / SLACK, told


def go_through(page: Path, slow: bool, begun: list[subprocess.Popen], monkeypatch) -> int:
    """Do what a page says; returns how many commands and snippets were carried out."""
    known: dict[str, object] = {}
    done = 0
    for block in blocks(page.read_text()):
        if not wanted(block, slow):
            continue
        if block.title:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(block.text)
        elif block.language == "python":
            exec(compile(block.text, f"{name(page)}:{block.line}", "exec"), known)
            done += 1
        elif block.language == "bash":
            for command in commands(block):
                carry_out(command, int(block.how.partition("exit ")[2] or 0), begun, monkeypatch)
                done += command.words[0] not in ELSEWHERE
    return done


def prepare(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "src").symlink_to(ROOT / "src")  # a reader is in a checkout
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])


@pytest.mark.parametrize("page", RUN, ids=name)
def test_a_page_works(page, tmp_path, monkeypatch, servers):
    prepare(tmp_path, monkeypatch)
    go_through(page, False, servers, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in RUN if "<!-- run: slow -->" in page.read_text()], ids=name)
def test_a_page_works_with_what_takes_long(page, tmp_path, monkeypatch, servers):
    prepare(tmp_path, monkeypatch)
    assert go_through(page, True, servers, monkeypatch)


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_command_is_one_that_the_program_has(page):
    """Also of those pages, and blocks, that are not carried out here."""
    for block in blocks(page.read_text()):
        if block.language != "bash" or block.how.startswith("exit"):
            continue
        for command in commands(block):
            words = [word for word in command.words if word != "&"]
            if words[0] != "parley" or len(words) == 1 or any(set("[|…") & set(word) for word in words):
                continue
            words = words[: words.index(">")] if ">" in words else words
            try:
                cli.parser([words[1]] if words[1] in cli.COMMANDS else []).parse_args(words[1:])
            except SystemExit as stop:  # --help, --version
                assert stop.code in (0, None)


def test_long_commands_are_marked():
    for page in RUN:
        for block in blocks(page.read_text()):
            for command in commands(block) if block.language == "bash" and not block.how else ():
                assert command.seconds <= 15, f"{name(page)}:{command.line} takes {command.seconds} s: mark it slow"


def test_what_is_not_run_says_why_and_is_seldom():
    found = [block for page in RUN for block in blocks(page.read_text()) if block.language in ("bash", "python")]
    left_out = [block for block in found if block.how.startswith("no,")]
    assert len(left_out) <= 0.15 * len(found), [block.how for block in left_out]


def test_every_figure_is_there_and_is_used():
    shown = {
        (page.parent / target).resolve()
        for page in [*DOCS.rglob("*.md"), ROOT / "README.md"]
        for found in re.findall(r"!\[[^\]]*\]\(([^)#\s]+)\)|<img src=\"([^\"]+)\"", page.read_text())
        for target in found
        if target and "://" not in target
    }
    assert shown and not [path for path in shown if not path.exists()]
    drawn = {path for ending in ("png", "gif", "svg") for path in (DOCS / "figures").rglob(f"*.{ending}")}
    assert drawn <= shown, sorted(path.name for path in drawn - shown)
