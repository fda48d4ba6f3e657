"""World models small enough to know the answer."""

import jax.numpy as jnp

from imaginax.types import Box, Capabilities, Prediction, WorldModel

SPACE = Box((2,), -2.0, 3.0)


def world(reward):
    """A model whose belief [B] counts steps and whose reward is `reward(step, action [B, A])`."""

    def predict(params, belief, action, key):
        return belief + 1, Prediction(reward(belief, action), jnp.ones(action.shape[0]))

    return WorldModel(
        init=lambda key: (),
        encode=lambda params, observation, key: observation,
        observe=lambda params, belief, action, observation, key: observation,
        predict=predict,
        decode=lambda params, belief: None,
        loss=lambda params, data, key: (jnp.zeros(()), {}),
        can=Capabilities(continuous=True),
    )


def quadratic(target):
    """Reward -|action - target_t|^2 with another target [H, A] at every step."""
    target = jnp.asarray(target)
    return world(lambda step, action: -jnp.sum((action - target[step]) ** 2, axis=-1))
