"""Dreamer (Hafner et al. 2020, arXiv 1912.01603): learning behaviours by latent imagination.

Algorithm 1 of the paper:

    collect S episodes with random actions
    repeat:
        for each of C updates:
            draw sequences, learn the latent model on them                   -> models.latent.objective
            imagine H steps from every inferred state, with the actor        -> models.imagination
            climb the gradient of the lambda-returns through the dynamics    -> learning.actor_critic
            regress the value on the lambda-returns                          -> learning.actor_critic
        for each step of an episode:
            update the belief by what is seen, act, add exploration noise    -> acting.filtering
"""

from __future__ import annotations

import jax
from jaxtyping import Array

from imaginax.learning.actor_critic import adam
from imaginax.learning.learner import gradient_step
from imaginax.systems.imagination import ImaginationLearner, make_parts, make_system, starts_of
from imaginax.systems.presets.dreamer import DreamerConfig
from imaginax.types import Environment, System, Trajectory


def make(config: DreamerConfig, env: Environment | None = None) -> System:
    """The system of a configuration, on `env` instead of `config.env` where one is given.

    Raises:
        ConfigError: if the environment and the settings do not fit together.
    """
    parts = make_parts(config, env)
    optimiser = adam(config.model_optimiser)

    def learn(learner: ImaginationLearner, data: Trajectory, key: Array):
        key_model, key_behaviour = jax.random.split(key)
        model, metrics, beliefs = gradient_step(parts.model.loss, optimiser, learner.model, data, key_model)
        # All three losses are of the parameters before the update, as in the released code.
        behaviour, found = parts.behaviour.update(
            learner.behaviour, learner.model.params, starts_of(beliefs, data), key_behaviour
        )
        return ImaginationLearner(model, behaviour), metrics | found

    return make_system("dreamer", config, parts, learn)
