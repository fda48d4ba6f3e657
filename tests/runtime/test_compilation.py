from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from imaginax.runtime import compilation
from imaginax.runtime.compilation import compiled, enable_cache


def test_compiled_runs_without_tracing_again():
    traces = []

    def double(x, y):
        traces.append(1)
        return 2 * x, y

    program = compiled(double, jax.ShapeDtypeStruct((3,), jnp.float32), jnp.zeros(2), donate=(0,))
    x = jnp.arange(3.0)
    for _ in range(3):
        x, _ = program.call(x, jnp.ones(2))
    assert x.tolist() == [0, 8, 16] and len(traces) == 1 and program.seconds > 0
    program.call(x, jnp.ones(2))
    assert x.is_deleted()
    with pytest.raises(TypeError):
        program.call(jnp.zeros(4), jnp.ones(2))


def test_on_cuda_open_loops_are_part_of_graphs_unless_the_user_says_otherwise(monkeypatch):
    """The compiler of every supported version knows the options, which it checks on a CPU too."""
    client = SimpleNamespace(platform_version="PJRT C API\ncuda 12090")
    device = SimpleNamespace(client=client, platform="gpu")
    halve = jax.jit(lambda x: jax.lax.while_loop(lambda x: x > 1, lambda x: x / 2, x))
    open_loop, closed = halve.trace(8.0), jax.jit(lambda x: jax.lax.fori_loop(0, 3, jnp.add, x)).trace(8)
    assert compilation._options(open_loop.jaxpr.jaxpr) is None, "a CPU needs none"
    monkeypatch.setattr(jax, "devices", lambda: [device])
    options = compilation._options(open_loop.jaxpr.jaxpr)
    assert options and "WHILE" in str(options[compilation._GRAPHS])
    assert compilation._options(closed.jaxpr.jaxpr) is None
    assert open_loop.lower().compile(options)(8.0) == 1.0
    monkeypatch.setenv("XLA_FLAGS", f"--{compilation._GRAPHS}=FUSION")
    assert compilation._options(open_loop.jaxpr.jaxpr) is None


def test_devices_of_one_cpu_take_their_sums_in_turn_unless_the_user_says_otherwise(monkeypatch):
    traced = jax.jit(jnp.sin).trace(1.0)
    monkeypatch.setattr(jax, "local_device_count", lambda: 2)
    options = compilation._options(traced.jaxpr.jaxpr)
    assert options == {compilation._SIDE_BY_SIDE: False}
    assert traced.lower().compile(options)(0.0) == 0.0, "an option that this compiler knows"
    monkeypatch.setenv("XLA_FLAGS", f"--{compilation._SIDE_BY_SIDE}=true")
    assert compilation._options(traced.jaxpr.jaxpr) is None


def test_compiled_hands_the_options_to_the_compiler(monkeypatch):
    """Which refuses a kind that it does not know."""
    monkeypatch.setattr(compilation, "_options", lambda jaxpr: {compilation._GRAPHS: "LOOP"})
    with pytest.raises(jax.errors.JaxRuntimeError, match="LOOP"):
        compiled(jnp.sin, 1.0)


SCRIPT = """
import os, pwd
def unknown(uid):
    raise KeyError(uid)
if "HOME" not in os.environ:
    pwd.getpwuid = unknown  # as in a container that runs as any number
import jax, jax.numpy as jnp
from imaginax.runtime.compilation import compiled, enable_cache
print(enable_cache())
compiled(lambda x: jnp.sin(x) + 1, jnp.zeros(3))
"""


@pytest.mark.parametrize(
    ("environment", "where"),
    [
        ({}, "home/.cache/imaginax/xla"),
        ({"IMAGINAX_CACHE": "mine"}, "mine"),
        ({"IMAGINAX_CACHE": "mine", "JAX_COMPILATION_CACHE_DIR": "theirs"}, "theirs"),
        ({"IMAGINAX_CACHE": "file/below"}, None),
        ({"HOME": None}, None),
    ],
)
def test_programs_are_kept_where_the_user_says(tmp_path, environment, where):
    (tmp_path / "home").mkdir()
    (tmp_path / "file").write_text("")
    inherited = {name: value for name, value in os.environ.items() if "CACHE" not in name}
    inherited |= {"HOME": str(tmp_path / "home")}
    inherited |= {name: str(tmp_path / value) for name, value in environment.items() if value}
    inherited = {name: value for name, value in inherited.items() if environment.get(name, value)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=inherited, capture_output=True, text=True, check=True
    )
    folder = where and tmp_path / where
    assert done.stdout.strip() == str(folder)
    assert folder is None or any(folder.iterdir())


def test_the_cache_of_the_tests_is_left_alone():
    before = jax.config.jax_compilation_cache_dir
    enable_cache()
    assert jax.config.jax_compilation_cache_dir == before


def test_damaged_programs_are_compiled_anew(tmp_path):
    """A full disk or a crash may have left half of one."""
    environment = {name: value for name, value in os.environ.items() if "CACHE" not in name}
    environment["IMAGINAX_CACHE"] = str(tmp_path / "cache")
    for damage in (False, True):
        for path in (tmp_path / "cache").glob("*-cache") if damage else ():
            path.write_bytes(path.read_bytes()[:7])
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "persistent compilation cache" in done.stderr
