"""The true rules of an environment as a world model: the upper bound that any learned model is compared with.

The belief is the environment's own state, so the planner must be shown it: act in
`envs.wrappers.privileged(env)`, whose observation is the state.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from imaginax.types import (
    Belief,
    Box,
    Capabilities,
    Discrete,
    Environment,
    Metrics,
    Params,
    Prediction,
    WorldModel,
)


def rules(env: Environment) -> WorldModel:
    """A world model that steps `env` itself; it has no parameters and nothing to learn.

    Args:
        env: a single environment that does not reset itself, `privileged` or not; its state is the belief.

    Returns:
        A model whose `encode` and `observe` take states [B, ...] as observations. Its predictions carry the
        real reward and discount. It is differentiable as far as the environment's `step` is.
    """

    def predict(params: Params, belief: Belief, action: Array, key: Array) -> tuple[Belief, Prediction]:
        del params
        keys = jax.random.split(key, action.shape[0])
        belief, timestep = jax.vmap(env.step)(belief, action, keys)
        return belief, Prediction(timestep.reward, timestep.discount)

    can = Capabilities(
        discrete=isinstance(env.spec.action, Discrete),
        continuous=isinstance(env.spec.action, Box),
        differentiable=True,
    )
    return WorldModel(_init, _encode, _observe, predict, _decode, _loss, can)


def _init(key: Array) -> Params:
    del key
    return ()


def _encode(params: Params, observation: PyTree, key: Array) -> Belief:
    del params, key
    return observation


def _observe(params: Params, belief: Belief, action: Array, observation: PyTree, key: Array) -> Belief:
    del params, belief, action, key
    return observation


def _decode(params: Params, belief: Belief) -> None:
    del params, belief


def _loss(params: Params, data: PyTree, key: Array) -> tuple[Array, Metrics]:
    del params, data, key
    return jnp.zeros(()), {}
