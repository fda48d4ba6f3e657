from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.runtime import bench
from imaginax.runtime.compilation import Compiled
from imaginax.types import SystemState
from tests.runtime import toy_system

SIZE = 32
NOTHING = SystemState(*[np.zeros(())] * 7)


def test_every_program_of_a_system_is_measured(monkeypatch):
    """Every program is called; the times are made up: 2 and 4 s, beside products of 0.5 and 0.25 s."""
    call = bench._time
    pairs = [(2.0, 0.5), (4.0, 0.25)]
    monkeypatch.setattr(bench, "_time", lambda *arguments: (call(*arguments)[0], pairs))
    system = toy_system.make(toy_system.ToyConfig())
    settings = dict(jax.config.values)
    names = [program.name for program in bench.programs(system)]
    assert names == ["act", "random", "learn without learning", "learn"]
    system = dataclasses.replace(system, schedule=system.schedule[1:])  # one stage less to compile
    rows = {row.program: row for row in bench.measure(system, repeats=2, size=SIZE)}
    assert list(rows) == ["act", *names[2:]]
    for name, row in rows.items():
        assert (row.calls, row.fastest_s, row.median_s) == (2, 2.0, 3.0)
        assert row.matrix_flops_per_s == pytest.approx(2 * SIZE**3 * (1 / 0.5 + 1 / 0.25) / 2)
        fractions = [row.flops / taken * beside / (2 * SIZE**3) for taken, beside in pairs]
        assert row.of_matrix_rate == pytest.approx(sum(fractions) / 2)
        assert row.env_steps_per_s == pytest.approx((0 if name == "act" else toy_system.EPISODE) / 3.0)
    assert rows["learn"].flops > rows["learn without learning"].flops > 0
    cache = [name for name in settings if "cache" in name]
    assert {name: jax.config.values[name] for name in cache} == {name: settings[name] for name in cache}


def test_what_is_timed_is_the_call_and_the_product_beside_it(monkeypatch):
    """A clock that only the two of them move on; the first call does not count."""
    clock = [0.0]

    def passes(seconds, result):
        clock[0] += seconds
        return result

    monkeypatch.setattr(bench.time, "perf_counter", lambda: clock[0])
    calls = iter([100.0, 3.0, 8.0, 1.0])
    program = Compiled(
        lambda state, index: passes(next(calls), (state._replace(learner=state.learner + 1), None)), 0.0
    )
    state, pairs = bench._time(program, NOTHING, lambda: passes(0.5, jnp.zeros(())), repeats=3)
    assert pairs == [(3.0, 0.5), (8.0, 0.5)], f"after 12 s, more than {bench.ENOUGH_S}, it is enough"
    assert state.learner == 3


def test_the_second_compilation_finds_what_the_first_left(monkeypatch):
    """The cache is empty at first, filled by the cold compilation, and gets nothing new from the warm one."""
    seen, make = [], bench.compiled

    def compiled(*arguments, **options):
        folder = Path(jax.config.values["jax_compilation_cache_dir"])
        before = {path.name for path in folder.iterdir() if path.name.endswith("-cache")}
        result = make(*arguments, **options)
        seen.append((before, {path.name for path in folder.iterdir() if path.name.endswith("-cache")}))
        return result

    monkeypatch.setattr(bench, "compiled", compiled)
    program, _ = bench._compile_cold_and_warm(lambda state, index: (state, index + 1), NOTHING)
    (before, cold), (filled, warm) = seen
    assert not before and cold and filled == warm == cold
    assert program.call(NOTHING, np.int32(1))[1] == 2


def test_learning_is_timed_alone_where_the_host_steps_the_environment():
    system = toy_system.make(toy_system.ToyConfig())
    system = dataclasses.replace(system, environment=system.environment._replace(host=lambda n, seed: None))
    programs = bench.programs(system)
    assert [(program.name, program.env_steps) for program in programs] == [("act", 0), ("learn learn", 0)]
    state = system.init(jax.random.key(0))._replace(replay=(jnp.float32(2.0), jnp.int32(2)))
    after, metrics = programs[1].function(state, jnp.int32(0))
    assert after.learner.w > 0 and after.updates == 0 and set(metrics) == {"loss", "weight"}


@pytest.mark.parametrize(("platform", "name"), [("cpu", "pets.json"), ("gpu", "pets_gpu.json")])
def test_results_of_different_machines_lie_beside_each_other(monkeypatch, platform, name):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    assert bench.result_name("pets") == name
