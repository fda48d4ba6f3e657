"""Programs of a system for machines that this one is not: lowered here, run on a TPU, a GPU or another CPU.

A program is saved as `jax.export` serialises it: portable StableHLO of a function of flat lists of arrays,
since the format knows no NamedTuples; typed keys travel as their words.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from imaginax.runtime.loop import make_chunk
from imaginax.runtime.run_directory import RunError
from imaginax.types import ConfigError, System

PLATFORMS = ("tpu", "cuda", "cpu")


class Exported(NamedTuple):
    """A program lowered for one platform.

    Attributes:
        name: `act`, or `train_` and the name of a stage.
        platform: one of `PLATFORMS`.
        data: the serialised program; `load` reads it.
        seconds: that tracing, lowering and serialising took.
    """

    name: str
    platform: str
    data: bytes
    seconds: float


def programs(system: System) -> dict[str, tuple[Callable[..., PyTree], tuple[PyTree, ...]]]:
    """The compiled programs of a system and the shapes of their arguments, one seed each."""
    state = jax.eval_shape(system.init, jax.random.key(0))
    index = jax.ShapeDtypeStruct((), jnp.int32)
    act = (system.act, (state.learner, state.carry, state.timestep, state.key))
    chunks = {f"train_{stage.name}": (make_chunk(system, stage), (state, index)) for stage in system.schedule}
    return {"act": act} | chunks


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
    """
    if platform not in PLATFORMS:
        raise ConfigError(f"unknown platform {platform!r}; known: {', '.join(PLATFORMS)}")
    start = time.perf_counter()
    leaves, structure = jax.tree.flatten(tuple(arguments))
    shapes = [jax.eval_shape(_words, leaf) for leaf in leaves]

    def flat(*words):
        pairs = zip(words, leaves, strict=True)
        arguments = jax.tree.unflatten(structure, [_typed(word, leaf) for word, leaf in pairs])
        return [_words(leaf) for leaf in jax.tree.leaves(function(*arguments))]

    lowered = jax.export.export(jax.jit(flat), platforms=[platform])(*shapes)
    try:
        data = bytes(lowered.serialize())
    except ImportError as error:
        raise ConfigError("export needs flatbuffers: pip install 'imaginax[export]'") from error
    return Exported(name, platform, data, time.perf_counter() - start)


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
