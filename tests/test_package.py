"""What installing and importing the package promises."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OPTIONAL = {"brax", "mujoco", "jaxopt", "gymnasium", "torch", "pytest", "hypothesis", "IPython"}
# Its classes are gymnasium's: whoever imports it has the extra `gym`.
NEEDS_EXTRA = {"imaginax.envs.host.spaces", "imaginax.envs.host.wrappers"}
# The extras that requirements.txt leaves out: simulators and compilers that only some want.
NOT_LOCKED = {"atari", "box2d", "cuda-aot", "dmc", "doom", "tpu-aot"}
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


def _locked() -> dict[str, str]:
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line[0] != "#"]
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), f"not an exact release: {line}"
    pins = [line.split("==") for line in lines]
    return {canonicalize_name(name): version for name, version in pins}


def test_lock_satisfies_every_requirement():
    """Dependencies and common extras of pyproject.toml are in requirements.txt, at allowed versions."""
    asked_for = {"jax", "flax", "optax", "chex", "mctx", "distrax", "brax", "pytest"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name for name in project["optional-dependencies"] if name not in NOT_LOCKED}
    assert NOT_LOCKED < set(project["optional-dependencies"]) and {"test", "brax"} <= extras
    wanted = [*project["dependencies"]]
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    locked = _locked()
    assert asked_for <= {Requirement(text).name for text in wanted}
    for requirement in map(Requirement, wanted):
        version = locked.get(canonicalize_name(requirement.name))
        assert version and requirement.specifier.contains(version, prereleases=True), (requirement, version)
