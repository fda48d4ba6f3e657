"""Predicted bytes are those of the compiled program; what does not fit is refused before compiling."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AbstractMesh

from imaginax.runtime import memory
from imaginax.runtime.loop import first_state, make_chunk
from imaginax.systems import mpc, pets
from imaginax.systems.presets import mpc as mpc_presets
from imaginax.systems.presets import pets as pets_presets
from imaginax.types import ConfigError
from tests.runtime import toy_system


@pytest.mark.parametrize(
    "system", [toy_system.make(toy_system.ToyConfig()), pets.make(pets_presets.TINY)], ids=["toy", "pets"]
)
@pytest.mark.parametrize("seeds", [1, 3])
def test_predicted_bytes_are_those_of_the_compiled_program(system, seeds):
    keys = jax.random.split(jax.random.key(0), seeds)
    lowered = jax.jit(jax.vmap(make_chunk(system, system.schedule[0]), in_axes=(0, None)), donate_argnums=0)
    shapes = jax.eval_shape(first_state(system), keys)
    analysis = lowered.lower(shapes, jnp.int32(0)).compile().memory_analysis()
    assert memory.check(system, seeds).total == pytest.approx(analysis.argument_size_in_bytes, rel=0.1)
    assert analysis.alias_size_in_bytes == pytest.approx(analysis.argument_size_in_bytes, rel=0.1), (
        "reused in place"
    )


def test_bytes_by_part_have_closed_forms():
    """PETS: rows of two observations, an action, a reward, a discount; two networks with Adam's moments."""
    system = pets.make(pets_presets.TINY)
    found = memory.check(system, seeds=2)
    rows = (pets_presets.TINY.trials + 1) * 20
    assert found.replay == 2 * (rows * 4 * (2 + 2 + 1 + 1 + 1) + 4 + 1)  # and flashbax's index and flag
    weights = 2 * (3 * 32 + 32 + 32 * 4 + 4) + 2 * 2  # of both members, and the bounds of the log variance
    assert found.learner == 2 * 4 * (3 * weights + 2 * 3 + 2)  # and the scaler, and two counts of updates
    assert found.total == found.learner + found.replay + found.environment


def test_what_each_of_eight_devices_holds():
    """One seed of one environment is whole on each; of eight seeds each device has one."""
    mesh = AbstractMesh((8,), ("data",))
    one, everywhere = (memory.check(pets.make(pets_presets.TINY), 1, devices) for devices in (None, mesh))
    assert one.per_device == one.total == everywhere.per_device and everywhere.total == 8 * one.total
    seeds = memory.check(pets.make(pets_presets.TINY), 8, mesh)
    assert seeds.per_device == one.total and seeds.replay == 8 * one.replay


@pytest.fixture
def uncompiled(monkeypatch):
    """Whatever compiles or allocates fails."""

    def fail(*given, **named):
        raise AssertionError("compiled")

    monkeypatch.setattr(jax.stages.Lowered, "compile", fail)


def test_replay_that_does_not_fit_is_refused_with_advice(uncompiled):
    system = pets.make(dataclasses.replace(pets_presets.TINY, trials=10_000_000))
    with pytest.raises(ConfigError) as refused:
        memory.check(system, 1, limit=2**30)
    message = str(refused.value)
    assert message.startswith(
        "replay does not fit: the state needs 5.6 GB of the 1.1 GB that this machine has"
    )
    assert "replay.experience.observation float32[1, 1, 200000020, 2] 1.6 GB" in message
    assert message.endswith("lower trials (10000000), about 2000000 would fit")
    fits = pets.make(dataclasses.replace(pets_presets.TINY, trials=1_900_000))
    assert memory.check(fits, 1, limit=2**30).total < 2**30


def test_a_model_that_does_not_fit_names_its_field(uncompiled):
    config = dataclasses.replace(
        pets_presets.TINY,
        model=dataclasses.replace(pets_presets.TINY.model, members=200_000, particles=200_000),
    )
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, propagation="DS"))
    with pytest.raises(ConfigError, match=r"learner does not fit: .*; lower model.members \(200000\), about"):
        memory.check(pets.make(config), 1, limit=2**28)


def test_a_plan_that_does_not_fit_names_its_field(uncompiled):
    config = dataclasses.replace(
        mpc_presets.PRESETS["tiny"],
        planner=dataclasses.replace(mpc_presets.PRESETS["tiny"].planner, horizon=90_000),
    )
    with pytest.raises(
        ConfigError, match=r"environment does not fit: .* lower planner.horizon \(90000\), about 20000"
    ):
        memory.check(mpc.make(config), 1, limit=100_000)


def test_an_unregistered_system_is_refused_without_a_name():
    system = toy_system.make(toy_system.ToyConfig())
    with pytest.raises(ConfigError, match="choose smaller settings or fewer seeds"):
        memory.check(system, 4, limit=10)


def test_this_machine_says_what_it_has():
    assert 10**8 < memory.available() < 10**14


def test_limits_of_the_kernel_are_read(tmp_path, monkeypatch):
    file = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_CGROUP_LIMITS", (str(file), str(tmp_path / "absent")))
    for word, least in (("123456\n", 123456), ("max\n", 10**8)):
        file.write_text(word)
        assert (memory.available() == least) if least == 123456 else (memory.available() > least)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (12.3e9, "12.3 GB"), (4e15, "4 000 TB")],
)
def test_sizes_are_readable(count, text):
    assert memory.size(count) == text
