"""The network of AlphaGo Zero and AlphaZero as a learner: its parameters, their optimiser and one update."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

from imaginax.data.replay import Ring
from imaginax.data.self_play import Batch, sample
from imaginax.learning.config import OptimiserConfig
from imaginax.models.rules import guided_rules
from imaginax.networks.action_planes import action_planes
from imaginax.networks.config import NetworkConfig
from imaginax.networks.residual import Network, make_network
from imaginax.objectives.policy_value import policy_value_loss, squared_norm
from imaginax.types import ConfigError, Discrete, Environment, Game, Metrics, WorldModel


class Learner(NamedTuple):
    """What learning carries.

    Attributes:
        variables: of the network: parameters and the statistics of batch normalisation.
        optimiser: its state.
        updates: made so far.
    """

    variables: PyTree
    optimiser: PyTree
    updates: Int[Array, ""]


def optimiser(config: OptimiserConfig) -> optax.GradientTransformation:
    """The optimiser of a configuration; the penalty on weights is part of the loss."""
    parts = [optax.constant_schedule(rate) for rate in config.rates]
    rate = optax.join_schedules(parts, list(config.boundaries))
    if config.kind == "adam":
        return optax.adam(rate)
    return optax.sgd(rate, momentum=config.momentum or None)


def init_learner(network: Network, config: OptimiserConfig, key: Array) -> Learner:
    """A learner that has learned nothing."""
    variables = network.init(key)
    return Learner(variables, optimiser(config).init(variables["params"]), jnp.zeros((), jnp.int32))


def network_in_rules(
    env: Environment, config: NetworkConfig, *, turn: bool = False
) -> tuple[Network, WorldModel]:
    """A network for a board game, and the game's rules guided by it (`models.rules.guided_rules`).

    Args:
        env: the `privileged` game.
        config: of the network.
        turn: show it each position under a random symmetry.

    Raises:
        ConfigError: if `env` is no board game, or the network does not fit it.
    """
    if env.game is None or not isinstance(env.spec.action, Discrete):
        raise ConfigError(f"env must be a board game, got {env.spec.name}")
    layout = action_planes(env.spec.name) if config.policy == "conv" else None
    network = make_network(config, env.spec.observation.shape, env.spec.action.size, layout)
    return network, guided_rules(env, network.init, network.apply, turn=turn)


def make_update(
    network: Network, config: OptimiserConfig, game: Game | None = None
) -> Callable[[Learner, Batch, Array], tuple[Learner, Metrics]]:
    """One step down the gradient of the loss on a batch.

    Args:
        network: what learns.
        config: how.
        game: a game, each row of whose batches is turned by one of its symmetries, drawn at random
            (AlphaGo Zero); None leaves them as they are (AlphaZero).

    Returns:
        (learner, batch, key) -> (learner, metrics).
    """
    transform = optimiser(config)

    @jax.named_scope("network")
    def loss(params: PyTree, statistics: PyTree, batch: Batch) -> tuple[Array, Any]:
        variables = {"params": params, "batch_stats": statistics}
        logits, value, statistics = network.train(variables, batch.planes)
        error, metrics = policy_value_loss(logits, value, batch, value_weight=config.value_weight)
        penalty = config.weight_decay * squared_norm(params)
        return error + penalty, (statistics, metrics | {"loss": error + penalty, "penalty": penalty})

    def update(learner: Learner, batch: Batch, key: Array) -> tuple[Learner, Metrics]:
        if game is not None:
            batch = turned(game, batch, key)
        params, statistics = learner.variables["params"], learner.variables["batch_stats"]
        gradient, (statistics, metrics) = jax.grad(loss, has_aux=True)(params, statistics, batch)
        with jax.named_scope("optimiser"):
            change, state = transform.update(gradient, learner.optimiser, params)
            params = optax.apply_updates(params, change)
        variables = {"params": params, "batch_stats": statistics}
        return Learner(variables, state, learner.updates + 1), metrics

    return update


def make_step(
    env: Environment,
    update: Callable[[Learner, Batch, Array], tuple[Learner, Metrics]],
    *,
    places: int,
    batch_size: int,
    window_games: int,
    search_value: float = 0.0,
) -> Callable[[Learner, Ring, Array], tuple[Learner, Metrics]]:
    """An update from a batch that is drawn from replay.

    Args:
        env: the game.
        update: from `make_update`.
        places: games that go on side by side.
        batch_size: a multiple of it.
        window_games: the newest games of all places, from which plies are drawn.
        search_value: see `data.self_play.sample`.

    Returns:
        (learner, what replay holds, key) -> (learner, metrics).
    """
    assert env.game is not None, "only board games have plies"
    draw = partial(
        sample,
        game=env.game,
        each=batch_size // places,
        longest=env.spec.max_steps,
        window=-(-window_games // places),
        search_value=search_value,
    )

    def step(learner: Learner, plies: Ring, key: Array) -> tuple[Learner, Metrics]:
        key_batch, key_update = jax.random.split(key)
        with jax.named_scope("sample"):
            batch = draw(plies, key=key_batch)
        return update(learner, batch, key_update)

    return step


def turned(game: Game, batch: Batch, key: Array) -> Batch:
    """Every row mapped by a symmetry of the board, drawn uniformly."""
    maps = jax.random.randint(key, batch.outcome.shape, 0, game.symmetries.actions.shape[0])
    planes = jax.vmap(game.symmetries.planes)(batch.planes, maps)
    return batch._replace(planes=planes, actions=game.symmetries.actions[maps[:, None], batch.actions])
