"""How a policy and value network learns from self-play: its optimiser and one update from replay."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import optax
from jaxtyping import Array, PyTree

from imaginax.data.replay import Ring
from imaginax.data.self_play import PolicyValueBatch, packing_of, sample
from imaginax.learning.config import OptimiserConfig
from imaginax.learning.learner import Learner, gradient_step
from imaginax.models.rules import guided_rules
from imaginax.networks.action_planes import action_planes
from imaginax.networks.config import NetworkConfig
from imaginax.networks.residual import Network, make_network
from imaginax.objectives.policy_value import policy_value_loss, squared_norm
from imaginax.types import ConfigError, Discrete, Environment, Game, Metrics, WorldModel


def make_optimiser(config: OptimiserConfig) -> optax.GradientTransformation:
    """The configured optimiser of a network's variables; the penalty on weights is part of the loss.

    Its state covers the weights alone: batch statistics have no gradient.
    """
    parts = [optax.constant_schedule(rate) for rate in config.rates]
    rate = optax.join_schedules(parts, list(config.boundaries))
    weights = optax.adam(rate) if config.kind == "adam" else optax.sgd(rate, momentum=config.momentum or None)
    return optax.masked(weights, {"params": True, "batch_stats": False})


def network_in_rules(
    env: Environment, config: NetworkConfig, *, random_symmetry: bool = False
) -> tuple[Network, WorldModel]:
    """A network for a board game, and the game's rules guided by it (`models.rules.guided_rules`).

    Args:
        env: one `privileged` game.
        config: settings of the network.
        random_symmetry: show it each position under a random symmetry.

    Raises:
        ConfigError: if `env` is no board game, or the network does not fit it.
    """
    if env.game is None or not isinstance(env.spec.action, Discrete):
        raise ConfigError(f"env must be a board game, got {env.spec.name}")
    layout = action_planes(env.spec.name) if config.policy == "conv" else None
    network = make_network(config, env.spec.observation.shape, env.spec.action.size, layout)
    return network, guided_rules(env, network.init, network.apply, random_symmetry=random_symmetry)


def make_update(
    network: Network, config: OptimiserConfig, game: Game | None = None
) -> Callable[[Learner, PolicyValueBatch, Array], tuple[Learner, Metrics]]:
    """One step down the gradient of the loss on a batch.

    Args:
        network: network that learns.
        config: how it learns.
        game: a game, to each row of whose batches one of its symmetries is applied, drawn at random
            (AlphaGo Zero); None leaves them as they are (AlphaZero).

    Returns:
        (learner, batch, key) -> (learner, metrics); the learner's params are the network's variables.
    """
    optimiser = make_optimiser(config)

    @jax.named_scope("network")
    def loss(variables: PyTree, batch: PolicyValueBatch) -> tuple[Array, Metrics, PyTree]:
        logits, value, statistics = network.train(variables, batch.observation)
        error, metrics = policy_value_loss(
            logits,
            value,
            actions=batch.actions,
            shares=batch.shares,
            target=batch.value,
            policy_weight=batch.valid,
            value_weight=batch.has_value,
            scale=config.value_weight,
        )
        penalty = config.weight_decay * squared_norm(variables["params"])
        return error + penalty, metrics | {"loss": error + penalty, "penalty": penalty}, statistics

    def update(learner: Learner, batch: PolicyValueBatch, key: Array) -> tuple[Learner, Metrics]:
        if game is not None:
            batch = random_symmetry(game, batch, key)
        learner, metrics, statistics = gradient_step(loss, optimiser, learner, batch)
        return learner._replace(params=learner.params | {"batch_stats": statistics}), metrics

    return update


def make_step(
    env: Environment,
    update: Callable[[Learner, PolicyValueBatch, Array], tuple[Learner, Metrics]],
    *,
    num_envs: int,
    batch_size: int,
    window_games: int,
    search_value: float = 0.0,
) -> Callable[[Learner, Ring, Array], tuple[Learner, Metrics]]:
    """An update from a batch that is drawn from replay.

    Args:
        env: the game.
        update: one gradient step, from `make_update`.
        num_envs: parallel games.
        batch_size: positions of an update, a multiple of `num_envs`.
        window_games: newest games, of all environments, from which positions are drawn.
        search_value: weight of what the search expected in the target, see `data.self_play.sample`.

    Returns:
        (learner, what replay holds, key) -> (learner, metrics).
    """
    draw = partial(
        sample,
        unpack=packing_of(env).unpack,
        each=batch_size // num_envs,
        longest=env.spec.max_steps,
        window=-(-window_games // num_envs),
        search_value=search_value,
    )

    def step(learner: Learner, steps: Ring, key: Array) -> tuple[Learner, Metrics]:
        key_batch, key_update = jax.random.split(key)
        with jax.named_scope("sample"):
            batch = draw(steps, key=key_batch)
        return update(learner, batch, key_update)

    return step


def random_symmetry(game: Game, batch: PolicyValueBatch, key: Array) -> PolicyValueBatch:
    """Applies a symmetry of the board to every row, drawn uniformly."""
    maps = jax.random.randint(key, batch.value.shape, 0, game.symmetries.actions.shape[0])
    planes = jax.vmap(game.symmetries.planes)(batch.observation, maps)
    return batch._replace(observation=planes, actions=game.symmetries.actions[maps[:, None], batch.actions])
