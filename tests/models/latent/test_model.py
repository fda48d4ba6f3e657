"""The latent world model of images and of vectors: it fits what it is given, and its parts agree."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from imaginax.data.pixels import dequantised, pixels
from imaginax.learning.learner import gradient_step, init_learner
from imaginax.models.latent.config import LatentModelConfig, ObjectiveConfig, RSSMConfig
from imaginax.models.latent.model import latent_model
from imaginax.models.latent.rssm import features
from imaginax.types import Box, ConfigError, Discrete, EnvSpec, Trajectory

SMALL = LatentModelConfig(RSSMConfig(deterministic=16, stochastic=4, hidden=16), depth=2, hidden=(16, 16))
ACTION = Box((2,), -1.0, 1.0)
VECTORS = EnvSpec("vectors", Box((3,)), ACTION, max_steps=10)
IMAGES = EnvSpec("images", Box((32, 32, 3), 0.0, 255.0, jnp.dtype("uint8")), ACTION, max_steps=10)


@pytest.fixture(scope="module", params=["vectors", "images"])
def model(request):
    spec = VECTORS if request.param == "vectors" else IMAGES
    made = latent_model(spec, SMALL, ObjectiveConfig(free_nats=0.5))
    return spec, made, jax.jit(made.init)(jax.random.key(0))


def episodes(spec, batch=8, steps=6) -> Trajectory:
    """A point that actions push; it is seen, and the reward is its first coordinate."""
    action = jax.random.uniform(jax.random.key(1), (batch, steps, 2), minval=-1.0)
    place = jnp.cumsum(action.at[:, 0].set(0.0), axis=1) / 2
    if len(spec.observation.shape) == 1:
        observation = jnp.concatenate([place, place[..., :1] * 0 + 1], axis=-1)
    else:
        shades = jnp.clip(128 + 100 * place, 0, 255).astype(jnp.uint8)
        image = jnp.zeros((batch, steps, 32, 32, 3), jnp.uint8)
        observation = image.at[..., 0].set(shades[..., None, :1]).at[..., 1].set(shades[..., None, 1:])
    first = jnp.zeros((batch, steps), bool).at[:, 0].set(True)
    return Trajectory(observation, action, place[..., 0], jnp.ones((batch, steps)), first)


def test_learning_lowers_the_loss_and_every_part_learns(model):
    spec, made, params = model
    data, optimiser = episodes(spec), optax.adam(3e-3)

    @jax.jit
    def update(learner, key):
        return gradient_step(made.loss, optimiser, learner, data, key)

    learner, history = init_learner(params, optimiser), []
    for number in range(60):
        learner, metrics, beliefs = update(learner, jax.random.key(number))
        history.append(jax.tree.map(float, metrics))
    assert history[-1]["reward_loss"] < 0.5 * history[0]["reward_loss"]
    assert history[-1]["observation_loss"] < 0.7 * history[0]["observation_loss"]
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), learner.params, params)
    assert all(jax.tree.leaves(moved))
    assert features(beliefs).shape == (*data.reward.shape, SMALL.rssm.features)


def test_filtering_and_imagining_give_beliefs_of_one_shape(model):
    spec, made, params = model
    data, keys = episodes(spec), jax.random.split(jax.random.key(0), 3)
    belief = made.encode(params, data.observation[:, 0], keys[0])
    seen = made.observe(params, belief, data.action[:, 1], data.observation[:, 1], keys[1])
    imagined, prediction = made.predict(params, belief, data.action[:, 1], keys[2])
    assert (
        jax.tree.map(jnp.shape, seen) == jax.tree.map(jnp.shape, imagined) == jax.tree.map(jnp.shape, belief)
    )
    np.testing.assert_allclose(seen.deterministic, imagined.deterministic, atol=1e-6)  # h has not seen o
    assert (seen.stats.mean != imagined.stats.mean).any()
    assert prediction.reward.shape == (8,) and (prediction.discount == 1).all()
    assert made.decode(params, belief).shape == (8, *spec.observation.shape)
    assert features(belief).shape == (8, SMALL.rssm.features)


def test_acting_and_learning_embed_the_same_image():
    """Bytes are scaled in one place: filtered beliefs are those of the loss, but for the dither of 8 bits."""
    config = dataclasses.replace(SMALL, rssm=dataclasses.replace(SMALL.rssm, kind="gru"), bits=8)
    made = latent_model(IMAGES, config, ObjectiveConfig())
    params, data, key = made.init(jax.random.key(0)), episodes(IMAGES), jax.random.key(1)
    params = params._replace(encoder=jax.tree.map(lambda w: 3 * w, params.encoder))
    learned = features(made.loss(params, data, key)[2])

    def furthest(images) -> float:
        belief, found = made.encode(params, images[:, 0], key), []
        for t in range(images.shape[1]):
            if t:
                belief = made.observe(params, belief, data.action[:, t], images[:, t], key)
            found.append(jnp.abs(features(belief) - learned[:, t]).max())
        return max(found)

    assert 10 * furthest(data.observation) < furthest(data.observation // 2)


PLANES = EnvSpec("planes", Box((10, 10, 4), 0.0, 1.0, jnp.bool_), Discrete(3), max_steps=10)


@pytest.mark.parametrize("spec", [VECTORS, IMAGES, PLANES], ids=lambda spec: spec.name)
@pytest.mark.parametrize("cell", ["gru", "layer_norm_gru"])
def test_sixteen_bits_are_close_and_stay_inside(spec, cell):
    """Losses, gradients and weights have 32 bits, and differ from those of 32 bits by rounding alone."""
    config = dataclasses.replace(
        SMALL, rssm=dataclasses.replace(SMALL.rssm, kind="gru", cell=cell), continuation=True
    )
    if spec is PLANES:
        seen = jax.random.bernoulli(jax.random.key(0), 0.2, (8, 6, 10, 10, 4))
        data = episodes(VECTORS)._replace(observation=seen, action=jnp.ones((8, 6), jnp.int32))
    else:
        data = episodes(spec)
    found = {}
    for precision in ("float32", "bfloat16"):
        made = latent_model(spec, dataclasses.replace(config, precision=precision), ObjectiveConfig())
        params = made.init(jax.random.key(0))
        loss = lambda params, made=made: made.loss(params, data, jax.random.key(1))[:2]  # noqa: E731
        (value, metrics), slope = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
        assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves((params, value, metrics, slope)))
        products = [line for line in str(jax.make_jaxpr(loss)(params)).split("\n") if "dot_general" in line]
        assert any("bf16" in line for line in products) == (precision == "bfloat16")
        found[precision] = metrics, jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(slope)])
    (wide, slope), (narrow, rounded) = found["float32"], found["bfloat16"]
    for name in ("loss", "observation_loss", "reward_loss", "continuation_loss"):
        np.testing.assert_allclose(narrow[name], wide[name], rtol=0.02)
        assert narrow[name] != wide[name]
    assert jnp.vdot(slope, rounded) > 0.99 * jnp.linalg.norm(slope) * jnp.linalg.norm(rounded)


def test_levels_are_dithered_and_come_back():
    """5 bits: 32 levels with noise that fills them; the mean of many is the middle of the level."""
    images = jnp.arange(256, dtype=jnp.uint8)
    draws = np.asarray(
        jax.vmap(lambda key: dequantised(images, 5, key))(jax.random.split(jax.random.key(0), 4000))
    )
    np.testing.assert_allclose(draws.mean(0), (np.arange(256) // 8 + 0.5) / 32 - 0.5, atol=2e-3)
    assert draws.min() >= -0.5 and draws.max() < 0.5
    np.testing.assert_allclose(draws.std(0), 1 / 32 / np.sqrt(12), rtol=0.06)
    off_diagonal = np.corrcoef(draws[:, :9].T) - np.eye(9)
    assert np.abs(off_diagonal).max() < 5 / np.sqrt(len(draws))  # pixels that share a drawn number too
    np.testing.assert_array_equal(pixels(jnp.array([-0.6, -0.5, 0.0, 0.5, 0.7])), [0, 0, 128, 255, 255])


def test_what_does_not_fit_is_refused():
    spec = EnvSpec("wide", Box((32, 64, 3), dtype=jnp.dtype("uint8")), ACTION, max_steps=9)
    with pytest.raises(ConfigError, match="32x64x3"):
        latent_model(spec, SMALL, ObjectiveConfig())


def test_beliefs_learn_from_what_the_objective_says():
    """Which parts get a gradient, without divergence and reward, from each of Dreamer's objectives."""
    spec = EnvSpec("planes", Box((10, 10, 4), 0.0, 1.0, jnp.bool_), Discrete(3), max_steps=9)
    keys = jax.random.split(jax.random.key(0), 2)
    seen = jax.random.bernoulli(keys[0], 0.3, (2, 4, 10, 10, 4))
    action = jax.random.randint(keys[1], (2, 4), 0, 3)
    data = Trajectory(seen, action, jnp.ones((2, 4)), jnp.ones((2, 4)), jnp.zeros((2, 4), bool))
    config = LatentModelConfig(RSSMConfig(deterministic=8, stochastic=4, hidden=8), depth=2, hidden=(8,))
    bare = ObjectiveConfig(dynamics=0.0, representation=0.0, free_nats=0.0, reward=0.0)

    def norms(**changes):
        made = latent_model(spec, config, dataclasses.replace(bare, **changes))
        params = made.init(jax.random.key(1))
        gradient = jax.jit(jax.grad(lambda params: made.loss(params, data, jax.random.key(2))[0]))(params)
        return [float(optax.tree.norm(part)) for part in (gradient.encoder, gradient.decoder, gradient.guess)]

    for objective, encoder, guess in (
        ("reconstruction", True, False),
        ("contrastive", True, True),
        ("none", False, False),
    ):
        found = norms(observation=objective)
        assert [norm > 0 for norm in found] == [encoder, True, guess], objective
    assert norms(observation="none", reward=1.0)[0] > 0
    assert norms(observation="none", reward=1.0, reward_gradient=False)[0] == 0
