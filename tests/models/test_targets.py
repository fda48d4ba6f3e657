"""Where reward and end of a learned model come from, and what it is therefore asked to predict."""

import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.models.targets import Outcomes, outcomes, regression_inputs, regression_targets
from imaginax.types import ConfigError, Transition


@pytest.fixture(scope="module")
def lqr():
    return envs.make("diagnostic_lqr")


@pytest.mark.parametrize(
    "published, reward, end, expected",
    [
        ((True, False), "auto", "auto", (False, False, False)),  # no end is published: there is none
        ((True, True), "auto", "auto", (False, False, True)),
        ((False, False), "auto", "auto", (True, True, False)),
        ((False, True), "auto", "auto", (True, False, True)),
        ((True, True), "learned", "learned", (True, True, False)),
        ((True, True), "learned", "never", (True, False, False)),
        ((False, True), "auto", "published", (True, False, True)),
    ],
)
def test_what_is_not_published_is_learned(lqr, published, reward, end, expected):
    env = lqr._replace(
        reward=lqr.reward if published[0] else None,
        terminated=(lambda o: o[..., 0] > 1) if published[1] else None,
    )
    assert outcomes(env, reward, end) == Outcomes(*expected)


def test_what_is_not_published_cannot_be_asked_for(lqr):
    with pytest.raises(ConfigError, match="model.reward published: env diagnostic_lqr"):
        outcomes(lqr._replace(reward=None), "published", "auto")
    with pytest.raises(ConfigError, match="model.end published"):
        outcomes(lqr._replace(terminated=None), "auto", "published")


def test_rows_hold_the_change_then_reward_then_end(lqr):
    rows = Transition(
        jnp.array([[1.0, 2.0], [3.0, 4.0]]),
        jnp.array([[5.0], [6.0]]),
        jnp.array([7.0, 8.0]),
        jnp.array([1.0, 0.0]),
        jnp.array([[1.5, 2.0], [3.0, 3.0]]),
    )
    np.testing.assert_array_equal(regression_inputs(lqr, rows), [[1, 2, 5], [3, 4, 6]])
    np.testing.assert_array_equal(
        regression_targets(lqr, Outcomes(True, True, False), rows), [[0.5, 0, 7, 0], [0, -1, 8, 1]]
    )
    np.testing.assert_array_equal(
        regression_targets(lqr, Outcomes(False, False, True), rows), [[0.5, 0], [0, -1]]
    )
