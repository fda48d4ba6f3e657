"""Distributions against scipy, closed forms, finite differences and Monte Carlo."""

import distrax
import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest
import scipy.special
from scipy import integrate, stats

from imaginax import distributions
from imaginax.distributions import Categorical, Gaussian, TanhNormal, TruncatedNormal, TwoHot

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


def exact(kind) -> float:
    """The divergence in closed form, in float64."""
    p, q = (jax.tree.map(lambda x: np.asarray(x, float), one) for one in PAIRS[kind])
    if kind == "numbers":
        return np.sum(np.log(q.std / p.std) + (p.std**2 + (p.mean - q.mean) ** 2) / (2 * q.std**2) - 0.5)
    return np.sum(scipy.special.rel_entr(*(scipy.special.softmax(x.logits, axis=-1) for x in (p, q))))


@pytest.mark.parametrize("kind", PAIRS)
def test_divergence_is_the_closed_form(kind):
    p, q = PAIRS[kind]
    np.testing.assert_allclose(distributions.kl(p, q), exact(kind), rtol=1e-4)
    assert float(distributions.kl(p, p)) == 0


def test_kinds_do_not_mix():
    with pytest.raises(TypeError, match="Gaussian and Categorical"):
        distributions.kl(PAIRS["numbers"][0], PAIRS["choices"][0])


def test_draws_have_the_moments_and_pass_gradients():
    """Of a number: d s / d mean = 1, d s / d std = the noise; of a choice: those of its probabilities."""
    p, q = PAIRS["numbers"][0], PAIRS["choices"][0]
    key = jax.random.key(1)
    normals = jax.vmap(lambda key: distributions.sample(p, key))(jax.random.split(key, 4000))
    for column, mean, std in zip(np.asarray(normals).T, *p, strict=True):
        assert stats.kstest(column, stats.norm(mean, std).cdf).pvalue > 1e-3
    slopes = jax.jacobian(lambda given: distributions.sample(given, key))(p)
    np.testing.assert_allclose(slopes.mean, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(
        np.diag(slopes.std), (distributions.sample(p, key) - p.mean) / p.std, rtol=1e-4
    )
    through = jax.jacobian(lambda logits: distributions.sample(Categorical(logits), key))(q.logits)
    soft = jax.jacobian(lambda logits: jax.nn.softmax(logits).reshape(-1))(q.logits)
    np.testing.assert_allclose(through, soft, atol=1e-6)
    plain = lambda logits: distrax.OneHotCategorical(logits).sample(seed=key).astype("float32")  # noqa: E731
    assert not jax.jacobian(plain)(q.logits).any(), "without the straight way nothing is learned"
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


def test_unimix_leaves_no_class_impossible():
    logits = jnp.array([[100.0, 0.0, -100.0, 3.0]])
    mixed = jax.nn.softmax(distributions.mixed_with_uniform(logits, 0.01))
    np.testing.assert_allclose(mixed, 0.99 * jax.nn.softmax(logits) + 0.0025, rtol=1e-5)
    assert distributions.mixed_with_uniform(logits, 0.0) is logits


# ----------------------------------------------------------------- actions

MEAN, STD = jnp.array([[0.3, -0.9], [1.5, 0.0]]), jnp.array([[0.4, 0.7], [0.5, 3.0]])
KEY = jax.random.key(0)


def test_tanh_normal_has_the_density_of_a_change_of_variables():
    """log N(artanh a) - log(1 - a^2), summed; it integrates to 1."""
    a = np.array([[0.2, -0.7], [0.95, 0.5]])
    found = TanhNormal(MEAN, STD).log_prob(jnp.asarray(a, "float32"))
    expected = stats.norm(MEAN, STD).logpdf(np.arctanh(a)) - np.log1p(-(a**2))
    np.testing.assert_allclose(found, expected.sum(-1), rtol=1e-4)
    line = jnp.linspace(-0.9999, 0.9999, 20_001)[:, None]
    density = jnp.exp(TanhNormal(MEAN[:1, :1], STD[:1, :1]).log_prob(line))
    assert integrate.trapezoid(np.asarray(density), np.asarray(line[:, 0])) == pytest.approx(1, abs=1e-3)
    edges = TanhNormal(MEAN, STD).log_prob(jnp.array([[1.0, -1.0], [1.0, 1.0]]))
    assert np.isfinite(edges).all()


def test_tanh_normal_draws_are_differentiable_and_their_density_comes_along():
    a, log_prob = TanhNormal(MEAN, STD).sample_and_log_prob(seed=KEY, sample_shape=(3000,))
    np.testing.assert_allclose(log_prob[:50], TanhNormal(MEAN, STD).log_prob(a[:50]), rtol=2e-2, atol=2e-2)
    columns = np.arctanh(np.clip(np.asarray(a, float)[:, 0, 0], -1 + 1e-7, 1 - 1e-7))
    assert stats.kstest(columns, stats.norm(0.3, 0.4).cdf).pvalue > 1e-3
    draw = lambda *given: TanhNormal(*map(jnp.asarray, given)).sample(seed=KEY)  # noqa: E731
    jax.test_util.check_grads(draw, (MEAN, STD), order=1, modes=["rev"], atol=1e-2, rtol=1e-2)


def test_tanh_normal_mode_and_entropy_from_samples():
    """Narrow: near tanh(mean). Wide: at an edge, which the mean is far from. Entropy by quadrature."""
    narrow = TanhNormal(MEAN, jnp.full_like(MEAN, 0.01)).mode()
    np.testing.assert_allclose(narrow, np.tanh(MEAN), atol=0.03)
    assert abs(float(TanhNormal(jnp.zeros((1,)), jnp.full((1,), 4.0)).mode()[0])) > 0.99
    mean, std = 0.3, 0.4
    x = np.linspace(mean - 8 * std, mean + 8 * std, 20_001)
    p = stats.norm(mean, std).pdf(x)
    entropy = stats.norm(mean, std).entropy() + integrate.trapezoid(p * np.log1p(-(np.tanh(x) ** 2)), x)
    found = TanhNormal(jnp.array([mean]), jnp.array([std]), samples=20_000).entropy()
    assert float(found) == pytest.approx(entropy, abs=0.02)


def frozen(mean, std):
    return stats.truncnorm((-1 - mean) / std, (1 - mean) / std, loc=mean, scale=std)


def test_truncated_normal_is_scipys():
    ours, theirs = TruncatedNormal(MEAN, STD), frozen(np.asarray(MEAN, float), np.asarray(STD, float))
    a = np.array([[0.2, -0.7], [0.95, -1.0]])
    found = ours.log_prob(jnp.asarray(a, "float32"))
    np.testing.assert_allclose(found, theirs.logpdf(a).sum(-1), rtol=1e-4)
    np.testing.assert_allclose(ours.entropy(), theirs.entropy().sum(-1), rtol=1e-3)
    np.testing.assert_allclose(ours.mean(), theirs.mean(), rtol=1e-4)
    np.testing.assert_array_equal(ours.mode(), np.clip(MEAN, -1, 1))
    assert ours.log_prob(jnp.array([[1.1, 0.0], [0.0, 0.0]]))[0] == -np.inf
    draws = np.asarray(ours.sample(seed=KEY, sample_shape=(3000,)))
    for i, j in np.ndindex(2, 2):
        one = frozen(float(MEAN[i, j]), float(STD[i, j]))
        assert stats.kstest(draws[:, i, j], one.cdf).pvalue > 1e-3


def test_truncated_normal_draws_move_with_their_parameters():
    """By the inverse of the distribution function: d draw / d parameter at the draw's own probability."""
    draw = lambda mean, std: TruncatedNormal(mean, std).sample(seed=KEY)  # noqa: E731
    slopes = jax.jvp(draw, (MEAN, STD), (jnp.ones_like(MEAN), jnp.zeros_like(STD)))[1]
    mean, std = np.asarray(MEAN, float), np.asarray(STD, float)
    at = frozen(mean, std).cdf(np.asarray(draw(MEAN, STD), float))
    expected = (frozen(mean + 1e-5, std).ppf(at) - frozen(mean - 1e-5, std).ppf(at)) / 2e-5
    np.testing.assert_allclose(slopes, expected, rtol=2e-2)


# ---------------------------------------------------------------- outcomes


def test_symlog_and_back():
    x = jnp.array([-1e4, -1.0, 0.0, 0.5, 1e6])
    np.testing.assert_allclose(distributions.symlog(jnp.array([np.e - 1])), [1.0], rtol=1e-6)
    np.testing.assert_allclose(distributions.symexp(distributions.symlog(x)), x, rtol=1e-4)


def test_two_hot_weights_have_the_number_as_their_mean():
    support = distributions.symexp_support()
    assert len(support) == 255 and support[127] == 0 and (np.diff(support) > 0).all()
    np.testing.assert_array_equal(support, -support[::-1])
    x = jnp.array([-3e8, -17.3, -0.2, 0.0, 1.0, 123.4, 1e30])
    weights = np.asarray(distributions.two_hot(x, support), float)
    assert ((weights > 0).sum(-1) <= 2).all()
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
    np.testing.assert_allclose(weights @ support, np.clip(x, support[0], support[-1]), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        distributions.two_hot(jnp.array([2.5]), np.array([0.0, 2.0, 4.0])), [[0, 0.75, 0.25]]
    )


def test_two_hot_numbers_learn_by_cross_entropy_and_are_exactly_zero_at_first():
    support = distributions.symexp_support()
    assert float(TwoHot(jnp.zeros(255), support).mean()) == 0.0
    logits, grid = jnp.array([0.3, -1.0, 2.0]), np.array([-1.0, 0.0, 3.0])
    p = scipy.special.softmax(logits)
    found = TwoHot(logits, grid)
    np.testing.assert_allclose(found.mean(), p @ grid, rtol=1e-5)
    np.testing.assert_allclose(found.log_prob(jnp.float32(1.0)), np.log(p) @ [0, 2 / 3, 1 / 3], rtol=1e-5)
    slope = jax.grad(lambda logits: TwoHot(logits, grid).log_prob(jnp.float32(1.0)))(logits)
    np.testing.assert_allclose(slope, np.array([0, 2 / 3, 1 / 3]) - p, atol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 1.5])
def test_a_mixture_density_is_the_sum_of_its_parts(temperature):
    logits = np.array([[0.2, -1.0], [1.0, 2.0]])  # two numbers of two components
    mean, std = np.array([[0.0, 2.0], [-1.0, 1.0]]), np.array([[0.5, 1.0], [0.3, 2.0]])
    found = distributions.mixture_density(
        *(jnp.asarray(x, "float32") for x in (logits, mean, std)), temperature
    )
    x = np.array([0.7, -0.4])
    shares = scipy.special.softmax(logits / temperature, axis=-1)
    parts = stats.norm(mean, std * np.sqrt(temperature))
    expected = np.log((shares * parts.pdf(x[:, None])).sum(-1)).sum()
    np.testing.assert_allclose(found.log_prob(jnp.asarray(x, "float32")), expected, rtol=1e-5)
    draws = np.asarray(found.sample(seed=KEY, sample_shape=(4000,)))
    for column, share, *part in zip(draws.T, shares, mean, std, strict=True):
        cdf = lambda x, s=share, p=part: stats.norm(p[0], p[1] * np.sqrt(temperature)).cdf(x[:, None]) @ s  # noqa: E731
        assert stats.kstest(column, cdf).pvalue > 1e-3
