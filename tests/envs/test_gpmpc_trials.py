"""Trials of known tip distances."""

from __future__ import annotations

import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.gpmpc_trials import judge
from imaginax.types import ConfigError


def upright(distances):
    """Observations of a cart whose upright pole's tip is so far from its target."""
    distances = np.asarray(distances, float)
    zeros = np.zeros_like(distances)
    return np.stack([distances, zeros + np.pi, zeros, zeros], axis=-1)


def test_ten_steps_in_a_row_are_a_success():
    near, far = 0.07, 0.09
    rows = [
        [far] * 20 + [near] * 10,
        [far] * 20 + [near] * 9 + [far],
        [near] * 9 + [far] + [near] * 9 + [far] * 11,
        [near] * 10 + [far] * 20,
    ]
    found = judge(envs.make("gpmpc_cartpole"), upright(rows)[None])
    np.testing.assert_array_equal(found.success, [[True, False, False, True]])
    assert not found.violated.any()
    np.testing.assert_allclose(found.distance[0, [0, 1]], [near, (9 * near + far) / 10], atol=1e-6)


def test_the_wall_is_counted():
    found = judge(envs.make("gpmpc_cartpole_wall"), upright([[0.0] * 29 + [-0.71], [-0.69] * 30])[None])
    np.testing.assert_array_equal(found.violated, [[True, False]])


def test_other_tasks_are_refused():
    with pytest.raises(ConfigError, match="pendulum"):
        judge(envs.make("pendulum"), np.zeros((1, 1, 30, 3)))
