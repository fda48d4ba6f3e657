"""PILCO: policy search on moment matching (Deisenroth & Rasmussen 2011), the baseline of GP-MPC's figures.

Algorithm 1 of the paper:

    one random trial
    for each trial:
        learn the dynamics on all data                                    -> models.gp.fit
        improve the policy on roll-outs of the belief from the start      -> policies.controllers
        execute the policy for one trial
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from imaginax import envs
from imaginax.data.replay import item_replay
from imaginax.envs.wrappers import training_environment
from imaginax.learning.gp_trials import (
    GPLearner,
    example,
    first_learner,
    fit,
    record,
    schedule,
    transitions,
)
from imaginax.models.gp import exact as gp
from imaginax.models.gp.exact import Data, clean, in_use
from imaginax.models.gp.gaussian_dynamics import GaussianTask, gaussian_task, inputs, propagate
from imaginax.models.gp.moments import Prepared, prepare
from imaginax.numerics.gaussian import Gaussian, trigonometric
from imaginax.numerics.lbfgs import minimise
from imaginax.numerics.saturation import squash
from imaginax.numerics.sequential_vmap import sequential_vmap
from imaginax.policies import controllers
from imaginax.policies.controllers import Policy
from imaginax.runtime.evaluation import run_episodes
from imaginax.systems.presets.pilco import PILCOConfig, PolicySearchConfig
from imaginax.types import Environment, System, SystemState, TimeStep

_STARTS = 1024  # of which the distribution of starts is estimated
_FIRST_SIZE = 0.1  # standard deviation of the first policy's weights or targets
_SIZE = 1.0  # and of those of random policies


class Learner(NamedTuple):
    """The dynamics and the policy."""

    dynamics: GPLearner
    policy: Policy


def make(config: PILCOConfig, env: Environment | None = None) -> System:
    """The system of a configuration, on `env` instead of `config.env` where one is given.

    Raises:
        ConfigError: if the environment has no Gaussian moments, or settings do not fit together.
    """
    env = envs.resolve(env, config.env)
    task = gaussian_task(env)
    capacity = (config.trials + 1) * env.spec.max_steps
    vector = training_environment(env, 1)
    replay = item_replay(example(env), capacity, num_envs=1)
    act = partial(_act, task)
    search = config.search
    improve = sequential_vmap(partial(_improve, task, env, search))

    def init(key) -> SystemState:
        key, key_env, key_policy = jax.random.split(key, 3)
        state, timestep = vector.init(key_env)
        features = trigonometric(starts(env), task.angles)
        policy = draw(Gaussian(features.mean, features.covariance), _FIRST_SIZE, key_policy)
        learner = Learner(first_learner(task, capacity, config.inducing), policy)
        zero = jnp.zeros((), jnp.int32)
        return SystemState(learner, replay.init(), state, timestep, (), key, zero)

    def draw(features: Gaussian, size: float, key) -> Policy:
        return controllers.random_policy(
            search.policy, key, features, task.space.shape[0], search.centres, size
        )

    def learn(learner, memory, key):
        key_fit, key_starts = jax.random.split(key)
        data = transitions(task, env.limits, *replay.data(memory))
        dynamics, metrics = fit(config.fit, learner.dynamics, data, key_fit, config.inducing)
        keys = jax.random.split(key_starts, search.starts - 1)
        drawn = jax.vmap(partial(draw, seen_features(task, data), _SIZE))(keys)
        policy, cost = improve(dynamics.posterior, learner.policy, drawn)
        return Learner(dynamics, policy), metrics | {"policy_cost": cost}

    def evaluate(state: SystemState, key):
        nothing = lambda batch: ()  # noqa: E731
        return run_episodes(env, act, nothing, state.learner.policy, key, episodes=config.eval_episodes)

    return System(
        name="pilco",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        params_of=lambda learner: learner.policy,
        act=act,
        learn=learn,
        record=record,
        evaluate=evaluate,
        schedule=schedule(config.trials, 0, env),
        float64=True,
    )


def _improve(
    task: GaussianTask,
    env: Environment,
    config: PolicySearchConfig,
    posterior: gp.Posterior,
    last: Policy,
    drawn: Policy,
) -> tuple[Policy, Float[Array, ""]]:
    """The best policy that searches find from the last one and from the best of those drawn, and its cost."""
    horizon = config.horizon or env.spec.max_steps
    cost = partial(long_term_cost, task, prepare(posterior), starts(env), horizon)
    begin = jax.tree.map(lambda x: x[None], last)
    if config.starts > 1:
        best = _lowest(jax.lax.map(cost, drawn), drawn)
        begin = jax.tree.map(lambda x, y: jnp.stack([x, y]), last, best)
    found = jax.lax.map(partial(minimise, cost, steps=config.steps, tolerance=config.tolerance), begin)
    return _lowest(found.value, (found.point, found.value))


def _lowest(values: Float[Array, "N"], tree: PyTree) -> PyTree:
    """The rows of the lowest value; one that is not a number counts as infinite."""
    best = jnp.argmin(jnp.nan_to_num(values, nan=jnp.inf))
    return jax.tree.map(lambda x: x[best], tree)


def starts(env: Environment) -> Gaussian:
    """The distribution of an environment's first observation, from a sample of it."""
    seen = jax.vmap(env.init)(jax.random.split(jax.random.key(0), _STARTS))[1].observation
    centred = seen - seen.mean(0)
    return Gaussian(seen.mean(0), centred.T @ centred / (_STARTS - 1))


def seen_features(task: GaussianTask, data: Data) -> Gaussian:
    """Mean and covariance of the features of all states in use."""
    data = clean(data)
    features = data.inputs[:, : -task.space.shape[0]]
    used = in_use(data)[:, None] / jnp.maximum(data.count, 1)
    mean = jnp.sum(used * features, axis=0)
    return Gaussian(mean, (used * (features - mean)).T @ (features - mean))


def long_term_cost(
    task: GaussianTask, dynamics: Prepared, start: Gaussian, horizon: int, policy: Policy
) -> Float[Array, ""]:
    """Sum of expected costs of a roll-out under the policy (eq. 2)."""
    prepared = controllers.prepare(policy)

    def advance(belief: Gaussian, _):
        seen = trigonometric(belief, task.angles)
        both = controllers.joint(prepared, seen, task.space)
        following = propagate(dynamics, belief, both)
        return following, task.cost(belief, both.mean[-task.space.shape[0] :], following)

    return jnp.sum(jax.lax.scan(advance, start, length=horizon)[1])


def _act(task: GaussianTask, policy: Policy, carry, timestep: TimeStep, key: Array):
    del key
    nothing = jnp.zeros((*timestep.observation.shape[:-1], 0), timestep.observation.dtype)
    features = inputs(task, timestep.observation, nothing)
    wanted = jax.vmap(partial(controllers.preliminary, controllers.prepare(policy)))(features)
    wanted = jnp.where(jnp.isfinite(wanted), wanted, 0.0)  # an observation that is no number moves nothing
    return carry, squash(wanted, task.space), ()
