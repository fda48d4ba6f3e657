"""What the analytic mechanical systems share: one state type, one way to make an environment of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from imaginax.envs.integrators import Motion
from imaginax.types import Box, ConfigError, Environment, EnvSpec, Features, TimeStep


class PhysicalState(NamedTuple):
    """Where a mechanical system is, and the control that brought it there (for drawing)."""

    motion: Motion
    action: Float[Array, "A"]


class Physics(NamedTuple):
    """The parts of a mechanical task.

    Attributes:
        start: key -> the motion at the start of an episode.
        advance: (motion, control) -> the motion one control period later.
        observe: motion -> observation [D].
        reward: (observation, action, next observation) -> reward, on the last axis.
        draw: state -> uint8 image [H, W, 3].
    """

    start: Callable[[Array], Motion]
    advance: Callable[[Motion, Array], Motion]
    observe: Callable[[Motion], Array]
    reward: Callable[[Array, Array, Array], Array]
    draw: Callable[[PhysicalState], Array]


def physical_environment(spec: EnvSpec, physics: Physics, features: Features) -> Environment:
    """An environment whose state is a `PhysicalState` and whose episodes never terminate by themselves.

    Actions outside the bounds act as the nearest bound.

    Raises:
        ConfigError: if the actions are not a `Box`.
    """
    if not isinstance(spec.action, Box):
        raise ConfigError(f"EnvSpec.action of {spec.name} must be a Box")
    low, high = spec.action.low, spec.action.high

    def init(key: Array) -> tuple[PhysicalState, TimeStep]:
        motion = physics.start(key)
        action = jnp.zeros(spec.action.shape)
        return PhysicalState(motion, action), restart(physics.observe(motion))

    def step(state: PhysicalState, action: Array, key: Array) -> tuple[PhysicalState, TimeStep]:
        del key  # the physics is deterministic
        control = jnp.clip(action, low, high)
        motion = physics.advance(state.motion, control)
        observation = physics.observe(motion)
        reward = physics.reward(physics.observe(state.motion), action, observation)
        return PhysicalState(motion, control), transition(observation, reward)

    return Environment(spec, init, step, physics.draw, physics.reward, features)


def restart(observation: PyTree) -> TimeStep:
    """The time step that a reset gives: no reward yet."""
    false = jnp.zeros((), bool)
    zero, one = jnp.int32(0), jnp.int32(1)
    return TimeStep(observation, jnp.zeros(()), jnp.ones(()), ~false, false, false, player=zero, steps=one)


def transition(
    observation: PyTree, reward: Float[Array, ""], terminal: Bool[Array, ""] | None = None
) -> TimeStep:
    """The time step that a move gives; `terminal` says that nothing can follow it."""
    false = jnp.zeros((), bool)
    last = false if terminal is None else terminal
    discount = jnp.where(last, 0.0, jnp.ones(()))
    zero, one = jnp.int32(0), jnp.int32(1)
    return TimeStep(observation, reward, discount, false, last, false, player=zero, steps=one)


def difference_features(inputs: Callable[[Array], Array], angles: tuple[int, ...] | None = None) -> Features:
    """Network inputs as given; the network predicts by how much the observation changes.

    Args:
        inputs: observation -> network inputs.
        angles: see `Features`.
    """
    return Features(
        inputs=inputs,
        target=lambda observation, next_observation: next_observation - observation,
        apply=lambda observation, target: observation + target,
        angles=angles,
    )


def solve_symmetric(
    matrix: tuple[Array | float, Array | float, Array | float], right: tuple[Array, Array]
) -> Float[Array, "2"]:
    """Solves [[a, b], [b, c]] x = right in closed form (no LAPACK call inside a planner's loop)."""
    a, b, c = matrix
    determinant = a * c - b * b
    return jnp.stack([c * right[0] - b * right[1], a * right[1] - b * right[0]]) / determinant


def gaussian_motion(key: Array, mean: Motion, deviation: Motion) -> Motion:
    """A start drawn from independent normal distributions."""
    leaves, structure = jax.tree.flatten(mean)
    keys = jax.tree.unflatten(structure, list(jax.random.split(key, len(leaves))))
    return jax.tree.map(lambda m, s, k: m + s * jax.random.normal(k, jnp.shape(m)), mean, deviation, keys)
