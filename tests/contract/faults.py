"""The toy system and what could be wrong with it: each variant breaks one promise."""

from __future__ import annotations

import dataclasses
import itertools
import os

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from imaginax.registry import SystemEntry
from imaginax.types import System
from tests.runtime import toy_system

ROWS = 8


def entries() -> dict[str, SystemEntry]:
    """Every variant by its name; `toy` and `toy_split` keep all promises."""
    makers = {
        "toy": toy_system.make,
        "toy_split": lambda config: _split(config, averaged=False),
        "toy_averaged": lambda config: _split(config, averaged=True),
        "toy_counter": _counter,
        "toy_process": _process,
        "toy_leaky": _leaky,
        "toy_deaf": _deaf,
        "toy_weak": _weak,
    }
    return {name: _entry(name, make) for name, make in makers.items()}


def _entry(name: str, make) -> SystemEntry:
    return toy_system.ENTRY._replace(
        name=name, make=lambda config: dataclasses.replace(make(config), name=name)
    )


def _changed(config, change) -> System:
    """The toy with `change(learner, metrics)` after each update."""
    system = toy_system.make(config)
    return dataclasses.replace(system, learn=lambda *given: change(*system.learn(*given)))


def _counter(config) -> System:
    """A count of updates that lives in the process and not in the state: it is not saved."""
    count = itertools.count()

    def noisy(learner, metrics):
        shape = jax.ShapeDtypeStruct((), jnp.float32)
        number = jax.pure_callback(
            lambda w: jnp.float32(next(count)), shape, learner.w, vmap_method="sequential"
        )
        return learner._replace(w=learner.w + 1e-3 * number), metrics

    return _changed(config, noisy)


def _process(config) -> System:
    """A key that is not the seed's: each process has another."""
    shift = 1e-3 * jax.random.normal(jax.random.key(os.getpid()))
    return _changed(config, lambda learner, metrics: (learner._replace(w=learner.w + shift), metrics))


def _leaky(config) -> System:
    """A call of the host that somebody forgot."""

    def told(learner, metrics):
        jax.debug.callback(lambda w: None, learner.w)
        return learner, metrics

    return _changed(config, told)


def _deaf(config) -> System:
    """Updates that change nothing."""
    return _changed(config, lambda learner, metrics: (learner._replace(w=0.0 * learner.w), metrics))


def _weak(config) -> System:
    """A first state with a weak type, which the second call of a program does not see again."""
    system = toy_system.make(config)

    def init(key):
        state = system.init(key)
        return state._replace(replay=(jnp.asarray(0.0), state.replay[1]))

    return dataclasses.replace(system, init=init)


def _split(config, *, averaged: bool) -> System:
    """The toy with a gradient over rows that shard_map spreads over the devices.

    Averaging the gradient under shard_map's default check multiplies it by the number of devices: that of a
    replicated weight is summed already. The averaged LOSS has to be differentiated.
    """
    system = toy_system.make(config)

    def learn(learner, memory, key):
        total, count = memory
        rows = total / jnp.maximum(count, 1) * (1 + jnp.arange(ROWS) / ROWS)
        gradient = _gradient(averaged)(learner.w, rows)
        w = learner.w - config.fit.rate * gradient
        return learner._replace(w=w), {"loss": _loss(w, rows)}

    return dataclasses.replace(system, learn=learn)


def _loss(w, rows):
    return jnp.mean(((w - 3.0) * rows) ** 2) / 2


def _gradient(averaged: bool):
    if jax.sharding.get_abstract_mesh().empty:
        return jax.grad(_loss)

    def wrong(w, rows):
        return jax.lax.pmean(jax.grad(_loss)(w, rows), "data")

    def right(w, rows):
        return jax.grad(lambda w: jax.lax.pmean(_loss(w, rows), "data"))(w)

    whole, split = PartitionSpec(), PartitionSpec("data")
    return jax.shard_map(wrong if averaged else right, in_specs=(whole, split), out_specs=whole)
