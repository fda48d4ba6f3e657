"""Gaussian beliefs carried through Gaussian process dynamics by moment matching.

The processes map (features of the state, control) to the change of the state (PILCO, section 2.1). With the
moments of the features' joint distribution and those of the change (`models.gp.moments`), the next state has

    m' = m + M,    S' = S + cov(change) + C V + (C V)'

where C is the covariance of the state with the features and V the gain. That is the exact covariance of a
distribution (the state given the features is linear, the change given the features is the process), so
that S' is symmetric and positive semi-definite.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from imaginax.models.gp.exact import Data, Hyperparameters, Posterior, log_likelihood
from imaginax.models.gp.moments import Prepared, at_point, match, prepare
from imaginax.numerics.gaussian import Gaussian, Joint, certain, trigonometric
from imaginax.numerics.saturation import clip, clipped_moments
from imaginax.types import Box, Capabilities, ConfigError, Environment, Prediction, WorldModel

Step = Callable[[Prepared, Gaussian, Array], Gaussian]


class GaussianTask(NamedTuple):
    """What planning on Gaussian beliefs needs of an environment.

    Attributes:
        angles: which numbers of an observation the processes see as sine and cosine.
        cost: (belief before, control, belief after) -> expected cost, the negative expected reward.
        space: the bounds of controls.
        features: length of the processes' inputs, controls included.
        states: length of an observation.
    """

    angles: tuple[int, ...]
    cost: Callable[[Gaussian, Array, Gaussian], Array]
    space: Box
    features: int
    states: int


def gaussian_task(env: Environment) -> GaussianTask:
    """The task of an environment.

    Raises:
        ConfigError: if its actions are discrete, or it does not say how Gaussian beliefs are rewarded.
    """
    name, space, expected = env.spec.name, env.spec.action, env.expected_reward
    if not isinstance(space, Box):
        raise ConfigError(f"env {name} has discrete actions; Gaussian processes need continuous ones")
    if expected is None or env.features is None or env.features.angles is None:
        raise ConfigError(
            f"env {name} has no moments of its reward and features, which moment matching needs"
        )
    (states,), angles = env.spec.observation.shape, env.features.angles

    def cost(before: Gaussian, control: Array, after: Gaussian) -> Array:
        return -expected(before, control, after)[0]

    return GaussianTask(angles, cost, space, states + len(angles) + space.shape[0], states)


def inputs(
    task: GaussianTask, observation: Float[Array, "*B D"], control: Float[Array, "*B A"]
) -> Float[Array, "*B F"]:
    """The processes' inputs at known states: other numbers, (sine, cosine) of each angle, controls."""
    others = [observation[..., i] for i in range(task.states) if i not in task.angles]
    pairs = [f(observation[..., i]) for i in task.angles for f in (jnp.sin, jnp.cos)]
    return jnp.concatenate([jnp.stack([*others, *pairs], axis=-1), control], axis=-1)


class Feedback(NamedTuple):
    """Controls u = mean + gain (x - E[x]) of a state x that will be known once it is there.

    Those that act are clipped to their bounds.
    """

    mean: Float[Array, "*B A"]
    gain: Float[Array, "*B A D"]


def variance_step(
    task: GaussianTask, gp: Prepared, belief: Gaussian, control: Float[Array, "A"] | Feedback
) -> Gaussian:
    """One step of the belief under a control that is known, or one with feedback of the state."""
    seen = trigonometric(belief, task.angles)
    if isinstance(control, Feedback):
        return propagate(gp, belief, with_feedback(seen, belief.covariance, control, task.space))
    return propagate(gp, belief, with_known(seen, clip(control, task.space)))


def mean_step(
    task: GaussianTask, gp: Prepared, belief: Gaussian, control: Float[Array, "A"] | Feedback
) -> Gaussian:
    """One step of a state that is held to be known: what GP-MPC calls zero variance."""
    control = control.mean if isinstance(control, Feedback) else control
    change = at_point(gp, inputs(task, belief.mean, clip(control, task.space)))
    return certain(belief.mean + change)


def propagate(gp: Prepared, belief: Gaussian, seen: Joint) -> Gaussian:
    """The next belief, given the joint distribution of the state and the processes' inputs."""
    change = match(gp, seen.mean, seen.covariance)
    across = seen.cross @ change.gain
    return Gaussian(belief.mean + change.mean, belief.covariance + change.covariance + across + across.T)


def with_known(seen: Joint, control: Float[Array, "A"]) -> Joint:
    """The joint distribution with inputs that are known appended."""
    extra = len(control)
    return Joint(
        jnp.concatenate([seen.mean, control]),
        jnp.pad(seen.covariance, ((0, extra), (0, extra))),
        jnp.pad(seen.cross, ((0, 0), (0, extra))),
    )


def with_feedback(seen: Joint, covariance: Float[Array, "D D"], control: Feedback, space: Box) -> Joint:
    """The joint distribution with controls appended that depend on the state linearly, within their bounds.

    The covariance of the clipped controls with the state is exact (`numerics.saturation`), that with the
    inputs where these are normal, as moment matching takes them to be.
    """
    across = control.gain @ seen.cross  # of the controls and the inputs, before clipping
    cross = covariance @ control.gain.T
    applied = clipped_moments(Gaussian(control.mean, control.gain @ cross), space)
    across = across * applied.slope[:, None]
    return Joint(
        jnp.concatenate([seen.mean, applied.mean]),
        jnp.block([[seen.covariance, across.T], [across, applied.covariance]]),
        jnp.concatenate([seen.cross, cross * applied.slope], axis=1),
    )


class Dynamics(NamedTuple):
    """Gaussian process dynamics as a world model's parameters."""

    posterior: Posterior
    prepared: Prepared


def dynamics(posterior: Posterior) -> Dynamics:
    """A posterior, ready for moment matching."""
    return Dynamics(posterior, prepare(posterior))


def world_model(env: Environment, fresh: Callable[[Array], Dynamics], *, certain_beliefs: bool) -> WorldModel:
    """Gaussian process dynamics that carry `Gaussian` beliefs; observations are states, seen exactly.

    `predict` takes known actions or `Feedback` and gives the expected reward, `decode` the belief itself, and
    the loss is minus the logarithm of the marginal likelihood of the data (`models.gp.exact.Data`) under the
    hyperparameters.

    Args:
        env: a single environment.
        fresh: key -> dynamics before any data.
        certain_beliefs: hold every predicted mean to be the state (zero variance).

    Raises:
        ConfigError: for an environment whose rewards and features have no known moments.
    """
    task = gaussian_task(env)
    step = partial(mean_step if certain_beliefs else variance_step, task)

    def encode(params: Dynamics, observation: Array, key: Array) -> Gaussian:
        del params, key
        return certain(observation)

    def observe(
        params: Dynamics, belief: Gaussian, action: Array, observation: Array, key: Array
    ) -> Gaussian:
        del belief, action
        return encode(params, observation, key)

    def predict(params: Dynamics, belief: Gaussian, action: Array | Feedback, key: Array):
        del key
        following = jax.vmap(partial(step, params.prepared))(belief, action)
        control = action.mean if isinstance(action, Feedback) else action
        reward = -jax.vmap(task.cost)(belief, control, following)
        return following, Prediction(reward, jnp.ones_like(reward))

    def loss(params: Dynamics, data: Data, key: Array):
        del key
        hyperparameters = Hyperparameters(params.posterior.kernel, jnp.log(params.posterior.noise))
        return -jnp.sum(log_likelihood(hyperparameters, data)), {}, None

    can = Capabilities(continuous=True, differentiable=True, gaussian_belief=True)
    return WorldModel(fresh, encode, observe, predict, lambda params, belief: belief, loss, can)


def roll_out(
    task: GaussianTask, step: Step, gp: Prepared, start: Gaussian, controls: Float[Array, "H A"]
) -> Float[Array, "H"]:
    """The expected cost of each step of a plan, its belief carried through all of it.

    Args:
        task: the environment's.
        step: `variance_step` or `mean_step` with the task filled in.
        gp: the dynamics.
        start: the belief before the first control.
        controls: the plan.
    """

    def advance(belief: Gaussian, control: Array):
        following = step(gp, belief, control)
        return following, task.cost(belief, control, following)

    return jax.lax.scan(advance, start, controls)[1]
