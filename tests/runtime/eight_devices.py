"""What `test_distributed` looks at, measured in a process whose CPU is divided into eight devices.

Prints one JSON object.
"""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.numerics.sharding import shard_along
from imaginax.planners.shooting import cem
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.runtime import distributed
from imaginax.runtime.driver import CompiledDriver
from imaginax.runtime.run import lane_keys
from imaginax.types import Box, Capabilities, Prediction, SystemState, TimeStep, WorldModel
from tests.runtime import toy_system

CONFIG = ShootingConfig("cem", horizon=4, population=64, iterations=2, elites=8, epsilon=0.0)


def layouts(mesh) -> dict:
    """Partition specs of a state of one lane and of eight; of eight environments, and of one."""
    return {
        "one": _specs(1, 8, mesh),
        "eight": _specs(8, 8, mesh),
        "three": _specs(3, 8, mesh),
        "single": _specs(1, 1, mesh),
    }


def _specs(lanes: int, envs: int, mesh) -> dict:
    def leaf(*shape):
        return jax.ShapeDtypeStruct((lanes, *shape), jnp.float32)

    replay = {"items": leaf(envs, 24, 3), "priorities": leaf(32), "index": leaf(), "empty": leaf(0)}
    timestep = TimeStep(leaf(envs, 8), *[leaf(envs)] * 5, player=leaf(envs), steps=leaf(envs))
    parts = SystemState(leaf(8, 16), replay, leaf(envs), timestep, {"plan": leaf(envs, 4)}, *[leaf()] * 2)
    places = distributed.layout(parts, mesh)
    return jax.tree.map(lambda place: [str(axis) for axis in place.spec], places)._asdict()


def planning(mesh) -> dict:
    """CEM with a model of many products: on one device and on eight."""
    width = 128
    weights = jax.random.normal(jax.random.key(1), (width, width)) / width**0.5
    found = {}
    for problems in (1, 8):
        arguments = (weights, jnp.ones((problems, width)), jax.random.key(2))
        one = jax.jit(_plan).lower(*arguments).compile()
        with jax.set_mesh(mesh):
            many = jax.jit(_plan).lower(*arguments).compile()
        pairs = zip(jax.tree.leaves(one(*arguments)), jax.tree.leaves(many(*arguments)), strict=True)
        found[str(problems)] = {
            "error": max(float(jnp.abs(a - b).max()) for a, b in jax.device_get(list(pairs))),
            "share": many.cost_analysis()["flops"] / one.cost_analysis()["flops"],
        }
    return found


def _plan(weights, belief, key):
    space = Box((2,), -1.0, 1.0)
    model = WorldModel(None, None, None, _predict, None, None, Capabilities(continuous=True))  # type: ignore
    return cem.plan(model, space, CONFIG, weights, belief, cem.start(space, CONFIG, len(belief)), key)


def _predict(weights, belief, action, key):
    noise = 0.01 * jax.random.normal(key, belief.shape)
    belief = jnp.tanh(belief @ weights + action.sum(-1, keepdims=True) + noise)
    return belief, Prediction(belief.mean(-1), jnp.ones(len(belief)))


def gradients(mesh) -> dict:
    """Gradient of a mean over a batch that is spread, and the averaged gradient under shard_map."""
    x, w = jax.random.normal(jax.random.key(3), (64, 5)), jnp.arange(5.0)

    def loss(w, x):
        return jnp.mean(jnp.tanh(shard_along(x, 0, least=8) @ w))

    true = jax.grad(loss)(w, x)
    with jax.set_mesh(mesh):
        program = jax.jit(jax.grad(loss)).lower(w, x).compile()
        unspread = (
            jax.jit(jax.grad(lambda w, x: jnp.mean(shard_along(x, 0, least=9) @ w))).lower(w, x).compile()
        )
    return {
        "ratio": float(jnp.abs(program(w, x) / true).max()),
        "least": float(jnp.abs(program(w, x) / true).min()),
        "all_reduce": "all-reduce" in program.as_text(),
        "unspread": "all-reduce" in unspread.as_text(),
    }


def lanes(mesh) -> dict:
    """Eight seeds of the toy, one on each device, against eight on one device."""
    system = toy_system.make(toy_system.ToyConfig())
    keys = lane_keys({"seed": 0, "seeds": 8})[0]
    results = []
    for where in (None, mesh):
        driver = CompiledDriver(system, 8, where)
        state, _ = driver.start(keys)
        for stage in system.schedule:
            program = driver.chunk(stage, state)
            state, output = program.call(state, np.int32(0))
        results.append((distributed.fetch(state.learner.w), distributed.fetch(output.episode_return)))
        devices = len(state.learner.w.sharding.device_set)
    (w, returns), (w_mesh, returns_mesh) = results
    error = max(np.abs(w - w_mesh).max(), np.abs(returns - returns_mesh).max())
    return {
        "error": float(error),
        "devices": devices,
        "collectives": program.call.as_text().count(" all-reduce("),
    }


def refusals() -> list[str]:
    """Messages for impossible numbers of devices."""
    messages = []
    for devices in (0, 9):
        try:
            distributed.make_mesh(devices)
        except ValueError as error:
            messages.append(str(error))
    return messages


if __name__ == "__main__":
    distributed.initialise(8)
    mesh = distributed.make_mesh()
    parts = {
        "layout": layouts(mesh),
        "plan": planning(mesh),
        "gradient": gradients(mesh),
        "lanes": lanes(mesh),
    }
    print(json.dumps(parts | {"refused": refusals()}))
