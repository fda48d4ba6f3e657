"""DreamerV2 (Hafner et al. 2021, arXiv 2010.02193): mastering Atari with discrete world models.

Dreamer's algorithm (`systems.dreamer`), with these parts changed:

    latents are 32 choices of 32 classes, with straight-through gradients        -> models.latent.rssm
    the divergence moves the prior more than the posterior (KL balancing)        -> models.latent.objective
    the model learns where episodes end; discounts are predicted                 -> models.latent.model
    discrete actors learn by REINFORCE, continuous ones through the dynamics     -> learning.actor_critic
    returns are made with a critic that is renewed every 100 updates             -> learning.actor_critic
    entropy keeps the actor exploring; actions get no noise                      -> policies.actor
"""

from __future__ import annotations

import jax
from jaxtyping import Array

from imaginax.learning.actor_critic import adam
from imaginax.learning.learner import gradient_step
from imaginax.systems.imagination import ImaginationLearner, make_parts, make_system, starts_of
from imaginax.systems.presets.dreamerv2 import DreamerV2Config
from imaginax.types import Environment, System, Trajectory


def make(config: DreamerV2Config, env: Environment | None = None) -> System:
    """The system of a configuration, on `env` instead of `config.env` where one is given.

    Raises:
        ConfigError: if the environment and the settings do not fit together.
    """
    parts = make_parts(config, env)
    optimiser = adam(config.model_optimiser)

    def learn(learner: ImaginationLearner, data: Trajectory, key: Array):
        key_model, key_behaviour = jax.random.split(key)
        model, metrics, beliefs = gradient_step(parts.model.loss, optimiser, learner.model, data, key_model)
        # Imagination goes on in the model after its update, as in the released code.
        behaviour, found = parts.behaviour.update(
            learner.behaviour, model.params, starts_of(beliefs, data), key_behaviour
        )
        return ImaginationLearner(model, behaviour), metrics | found

    return make_system("dreamerv2", config, parts, learn)
