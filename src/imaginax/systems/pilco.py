"""PILCO: policy search on moment matching (Deisenroth & Rasmussen 2011), the baseline of GP-MPC's figures.

Algorithm 1 of the paper:

    one random trial
    for each trial:
        learn the dynamics on all data                                    -> models.gp.fit
        improve the policy on roll-outs of the belief from the start      -> policies.controllers
        execute the policy for one trial
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import ClassVar, Literal, NamedTuple

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
    published,
    record,
    schedule,
    transitions,
)
from imaginax.models.gp.exact import Data, clean, in_use
from imaginax.models.gp.fit import GPFitConfig
from imaginax.models.gp.gaussian_dynamics import GaussianTask, gaussian_task, inputs, propagate
from imaginax.models.gp.moments import Prepared, prepare
from imaginax.numerics.gaussian import Gaussian, trigonometric
from imaginax.numerics.lbfgs import minimise
from imaginax.numerics.saturation import squash
from imaginax.numerics.sequential_vmap import sequential_vmap
from imaginax.policies import controllers
from imaginax.policies.controllers import Policy
from imaginax.runtime.evaluation import run_episodes
from imaginax.systems import SystemEntry
from imaginax.types import ConfigError, Environment, System, SystemState, TimeStep

_STARTS = 1024  # of which the distribution of starts is estimated
_FIRST_SIZE = 0.1  # standard deviation of the first policy's weights or targets
_SIZE = 1.0  # and of those of random policies
MOST = 10_000  # trials; an exact process of all their data has to be kept


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """The policy and its search.

    Attributes:
        policy: `rbf` or `linear`; both are squashed into the bounds.
        centres: of an `rbf` policy.
        horizon: steps of a roll-out; 0 takes a trial's.
        starts: the policy of the last trial and random ones that reach over all that was seen. Searches begin
            at the former and at the best of the latter, and the better result is kept. Published is 1.
        steps: of L-BFGS in a search at most, each a roll-out with its gradient.
        tolerance: relative change of the cost at which a search ends.
    """

    policy: Literal["rbf", "linear"] = "rbf"
    centres: int = 10
    horizon: int = 0
    starts: int = 1
    steps: int = 75
    tolerance: float = 1e-4

    def __post_init__(self):
        if self.policy not in ("rbf", "linear"):
            raise ConfigError(f"search.policy must be rbf or linear, got {self.policy!r}")
        for name, least in (("centres", 1), ("horizon", 0), ("starts", 1), ("steps", 1)):
            if not least <= getattr(self, name) <= 100_000:
                raise ConfigError(f"search.{name} must lie in [{least}, 100000], got {getattr(self, name)}")
        if not 0.0 <= self.tolerance < 1.0:
            raise ConfigError(f"search.tolerance must lie in [0, 1), got {self.tolerance}")


@dataclasses.dataclass(frozen=True)
class PILCOConfig:
    """PILCO on one environment.

    Attributes:
        env: name of the environment (`imaginax list`).
        trials: trials after the random one.
        eval_episodes: episodes of the final evaluation.
        inducing: inputs of the processes that stand for more data than that (FITC); 0 keeps all data.
        fit: how hyperparameters are chosen.
        search: the policy and how it is improved.
    """

    lengths: ClassVar[tuple[str, ...]] = ("trials",)

    env: str = "gpmpc_cartpole"
    trials: int = 8
    eval_episodes: int = 8
    inducing: int = 0
    fit: GPFitConfig = GPFitConfig()
    search: SearchConfig = SearchConfig()

    def __post_init__(self):
        for name, least in (("trials", 1), ("eval_episodes", 1), ("inducing", 0)):
            if not least <= getattr(self, name) <= MOST:
                raise ConfigError(f"{name} must lie in [{least}, {MOST}], got {getattr(self, name)}")


class Learner(NamedTuple):
    """The dynamics and the policy."""

    dynamics: GPLearner
    policy: Policy


def make(config: PILCOConfig) -> System:
    """The system of a configuration.

    Raises:
        ConfigError: if the environment has no Gaussian moments, or settings do not fit together.
    """
    env = envs.make(config.env)
    task = gaussian_task(env)
    steps = env.spec.max_steps
    capacity = (config.trials + 1) * steps
    vector = training_environment(env, 1)
    replay = item_replay(example(env), capacity, num_envs=1)
    act = partial(_act, task)
    search = config.search

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

    @sequential_vmap
    def improve(posterior, last, drawn):
        cost = partial(long_term_cost, task, prepare(posterior), starts(env), search.horizon or steps)
        begin = jax.tree.map(lambda x: x[None], last)
        if search.starts > 1:
            best = _lowest(jax.lax.map(cost, drawn), drawn)
            begin = jax.tree.map(lambda x, y: jnp.stack([x, y]), last, best)
        descend = partial(minimise, cost, steps=search.steps, tolerance=search.tolerance)
        found = jax.lax.map(descend, begin)
        return _lowest(found.value, (found.point, found.value))

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
        return run_episodes(env, act, nothing, state.learner, key, episodes=config.eval_episodes)

    plan = schedule(config.trials, 0, env)
    return System("pilco", config, vector, replay, init, act, learn, record, evaluate, plan, float64=True)


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
    task: GaussianTask, gp: Prepared, start: Gaussian, horizon: int, policy: Policy
) -> Float[Array, ""]:
    """Sum of expected costs of a roll-out under the policy (eq. 2)."""
    prepared = controllers.prepare(policy)

    def advance(belief: Gaussian, _):
        seen = trigonometric(belief, task.angles)
        both = controllers.joint(prepared, seen, task.space)
        following = propagate(gp, belief, both)
        return following, task.cost(belief, both.mean[-task.space.shape[0] :], following)

    return jnp.sum(jax.lax.scan(advance, start, length=horizon)[1])


def _act(task: GaussianTask, learner: Learner, carry, timestep: TimeStep, key: Array):
    del key
    nothing = jnp.zeros((*timestep.observation.shape[:-1], 0), timestep.observation.dtype)
    features = inputs(task, timestep.observation, nothing)
    wanted = jax.vmap(partial(controllers.preliminary, controllers.prepare(learner.policy)))(features)
    wanted = jnp.where(jnp.isfinite(wanted), wanted, 0.0)  # an observation that is no number moves nothing
    return carry, squash(wanted, task.space), {}


# ------------------------------------------------------------------- presets

# The released scenarios (UCL-SML/pilco-matlab): 10 and 100 basis functions, 300 inducing inputs.
# Trials of 3 s, as in GP-MPC's.
CARTPOLE = PILCOConfig(inducing=300)
DOUBLE_PENDULUM = PILCOConfig(trials=12, inducing=300, search=SearchConfig(centres=100))
PAPER = {
    "gpmpc_cartpole": CARTPOLE,
    "gpmpc_double_pendulum": dataclasses.replace(DOUBLE_PENDULUM, env="gpmpc_double_pendulum"),
    "gpmpc_cartpole_wall": dataclasses.replace(CARTPOLE, env="gpmpc_cartpole_wall"),
    "gpmpc_double_pendulum_wall": dataclasses.replace(DOUBLE_PENDULUM, env="gpmpc_double_pendulum_wall"),
}

# Longer searches than the published; on the cart-pole ten to forty seconds a trial on one core.
LAPTOP = PILCOConfig(search=SearchConfig(centres=20, starts=32, steps=400, tolerance=1e-6))
LAPTOP_CENTRES = {"gpmpc_double_pendulum": 50, "gpmpc_double_pendulum_wall": 50}

# Seconds on two cores, on a task whose optimum is known: what tests/contract runs.
TINY = PILCOConfig(
    env="diagnostic_lqr",
    trials=3,
    eval_episodes=64,
    fit=GPFitConfig(steps=30),
    search=SearchConfig(policy="linear", horizon=12, steps=30),
)


def preset(name: str, env: str | None) -> PILCOConfig:
    """A named configuration for an environment, the cart-pole by default.

    Raises:
        ConfigError: for the published settings of an environment that they were not made for.
    """
    if name == "tiny":
        return dataclasses.replace(TINY, env=env or TINY.env)
    env = env or "gpmpc_cartpole"
    if name == "laptop":
        centres = LAPTOP_CENTRES.get(env, LAPTOP.search.centres)
        return dataclasses.replace(
            LAPTOP, env=env, search=dataclasses.replace(LAPTOP.search, centres=centres)
        )
    return published(PAPER, name, env)


ENTRY = SystemEntry(
    name="pilco",
    summary="policy search on exact moment matching (Deisenroth & Rasmussen 2011)",
    config=PILCOConfig,
    preset=preset,
    presets=("laptop", "gpu", "paper", "tiny"),
    environments=(*PAPER, "diagnostic_lqr"),
    make=make,
    # The optimum of the LQR task is -1.65 on average, doing nothing gets -8.4. Far starts ask for more than
    # the bound, and there the squashed policy turns back: the best one gets about -3.8.
    reaches=-4.5,
)
