"""The projected method on problems with known solutions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.models.box_lbfgs import minimise_in_box

SCALES = np.array([1.0, 10.0, 100.0, 3.0])
CENTRE = np.array([0.5, -0.2, 2.0, -3.0])  # the last two lie outside of the box


def quadratic(x):
    return jnp.sum(SCALES * (x - CENTRE) ** 2)


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def solve(function, start, bounds, evaluations):
    with jax.enable_x64(True):
        objective = jax.value_and_grad(function)
        return minimise_in_box(
            objective, jnp.array(start)[None], bounds, evaluations=evaluations, tolerance=1e-14
        )


def test_a_separable_quadratic_ends_at_the_clipped_centre():
    found = solve(quadratic, np.zeros(4), (-1.0, 1.0), 60)
    np.testing.assert_allclose(found.point, np.clip(CENTRE, -1, 1), atol=1e-6)
    assert int(found.evaluations) < 60


def test_rosenbrock_inside_the_box():
    found = solve(rosenbrock, np.array([-1.2, 1.0, -0.5]), (-5.0, 5.0), 300)
    np.testing.assert_allclose(found.point, 1.0, atol=1e-5)


def test_rosenbrock_against_a_bound():
    """With x <= 0.5 the best is x1 = 0.5 and x2 = x1^2 (Kuhn-Tucker)."""
    found = solve(rosenbrock, np.array([-1.2, 0.4]), (-2.0, 0.5), 200)
    np.testing.assert_allclose(found.point, [0.5, 0.25], atol=1e-6)


def test_steps_to_where_there_is_no_number_are_shortened():
    def wall(x):
        return jnp.where(x[0] > 0.3, jnp.nan, (x[0] - 0.29) ** 2)

    found = solve(wall, np.array([-1.0]), (-1.0, 1.0), 100)
    np.testing.assert_allclose(found.point, 0.29, atol=1e-5)


def test_a_batch_is_its_members():
    with jax.enable_x64(True):
        starts = jnp.array([[-1.2, 1.0], [0.3, 0.9]])

        def run(start):
            objective = jax.value_and_grad(rosenbrock)
            return minimise_in_box(objective, start[None], (-2.0, 2.0), evaluations=40).point

        both, alone = np.asarray(jax.vmap(run)(starts)), run(starts[1])
    np.testing.assert_allclose(both[1], alone, rtol=1e-9)


def test_no_more_points_than_asked_for_and_never_worse_than_the_start():
    start = np.array([-1.2, 1.0])
    for evaluations in (1, 2, 5):
        found = solve(rosenbrock, start, (-2.0, 2.0), evaluations)
        assert int(found.evaluations) <= evaluations
        assert float(found.value) <= float(rosenbrock(start)) * (1 + 1e-12)


def test_goes_on_from_the_best_start():
    """Two valleys, the deeper one at 2; the other start lies in the flatter one, or is no number."""

    def valleys(point):
        value = jnp.minimum((point + 2) ** 2, (point - 2) ** 2 - 1)
        return jnp.sum(jnp.where(point < -3, jnp.nan, value))

    for first in (-2.1, -4.0):
        starts = jnp.array([[first], [1.5]])
        found = minimise_in_box(jax.value_and_grad(valleys), starts, (-5.0, 5.0), evaluations=30)
        np.testing.assert_allclose(found.point, 2.0, atol=1e-3)
