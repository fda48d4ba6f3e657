"""What installing and importing the package promises."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OPTIONAL = {"brax", "mujoco", "jaxopt", "gymnasium", "torch", "pytest", "hypothesis", "IPython"}
# Its classes are gymnasium's: whoever imports it has the extra `gym`.
NEEDS_EXTRA = {"imaginax.envs.host.spaces", "imaginax.envs.host.wrappers"}
# The extras that requirements.txt leaves out: simulators, compilers and viewers that only some want.
NOT_LOCKED = {"atari", "box2d", "cuda-aot", "dmc", "docs", "doom", "playground", "tpu-aot", "viewer"}
# Heavy, and needed only by the part of the package that draws, saves or searches.
SLOW = {"matplotlib", "tensorflow_probability", "orbax", "tensorboardX", "tensorstore"}

IMPORT_EVERYTHING = """
import importlib, json, pkgutil, sys
import imaginax
after_import = sorted(sys.modules)
modules = [m.name for m in pkgutil.walk_packages(imaginax.__path__, "imaginax.")]
for module in modules:
    if not module.endswith("__main__") and module not in sys.argv:
        importlib.import_module(module)
print(json.dumps([after_import, sorted(sys.modules), modules]))
"""


def _top_level(modules: list[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


def test_importing_runs_nothing_and_needs_no_extra():
    """Imports every module where jax has no back end at all: a single jax array would be an error."""
    env = os.environ | {"JAX_PLATFORMS": "none"}
    program = [sys.executable, "-W", "ignore", "-c", IMPORT_EVERYTHING, *NEEDS_EXTRA]
    done = subprocess.run(program, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "importing the package prints to the terminal"
    after_import, after_all, modules = json.loads(done.stdout)
    assert "imaginax.types" in modules and "imaginax.runtime.loop" in modules
    assert not _top_level(after_all) & OPTIONAL
    assert not _top_level(after_import) & (OPTIONAL | SLOW)


def test_public_names_are_explicit():
    import imaginax

    names = imaginax.__all__
    assert "__version__" in names
    assert sorted(set(names)) == sorted(names)
    for name in names:
        assert getattr(imaginax, name) is not None


def _locked(python: str) -> dict[str, str]:
    """The releases that requirements.txt installs for a version of python."""
    pins = {}
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line[0] == "#":
            continue
        exact = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)( ; [^/]+)?", line)
        assert exact, f"not an exact release: {line}"
        marker = Requirement(line).marker
        if marker is None or marker.evaluate(
            {"python_full_version": f"{python}.1", "python_version": python}
        ):
            assert canonicalize_name(exact[1]) not in pins, f"twice for python {python}: {line}"
            pins[canonicalize_name(exact[1])] = exact[2]
    return pins


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_lock_satisfies_every_requirement(python):
    """Dependencies and common extras of pyproject.toml are in requirements.txt, at allowed versions."""
    asked_for = {"jax", "flax", "optax", "chex", "mctx", "distrax", "brax", "pytest"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name for name in project["optional-dependencies"] if name not in NOT_LOCKED}
    assert NOT_LOCKED < set(project["optional-dependencies"]) and {"test", "brax"} <= extras
    wanted = [*project["dependencies"]]
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    locked = _locked(python)
    assert asked_for <= {Requirement(text).name for text in wanted}
    for requirement in map(Requirement, wanted):
        version = locked.get(canonicalize_name(requirement.name))
        assert version and requirement.specifier.contains(version, prereleases=True), (requirement, version)


def test_newer_pythons_get_the_newer_jax():
    assert _locked("3.11")["jax"] == "0.10.2"
    assert _locked("3.12")["jax"] == _locked("3.13")["jax"] > "0.12"


def _make(folder: Path, target: str, *words: str) -> str:
    """What a target of the Makefile prints where only the programs of a folder are found."""
    make = [shutil.which("make") or "make", "-s", "-C", str(ROOT), target, *words]
    env = {"PATH": str(folder)}
    return subprocess.run(
        make, env=env, capture_output=True, text=True, timeout=60, check=True
    ).stdout.strip()


@pytest.mark.parametrize("minors,newest", [((11,), 11), ((11, 12), 12), ((12, 11, 13), 13), ((11, 14), 11)])
def test_make_takes_the_newest_python_that_works(tmp_path, minors, newest):
    for minor in (*minors, 13 if 13 not in minors else 12):
        python = tmp_path / f"python3.{minor}"
        python.write_text(f"#!/bin/sh\nexit {int(minor not in minors)}\n")  # the last as pyenv's shims can be
        python.chmod(0o755)
    assert _make(tmp_path, "newest-python") == str(tmp_path / f"python3.{newest}")
    assert _make(tmp_path, "newest-python", "PYTHON=mine") == "mine"
    oldest = str(tmp_path / "python3.11") if 11 in minors else ""
    assert _make(tmp_path, "oldest-python") == oldest


def test_make_falls_back_on_python3(tmp_path):
    assert _make(tmp_path, "newest-python") == "python3"
    assert _make(tmp_path, "oldest-python") == ""
