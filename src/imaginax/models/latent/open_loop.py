"""Open-loop prediction: what a world model expects to see when it looks no more."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from imaginax.types import ConfigError, Params, Trajectory, WorldModel


def open_loop(model: WorldModel, params: Params, data: Trajectory, key: Array, *, context: int) -> PyTree:
    """What the model makes of a stretch of experience of which it sees only the beginning.

    PlaNet's video predictions (Hafner et al. 2019, arXiv 1811.04551) have a `context` of 5.

    Args:
        model: one that decodes.
        params: its parameters.
        data: [B T ...], within one episode; the action of each step led to its observation.
        key: consumed.
        context: steps that are seen, at least 1; the model then follows the actions alone.

    Returns:
        [B T ...]: what `model.decode` gives after each step.

    Raises:
        ConfigError: for a context that is not within the stretch.
    """
    steps = data.action.shape[1]
    if not 1 <= context <= steps:
        raise ConfigError(f"context must lie in [1, {steps}], got {context}")
    data = jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), data)
    key_first, key_steps = jax.random.split(key)
    keys = jax.random.split(key_steps, steps)
    first = model.encode(params, jax.tree.map(lambda leaf: leaf[0], data.observation), key_first)

    def see(belief, given):
        action, observation, key = given
        belief = model.observe(params, belief, action, observation, key)
        return belief, belief

    def imagine(belief, given):
        action, key = given
        belief = model.predict(params, belief, action, key)[0]
        return belief, belief

    def part(begin: int, end: int):
        return jax.tree.map(lambda leaf: leaf[begin:end], (data.action, data.observation, keys))

    last, seen = jax.lax.scan(see, first, part(1, context))
    action, _, keys = part(context, steps)
    _, imagined = jax.lax.scan(imagine, last, (action, keys))
    beliefs = jax.tree.map(lambda a, b, c: jnp.concatenate([a[None], b, c]), first, seen, imagined)
    decoded = jax.vmap(model.decode, in_axes=(None, 0))(params, beliefs)
    return jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), decoded)
