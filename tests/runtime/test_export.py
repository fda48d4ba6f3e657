"""Exported programs: a reloaded one computes the same bits, and what cannot run elsewhere is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.runtime import export
from imaginax.runtime.loop import make_chunk
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

    with pytest.raises(ValueError, match="platform"):
        export.export("leaky", leaky, (jnp.zeros(3),), "tpu")


def test_unknown_platforms_are_refused():
    with pytest.raises(ConfigError, match="tpu, cuda, cpu"):
        export.export("f", jnp.sin, (jnp.zeros(3),), "npu")
