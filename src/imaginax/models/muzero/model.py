"""MuZero's model of an environment as a world model: what a search plans in, and what learning improves."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from imaginax.models.muzero.actions import make_encoding
from imaginax.models.muzero.config import MuZeroModelConfig
from imaginax.models.muzero.networks import MuZeroNetwork
from imaginax.models.muzero.objective import Networks, Weights, muzero_loss
from imaginax.models.muzero.scalars import make_scalar
from imaginax.networks.action_planes import action_planes
from imaginax.networks.residual import fresh_variables
from imaginax.types import (
    Belief,
    Capabilities,
    ConfigError,
    Discrete,
    Environment,
    Evaluation,
    Params,
    Prediction,
    WorldModel,
)


def make_networks(env: Environment, config: MuZeroModelConfig) -> Networks:
    """The networks for an environment with discrete actions.

    Args:
        env: one environment, a board game in its `privileged` form.
        config: sizes.

    Raises:
        ConfigError: for continuous actions, observations of another kind than vectors and planes, or settings
            that do not fit the environment.
    """
    shape, actions = _checked(env, config)
    planes = len(shape) == 3 and not config.dense
    board = shape if planes else ()
    encoding = make_encoding(env.spec.name, board, actions, players=env.spec.players)
    scalar = make_scalar(config)
    network: Any = MuZeroNetwork(config, planes, actions, scalar.outputs)
    places = action_planes(env.spec.name) if config.policy == "conv" else None

    def init(key: Array) -> Params:
        seen = jnp.zeros((1, *shape), env.spec.observation.dtype)
        hidden = jax.eval_shape(lambda: network.init_with_output(key, seen, method="represent"))[0]
        moved = jnp.zeros((1, *hidden.shape[1:-1], encoding.width))
        return fresh_variables(jax.eval_shape(partial(network.init), key, seen, moved), key)["params"]

    def call(params: Params, method: str, *inputs: Array) -> Any:
        return network.apply({"params": params}, *inputs, method=method)

    def predict(params: Params, state: Belief) -> tuple[Array, Array]:
        logits, value = call(params, "predict", state)
        return logits if places is None else logits[:, places], value

    return Networks(
        init=init,
        represent=lambda params, inputs: call(params, "represent", inputs),
        advance=lambda params, state, action: call(params, "advance", state, encoding.encode(action)),
        predict=predict,
        scalar=scalar,
    )


def muzero_model(env: Environment, networks: Networks, weights: Weights | None = None) -> WorldModel:
    """The world model, whose beliefs are hidden states; `loss` takes an `Unroll`, see `objective`.

    It encodes what `env` shows, of a board game the state (`envs.wrappers.privileged`), of which it sees the
    planes. It knows neither which actions are legal nor where an episode ends: discounts are 1, or -1 between
    two players, and past the end values and rewards are trained to be 0.
    """
    sign = -1.0 if env.spec.players == 2 else 1.0
    game = env.game

    def encode(params: Params, observation: PyTree, key: Array) -> Belief:
        del key
        inputs = observation if game is None else jax.vmap(game.planes)(observation)
        return networks.represent(params, inputs)

    def observe(params: Params, belief: Belief, action: Array, observation: PyTree, key: Array) -> Belief:
        del belief, action
        return encode(params, observation, key)

    def evaluate(params: Params, belief: Belief, key: Array) -> Evaluation:
        del key
        logits, value = networks.predict(params, belief)
        return Evaluation(networks.scalar.decode(value), logits)

    @jax.named_scope("network")
    def predict(
        params: Params, belief: Belief, action: Int[Array, "B"], key: Array
    ) -> tuple[Belief, Prediction]:
        belief, reward = networks.advance(params, belief, action)
        value, policy = evaluate(params, belief, key)
        reward = networks.scalar.decode(reward)
        return belief, Prediction(reward, jnp.full_like(reward, sign), value, policy)

    def loss(params: Params, data, key: Array):
        del key
        return muzero_loss(networks, weights or Weights(), params, data)

    can = Capabilities(discrete=True, value=True, policy=True)
    return WorldModel(networks.init, encode, observe, predict, _decode, loss, can, evaluate)


def _decode(params: Params, belief: Belief) -> Float[Array, ""] | None:
    del params, belief  # hidden states are not trained to hold what is seen


def _checked(env: Environment, config: MuZeroModelConfig) -> tuple[tuple[int, ...], int]:
    """Shape of observations and number of actions."""
    spec = env.spec
    shape = spec.observation.shape
    if not isinstance(spec.action, Discrete):
        raise ConfigError(f"env {spec.name} has continuous actions; muzero plans with discrete ones")
    if len(shape) not in (1, 3):
        raise ConfigError(f"env {spec.name} shows arrays of shape {shape}; muzero sees vectors and planes")
    if config.downsample and (len(shape) != 3 or min(shape[:2]) < 16 or config.dense or spec.players == 2):
        raise ConfigError(
            f"model.downsample needs frames of at least 16x16 without dense, not env {spec.name}: {shape}"
        )
    if not config.bins and spec.players != 2:
        raise ConfigError(f"model.bins=0 is for values in [-1, 1] of board games, not for env {spec.name}")
    if config.policy == "conv" and (config.dense or not _has_squares(shape, spec.action.size)):
        raise ConfigError(f"model.policy=conv does not fit env {spec.name}: use model.policy=fc")
    return shape, spec.action.size


def _has_squares(shape: tuple[int, ...], actions: int) -> bool:
    """Whether there are as many actions for each square of a board."""
    return len(shape) == 3 and actions % (shape[0] * shape[1]) == 0
