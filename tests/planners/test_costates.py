"""Pontryagin's gradient equals reverse-mode differentiation of the whole roll-out."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.planners.costates import Linear, costates


def step(state, control):
    """A damped pendulum of two numbers."""
    angle, speed = state
    speed = 0.9 * speed + 0.1 * jnp.sin(angle) + 0.2 * control[0]
    return jnp.array([angle + 0.1 * speed, speed])


def cost(point, weight):
    """Of (state, control, next state), with what is given for each step."""
    angle, _, control, following, _ = point
    return weight * (1 - jnp.cos(following)) + 0.01 * control**2 * angle**2


def roll_out(start, controls, weights):
    total, state = 0.0, start
    for control, weight in zip(controls, weights, strict=True):
        following = step(state, control)
        total += cost(jnp.concatenate([state, control, following]), weight)
        state = following
    return total


def linearised(start, controls, weights):
    def advance(state, inputs):
        control, weight = inputs
        following = step(state, control)
        jacobian = jnp.concatenate(jax.jacobian(step, argnums=(0, 1))(state, control), axis=1)
        gradient = jax.grad(cost)(jnp.concatenate([state, control, following]), weight)
        return following, Linear(jacobian, gradient)

    return jax.lax.scan(advance, start, (controls, weights))[1]


def test_gradient_and_first_costate():
    draw = np.random.default_rng(0)
    with jax.enable_x64(True):
        controls, weights = jnp.array(draw.normal(size=(12, 1))), jnp.array(draw.uniform(1, 2, 12))
        start = jnp.array([1.0, -0.5])
        found = costates(linearised(start, controls, weights))
        slopes = jax.grad(roll_out, argnums=(0, 1))(start, controls, weights)
        found, slopes = jax.tree.map(np.asarray, (found, slopes))
    np.testing.assert_allclose(found.gradient, slopes[1], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(found.costates[0], slopes[0], rtol=1e-10)
