"""Training of the ensemble: bookkeeping against plain loops, and noise that is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.learning import ensemble as ensemble_fit
from imaginax.learning.config import EnsembleFitConfig
from imaginax.learning.ensemble import dataset, fit_scaler, init_learner, make_fit
from imaginax.models.ensemble.config import EnsembleConfig
from imaginax.models.ensemble.model import (
    EnsembleParams,
    RegressionBatch,
    Scaler,
    ensemble,
    make_network,
    member_predictions,
)
from imaginax.models.targets import Outcomes
from imaginax.types import Transition

MODEL = EnsembleConfig(members=3, hidden=(32, 32), weight_decay=(0.0, 0.0, 0.0), particles=3)
OUTCOMES = Outcomes(reward=False, end=False, terminated=False)


@pytest.fixture(scope="module")
def bandit():
    """An environment of one observation and one action: inputs of two numbers, targets of one."""
    return envs.make("diagnostic_bandit")


def transitions(rows, key, noise=0.0):
    """o' - o = sin(3 o) + a / 2, plus noise of standard deviation `noise`(o)."""
    key_state, key_action, key_noise = jax.random.split(key, 3)
    o = jax.random.uniform(key_state, (rows, 1), minval=-1, maxval=1)
    a = jax.random.uniform(key_action, (rows, 1), minval=-1, maxval=1)
    deviation = noise(o) if callable(noise) else noise
    change = jnp.sin(3 * o) + a / 2 + deviation * jax.random.normal(key_noise, (rows, 1))
    return Transition(o, a, jnp.zeros(rows), jnp.ones(rows), o + change)


def learner_for(bandit, optimiser):
    return init_learner(ensemble(bandit, MODEL).init(jax.random.key(0)), optimiser)


def test_learns_a_function_and_the_noise_around_it(bandit):
    """The noise level depends on the state: the log variance has to follow it (aleatoric uncertainty)."""
    deviation = lambda o: 0.1 + 0.2 * jnp.abs(o)  # noqa: E731
    data = transitions(2048, jax.random.key(1), deviation)
    optimiser, fit = make_fit(bandit, MODEL, EnsembleFitConfig(epochs=40, learning_rate=3e-3, holdout=0.1))
    learner, metrics = jax.jit(fit)(learner_for(bandit, optimiser), data, 2048, jax.random.key(2))
    o = jnp.linspace(-0.9, 0.9, 13)[:, None]
    inputs = jnp.broadcast_to(jnp.concatenate([o, 0.4 * jnp.ones_like(o)], -1), (3, 13, 2))
    network = make_network(bandit, MODEL)
    mean, variance = member_predictions(network, learner.params, inputs)
    np.testing.assert_allclose(mean.mean(0), jnp.sin(3 * o) + 0.2, atol=0.12)
    np.testing.assert_allclose(jnp.sqrt(variance.mean(0)), deviation(o), rtol=0.35)
    # Rows never trained on are predicted as well as the noise allows: E[noise^2] = E[(0.1 + 0.2 |o|)^2].
    np.testing.assert_allclose(metrics["holdout_mse"], 0.01 + 0.04 / 2 + 0.04 / 3, rtol=0.25)


def test_only_the_filled_rows_count(bandit):
    """Whatever lies behind the first `count` rows changes nothing; the same program serves any count."""
    optimiser, fit = make_fit(bandit, MODEL, EnsembleFitConfig(epochs=2, holdout=0.2))
    fit = jax.jit(fit)
    start = learner_for(bandit, optimiser)
    full = transitions(100, jax.random.key(1))
    spoilt = jax.tree.map(lambda x: x.at[60:].set(jnp.nan), full)
    for count in (60, 33):
        clean, metrics = fit(start, full, count, jax.random.key(2))
        other, _ = fit(start, spoilt, count, jax.random.key(2))
        jax.tree.map(np.testing.assert_array_equal, clean, other)
        assert metrics["model_rows"] + (dataset(bandit, OUTCOMES, full, count, 0.2).test_size) == count
    assert fit._cache_size() == 1


def test_scaler_is_that_of_numpy_and_keeps_constant_inputs():
    x = np.random.default_rng(0).normal(3.0, 2.0, (50, 3)).astype(np.float32)
    x[:, 1] = 0.1234567  # its mean over 40 rows is another float32
    scaler = fit_scaler(jnp.asarray(x), jnp.arange(50) < 40)
    np.testing.assert_allclose(scaler.mean, x[:40].mean(0), rtol=1e-5)
    np.testing.assert_allclose(scaler.std, [x[:40, 0].std(), 1.0, x[:40, 2].std()], rtol=1e-5)


def test_held_out_rows_stay_held_out_while_data_grows(bandit):
    data = transitions(400, jax.random.key(0))
    earlier, later = (dataset(bandit, OUTCOMES, data, count, 0.25) for count in (150, 400))
    test_rows = lambda d: set(np.asarray(d.test[: int(d.test_size)]).tolist())  # noqa: E731
    train_rows = lambda d: set(np.asarray(d.train[: int(d.train_size)]).tolist())  # noqa: E731
    assert test_rows(earlier) == {row for row in test_rows(later) if row < 150}
    assert test_rows(later) | train_rows(later) == set(range(400))
    assert not test_rows(later) & train_rows(later)
    assert 60 < len(test_rows(later)) < 140


def test_shuffling_permutes_the_front_alone():
    rows = jnp.tile(jnp.arange(100, 120), (3, 1))
    order = np.asarray(ensemble_fit._shuffled(rows, jnp.int32(13), jax.random.key(0)))
    assert (np.sort(order[:, :13]) == np.arange(100, 113)).all()
    assert (order[:, 13:] == np.arange(113, 120)).all()
    assert not (order[0, :13] == order[1, :13]).all() and not (order[0, :13] == np.arange(100, 113)).all()


def test_a_pass_visits_every_row_once_with_a_short_last_batch(bandit):
    """Against a plain Python loop over slices: 45 rows are a batch of 32 and one of 13."""
    data = dataset(bandit, OUTCOMES, transitions(64, jax.random.key(0)), 45, 0.0)
    order = jnp.stack([jax.random.permutation(jax.random.key(k), 45) for k in range(3)])
    padded = jnp.pad(order, ((0, 0), (0, 64 - 45 + 32)), constant_values=63)

    def step(seen, batch):
        total = jnp.einsum("kmf,m->kf", batch.inputs, batch.weights) / batch.weights.sum()
        return seen + jnp.array([1.0, 2.0])[:, None, None] * total, {
            "model_loss": total.sum(),
            "model_mse": 0.0,
        }

    got, metrics = ensemble_fit._run_batches(step, 32, jnp.zeros((2, 3, 2)), data, padded)
    means = [data.inputs[order[:, s]].mean(1) for s in (slice(0, 32), slice(32, 45))]
    np.testing.assert_allclose(got[0], means[0] + means[1], rtol=1e-5)
    np.testing.assert_allclose(metrics["model_loss"], (means[0].sum() + means[1].sum()) / 2, rtol=1e-5)


def test_bootstraps_differ_between_members(bandit):
    """With replacement a member sees about 1 - 1/e of the rows; members see different ones."""

    def spy(carry, batch: RegressionBatch):
        return carry.at[jnp.arange(3)[:, None], (batch.inputs[..., 0] * 300).astype(int)].add(
            batch.weights
        ), {
            "model_loss": jnp.zeros(()),
            "model_mse": jnp.zeros(()),
        }

    marked = transitions(300, jax.random.key(0))._replace(
        observation=((jnp.arange(300) + 0.5) / 300)[:, None]
    )
    data = dataset(bandit, OUTCOMES, marked, 300, 0.0)
    counts, _ = ensemble_fit._run_epochs(
        spy, 3, EnsembleFitConfig(epochs=2), jnp.zeros((3, 300)), data, jax.random.key(7)
    )
    seen = np.asarray(counts)
    assert (seen.sum(1) == 600).all() and (seen % 2 == 0).all()  # two passes over the same bootstrap
    np.testing.assert_allclose((seen > 0).mean(1), 1 - np.exp(-1), atol=0.08)
    assert not (seen[0] == seen[1]).all()


def test_first_step_of_adam_moves_each_weight_by_the_learning_rate(bandit):
    """Adam's first update is lr * sign(gradient): one batch shows that the optimiser is what is stated."""
    optimiser, fit = make_fit(bandit, MODEL, EnsembleFitConfig(epochs=1, learning_rate=1e-2))
    start = learner_for(bandit, optimiser)
    learner, _ = fit(start, transitions(32, jax.random.key(0), 0.1), 32, jax.random.key(0))
    assert isinstance(learner.params, EnsembleParams) and isinstance(learner.params.scaler, Scaler)
    moved = jax.tree.map(lambda a, b: jnp.abs(a - b), learner.params.network, start.params.network)
    np.testing.assert_allclose(moved["layer_2"]["kernel"], 1e-2, rtol=1e-3)
