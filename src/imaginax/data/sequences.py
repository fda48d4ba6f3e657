"""Stretches of experience for models that learn over time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from imaginax.data.replay import Ring, ring_replay
from imaginax.types import Discrete, EnvSpec, Replay, TimeStep, Trajectory


def record_step(timestep: TimeStep, action: PyTree, following: TimeStep, extras: PyTree) -> Trajectory:
    """What a system whose model learns over time keeps: `following`, with the action that led to it."""
    del timestep, extras
    return Trajectory(following.observation, action, following.reward, following.discount, following.first)


def empty_step(spec: EnvSpec) -> Trajectory:
    """One step of zeros, an example for replay."""
    observation = jnp.zeros(spec.observation.shape, spec.observation.dtype)
    kind = jnp.int32 if isinstance(spec.action, Discrete) else jnp.float32
    zero = jnp.zeros(())
    return Trajectory(observation, jnp.zeros(spec.action.shape, kind), zero, zero, jnp.zeros((), bool))


def sequence_replay(
    example: Trajectory,
    length: int,
    num_envs: int,
    *,
    batch: int,
    sequence: int,
    prioritize_ends: bool = False,
) -> Replay:
    """The last `length` steps of each of `num_envs` environments; `sample` gives sequences [B T ...].

    Args:
        example: one step, arrays or shapes. With a belief in it, sequences have one step more: the loss of a
            latent model goes on from the first step's belief and learns from the others.
        length: L, steps kept of each environment.
        num_envs: N, environments; every `add` brings a step of each.
        batch: B, sequences that `sample` draws.
        sequence: T, steps of each to learn from.
        prioritize_ends: see `sample_sequences`.
    """
    ring = ring_replay(example, length, num_envs)
    steps = sequence + (example.belief is not None)

    def sample(state: PyTree, key: Array) -> Trajectory:
        return sample_sequences(
            ring.data(state), key, batch=batch, length=steps, prioritize_ends=prioritize_ends
        )

    return ring._replace(sample=sample)


def sample_sequences(
    ring: Ring, key: Array, *, batch: int, length: int, prioritize_ends: bool = False
) -> Trajectory:
    """Stretches of consecutive steps, drawn uniformly among all that replay holds.

    Args:
        ring: of a `Trajectory`, N places of at most L steps.
        key: consumed.
        batch: B, stretches.
        length: T, steps of each, no more than replay holds.
        prioritize_ends: whether a stretch that would reach over the end of an episode is moved back until
            its last step is that end. Ends, which few steps are, are then drawn T times as often, as by the
            code released with DreamerV2.

    Returns:
        [B T ...]. A stretch may reach over the end of an episode; `first` says where the next one begins.
    """
    key_place, key_step = jax.random.split(key)
    places, capacity = ring.items.first.shape[:2]
    place = jax.random.randint(key_place, (batch,), 0, places)
    begin = jax.random.randint(key_step, (batch,), 0, jnp.maximum(ring.count - length + 1, 1))
    at = lambda begin: (ring.start + begin[:, None] + jnp.arange(length)) % capacity  # noqa: E731
    if prioritize_ends:
        next_begins = ring.items.first[place[:, None], at(begin)].at[:, 0].set(False)
        over = jnp.where(jnp.any(next_begins, axis=1), length - jnp.argmax(next_begins, axis=1), 0)
        begin = jnp.maximum(begin - over, 0)
    return jax.tree.map(lambda x: x[place[:, None], at(begin)], ring.items)
