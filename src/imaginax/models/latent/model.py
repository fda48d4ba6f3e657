"""A world model with a latent state: encoder, recurrent state-space model, decoder and reward.

PlaNet (Hafner et al. 2019, arXiv 1811.04551, section 3); what it learns from is `models.latent.objective`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from imaginax.data.pixels import dequantised
from imaginax.models.latent import objective as latent
from imaginax.models.latent.config import LatentModelConfig, ObjectiveConfig
from imaginax.models.latent.objective import Networks
from imaginax.models.latent.rssm import Belief, features, make_rssm
from imaginax.networks.images import Decoder, Encoder, check_size
from imaginax.networks.mlp import MLP, activation
from imaginax.networks.planes import PlaneDecoder, PlaneEncoder
from imaginax.types import Capabilities, Discrete, EnvSpec, Prediction, Space, WorldModel


class LatentParams(NamedTuple):
    """Parameters of each part."""

    encoder: PyTree
    rssm: PyTree
    decoder: PyTree
    reward: PyTree
    continuation: PyTree = None  # of a model that predicts no ends
    guess: PyTree = None  # of a model that does not learn by contrast


class Modules(NamedTuple):
    """The networks around the latent state, what they see of an observation, and how errors are counted."""

    encoder: nn.Module
    decoder: nn.Module
    inputs: Callable[[Array, Array], Array]
    error: Callable[[Array, Array], Array] = lambda decoded, inputs: latent.half_square(decoded - inputs)


def latent_model(spec: EnvSpec, config: LatentModelConfig, objective: ObjectiveConfig) -> WorldModel:
    """The model of an environment; its beliefs are `models.latent.rssm.Belief`.

    `decode` gives images in [-0.5, 0.5], vectors, or logits of planes; `loss` takes a `Trajectory`
    [B T ...], see `models.latent.objective.loss`. Discrete actions are numbers, -1 for none, or one-hot
    vectors, through which gradients pass. Predicted discounts are probabilities that the episode goes on; 1
    without a continuation.

    Raises:
        ConfigError: for observations that are no vectors, no planes of truth values and no images of a known
            size.
    """
    init, networks = make_networks(spec, config, contrastive=objective.observation == "contrastive")
    model, actions = networks.rssm, width(spec.action)

    def encode(params: LatentParams, observation: Array, key: Array) -> Belief:
        batch = len(observation)
        return observe(params, model.start(batch), jnp.zeros((batch, actions)), observation, key)

    def observe(
        params: LatentParams, belief: Belief, action: Array, observation: Array, key: Array
    ) -> Belief:
        key_inputs, key_prior, key_posterior = jax.random.split(key, 3)
        prior = model.predict(params.rssm, belief, networks.actions(action), key_prior)
        projected = networks.embed(params, networks.inputs(observation, key_inputs))
        return model.correct(params.rssm, prior, projected, key_posterior)

    def predict(params: LatentParams, belief: Belief, action: Array, key: Array) -> tuple[Belief, Prediction]:
        belief = model.predict(params.rssm, belief, networks.actions(action), key)
        reward = networks.reward(params, belief)
        if networks.continuation is None:
            return belief, Prediction(reward, jnp.ones_like(reward))
        return belief, Prediction(reward, jax.nn.sigmoid(networks.continuation(params, belief)))

    def loss(params: LatentParams, data, key):
        return latent.loss(networks, objective, params, data, key)

    discrete = isinstance(spec.action, Discrete)
    can = Capabilities(discrete=discrete, continuous=not discrete, differentiable=True)
    return WorldModel(init, encode, observe, predict, networks.decode, loss, can)


def make_networks(
    spec: EnvSpec, config: LatentModelConfig, *, contrastive: bool = False
) -> tuple[Callable[[Array], LatentParams], Networks]:
    """The networks as functions of `LatentParams`, and key -> those.

    Args:
        spec: of the environment.
        config: sizes.
        contrastive: whether there is a network that guesses beliefs from single observations.

    Raises:
        ConfigError: see `latent_model`.
    """
    modules, shape = _modules(spec, config), (1, *spec.observation.shape)
    dtype = jnp.dtype(config.precision)
    mlp = partial(MLP, activation=activation(config.activation), dtype=dtype)
    head = mlp(config.hidden, 1)  # of reward, and of continuation
    guesser = mlp(config.hidden, config.rssm.features)
    init_encoder = lambda key: modules.encoder.init_with_output(key, jnp.zeros(shape))  # noqa: E731
    embedding = jax.eval_shape(init_encoder, jax.random.key(0))[0].shape[-1]
    model = make_rssm(config.rssm, embedding=embedding, actions=width(spec.action), dtype=dtype)

    def init(key: Array) -> LatentParams:
        keys, seen = jax.random.split(key, 4), jnp.zeros((1, config.rssm.features))
        key_end, key_guess = jax.random.fold_in(key, 4), jax.random.fold_in(key, 5)
        embedded = jnp.zeros((1, embedding))
        return LatentParams(
            init_encoder(keys[0])[1]["params"],
            model.init(keys[1]),
            modules.decoder.init(keys[2], seen)["params"],
            head.init(keys[3], seen)["params"],
            head.init(key_end, seen)["params"] if config.continuation else None,
            guesser.init(key_guess, embedded)["params"] if contrastive else None,
        )

    def continuation(params: LatentParams, belief: Belief) -> Array:
        return _call(head, params.continuation, features(belief))[..., 0]

    def guess(params: LatentParams, inputs: Array) -> Array:
        return _call(guesser, params.guess, _call(modules.encoder, params.encoder, inputs))

    networks = Networks(
        rssm=model,
        part=lambda params: params.rssm,
        inputs=modules.inputs,
        embed=lambda params, x: model.project(params.rssm, _call(modules.encoder, params.encoder, x)),
        decode=lambda params, belief: _call(modules.decoder, params.decoder, features(belief)),
        reward=lambda params, belief: _call(head, params.reward, features(belief))[..., 0],
        continuation=continuation if config.continuation else None,
        actions=partial(as_vectors, spec.action),
        error=modules.error,
        guess=guess if contrastive else None,
    )
    return init, networks


def width(space: Space) -> int:
    """Numbers of an action as a vector."""
    return space.size if isinstance(space, Discrete) else space.shape[-1]


def as_vectors(space: Space, action: Array) -> Float[Array, "*B A"]:
    """Numbers of discrete actions as one-hot vectors, zeros for -1; vectors stay as they are."""
    if isinstance(space, Discrete) and jnp.issubdtype(action.dtype, jnp.integer):
        return jax.nn.one_hot(action, space.size)
    return action


def _modules(spec: EnvSpec, config: LatentModelConfig) -> Modules:
    shape, dtype = spec.observation.shape, jnp.dtype(config.precision)
    mlp = partial(MLP, activation=activation(config.activation), dtype=dtype)
    numbers = lambda observations, key: observations.astype(jnp.float32)  # noqa: E731
    if len(shape) == 1:
        encoder, decoder = mlp(config.hidden[:-1], config.hidden[-1]), mlp(config.hidden, shape[0])
        return Modules(encoder, decoder, numbers)
    if spec.observation.dtype == jnp.bool_:
        decoder = PlaneDecoder(shape, config.hidden, activation(config.activation), dtype)
        return Modules(PlaneEncoder(config.depth), decoder, numbers, _cross_entropy)
    check_size(shape)
    encoder = Encoder(config.depth, config.backend, dtype)
    decoder = Decoder(shape[0], shape[2], config.depth, config.backend, dtype)
    return Modules(encoder, decoder, lambda images, key: dequantised(images, config.bits, key))


def _cross_entropy(logits: Float[Array, "T B *F"], seen: Float[Array, "T B *F"]) -> Float[Array, "T B"]:
    """The negative log-likelihood of cells that are set or not."""
    cells = optax.sigmoid_binary_cross_entropy(logits, seen)
    return jnp.sum(cells, axis=tuple(range(2, cells.ndim)))


def _call(module: nn.Module, params: PyTree, x: Array) -> Array:
    return module.apply({"params": params}, x)  # pyright: ignore[reportReturnType]
