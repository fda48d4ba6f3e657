"""What learned dynamics are asked to predict: the change of the observation, and perhaps reward and end.

An environment may publish its reward and its end as functions of observations. What it does not publish has
to be learned, as mbrl-lib does with its learned rewards (Pineda et al. 2021, arXiv:2104.10159).
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.models.config import EndSource, RewardSource
from imaginax.types import ConfigError, Environment, Features, Transition


class Outcomes(NamedTuple):
    """Where predictions of reward and end come from.

    Attributes:
        reward: whether the reward is learned; otherwise it is the environment's function.
        end: whether the end is learned.
        terminated: whether it is the environment's function; if neither, episodes never end.
    """

    reward: bool
    end: bool
    terminated: bool

    @property
    def ends(self) -> bool:
        """Whether an imagined episode can end."""
        return self.end or self.terminated


def outcomes(env: Environment, reward: RewardSource, end: EndSource = "auto") -> Outcomes:
    """What a model of `env` learns besides observations.

    By default the reward is learned where none is published. So is the end then, unless it is published: an
    environment that publishes a reward but no end is taken to have none.

    Raises:
        ConfigError: where something is to be used that the environment does not publish.
    """
    for field, source, function in (("reward", reward, env.reward), ("end", end, env.terminated)):
        if source == "published" and function is None:
            raise ConfigError(
                f"model.{field} published: env {env.spec.name} publishes no {field} on observations;"
                " choose learned"
            )
    learn_reward = reward == "learned" or env.reward is None
    if end == "auto":
        end = "published" if env.terminated is not None else "learned" if learn_reward else "never"
    return Outcomes(learn_reward, end == "learned", end == "published")


def features_of(env: Environment) -> Features:
    """The environment's own features; without any, observations as they are and their differences."""
    return env.features or Features(
        lambda o: o, lambda o, following: following - o, lambda o, target: o + target
    )


def input_size(env: Environment) -> int:
    """F: the number of features of an observation and its action."""
    observation = jnp.zeros(env.spec.observation.shape)
    return features_of(env).inputs(observation).shape[-1] + env.spec.action.shape[-1]


def regression_inputs(env: Environment, transitions: Transition) -> Float[Array, "R F"]:
    """The inputs of each row: features of the observation, and the action."""
    return jnp.concatenate([features_of(env).inputs(transitions.observation), transitions.action], axis=-1)


def regression_targets(env: Environment, learned: Outcomes, transitions: Transition) -> Float[Array, "R O"]:
    """The targets of each row: that of the observation; then, where learned, reward and end (0 or 1)."""
    targets = [features_of(env).target(transitions.observation, transitions.next_observation)]
    if learned.reward:
        targets.append(transitions.reward[..., None])
    if learned.end:
        targets.append((transitions.discount == 0)[..., None].astype(targets[0].dtype))
    return jnp.concatenate(targets, axis=-1)
