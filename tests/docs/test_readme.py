"""The README alone leads to a world and an LLM endpoint of one's own, in at most 15 commands."""

import os
import re
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT, blocks

MOST = 15
MODEL = "gpt-4o-mini"  # as the README names it; here a checkpoint of ours answers for it


def told() -> list[str]:
    """The lines of the sections that a newcomer copies, as they are."""
    text = (ROOT / "README.md").read_text()
    chosen = [part for part in re.split("^## ", text, flags=re.M) if part.startswith(("Install", "Your world and"))]
    found = [block for part in chosen for block in blocks(part) if block.language == "bash"]
    return [line for block in found for line in block.lines if line.strip()]


def test_the_readme_needs_few_commands():
    assert len(told()) + 1 <= MOST  # and git clone
    every = "\n".join(told())
    for part in ("pip install -e", "parley new world", "--planner endpoint:", "parley show", "parley view"):
        assert part in every
    assert f"endpoint:openai/{MODEL}" in every


@pytest.mark.slow
def test_a_fresh_environment_with_the_readme_alone(tmp_path):
    """Every line in one shell, in a copy of the checkout; key and server are ours, and the viewer is stopped."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "parley")], check=True)
    serve = [sys.executable, "-m", "parley", "serve", "shortcut", "--name", MODEL, "--port", "0"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHONPATH", "VIRTUAL_ENV"))}
    with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            while not (found := re.search(r"http://[\w.:]+", line := server.stdout.readline())):
                assert line, "the server ended"
            lines = [
                f"timeout 20 {line} || test $? = 124" if line.startswith("parley view") else line for line in told()
            ]
            script = "\n".join(["set -e", *lines])
            told_to = {**clean, "OPENAI_BASE_URL": f"{found[0]}/v1", "OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                ["bash", "-c", script], cwd=tmp_path / "parley", env=told_to, capture_output=True, text=True
            )
        finally:
            server.terminate()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (tmp_path / "parley" / "runs" / "mine" / "run.sqlite").exists()
