"""The sequence of linear-quadratic problems against a quadratic program, and on an unstable system."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import lsq_linear, minimize

from imaginax.planners import ilqr

HORIZON = 12
A, B = np.array([[1.0, 0.1], [0.3, 1.0]]), np.array([[0.0, 0.02], [0.1, 0.05]])
START = np.array([1.0, 0.5])
PENDULUM_START = np.array([0.3, 0.0])


def solve(step, cost, start, bounds, starts, *, evaluations=60):
    with jax.enable_x64(True):
        problem = ilqr.Problem(step, cost, jnp.asarray(start), bounds)
        horizon, size = starts.shape[:2], len(start)
        alone = jnp.zeros((*horizon, size)), jnp.zeros((*starts.shape, size))
        run = jax.jit(
            lambda plans: ilqr.minimise(
                problem, ilqr.Policy(plans, *alone), evaluations=evaluations, tolerance=1e-12
            )
        )
        return jax.tree.map(np.asarray, run(jnp.asarray(starts)))


def linear_step(state, control, feedback):
    return jnp.asarray(A) @ state + jnp.asarray(B) @ control


def quadratic_cost(state, control, following, extra):
    return jnp.sum(following**2) + 0.01 * jnp.sum(control**2)


def least_squares():
    """The same problem as |M u - y|^2."""
    states = [np.linalg.matrix_power(A, t + 1) @ START for t in range(HORIZON)]
    blocks = np.zeros((HORIZON, 2, HORIZON, 2))
    for t in range(HORIZON):
        for k in range(t + 1):
            blocks[t, :, k] = np.linalg.matrix_power(A, t - k) @ B
    matrix = np.concatenate([blocks.reshape(2 * HORIZON, -1), 0.1 * np.eye(2 * HORIZON)])
    return matrix, np.concatenate([-np.concatenate(states), np.zeros(2 * HORIZON)])


@pytest.mark.parametrize("bound", [100.0, 1.5])
def test_a_linear_quadratic_problem_in_a_box(bound):
    """Against scipy's bounded least squares; with the smaller bound a third of the controls are at it."""
    found = solve(linear_step, quadratic_cost, START, (-bound, bound), np.zeros((1, HORIZON, 2)))
    best = lsq_linear(*least_squares(), bounds=(-bound, bound), tol=1e-12)
    at_bound = np.mean(np.abs(best.x) > bound - 1e-6)
    assert (at_bound > 0.2) == (bound == 1.5)
    np.testing.assert_allclose(found.cost, 2 * best.cost, rtol=1e-6)
    np.testing.assert_allclose(found.plan.reshape(-1), best.x, atol=2e-3 * bound)


def pendulum_step(state, control, feedback):
    """Unstable: an error grows by a factor of 150 over the horizon of 25 steps."""
    angle, speed = state
    speed = speed + 0.2 * jnp.sin(angle) + 0.1 * control[0]
    return jnp.array([angle + 0.2 * speed, speed])


def pendulum_cost(state, control, following, extra):
    return 1 - jnp.exp(-(following[0] ** 2) / 0.1) + 1e-3 * control[0] ** 2


def pendulum_total(plan):
    """Of a plan [V] from PENDULUM_START."""

    def advance(state, control):
        following = pendulum_step(state, control, None)
        return following, pendulum_cost(state, control, following, None)

    return jnp.sum(jax.lax.scan(advance, jnp.asarray(PENDULUM_START), plan.reshape(-1, 1))[1])


def test_an_unstable_system_is_held_over_a_long_horizon():
    """The cost saturates; scipy's L-BFGS-B from the same start finds nothing better."""
    horizon, bound = 25, 3.0
    found = solve(pendulum_step, pendulum_cost, PENDULUM_START, (-bound, bound), np.zeros((1, horizon, 1)))
    with jax.enable_x64(True):
        both = jax.jit(jax.value_and_grad(pendulum_total))
        value = float(both(jnp.asarray(found.plan).reshape(-1))[0])
        other = minimize(
            lambda x: tuple(np.asarray(part, float) for part in both(jnp.asarray(x))),
            np.zeros(horizon),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-bound, bound)] * horizon,
        )
    np.testing.assert_allclose(found.cost, value, rtol=1e-10)
    assert found.cost <= other.fun + 1e-6
    assert np.all(np.abs(found.states[-10:, 0]) < 0.05)
    assert found.evaluations < 60


def test_the_best_start_is_gone_on_from():
    starts = np.stack([np.zeros((HORIZON, 2)), np.full((HORIZON, 2), -0.5), np.full((HORIZON, 2), 3.0)])
    costs = [
        float(solve(linear_step, quadratic_cost, START, (-5.0, 5.0), starts[i : i + 1], evaluations=1).cost)
        for i in range(3)
    ]
    found = solve(linear_step, quadratic_cost, START, (-5.0, 5.0), starts, evaluations=3)
    np.testing.assert_allclose(found.cost, min(costs), rtol=1e-12)
    np.testing.assert_array_equal(found.plan, starts[np.argmin(costs)])
