"""Moments of controls that keep their bounds, against numerical integration and finite differences."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.numerics import saturation
from imaginax.numerics.gaussian import Gaussian
from imaginax.types import Box
from tests.quadrature import moments, nodes

SPACE = Box((2,), -1.0, 3.0)
KINDS = {
    "clip": (saturation.clip, saturation.clipped_moments),
    "squash": (saturation.squash, saturation.squashed_moments),
}


@jax.jit
def clipped(mean, covariance):
    """Mean and covariance of what acts and the slope in one vector, for `SPACE`."""
    found = saturation.clipped_moments(Gaussian(mean, covariance), SPACE)
    return jnp.concatenate([found.mean, found.covariance.reshape(-1), found.slope])


slopes = jax.jit(jax.jacfwd(clipped, (0, 1)))


def numbers(mean, covariance, function=clipped):
    """In float64, as numpy."""
    with jax.enable_x64(True):
        found = function(jnp.array(mean, jnp.float64), jnp.array(covariance, jnp.float64))
        return jax.tree.map(np.asarray, found)


def fine_grid(mean, covariance):
    """Points and weights of the trapezoidal rule over 8 deviations of two normal numbers."""
    line = np.linspace(-8, 8, 801)
    both = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    weights = np.exp(-np.sum(both**2, axis=1) / 2)
    values, vectors = np.linalg.eigh(covariance)
    return mean + both @ (vectors * np.sqrt(np.maximum(values, 0))).T, weights / weights.sum()


@pytest.mark.parametrize("correlation", [0.0, 0.6, -0.97, 1.0])
def test_moments_of_clipped_controls(correlation):
    """Mean, covariance and the covariance with what was asked for; the rule errs by a ten-thousandth of s."""
    for mean, deviations in itertools.product(
        [(0.4, 1.9), (3.0, -1.0)], [(0.2, 0.5), (1.5, 3.0), (8.0, 4.0)]
    ):
        covariance = np.outer(deviations, deviations) * [[1, correlation], [correlation, 1]]
        points, weights = fine_grid(np.array(mean), covariance)
        expected = moments(points, np.clip(points, SPACE.low, SPACE.high), weights)
        found, error = numbers(mean, covariance), 1e-4 * max(deviations)
        np.testing.assert_allclose(found[:2], expected[0], atol=error)
        np.testing.assert_allclose(found[2:6].reshape(2, 2), expected[1], atol=2 * error)
        np.testing.assert_allclose(covariance * found[6:], expected[2], atol=max(deviations) * error)


def test_a_wide_control_is_at_either_bound():
    """With equal probability: the mean is the middle and the deviation half the range."""
    found = numbers([1.0, 1.0], 1e4 * np.eye(2))
    np.testing.assert_allclose(found[:2], 1.0)
    np.testing.assert_allclose(found[2:6], [4, 0, 0, 4], rtol=0.03)


def test_far_from_its_bounds_a_control_is_what_was_asked_for():
    covariance = [[0.01, -0.004], [-0.004, 0.02]]
    expected = [1.0, 1.2, 0.01, -0.004, -0.004, 0.02, 1.0, 1.0]
    np.testing.assert_allclose(numbers([1.0, 1.2], covariance), expected, rtol=1e-12)


@pytest.mark.parametrize("mean", [(0.4, 1.9), (3.0, 0.2)])
def test_derivatives_are_those_of_finite_differences(mean):
    root = np.array([[1.2, 0.0], [-0.9, 0.6]])
    in_mean, in_covariance = numbers(mean, root @ root.T, slopes)
    for direction in np.random.default_rng(0).normal(size=(3, 6)):
        step, around = (
            1e-5 * direction[:2],
            1e-5 * (direction[2:].reshape(2, 2) + direction[2:].reshape(2, 2).T),
        )
        ends = [numbers(mean + sign * step, root @ root.T + sign * around) for sign in (1, -1)]
        found = in_mean @ step + np.einsum("oij,ij->o", in_covariance, around)
        np.testing.assert_allclose(found, (ends[0] - ends[1]) / 2, atol=1e-11)


@pytest.mark.parametrize(("mean", "slope"), [((1.0, 3.0), (1, 1)), ((-1.0, 3.5), (1, 0))])
def test_a_certain_control_is_clipped_and_its_derivatives_are_finite(mean, slope):
    """Where a plan begins. On a bound the slope is that from the inside: a search finds its way back."""
    zero = np.zeros((2, 2))
    np.testing.assert_array_equal(numbers(mean, zero), [*np.clip(mean, -1, 3), 0, 0, 0, 0, *slope])
    in_mean, in_covariance = numbers(mean, zero, slopes)
    np.testing.assert_array_equal(in_mean, np.concatenate([np.diag(slope), np.zeros((6, 2))]))
    np.testing.assert_array_equal(in_covariance[2:6].reshape(4, 4), np.diag(np.outer(slope, slope).flat))
    assert np.all(np.isfinite(in_covariance))


def test_no_deviation_is_too_small():
    """Derivatives stay numbers between nothing and something, on the bound and off it; backwards too."""
    backward = jax.jit(jax.jacrev(clipped, (0, 1)))
    for deviation, mean in itertools.product([1e-150, 1e-30, 1e-9, 1e-5, 1e-2], [1.0, 3.0, 2.99999]):
        covariance = deviation**2 * np.array([[1.0, 0.5], [0.5, 1.0]])
        assert np.max(np.abs(numbers([mean, mean], covariance)[:2] - mean)) <= deviation
        found = [numbers([mean, mean], covariance, function) for function in (slopes, backward)]
        for forwards, backwards in zip(*found, strict=True):
            assert np.all(np.isfinite(forwards))
            np.testing.assert_allclose(backwards, forwards, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("space", [Box((2,), -3.0, 3.0), SPACE])
def test_moments_of_squashed_controls(space):
    root = np.array([[0.5, 0], [0.2, 0.4]])
    mean, covariance = np.array([0.3, -0.4]), root @ root.T
    points, weights = nodes(mean, covariance, degree=40)
    with jax.enable_x64(True):
        values = np.asarray(saturation.squash(jnp.asarray(points), space))
        found = saturation.squashed_moments(Gaussian(jnp.array(mean), jnp.array(covariance)), space)
        found = jax.tree.map(np.asarray, found)
    expected = moments(points, values, weights)
    np.testing.assert_allclose(found.mean, expected[0], rtol=1e-8)
    np.testing.assert_allclose(found.covariance, expected[1], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(covariance * found.slope, expected[2], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_controls_reach_both_bounds_and_keep_them(kind):
    values = KINDS[kind][0](jnp.linspace(-9, 9, 2001), SPACE)
    np.testing.assert_allclose([values.min(), values.max()], [SPACE.low, SPACE.high], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_moments_keep_the_bounds(kind):
    """The mean is between them, and the variance at most that of a coin: (high - mean) (mean - low)."""
    draw = np.random.default_rng(0)
    means, roots = draw.normal(size=(50, 2)) + 1, 3 * draw.normal(size=(50, 2, 2))
    asked = Gaussian(jnp.array(means), jnp.array(roots @ roots.mT))
    found = jax.jit(jax.vmap(lambda asked: KINDS[kind][1](asked, SPACE)))(asked)
    room = (SPACE.high - found.mean) * (found.mean - SPACE.low)
    variance = jnp.diagonal(found.covariance, axis1=1, axis2=2)
    assert np.all(room > 0) and np.all(variance > 0) and np.all(variance < room + 1e-5)
