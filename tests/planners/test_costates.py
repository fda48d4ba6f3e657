"""Pontryagin's gradient equals reverse-mode differentiation of the whole roll-out."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.planners.costates import differentiate


def stage(state, inputs):
    """A damped pendulum of two numbers with a cost that also depends on what is given for each step."""
    control, weight = inputs
    angle, speed = state["angle"], state["speed"]
    speed = 0.9 * speed + 0.1 * jnp.sin(angle) + 0.2 * control[0]
    following = {"angle": angle + 0.1 * speed, "speed": speed}
    return following, weight * (1 - jnp.cos(following["angle"])) + 0.01 * control[0] ** 2 * angle**2


START = {"angle": 1.0, "speed": -0.5}


def roll_out(start, controls, weights):
    total, state = 0.0, start
    for control, weight in zip(controls, weights, strict=True):
        state, cost = stage(state, (control, weight))
        total += cost
    return total


def test_gradient_and_first_costate():
    draw = np.random.default_rng(0)
    with jax.enable_x64(True):
        controls, weights = jnp.array(draw.normal(size=(12, 1))), jnp.array(draw.uniform(1, 2, 12))
        start = jax.tree.map(jnp.float64, START)
        found = jax.jit(differentiate, static_argnums=0)(stage, start, controls, weights)
        value, slopes = jax.value_and_grad(roll_out, argnums=(0, 1))(start, controls, weights)
        found, slopes = jax.tree.map(np.asarray, (found, slopes))
    np.testing.assert_allclose(found.cost, value, rtol=1e-12)
    np.testing.assert_allclose(found.gradient, slopes[1], rtol=1e-10, atol=1e-14)
    for name in START:
        np.testing.assert_allclose(found.costates[name][0], slopes[0][name], rtol=1e-10)


def test_the_states_are_those_of_the_roll_out():
    controls, weights = jnp.ones((3, 1)), jnp.ones(3)
    found = differentiate(stage, jax.tree.map(jnp.float32, START), controls, weights)
    state = START
    for t in range(3):
        state, _ = stage(state, (controls[t], 1.0))
        np.testing.assert_allclose(found.states["angle"][t], state["angle"], rtol=1e-5)
