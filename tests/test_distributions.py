"""Divergences and draws of latent variables, against Monte Carlo and distrax."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import distributions
from imaginax.distributions import Categorical, Gaussian

RANDOM = np.random.default_rng(0)


def gaussian(*shape):
    return Gaussian(
        jnp.asarray(RANDOM.normal(size=shape), "float32"),
        jnp.asarray(RANDOM.uniform(0.3, 2.0, shape), "float32"),
    )


def categorical(*shape):
    return Categorical(jnp.asarray(2 * RANDOM.normal(size=shape), "float32"))


PAIRS = {
    "numbers": (gaussian(3), gaussian(3)),
    "choices": (categorical(2, 4), categorical(2, 4)),
}


def theirs(stats):
    if isinstance(stats, Gaussian):
        return distrax.MultivariateNormalDiag(*stats)
    return distrax.Independent(distrax.OneHotCategorical(stats.logits), 1)


@pytest.mark.parametrize("kind", PAIRS)
def test_divergence_is_distrax_s_and_that_of_monte_carlo(kind):
    p, q = PAIRS[kind]
    found = float(distributions.kl(p, q))
    np.testing.assert_allclose(found, theirs(p).kl_divergence(theirs(q)), rtol=1e-4)
    draws = jax.vmap(lambda key: distributions.sample(p, key))(jax.random.split(jax.random.key(0), 200_000))
    if kind == "choices":
        draws = draws.reshape(-1, 2, 4)
    ratios = np.asarray(theirs(p).log_prob(draws) - theirs(q).log_prob(draws))
    assert abs(ratios.mean() - found) < 5 * ratios.std() / np.sqrt(len(ratios))
    assert float(distributions.kl(p, p)) == pytest.approx(0, abs=1e-6)


def test_kinds_do_not_mix():
    with pytest.raises(TypeError, match="Gaussian and Categorical"):
        distributions.kl(PAIRS["numbers"][0], PAIRS["choices"][0])


def test_draws_have_the_moments_and_pass_gradients():
    """Of a number: d s / d mean = 1, d s / d std = the noise; of a choice: those of its probabilities."""
    p, q = PAIRS["numbers"][0], PAIRS["choices"][0]
    key = jax.random.key(1)
    slopes = jax.jacobian(lambda stats: distributions.sample(stats, key))(p)
    np.testing.assert_allclose(slopes.mean, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(
        np.diag(slopes.std), (distributions.sample(p, key) - p.mean) / p.std, rtol=1e-4
    )
    through = jax.jacobian(lambda logits: distributions.sample(Categorical(logits), key))(q.logits)
    soft = jax.jacobian(lambda logits: jax.nn.softmax(logits).reshape(-1))(q.logits)
    np.testing.assert_allclose(through, soft, atol=1e-6)
    most_likely = jax.jacobian(lambda logits: distributions.mode(Categorical(logits)))(q.logits)
    np.testing.assert_allclose(most_likely, soft, atol=1e-6)
    draws = jax.vmap(lambda key: distributions.sample(q, key))(jax.random.split(key, 50_000))
    np.testing.assert_allclose(draws.mean(0), jax.nn.softmax(q.logits).reshape(-1), atol=0.012)
    assert set(np.unique(draws)) == {0.0, 1.0}
    np.testing.assert_array_equal(draws.reshape(-1, 2, 4).sum(-1), 1.0)


def test_modes_and_the_standard():
    np.testing.assert_array_equal(distributions.mode(PAIRS["numbers"][0]), PAIRS["numbers"][0].mean)
    choices = categorical(5, 2, 4)
    best = np.asarray(distributions.mode(choices)).reshape(5, 2, 4)
    np.testing.assert_array_equal(best.argmax(-1), choices.logits.argmax(-1))
    assert set(best.ravel()) == {0.0, 1.0}
    one = distributions.standard(PAIRS["numbers"][0])
    np.testing.assert_array_equal(one, (np.zeros(3), np.ones(3)))
    # all classes alike: the divergence to it is the entropy that is missing
    p = jax.nn.softmax(choices.logits)
    missing = 2 * np.log(4) + np.sum(p * np.log(p), axis=(-2, -1))
    np.testing.assert_allclose(distributions.kl(choices, distributions.standard(choices)), missing, rtol=1e-4)
