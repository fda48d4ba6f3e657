"""What `runtime.run` drives: the same system, compiled whole or stepping environments of the host."""

from __future__ import annotations

import contextlib
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Key, PyTree

from imaginax.runtime import distributed, report
from imaginax.runtime.compilation import Compiled, compiled
from imaginax.runtime.loop import Chunk, ChunkOutput, first_state, make_chunk
from imaginax.types import ConfigError, Stage, System, SystemState


@runtime_checkable
class Driver(Protocol):
    """Starts, advances and evaluates all lanes of a run.

    shapes:   () -> shapes, types and places of the state of all lanes [S, ...]
    start:    keys [S] -> (first state, seconds of compiling)
    resume:   state that was restored -> state to go on with
    chunk:    (stage, state) -> program of a chunk: (state, its index in the stage) -> (state, ChunkOutput)
    evaluate: (state, keys [S], least number of episodes) -> Evaluation
    close:    () -> None
    """

    def shapes(self) -> PyTree: ...
    def start(self, keys: Key[Array, "S"]) -> tuple[PyTree, float]: ...
    def resume(self, state: PyTree) -> PyTree: ...
    def chunk(self, stage: Stage, state: PyTree) -> Compiled: ...
    def evaluate(self, state: PyTree, keys: Key[Array, "S"], episodes: int) -> report.Evaluation: ...
    def close(self) -> None: ...


def make_driver(system: System, seeds: int, mesh: Mesh | None = None, *, overlap: bool = False) -> Driver:
    """What steps the environments of a system: its own program, or the host.

    Raises:
        ConfigError: for environments of the host on several devices.
    """
    if system.environment.host is None:
        return CompiledDriver(system, seeds, mesh)
    if mesh is not None:
        name = system.environment.spec.name
        raise ConfigError(f"env {name} runs on the host: it needs --devices 1 and one process")
    from imaginax.runtime.host_driver import HostDriver

    return HostDriver(system, seeds, overlap=overlap)


class CompiledDriver:
    """Everything, environments included, in one program, on one device or on a mesh of them."""

    def __init__(self, system: System, seeds: int, mesh: Mesh | None = None):
        self._system = system
        self._seeds = seeds
        self._mesh = mesh

    def shapes(self) -> PyTree:
        keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), self._seeds))
        shapes = jax.eval_shape(first_state(self._system), keys)
        if self._mesh is None:
            return shapes
        places = distributed.layout(shapes, self._mesh)
        return jax.tree.map(lambda leaf, place: leaf.update(sharding=place), shapes, places)

    def start(self, keys: Key[Array, "S"]) -> tuple[PyTree, float]:
        with self._set():
            program = compiled(first_state(self._system), keys, out=self._places())
            return program.call(keys), program.seconds

    def resume(self, state: PyTree) -> PyTree:
        return state

    def chunk(self, stage: Stage, state: PyTree) -> Compiled:
        chunk = make_chunk(self._system, stage)
        lanes = alone(chunk) if self._seeds == 1 else jax.vmap(chunk, in_axes=(0, None))
        out = self._mesh and (self._places(), distributed.replicated(self._mesh))
        with self._set():
            return compiled(lanes, state, jax.ShapeDtypeStruct((), jnp.int32), donate=(0,), out=out)

    def evaluate(self, state: PyTree, keys: Key[Array, "S"], episodes: int) -> report.Evaluation:
        with self._set():
            return report.evaluate(self._system, state, keys, episodes=episodes)

    def close(self) -> None:
        return None

    def _places(self) -> PyTree | None:
        return self._mesh and jax.tree.map(lambda leaf: leaf.sharding, self.shapes())

    def _set(self) -> contextlib.AbstractContextManager:
        """With the mesh set, `sharding.shard_along` splits rows; lanes that are split already need none."""
        if self._mesh is None or distributed.by_lane(self._seeds, self._mesh):
            return contextlib.nullcontext()
        return jax.set_mesh(self._mesh)


def alone(chunk: Chunk) -> Chunk:
    """The chunk of a single lane [1, ...], without `vmap`.

    Under it a loop copies what it carries, whole search trees for example, and a condition computes both
    sides.
    """

    def lane(state: SystemState, index: Array) -> tuple[SystemState, ChunkOutput]:
        done = chunk(jax.tree.map(lambda leaf: leaf[0], state), index)
        return jax.tree.map(lambda leaf: leaf[None], done)

    return lane
