from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import optax

from imaginax.learning.learner import gradient_step, init_learner


def test_a_step_is_the_optimisers_and_what_the_loss_inferred_comes_along():
    """Gradient descent on a quadratic form: x - rate A (x - b), by hand."""
    matrix, target, start = jnp.array([[3.0, 1.0], [1.0, 2.0]]), jnp.array([1.0, -1.0]), jnp.array([2.0, 0.5])

    def loss(x, scale):
        away = x - target
        return scale * away @ matrix @ away / 2, {"distance": jnp.linalg.norm(away)}, away

    optimiser = optax.sgd(0.1)
    learner, metrics, away = gradient_step(loss, optimiser, init_learner(start, optimiser), 2.0)
    gradient = 2 * np.array(matrix) @ np.array([1.0, 1.5])
    np.testing.assert_allclose(learner.params, np.array(start) - 0.1 * gradient, rtol=1e-6)
    np.testing.assert_allclose(metrics["gradient_norm"], np.linalg.norm(gradient), rtol=1e-6)
    np.testing.assert_allclose(metrics["distance"], np.hypot(1, 1.5), rtol=1e-6)
    np.testing.assert_allclose(away, [1.0, 1.5])
    assert learner.updates == 1
