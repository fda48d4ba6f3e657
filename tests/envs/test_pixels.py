"""What a camera sees is the observation."""

import jax
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.pixels import pixels, shrunk
from imaginax.envs.wrappers import reset_in_turn
from imaginax.types import ConfigError


def test_the_image_is_that_of_the_state_of_every_step():
    plain = envs.make("pendulum", max_steps=3)
    shape = jax.eval_shape(plain.render, jax.eval_shape(plain.init, jax.random.key(0))[0]).shape
    env = pixels(reset_in_turn(plain))
    step, draw = jax.jit(env.step), jax.jit(env.render)
    state, timestep = jax.jit(env.init)(jax.random.key(0))
    images = [timestep.observation]
    for number in range(5):
        np.testing.assert_array_equal(timestep.observation, draw(state))
        state, timestep = step(
            state, np.full(plain.spec.action.shape, 2.0, "float32"), jax.random.key(number)
        )
        images.append(timestep.observation)
    assert timestep.observation.dtype == np.uint8 == env.spec.observation.dtype
    assert timestep.observation.shape == shape == env.spec.observation.shape
    assert all((a != b).any() for a, b in zip(images, images[1:], strict=False))


def test_an_environment_without_an_image_is_refused():
    with pytest.raises(ConfigError, match="no image"):
        pixels(envs.make("pendulum")._replace(render=None))


def test_fewer_pixels_are_means_of_squares():
    plain = envs.make("pendulum")
    env = pixels(plain, 32)
    state, timestep = jax.jit(env.init)(jax.random.key(0))
    whole = np.asarray(jax.jit(plain.render)(state), float)
    square = whole.shape[0] // 32
    means = whole.reshape(32, square, 32, square, 3).mean((1, 3))
    np.testing.assert_allclose(timestep.observation, means, atol=0.5)
    assert env.spec.observation.shape == (32, 32, 3)


def test_an_image_that_is_observed_needs_no_renderer():
    seen = pixels(envs.make("pendulum"), 32)._replace(render=None)
    small = pixels(seen, 16)
    image = jax.jit(seen.init)(jax.random.key(0))[1].observation
    _, timestep = jax.jit(small.init)(jax.random.key(0))
    np.testing.assert_array_equal(timestep.observation, shrunk(image, 2))
    assert small.spec.observation.shape == (16, 16, 3)


@pytest.mark.parametrize("size", [11, 1000])
def test_a_size_that_does_not_divide_the_image_is_refused(size):
    with pytest.raises(ConfigError, match=rf"image \({size}\) must divide"):
        pixels(envs.make("pendulum"), size)
