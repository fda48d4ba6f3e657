"""Scaled conjugate gradients on functions whose minima are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import rosen

from imaginax.numerics.scg import minimise


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def test_a_quadratic_needs_about_as_many_steps_as_dimensions():
    """Conjugate directions: exact after as many good steps as there are distinct eigenvalues."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    matrix = rotation @ np.diag([1.0, 2.0, 5.0, 10.0, 20.0, 50.0]) @ rotation.T
    solution = rng.normal(size=6)
    start = {"a": jnp.zeros(2), "b": jnp.zeros((2, 2))}

    def function(tree):
        x = jnp.concatenate([tree["a"], tree["b"].ravel()]) - solution
        return x @ matrix @ x / 2

    found, state = jax.jit(lambda s: minimise(function, s, iterations=25))(start)
    np.testing.assert_allclose(np.concatenate([found["a"], found["b"].ravel()]), solution, atol=1e-5)
    assert 6 <= int(state.moved) <= 25
    few, _ = jax.jit(lambda s: minimise(function, s, iterations=2))(start)
    assert np.abs(few["a"] - solution[:2]).max() > 1e-2


def test_rosenbrock_is_minimised():
    start = jnp.array([-1.2, 1.0, -0.5, 0.8])
    found, state = jax.jit(lambda s: minimise(rosenbrock, s, iterations=600))(start)
    np.testing.assert_allclose(found, np.ones(4), atol=1e-4)
    np.testing.assert_allclose(state.value, rosen(np.asarray(found)), rtol=1e-8, atol=1e-20)
    np.testing.assert_allclose(state.gradient, jax.grad(rosenbrock)(found), rtol=1e-8)


def test_no_iteration_makes_it_worse():
    start = jnp.array([-1.2, 1.0, -0.5])
    values = [
        float(jax.jit(lambda s, n=n: minimise(rosenbrock, s, iterations=n)[1].value)(start))
        for n in (1, 2, 5, 20)
    ]
    assert values == sorted(values, reverse=True) and values[-1] < float(rosenbrock(start))


def test_places_where_the_function_is_undefined_are_avoided():
    """-log(1 - x^2) + 3 x^2 ... from near the edge: a step over it is NaN and must not be taken."""

    def barrier(x):
        return jnp.sum(-jnp.log(1 - x**2) + 3 * (x - 0.5) ** 2)

    found, state = jax.jit(lambda s: minimise(barrier, s, iterations=60))(jnp.array([-0.999, 0.99]))
    assert np.isfinite(state.value)
    np.testing.assert_allclose(jax.grad(barrier)(found), 0.0, atol=1e-5)


def test_a_minimum_is_not_left():
    found, state = jax.jit(lambda s: minimise(rosenbrock, s, iterations=5))(jnp.ones(3))
    np.testing.assert_array_equal(found, np.ones(3))
    assert int(state.moved) == 0 and float(state.value) == 0.0


def test_single_precision_stays_single():
    with jax.enable_x64(False):
        found, state = minimise(lambda x: jnp.sum((x - 2) ** 2), jnp.zeros(3, jnp.float32), iterations=10)
        assert found.dtype == state.value.dtype == jnp.float32
        np.testing.assert_allclose(found, 2.0, atol=1e-3)
