"""Reports of compilation: with this CPU as the target, and by the compiler of TPUs where it is installed."""

import importlib.util
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from imaginax.runtime.export import aot
from imaginax.runtime.run_directory import RunError
from imaginax.types import ConfigError, SystemState

WORDS = 1000


@pytest.fixture
def here():
    return aot.Target("here", tuple(jax.devices()), 10**9, "xla")


def test_a_report_has_the_sizes_and_the_work_of_the_program(here):
    arguments = (jax.ShapeDtypeStruct((WORDS, 4), jnp.float32), jax.ShapeDtypeStruct((4, 2), jnp.float32))
    report = aot.compile_for(here, "product", jnp.matmul, arguments)
    assert report.program == "product" and report.fits and report.note == ""
    assert (report.memory.arguments, report.memory.results) == (4 * (WORDS * 4 + 4 * 2), 4 * WORDS * 2)
    assert report.costs.flops == report.device_flops == 2 * WORDS * 4 * 2
    assert report.collectives == {} and report.devices == 1 and report.seconds > 0


def test_the_state_of_training_is_donated(here):
    """Otherwise a chunk would need the replay twice."""
    shape = jax.ShapeDtypeStruct((WORDS,), jnp.float32)
    state = SystemState(**dict.fromkeys(SystemState._fields, shape))

    def chunk(state, index):
        return jax.tree.map(lambda x: x + index, state), index

    memory = aot.compile_for(here, "chunk", chunk, (state, jax.ShapeDtypeStruct((), jnp.float32))).memory
    assert memory.arguments == 4 * (len(state) * WORDS + 1)
    assert memory.results < 4 * WORDS


def test_what_is_larger_than_the_memory_does_not_fit(here):
    large = (jax.ShapeDtypeStruct((1 << 28,), jnp.float32),)
    report = aot.compile_for(here, "large", jnp.tanh, large)
    assert not report.fits and report.note == "needs 2.0 GiB of 0.9"


def test_a_program_that_calls_the_host_is_refused(here):
    def leaky(x):
        jax.debug.callback(lambda _: None, x)
        return x

    with pytest.raises(RunError, match="leaky calls the host"):
        aot.compile_for(here, "leaky", leaky, (jax.ShapeDtypeStruct((3,), jnp.float32),))


@pytest.mark.parametrize(
    ("name", "extra"), [("v5e:2x2", "tpu-aot"), ("v4:2x2x1", "tpu-aot"), ("h100", "cuda-aot")]
)
def test_without_its_compiler_a_target_names_the_extra(name, extra, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    with pytest.raises(ConfigError, match=rf"pip install 'imaginax\[{extra}\]'"):
        aot.open_target(name)


def test_unknown_targets_are_refused():
    with pytest.raises(ConfigError, match="unknown target 'v99:2x2'; examples: v5e:2x2"):
        aot.open_target("v99:2x2")


# ------------------------------------------------------------------ real ones

TPU = """
import json, jax, jax.numpy as jnp
from imaginax.runtime import distributed, export
from imaginax.runtime.export import aot
from imaginax.types import ConfigError
from tests.runtime import toy_system

aot.prepare()
target = aot.open_target("v5e:2x2")
mesh = distributed.make_mesh(target.devices)
system = toy_system.make(toy_system.ToyConfig())
single = aot.compile_for(target, "one", *export.programs(system)["train_learn"])
spread = aot.compile_for(target, "all", *export.sharded(system, mesh)["train_learn"], mesh=mesh)

rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
w = jax.ShapeDtypeStruct((128, 128), jnp.float32)
x = jax.ShapeDtypeStruct((256, 128), jnp.float32, sharding=rows)
slope = jax.grad(lambda w, x: jnp.mean((x @ w) ** 2))
gradient = aot.compile_for(target, "gradient", slope, (w, x), mesh=mesh)
wide = (jax.ShapeDtypeStruct((60_000, 16), jnp.float32),)
huge = aot.compile_for(target, "huge", lambda x: jnp.sort(x @ x.T, axis=0), wide)
try:
    aot.open_target("v5e:3x7")
except ConfigError as error:
    odd = str(error)
print(json.dumps([single.fits, spread.fits, spread.devices, gradient.collectives, huge.fits, huge.note, odd]))
"""


def test_the_compiler_of_tpus():
    pytest.importorskip("libtpu")
    command = [sys.executable, "-c", TPU]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    single, spread, devices, collectives, fits, note, odd = json.loads(done.stdout)
    assert single and spread and devices == 4
    assert collectives["all-reduce"][2] == 4 * 128 * 128
    assert not fits and "memory" in note and "\n" not in note
    assert odd.startswith("no target 'v5e:3x7'") and "\n" not in odd
