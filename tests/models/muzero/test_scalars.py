"""The transform against numbers that rlax publishes, and the heads' numbers against plain arithmetic."""

from __future__ import annotations

from decimal import Decimal, getcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.models.muzero.config import MuZeroModelConfig
from imaginax.models.muzero.scalars import make_scalar, signed_hyperbolic, signed_parabolic
from imaginax.types import ConfigError

# rlax/_src/nonlinear_bellman_test.py, two-step returns under the signed hyperbolic pair: the estimate before,
# rewards, discounts, the transformed value that is bootstrapped from, and the published difference. Its
# inverse subtracts near numbers in float32, which moves the fifth digit.
RLAX = (
    (1.1, (-1.3,), (0.0,), 0.0, -1.6178751),
    (1.1, (-1.3, 2.3), (0.89, 0.85), 2.2, 0.85600746),
    (3.1, (2.3,), (0.85,), 2.2, -0.75762916),
    (3.1, (1.3, 5.3), (0.88, 1.0), 1.2, -0.87689304),
    (-1.1, (5.3, -3.3), (1.0, 0.83), -1.2, 0.6246443),
    (-2.1, (-3.3,), (0.83,), -1.2, 0.3598088),
)


@pytest.mark.parametrize(("before", "rewards", "discounts", "value", "published"), RLAX)
def test_transformed_returns_are_those_of_rlax(before, rewards, discounts, value, published):
    total = signed_parabolic(jnp.float32(value))
    for reward, discount in reversed(list(zip(rewards, discounts, strict=True))):
        total = reward + discount * total
    assert float(signed_hyperbolic(total)) - before == pytest.approx(published, abs=2.5e-5)


def test_the_inverse_is_exact_over_the_range_of_601_atoms():
    """To the last bits of float32, also where sqrt(x + 1) - 1 is small; eps z^2 + z is solved in decimals."""
    getcontext().prec = 50
    y = np.concatenate([-np.logspace(-3, 2.477, 40), [0.0], np.logspace(-3, 2.477, 40)]).astype(np.float32)
    eps, wanted = Decimal("0.001"), []
    for number in y:
        root = (1 + 4 * eps * (abs(Decimal(float(number))) + 1 + eps)).sqrt()
        wanted.append(float(((root - 1) / (2 * eps)) ** 2 - 1) * np.sign(number))
    np.testing.assert_allclose(signed_parabolic(jnp.asarray(y)), wanted, rtol=5e-7)
    x = np.asarray(wanted, np.float32)
    np.testing.assert_allclose(signed_parabolic(signed_hyperbolic(jnp.asarray(x))), x, rtol=3e-5, atol=1e-7)


def test_601_atoms_hold_the_numbers_of_rlax():
    scalar = make_scalar(MuZeroModelConfig())
    assert scalar.outputs == 601
    x = jnp.array([1.03, 4.43, -3012.33, 0.0])  # nonlinear_bellman_test.py, test_muzero_pair_is_consistent
    weights = _two_hot(np.asarray(signed_hyperbolic(x)), np.arange(-300, 301))
    np.testing.assert_allclose(scalar.decode(jnp.log(weights + 1e-30)), x, rtol=1e-4, atol=1e-4)
    assert (weights > 0).sum() == 7  # two neighbours each, one for 0


def _two_hot(y, support):
    weights = np.zeros((len(y), len(support)), np.float32)
    for row, number in enumerate(y):
        low = int(np.floor(number)) - support[0]
        weights[row, low] += 1 - (number - np.floor(number))
        weights[row, low + 1] += number - np.floor(number)
    return weights


def test_the_loss_is_the_cross_entropy_to_the_two_neighbours():
    scalar = make_scalar(MuZeroModelConfig(bins=5, largest=2.0))
    logits = jax.random.normal(jax.random.key(0), (3, 5))
    target = jnp.array([-1.7, 0.2, 3.3])
    weights = _two_hot(np.asarray(signed_hyperbolic(target)), np.arange(-2, 3))
    wanted = -(weights * np.asarray(jax.nn.log_softmax(logits))).sum(1)
    np.testing.assert_allclose(scalar.loss(logits, target), wanted, rtol=1e-5)


def test_outcomes_of_games_are_probabilities_of_loss_draw_and_win():
    scalar = make_scalar(MuZeroModelConfig(bins=3, largest=1.0, transform=False))
    shares = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], np.float32)
    np.testing.assert_allclose(scalar.decode(jnp.log(shares + 1e-20)), [0.3, -1.0], atol=1e-6)
    loss = scalar.loss(jnp.log(shares[:1]), jnp.array([1.0]))
    np.testing.assert_allclose(loss, -np.log([0.5]), rtol=1e-6)


def test_a_number_has_a_squared_error():
    scalar = make_scalar(MuZeroModelConfig(bins=0))
    outputs = jnp.array([[0.3], [-2.0]])
    np.testing.assert_allclose(scalar.decode(outputs), np.tanh([0.3, -2.0]), rtol=1e-6)
    wanted = (np.tanh([0.3, -2.0]) - [1.0, 0.0]) ** 2
    np.testing.assert_allclose(scalar.loss(outputs, jnp.array([1.0, 0.0])), wanted, rtol=1e-5)


@pytest.mark.parametrize("bins", [1, 2, 600])
def test_even_numbers_of_atoms_are_refused(bins):
    with pytest.raises(ConfigError, match="model.bins"):
        MuZeroModelConfig(bins=bins)
