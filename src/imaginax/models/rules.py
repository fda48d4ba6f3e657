"""The true rules of an environment as a world model, alone or guided by a network.

Alone they are the upper bound that any learned model is compared with. Guided by a network that judges
positions they are the model in which AlphaGo Zero and AlphaZero search. The belief is the environment's
own state, so the planner must be shown it: act in `envs.wrappers.privileged(env)`, whose observation is
the state.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from imaginax.types import (
    Belief,
    Box,
    Capabilities,
    ConfigError,
    Environment,
    Evaluation,
    Metrics,
    Params,
    Prediction,
    State,
    Symmetries,
    WorldModel,
)


def rules(env: Environment) -> WorldModel:
    """A world model that steps `env` itself; it has no parameters and nothing to learn.

    Args:
        env: a single environment that does not reset itself, `privileged` or not; its state is the belief.

    Returns:
        A model whose `encode` and `observe` take states [B, ...] as observations. Its predictions carry the
        real reward and discount. With continuous actions it is differentiable as far as the environment's
        `step` is.
    """

    def predict(params: Params, belief: Belief, action: Array, key: Array) -> tuple[Belief, Prediction]:
        del params
        keys = jax.random.split(key, action.shape[0])
        belief, timestep = jax.vmap(env.step)(belief, action, keys)
        sign = -1 if env.spec.players == 2 else 1
        return belief, Prediction(timestep.reward, sign * timestep.discount)

    continuous = isinstance(env.spec.action, Box)
    can = Capabilities(discrete=not continuous, continuous=continuous, differentiable=continuous)
    return WorldModel(_init, _encode, _observe, predict, _decode, _loss, can)


def guided_rules(
    env: Environment,
    init: Callable[[Array], Params],
    apply: Callable[[Params, Array], tuple[Array, Array]],
    *,
    inputs: Callable[[State], Array] | None = None,
    random_symmetry: bool = False,
) -> WorldModel:
    """The rules of an environment with discrete actions, with values and policies of a network.

    Beliefs are states, those of a board game compact ones (`Game.compact`). An illegal action has the lowest
    finite logit after `predict`; `evaluate` leaves the network's logits as they are.

    Args:
        env: a single environment that does not reset itself; the model encodes what its `privileged` form
            shows.
        init: key -> the network's parameters.
        apply: (params, network inputs [B, ...]) -> (logits [B A], value [B] for the player to move).
        inputs: state -> network input; None for the planes of a board game.
        random_symmetry: show the network each position under a symmetry of the board, drawn at random, and
            map its answer back (Silver et al. 2017, Methods, "Expand and evaluate").

    Raises:
        ConfigError: if `env` is not a board game, and needs to be one for lack of `inputs` or for symmetries.
    """
    game = env.game
    if game is None and (inputs is None or random_symmetry):
        raise ConfigError(f"env {env.spec.name} is not a board game")
    see = inputs or game.planes  # pyright: ignore[reportOptionalMemberAccess]
    look = _look(apply, see, game.symmetries if game and random_symmetry else None)
    compact, expand = (game.compact, game.expand) if game else (_same, _same)

    def encode(params: Params, observation: PyTree, key: Array) -> Belief:
        del params, key
        return jax.vmap(compact)(observation)

    def observe(params: Params, belief: Belief, action: Array, observation: PyTree, key: Array) -> Belief:
        del belief, action
        return encode(params, observation, key)

    def evaluate(params: Params, belief: Belief, key: Array) -> Evaluation:
        return look(params, jax.vmap(expand)(belief), key)

    def predict(params: Params, belief: Belief, action: Array, key: Array) -> tuple[Belief, Prediction]:
        key_step, key_look = jax.random.split(key)
        keys = jax.random.split(key_step, action.shape[0])
        with jax.named_scope("rules"):
            states, timestep = jax.vmap(env.step)(jax.vmap(expand)(belief), action, keys)
        value, policy = look(params, states, key_look)
        if timestep.legal is not None:
            policy = jnp.where(timestep.legal, policy, jnp.finfo(policy.dtype).min)
        sign = -1 if env.spec.players == 2 else 1
        prediction = Prediction(timestep.reward, sign * timestep.discount, value, policy)
        return jax.vmap(compact)(states), prediction

    can = Capabilities(discrete=True, value=True, policy=True)
    return WorldModel(init, encode, observe, predict, _decode, _loss, can, evaluate)


def _look(
    apply: Callable[[Params, Array], tuple[Array, Array]],
    inputs: Callable[[State], Array],
    symmetries: Symmetries | None,
) -> Callable[[Params, State, Array], Evaluation]:
    """(params, states [B], key) -> the network's value and logits, under random symmetries if given."""
    apply = jax.named_scope("network")(apply)

    def look(params: Params, states: State, key: Array) -> Evaluation:
        seen = jax.named_scope("rules")(jax.vmap(inputs))(states)
        if symmetries is None:
            logits, value = apply(params, seen)
            return Evaluation(value, logits)
        maps = jax.random.randint(key, seen.shape[:1], 0, symmetries.actions.shape[0])
        logits, value = apply(params, jax.vmap(symmetries.planes)(seen, maps))
        return Evaluation(value, jnp.take_along_axis(logits, symmetries.actions[maps], axis=1))

    return look


def _same(state: State) -> State:
    return state


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


def _loss(params: Params, data: PyTree, key: Array) -> tuple[Array, Metrics, None]:
    del params, data, key
    return jnp.zeros(()), {}, None
