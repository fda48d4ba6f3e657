"""Programs of a system for machines that this one is not: lowered here, run on a TPU, a GPU or another CPU.

A program is saved as `jax.export` serialises it: portable StableHLO of a function of flat lists of arrays,
since the format knows no NamedTuples; typed keys travel as their words.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import PyTree

from imaginax.runtime.driver import CompiledDriver
from imaginax.runtime.export import costs
from imaginax.runtime.export.executable import donated, footprint
from imaginax.runtime.loop import make_chunk
from imaginax.runtime.precision import precision, precision_of
from imaginax.runtime.run_directory import RunError
from imaginax.types import ConfigError, System

PLATFORMS = ("tpu", "cuda", "cpu")


class Program(NamedTuple):
    """A pure function and the shapes of its arguments."""

    function: Callable[..., PyTree]
    arguments: tuple[PyTree, ...]


class Exported(NamedTuple):
    """A program lowered for one platform.

    Attributes:
        name: of the program.
        platform: one of `PLATFORMS`.
        data: the serialised program; `load` reads it.
        seconds: that tracing, lowering and serialising took.
        costs: of one call.
    """

    name: str
    platform: str
    data: bytes
    seconds: float
    costs: costs.Costs


def programs(system: System) -> dict[str, Program]:
    """The compiled programs of a system, of one seed each.

    `act` decides, with the parameters alone; `train_<stage>` is a whole chunk of training. Where the
    environment is no JAX program, the part of a chunk that is compiled is `learn_<stage>`, one update.
    """
    with precision(system):
        state = jax.eval_shape(system.init, jax.random.key(0))
        params = jax.eval_shape(system.params_of, state.learner)
    index = jax.ShapeDtypeStruct((), jnp.int32)
    made = {"act": Program(system.act, (params, state.carry, state.timestep, state.key))}
    for stage in system.schedule:
        if system.environment.host is None:
            made[f"train_{stage.name}"] = Program(make_chunk(system, stage), (state, index))
        elif stage.updates:
            learn = stage.learn or system.learn
            made[f"learn_{stage.name}"] = Program(learn, (state.learner, state.replay, state.key))
    return made


def sharded(system: System, mesh: Mesh) -> dict[str, Program]:
    """The training programs of one seed, spread over a mesh as a run spreads them."""
    with precision(system):
        shapes = CompiledDriver(system, 1, mesh).shapes()
    index = jax.ShapeDtypeStruct((), jnp.int32)
    return {
        f"train_{stage.name}": Program(
            jax.vmap(make_chunk(system, stage), in_axes=(0, None)), (shapes, index)
        )
        for stage in system.schedule
        if system.environment.host is None
    }


def export(
    name: str, function: Callable[..., PyTree], arguments: Sequence[PyTree], platform: str
) -> Exported:
    """Lowers and serialises a program.

    Args:
        name: its name.
        function: a pure function.
        arguments: its arguments, or their shapes.
        platform: one of `PLATFORMS`; this machine need not have it.

    Raises:
        ConfigError: for another platform, or without the package `flatbuffers`.
        RunError: for a program that calls the host, or uses what the platform does not have.
    """
    if platform not in PLATFORMS:
        raise ConfigError(f"unknown platform {platform!r}; known: {', '.join(PLATFORMS)}")
    start = time.perf_counter()
    with precision_of(arguments):
        program, shapes = _flat_program(function, tuple(arguments))
        jaxpr = program.trace(*shapes).jaxpr.jaxpr
    costs.check_host_calls(name, jaxpr)
    try:
        with precision_of(arguments):
            data = bytes(jax.export.export(program, platforms=[platform])(*shapes).serialize())
    except ImportError as error:
        raise ConfigError("export needs flatbuffers: pip install 'imaginax[export]'") from error
    except NotImplementedError as error:  # so jax says that a platform lacks an operation
        raise RunError(f"{name} cannot be exported for {platform}: {str(error).splitlines()[0]}") from error
    return Exported(name, platform, data, time.perf_counter() - start, costs.count_jaxpr(jaxpr))


def _flat_program(function: Callable[..., PyTree], arguments: PyTree) -> tuple[Any, list[Any]]:
    """The function of flat words, and the shapes of these."""
    leaves, structure = jax.tree.flatten(arguments)
    program = _flat(function, structure, tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in leaves))
    return program, [jax.eval_shape(_words, leaf) for leaf in leaves]


@functools.lru_cache(maxsize=8)
def _flat(function: Callable[..., PyTree], structure: Any, leaves: tuple[jax.ShapeDtypeStruct, ...]) -> Any:
    """The function of flat words; kept, so that it is traced once for all platforms."""

    def flat(*words):
        pairs = zip(words, leaves, strict=True)
        arguments = jax.tree.unflatten(structure, [_typed(word, leaf) for word, leaf in pairs])
        return [_words(leaf) for leaf in jax.tree.leaves(function(*arguments))]

    return jax.jit(flat)


def peak_memory(function: Callable[..., PyTree], arguments: Sequence[PyTree]) -> int:
    """Bytes that a program needs at once on a CPU; it is compiled for this one, like a run compiles it."""
    with precision_of(arguments), jax.default_device(jax.local_devices(backend="cpu")[0]):
        lowered = jax.jit(function, donate_argnums=donated(arguments)).lower(*arguments)
        return footprint(lowered.compile()).total


def load(data: bytes) -> Callable[..., list[jax.Array]]:
    """The program of `Exported.data`: leaves of the arguments, keys as words, to leaves of the results."""
    return jax.jit(jax.export.deserialize(bytearray(data)).call)


def write(folder: Path, exported: Exported) -> Path:
    """Writes <folder>/<name>.<platform>.

    Raises:
        RunError: if it cannot be written.
    """
    path = folder / f"{exported.name}.{exported.platform}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(exported.data)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def _words(leaf: Any) -> jax.Array:
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _typed(word: jax.Array, like: Any) -> jax.Array:
    if not jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        return word
    return jax.random.wrap_key_data(word)  # every key of a system is of the default kind
