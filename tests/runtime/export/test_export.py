"""Exported programs: a reloaded one computes the same bits, and what cannot run elsewhere is refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.runtime import export
from imaginax.runtime.loop import make_chunk
from imaginax.runtime.run_directory import RunError
from imaginax.types import ConfigError
from tests.runtime import toy_system

pytest.importorskip("flatbuffers")


@pytest.fixture(scope="module")
def system():
    return toy_system.make(toy_system.ToyConfig())


def words(tree):
    return [export._words(leaf) for leaf in jax.tree.leaves(tree)]


def test_a_reloaded_cpu_program_is_bit_equal(system, tmp_path):
    stage = system.schedule[1]
    arguments = (jax.jit(system.init)(jax.random.key(0)), jnp.int32(0))
    exported = export.export("train_learn", make_chunk(system, stage), arguments, "cpu")
    path = export.write(tmp_path / "programs", exported)
    again = export.load(path.read_bytes())(*words(arguments))
    direct = words(jax.jit(make_chunk(system, stage))(*arguments))
    assert len(again) == len(direct)
    for a, b in zip(again, direct, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_every_program_lowers_for_machines_that_are_not_here(system, platform):
    made = export.programs(system)
    assert set(made) == {"act"} | {f"train_{stage.name}" for stage in system.schedule}
    for name, (function, arguments) in made.items():
        assert len(export.export(name, function, arguments, platform).data) > 500


def test_a_host_callback_cannot_be_exported():
    """The check can fail: a program that talks to the host has no place on another machine."""

    def leaky(x):
        jax.debug.print("{}", x)
        return x

    for platform in export.PLATFORMS:
        with pytest.raises(RunError, match="leaky calls the host"):
            export.export("leaky", leaky, (jnp.zeros(3),), platform)


def test_what_a_platform_lacks_is_one_line():
    """Eigenvalues of a general matrix: no TPU has them."""
    with pytest.raises(RunError, match="spectrum cannot be exported for tpu: .*eig") as failure:
        export.export("spectrum", jnp.linalg.eigvals, (jnp.eye(3),), "tpu")
    assert "\n" not in str(failure.value)


def test_costs_and_memory_come_with_the_program(system):
    function, arguments = jnp.matmul, (jnp.ones((500, 8)), jnp.ones((8, 4)))
    exported = export.export("product", function, arguments, "cpu")
    assert exported.costs.flops == 2 * 500 * 8 * 4
    assert exported.costs.bytes == 4 * (500 * 8 + 8 * 4 + 500 * 4)
    needs = export.peak_memory(function, arguments)
    assert exported.costs.bytes <= needs <= 2 * exported.costs.bytes


def test_where_the_host_steps_the_environment_act_and_learn_are_the_programs(system):
    """A chunk would contain the environment, which is no JAX program."""
    hosted = dataclasses.replace(system, environment=system.environment._replace(host=lambda n, seed: None))
    made = export.programs(hosted)
    assert set(made) == {"act", "learn_learn"}
    assert len(export.export("learn", *made["learn_learn"], "tpu").data) > 500


def test_unknown_platforms_are_refused():
    with pytest.raises(ConfigError, match="tpu, cuda, cpu"):
        export.export("f", jnp.sin, (jnp.zeros(3),), "npu")
