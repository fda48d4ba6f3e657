"""What GP-MPC and PILCO share: Gaussian process dynamics that are fitted once a trial to all transitions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from imaginax.acting.exploration import act_randomly
from imaginax.envs.limits import Limit, outside
from imaginax.models.gp import exact as gp
from imaginax.models.gp import sparse as gp_sparse
from imaginax.models.gp.config import GPFitConfig
from imaginax.models.gp.fit import fit_hyperparameters, fit_sparse
from imaginax.models.gp.gaussian_dynamics import GaussianTask, inputs
from imaginax.numerics.sequential_vmap import sequential_vmap
from imaginax.types import ConfigError, Environment, Metrics, Stage, TimeStep, Transition

Config = TypeVar("Config")


class GPLearner(NamedTuple):
    """Hyperparameters, and the posterior of all data of finished trials."""

    hyperparameters: gp.Hyperparameters
    posterior: gp.Posterior


def first_learner(task: GaussianTask, capacity: int, inducing: int = 0) -> GPLearner:
    """Before any data; the posterior is the prior.

    Args:
        task: the environment's.
        capacity: transitions that there can be.
        inducing: inputs that stand for more data than that (FITC); 0 for an exact process.
    """
    zeros = jnp.zeros(())  # of the precision that is set
    hyperparameters = gp.initial(("se",), task.states, task.features, zeros.dtype)
    rows = min(inducing, capacity) or capacity
    data = gp.Data(jnp.zeros((rows, task.features)), jnp.zeros((rows, task.states)), jnp.int32(0))
    prior = gp.posterior(hyperparameters, data)
    return GPLearner(hyperparameters, _without_targets(prior) if rows < capacity else prior)


def transitions(
    task: GaussianTask, limits: Sequence[Limit], items: Transition, count: Int[Array, ""]
) -> gp.Data:
    """Features and changes of the state of the transitions that were made before a limit was broken."""
    real = (jnp.arange(len(items.reward)) < count) & ~outside(limits, items.observation)
    order = jnp.argsort(~real, stable=True)
    chosen = jax.tree.map(lambda x: x[order], items)
    features = inputs(task, chosen.observation, chosen.action)
    return gp.Data(features, chosen.next_observation - chosen.observation, jnp.sum(real).astype(jnp.int32))


def fit(
    config: GPFitConfig, learner: GPLearner, data: gp.Data, key: Array, inducing: int = 0
) -> tuple[GPLearner, Metrics]:
    """Hyperparameters that are likely given the data, and the posterior with them.

    With inducing inputs the hyperparameters are an exact process's, as PILCO's are. As long as they are no
    fewer than the data the posterior is exact too. Transitions with a number that is not finite are left out.
    """
    rows, data = data.count, gp.clean(data)
    found = fit_hyperparameters(learner.hyperparameters, data, config, key)
    if 0 < inducing < len(data.inputs):
        summarise = sequential_vmap(partial(_posterior_of_few, config, inducing))
        posterior = summarise(found.hyperparameters, data, jax.random.fold_in(key, 0))
    else:
        posterior = gp.posterior(found.hyperparameters, data)
    posterior = posterior._replace(left_out=jnp.asarray(rows - data.count, jnp.int32))
    metrics = {
        "objective": jnp.sum(found.objective),
        "points": jnp.asarray(data.count, posterior.beta.dtype),
        "left_out": posterior.left_out.astype(posterior.beta.dtype),
        "noise": jnp.sqrt(jnp.mean(posterior.noise)),
        "jitter": jnp.max(posterior.jitter),
        "failed": jnp.sum(posterior.failed).astype(posterior.beta.dtype),
    }
    return GPLearner(found.hyperparameters, posterior), metrics


def _posterior_of_few(
    config: GPFitConfig, inducing: int, hyperparameters: gp.Hyperparameters, data: gp.Data, key: Array
) -> gp.Posterior:
    """Of at most `inducing` rows: the data themselves, or inputs that FITC's likelihood chooses."""

    def exact() -> gp.Posterior:
        few = gp.Data(data.inputs[:inducing], data.targets[:inducing], jnp.minimum(data.count, inducing))
        return _without_targets(gp.posterior(hyperparameters, few))

    def sparse() -> gp.Posterior:
        chosen = gp_sparse.choose(data, inducing, key)
        found = fit_sparse(hyperparameters, chosen, data, config, key, inputs_only=True)
        return gp_sparse.posterior(hyperparameters, found.inducing, data)

    return jax.lax.cond(data.count <= inducing, exact, sparse)


def _without_targets(posterior: gp.Posterior) -> gp.Posterior:
    """As a sparse process's, which cannot be appended to."""
    return posterior._replace(targets=posterior.targets[:, :0])


def record(timestep: TimeStep, action: Array, following: TimeStep, extras: PyTree) -> Transition:
    """The transition that replay keeps."""
    del extras
    return Transition(
        timestep.observation, action, following.reward, following.discount, following.final_observation
    )


def example(env: Environment) -> Transition:
    """The shapes of one transition, in float64."""
    shapes = (env.spec.observation.shape, env.spec.action.shape, (), (), env.spec.observation.shape)
    leaves: list[Any] = [jax.ShapeDtypeStruct(shape, jnp.float64) for shape in shapes]
    return Transition(*leaves)


def schedule(trials: int, chunk_steps: int, env: Environment) -> tuple[Stage, ...]:
    """One random trial, then `trials` trials that each begin with a fit.

    Raises:
        ConfigError: if a trial is no whole number of chunks.
    """
    steps = env.spec.max_steps
    chunk = chunk_steps or steps
    if steps % chunk:
        raise ConfigError(f"chunk_steps ({chunk}) must divide the steps of a trial ({steps})")

    per_trial = steps // chunk
    random = Stage("random", chunks=1, env_steps=steps, act=act_randomly(env.spec.action))
    return random, Stage("control", trials * per_trial, chunk, updates=1, update_every=per_trial)
