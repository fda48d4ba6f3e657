"""L-BFGS on functions whose minimum is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.numerics.lbfgs import minimise


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def rosenbrock(point):
    x, y = point["x"], point["y"]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def test_rosenbrock_from_several_starts_at_once():
    starts = {"x": jnp.array([-1.2, 2.0, 0.0]), "y": jnp.array([1.0, -2.0, 0.0])}
    found = jax.jit(jax.vmap(lambda start: minimise(rosenbrock, start, steps=100, tolerance=1e-14)))(starts)
    np.testing.assert_allclose(found.point["x"], 1.0, atol=1e-6)
    np.testing.assert_allclose(found.point["y"], 1.0, atol=1e-6)
    assert (found.steps < 80).all()


def test_few_steps_are_few():
    start = {"x": jnp.array(-1.2), "y": jnp.array(1.0)}
    found = minimise(rosenbrock, start, steps=3, tolerance=0.0)
    assert found.steps == 3 and found.value < rosenbrock(start)
    np.testing.assert_allclose(found.value, rosenbrock(found.point))


def test_steps_back_from_where_the_objective_is_no_number():
    """x - log(x) has its minimum at 1 and is no number below 0, where the first full steps end."""
    found = jax.jit(lambda x: minimise(lambda x: jnp.sum(x - 5 * jnp.log(x)), x, steps=50, tolerance=1e-12))(
        jnp.array([60.0, 0.01])
    )
    np.testing.assert_allclose(found.point, 5.0, rtol=1e-4)


def test_a_start_that_is_no_number_is_never_the_best():
    start = jnp.array([-1.0])
    found = minimise(lambda x: jnp.sum(jnp.log(x)), start, steps=5, tolerance=0.0)
    assert found.value == jnp.inf and found.steps == 1
    np.testing.assert_array_equal(found.point, start)


def test_steps_to_where_there_is_no_number_are_shortened():
    def wall(x):
        return jnp.where(x[0] > 0.3, jnp.nan, (x[0] - 0.29) ** 2)

    found = minimise(wall, jnp.array([-1.0]), steps=100, tolerance=1e-14)
    np.testing.assert_allclose(found.point, 0.29, atol=1e-5)


def test_a_batch_is_its_members():
    starts = {"x": jnp.array([-1.2, 0.3]), "y": jnp.array([1.0, 0.9])}

    def run(start):
        return minimise(rosenbrock, start, steps=40, tolerance=1e-4).point

    both, alone = jax.vmap(run)(starts), run({"x": starts["x"][1], "y": starts["y"][1]})
    for name in starts:
        np.testing.assert_allclose(both[name][1], alone[name], rtol=1e-9)


def test_no_more_points_than_asked_for_and_never_worse_than_the_start():
    start = {"x": jnp.array(-1.2), "y": jnp.array(1.0)}
    for steps in (1, 2, 5):
        found = minimise(rosenbrock, start, steps=steps, tolerance=1e-14)
        assert found.steps <= steps
        assert found.value <= rosenbrock(start) * (1 + 1e-12)


def test_a_separable_quadratic_ends_at_its_centre():
    scales, centre = jnp.array([1.0, 10.0, 100.0, 3.0]), jnp.array([0.5, -0.2, 2.0, -3.0])
    found = minimise(lambda x: jnp.sum(scales * (x - centre) ** 2), jnp.zeros(4), steps=60, tolerance=1e-14)
    np.testing.assert_allclose(found.point, centre, atol=1e-6)
    assert found.steps < 60
