"""Build the sdist and the wheel in dist/, and try each: `python scripts/dist.py`.

Each is installed into an empty environment, outside the checkout. There `parley --version` and `parley quickstart`
must work.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"


def build() -> list[Path]:
    """The sdist and the wheel, which is made from the sdist."""
    shutil.rmtree(DIST, ignore_errors=True)
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "build", "--out-dir", DIST], cwd=ROOT, check=True)
    return sorted([*DIST.glob("*.whl"), *DIST.glob("*.tar.gz")])


def try_out(package: Path) -> None:
    """Install a package into an empty environment, and use it there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "env", with_pip=True)
        python, parley = folder / "env" / "bin" / "python", folder / "env" / "bin" / "parley"
        clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
        clean["OMP_NUM_THREADS"] = "1"
        for command in (
            [python, "-m", "pip", "install", "--quiet", package],
            [parley, "--version"],
            [parley, "quickstart", "--out", folder / "runs"],
        ):
            subprocess.run(command, cwd=folder, env=clean, check=True, stdout=subprocess.DEVNULL)
        hint = subprocess.run([parley, "view"], cwd=folder, env=clean, capture_output=True, text=True)
        assert hint.returncode == 1 and "pip install" in hint.stderr, hint.stderr
        assert (folder / "runs" / "quickstart.png").stat().st_size > 10_000
        print(f"{package.name}: installs into an empty environment, and quickstart runs")


def main() -> None:
    packages = build()
    assert len(packages) == 2, packages
    for package in packages:
        try_out(package)


if __name__ == "__main__":
    main()
