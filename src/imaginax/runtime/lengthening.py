"""A run that is made longer: what was saved, in the shapes of the longer run.

The fields of a configuration that its class names in `lengths` say how long it trains, all others what is
trained. A longer run may have a larger replay and larger arrays beside it: items keep their order,
and around the old numbers stand those of a fresh start, as they would in a run that had been long from the
beginning.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
from jaxtyping import Array, Key, PyTree

from imaginax.runtime import checkpoint
from imaginax.runtime.loop import first_state
from imaginax.runtime.run_directory import fingerprint, lengths
from imaginax.types import System, SystemState


def restore(
    system: System, directory: Path, shapes: PyTree, keys: Key[Array, "S"]
) -> checkpoint.Restored | None:
    """The newest valid checkpoint of a run, which may have been shorter when it was written.

    Args:
        system: whose run it is.
        directory: the run's checkpoints/.
        shapes: of the state of all lanes, with the places of its arrays.
        keys: those with which the lanes began.

    Raises:
        CheckpointError: see `checkpoint.restore`.
    """
    now, settings = lengths(system.config), fingerprint(system)

    def shorter(progress: dict[str, Any]) -> bool:
        then = progress.get("lengths") or {}
        return progress.get("settings") == settings and all(
            then.get(name, now[name]) <= now[name] for name in now
        )

    restored = checkpoint.restore(directory, shapes, resized=shorter)
    if restored is None or _shapes(restored.state) == _shapes(shapes):
        return restored
    return restored._replace(state=lengthen(system, restored.state, shapes, keys))


def _shapes(tree: PyTree) -> list[tuple[int, ...]]:
    return [leaf.shape for leaf in jax.tree.leaves(tree)]


def lengthen(system: System, saved: SystemState, shapes: PyTree, keys: Key[Array, "S"]) -> SystemState:
    """The state of all lanes of a longer run, from that of a shorter one.

    Args:
        system: of the longer run.
        saved: states [S, ...] of the shorter.
        shapes: of the longer run's state, with the places of its arrays.
        keys: those with which the lanes began.
    """

    @jax.jit
    def program(saved: SystemState, keys: Key[Array, "S"]) -> SystemState:
        fresh = first_state(system)(keys)
        replay = jax.vmap(system.replay.lengthen)(saved.replay)
        rest = jax.tree.map(_around, fresh._replace(replay=()), saved._replace(replay=()))
        return rest._replace(replay=replay)

    state = program(saved, keys)
    return jax.tree.map(_place, state, shapes)


def _around(fresh: Array, saved: Array) -> Array:
    """The saved numbers in the corner of a fresh array."""
    if fresh.shape == saved.shape:
        return saved
    corner = tuple(slice(0, min(sizes)) for sizes in zip(fresh.shape, saved.shape, strict=True))
    return fresh.at[corner].set(saved[corner])


def _place(leaf: Array, shape: Any) -> Array:
    sharding = getattr(shape, "sharding", None)
    return leaf if sharding is None else jax.device_put(leaf, sharding)
