"""How fast a system's programs are on this machine, beside what the machine can do at most.

The measure is the rate of a large matrix product, timed before every call, so that a busy machine slows both
down. A program that multiplies matrices all the time comes near it; one far below spends its time otherwise.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from imaginax.runtime.compilation import Compiled, compiled
from imaginax.runtime.export import costs
from imaginax.runtime.loop import make_chunk
from imaginax.runtime.plotting import commit
from imaginax.types import System, SystemState

ENOUGH_S = 10.0  # of calling one program
_SIZE = {"cpu": 2048}  # of the matrices; 0.05 s on two cores
_SIZE_ELSEWHERE = 8192
_LEARNS = np.int32(0)  # index of a chunk that does
_CACHE = {  # of compiled programs: jax's settings for one that keeps everything
    "jax_compilation_cache_dir": None,
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}

Function = Callable[[SystemState, Array], tuple[SystemState, Any]]


class Program(NamedTuple):
    """What is timed: (state, index) -> (state, anything), and the environment steps of a call."""

    name: str
    function: Function
    env_steps: int = 0


class Measurement(NamedTuple):
    """One program on this machine.

    Attributes:
        program: its name.
        cold_s: seconds of tracing and compiling it for the first time.
        warm_s: the same with the compiler's result in the cache, as when a command is run again.
        median_s: seconds of a call.
        fastest_s: of the fastest call.
        calls: how many were timed.
        flops: floating-point operations of a call, as `costs.count` counts them.
        matrix_flops_per_s: rate of the matrix product beside it.
        of_matrix_rate: the program's operations a second as a fraction of that; median over calls.
        env_steps_per_s: of all environments together; 0 for a program without any.
    """

    program: str
    cold_s: float
    warm_s: float
    median_s: float
    fastest_s: float
    calls: int
    flops: float
    matrix_flops_per_s: float
    of_matrix_rate: float
    env_steps_per_s: float


def programs(system: System) -> list[Program]:
    """`act`, and every stage's chunk with learning and without; of host environments `act` and the updates.

    They are in the order in which training calls them, so that learning finds the experience it needs.
    """
    made = [Program("act", _act(system))]
    for stage in system.schedule:
        if system.environment.host is not None:
            made += (
                [Program(f"learn {stage.name}", _learn(stage.learn or system.learn))] if stage.updates else []
            )
            continue
        without = dataclasses.replace(stage, updates=0)
        name = f"{stage.name} without learning" if stage.updates else stage.name
        made.append(Program(name, make_chunk(system, without), stage.env_steps))
        if stage.updates:
            made.append(Program(stage.name, make_chunk(system, stage), stage.env_steps))
    return made


def _act(system: System) -> Function:
    def act(state: SystemState, index: Array) -> tuple[SystemState, Any]:
        params = system.params_of(state.learner)
        return state, system.act(params, state.carry, state.timestep, state.key)

    return act


def _learn(update: Callable[..., Any]) -> Function:
    def learn(state: SystemState, index: Array) -> tuple[SystemState, Any]:
        learner, metrics = update(state.learner, state.replay, state.key)
        return state._replace(learner=learner), metrics

    return learn


def measure(system: System, *, repeats: int, size: int | None = None) -> Iterator[Measurement]:
    """Compiles and times every program of a system, for one seed.

    Args:
        system: what to measure.
        repeats: timed calls of each program after one that is not; fewer, if they take long.
        size: of the matrices of the product; chosen for the device by default.
    """
    size = size or matrix_size()
    product, state = matrix_product(size), jax.jit(system.init)(jax.random.key(0))
    environments = state.timestep.last.size
    for program in programs(system):
        flops = costs.count(program.function, state, _LEARNS).flops
        built, warm_s = _compile_cold_and_warm(program.function, state)
        state, pairs = _time(built, state, product, repeats)
        times = [taken for taken, _ in pairs]
        rates = [2.0 * size**3 / beside for _, beside in pairs]
        yield Measurement(
            program=program.name,
            cold_s=built.seconds,
            warm_s=warm_s,
            median_s=statistics.median(times),
            fastest_s=min(times),
            calls=len(times),
            flops=flops,
            matrix_flops_per_s=statistics.median(rates),
            of_matrix_rate=statistics.median(
                flops / taken / rate for taken, rate in zip(times, rates, strict=True)
            ),
            env_steps_per_s=program.env_steps * environments / statistics.median(times),
        )


def matrix_size() -> int:
    """Of matrices whose product keeps this machine's device busy for long enough to be timed."""
    return _SIZE.get(jax.default_backend(), _SIZE_ELSEWHERE)


def result_name(name: str) -> str:
    """pets.json; pets_gpu.json on a GPU, so that the results of different machines lie beside each other."""
    platform = jax.default_backend()
    return f"{name}.json" if platform == "cpu" else f"{name}_{platform}.json"


def matrix_product(size: int) -> Callable[[], Array]:
    """A product of two float32 matrices, ready to be called; 2 size^3 operations."""
    a, b = jax.random.normal(jax.random.key(0), (2, size, size))
    product = compiled(jnp.matmul, a, b)
    jax.block_until_ready(product.call(a, b))
    return lambda: product.call(a, b)


def seconds(call: Callable[[], Any]) -> float:
    """Wall time of one call, its result waited for."""
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


def _time(
    program: Compiled, state: SystemState, product: Callable[[], Array], repeats: int
) -> tuple[SystemState, list[tuple[float, float]]]:
    """Calls a program on its own results; (seconds of a call, seconds of the product before it)."""
    state, _ = jax.block_until_ready(program.call(state, _LEARNS))
    pairs, start = [], time.perf_counter()
    while len(pairs) < repeats and (not pairs or time.perf_counter() - start < ENOUGH_S):
        beside, begin = seconds(product), time.perf_counter()
        state, _ = jax.block_until_ready(program.call(state, _LEARNS))
        pairs.append((time.perf_counter() - begin, beside))
    return state, pairs


def _compile_cold_and_warm(function: Function, state: SystemState) -> tuple[Compiled, float]:
    """The program compiled with nothing known of it, and the seconds of compiling it again from the cache."""
    with _empty_cache():
        jax.clear_caches()
        cold = compiled(function, state, _LEARNS, donate=(0,))
        jax.clear_caches()
        return cold, compiled(function, state, _LEARNS, donate=(0,)).seconds


@contextlib.contextmanager
def _empty_cache() -> Iterator[None]:
    """Compiled programs go to a folder of their own, and to where they went before afterwards."""
    from jax.experimental.compilation_cache import compilation_cache

    def use(settings: dict[str, Any]) -> None:
        for name, value in settings.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()

    before = {name: jax.config.values[name] for name in _CACHE}
    with tempfile.TemporaryDirectory() as folder:
        use(_CACHE | {"jax_compilation_cache_dir": folder})
        try:
            yield
        finally:
            use(before)


def machine() -> dict[str, Any]:
    """What the numbers hold for."""
    device = jax.devices()[0]
    return {
        "commit": commit(),
        "jax": jax.__version__,
        "device": {"platform": device.platform, "kind": device.device_kind, "cores": os.cpu_count()},
    }
