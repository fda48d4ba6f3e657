"""Learned dynamics of any kind behind one face: a world model, its learner, and what fits it to data."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from imaginax.learning import ensemble as ensembles
from imaginax.learning.config import EnsembleFitConfig
from imaginax.learning.learner import Learner
from imaginax.models.ensemble.config import EnsembleConfig
from imaginax.models.ensemble.model import ensemble
from imaginax.models.gp import dynamics as gaussian_processes
from imaginax.models.gp.config import GPConfig, GPFitConfig
from imaginax.types import Environment, Metrics, Transition, WorldModel


class Dynamics(NamedTuple):
    """A world model that is fitted to transitions.

    init: key -> learner, whose params are the world model's
    fit:  (learner, transitions [R, ...], rows in use, key) -> (learner, metrics)
    """

    model: WorldModel
    init: Callable[[Array], Learner]
    fit: Callable[[Learner, Transition, Array, Array], tuple[Learner, Metrics]]


def make_dynamics(
    env: Environment, model: EnsembleConfig | GPConfig, fit: EnsembleFitConfig | GPFitConfig
) -> Dynamics:
    """The configured dynamics of `env`.

    Raises:
        ConfigError: if the model does not fit the environment.
    """
    if isinstance(model, GPConfig):
        assert isinstance(fit, GPFitConfig)
        return _gaussian_process(env, model, fit)
    assert isinstance(fit, EnsembleFitConfig)
    world_model, (optimiser, train) = ensemble(env, model), ensembles.make_fit(env, model, fit)
    return Dynamics(world_model, lambda key: ensembles.init_learner(world_model.init(key), optimiser), train)


def _gaussian_process(env: Environment, model: GPConfig, config: GPFitConfig) -> Dynamics:
    """Gaussian processes have no optimiser between two fits; an update is a fit."""
    world_model = gaussian_processes.gp_dynamics(env, model)
    choose = gaussian_processes.make_fit(env, model, config)

    def init(key: Array) -> Learner:
        return Learner(world_model.init(key), (), jnp.zeros((), jnp.int32))

    def fit(learner: Learner, transitions: Transition, count: Array, key: Array):
        params, metrics = choose(learner.params, transitions, count, key)
        return Learner(params, (), learner.updates + 1), metrics

    return Dynamics(world_model, init, fit)
