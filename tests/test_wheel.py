"""The wheel and the source archive: they can be built, hold what they must, and install."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
AGENTS = ROOT / "src" / "imaginax" / "agents"
PARTS = (
    "imaginax/py.typed",
    "imaginax/data/published/control_suite.csv",
    "imaginax/agents/pets_cartpole/agent.json",
    "imaginax/agents/tic_tac_toe/learner/0/manifest.json",
    "imaginax/cli/play/games.py",
)
BUILD = """
import sys
from setuptools import build_meta
out = sys.argv[1]  # building changes it
build_meta.build_wheel(out)
build_meta.build_sdist(out)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the archive, built from a copy of what git knows."""
    folder, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "src", "pyproject.toml", "README.md", "LICENSE"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(out)], cwd=folder, capture_output=True, text=True, timeout=300
    )
    if "No module named 'setuptools'" in done.stderr:
        pytest.skip("setuptools is not installed")
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


@pytest.mark.slow
def test_wheel_and_archive_hold_the_package_and_its_data(built):
    wheel, archive = built
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        whole = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")}
        whole |= {path.relative_to(ROOT / "src").as_posix() for path in AGENTS.rglob("*") if path.is_file()}
        assert set(PARTS) <= names and whole <= names
        assert not {name for name in names if name.startswith("tests")}
    with tarfile.open(archive) as file:
        inside = {name.partition("/src/")[2] for name in file.getnames()}
        assert set(PARTS) <= inside


@pytest.mark.slow
def test_the_wheel_installs_and_its_command_runs(built, tmp_path):
    """Without its dependencies, which are those of this interpreter: nothing is fetched."""
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "venv", "--system-site-packages", str(tmp_path / "env")], check=True
    )
    install = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--force-reinstall"]
    subprocess.run([*install, str(built[0])], check=True, timeout=300)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = ["agents"]
    done = subprocess.run(
        [str(python), "-P", "-m", "imaginax", *words], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert "agents:pets_cartpole" in done.stdout, done.stderr
