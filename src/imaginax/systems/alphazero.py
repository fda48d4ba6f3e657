"""AlphaZero (Silver et al. 2018, Science 362; preprint arXiv:1712.01815): mastering games by self-play.

    initialise the network (p, v) = f(s) at random
    repeat, always with the newest network:
        for each move of each game:
            search the rules from s, guided by f, with noise at the root     -> planners.mcts, models.rules
            draw the move in proportion to visits                            -> acting.self_play
            add s and the visits pi to the window of the last games          -> data.self_play
        for each batch of positions of games that have ended with outcome z:
            descend the gradient of (z - v)^2 - pi . log p + c |theta|^2     -> learning.policy_value

There is no gate, no resignation and no use of symmetries: compare `systems.alphago_zero`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from imaginax.arena.evaluation import make_evaluation
from imaginax.data.self_play import recorder
from imaginax.envs.wrappers import training_environment
from imaginax.learning.learner import Learner
from imaginax.systems.presets.alphazero import AlphaZeroConfig
from imaginax.systems.self_play import make_parts
from imaginax.types import Environment, Stage, System, SystemState


def make(config: AlphaZeroConfig, env: Environment | None = None) -> System:
    """The system of a configuration, on `env` instead of `config.env` where one is given.

    Raises:
        ConfigError: if the environment is not a board game, or the settings do not fit it.
    """
    parts = make_parts("alphazero", config, env, random_symmetry=False, augment=config.symmetries)
    self_play, replay = parts.self_play, parts.replay
    vector = training_environment(parts.env, config.environments)

    def init(key) -> SystemState:
        key, key_network, key_env = jax.random.split(key, 3)
        learner = parts.learner(key_network)
        state, timestep = vector.init(key_env)
        carry, zero = self_play.init(config.environments), jnp.zeros((), jnp.int32)
        return SystemState(learner, replay.init(), state, timestep, carry, key, zero)

    def params_of(learner: Learner) -> PyTree:
        return learner.params

    def learn(learner, memory, key):
        return parts.step(learner, replay.data(memory), key)

    return System(
        name="alphazero",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        params_of=params_of,
        act=self_play.act,
        learn=learn,
        record=recorder(parts.env),
        evaluate=make_evaluation(parts.env, config.evaluation, parts.player, params_of),
        schedule=(
            Stage("self-play", config.warmup, config.chunk_plies),
            Stage("learning", config.chunks, config.chunk_plies, updates=config.updates),
        ),
        player=parts.player,
    )
