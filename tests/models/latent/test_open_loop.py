"""Open-loop prediction with a model whose every number is known: it adds up actions since it last looked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.models.latent.open_loop import open_loop
from imaginax.types import Capabilities, ConfigError, Prediction, Trajectory, WorldModel


def counting() -> WorldModel:
    """Its belief is the number it has seen, plus half of each action that it imagined since."""

    def predict(params, belief, action, key):
        belief = belief + params * action
        return belief, Prediction(belief[:, 0], jnp.ones(len(belief)))

    return WorldModel(
        init=lambda key: jnp.float32(0.5),
        encode=lambda params, observation, key: observation,
        observe=lambda params, belief, action, observation, key: observation,
        predict=predict,
        decode=lambda params, belief: 10.0 * belief,
        loss=lambda *rest: (jnp.float32(0.0), {}, None),
        can=Capabilities(continuous=True),
    )


def stretch(steps: int = 6) -> Trajectory:
    observation = jax.random.normal(jax.random.key(0), (2, steps, 1))
    action, flat = jax.random.normal(jax.random.key(1), (2, steps, 1)), jnp.zeros((2, steps))
    return Trajectory(observation, action, flat, flat, flat > 0)


@pytest.mark.parametrize("context", [1, 3, 6])
def test_sees_the_context_and_then_follows_the_actions(context):
    model, data = counting(), stretch()
    found = open_loop(model, model.init(jax.random.key(0)), data, jax.random.key(2), context=context)
    seen, action = np.asarray(data.observation), np.asarray(data.action)
    ahead = seen[:, [context - 1]] + 0.5 * np.cumsum(action[:, context:], axis=1)
    np.testing.assert_allclose(found, 10 * np.concatenate([seen[:, :context], ahead], axis=1), rtol=1e-5)


@pytest.mark.parametrize("context", [0, 7])
def test_a_context_outside_the_stretch_is_refused(context):
    with pytest.raises(ConfigError, match="context must lie in"):
        open_loop(counting(), jnp.float32(0.5), stretch(), jax.random.key(0), context=context)
