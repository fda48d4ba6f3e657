from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

from imaginax.envs.control.rewards import half_linear, linear, quadratic, tolerance


def test_within_the_bounds_it_is_one():
    x = jnp.array([-2.0, -1.0, 0.0, 3.0, 3.5])
    np.testing.assert_array_equal(tolerance(x, -1.0, 3.0), [0, 1, 1, 1, 0])
    np.testing.assert_array_equal(tolerance(x, -1.0, math.inf), [0, 1, 1, 1, 1])
    assert tolerance(jnp.float32(0.0), margin=2.0) == 1


def test_outside_it_falls():
    x = jnp.array([1.0, 2.0, 3.0, 5.0])  # 0, 1/2, 1 and 2 margins above the bound
    np.testing.assert_allclose(tolerance(x, 0.0, 1.0, margin=2.0), [1, 0.1**0.25, 0.1, 0.1**4], rtol=1e-5)
    for falloff, expected in (
        (linear, [1, 0.5, 0, 0]),
        (half_linear, [1, 0.75, 0.5, 0]),
        (quadratic, [1, 0.75, 0, 0]),
    ):
        mirrored = tolerance(-x, -1.0, 0.0, margin=2.0, falloff=falloff)
        np.testing.assert_allclose(tolerance(x, 0.0, 1.0, margin=2.0, falloff=falloff), expected, rtol=1e-6)
        np.testing.assert_allclose(mirrored, expected, rtol=1e-6)
