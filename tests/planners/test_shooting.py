"""Every planner on the true rules of an environment and on a model that was learned from it.

The task is linear-quadratic, so the best return is known from Riccati's recursion.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.diagnostics import lqr_optimal_return
from imaginax.envs.wrappers import privileged, training_environment
from imaginax.models.ensemble import EnsembleConfig, ensemble
from imaginax.models.ensemble_fit import EnsembleLearner, FitConfig, make_fit
from imaginax.models.rules import rules
from imaginax.planners.imagination import imagined_returns
from imaginax.planners.mpc import make_mpc
from imaginax.planners.shooting import ShootingConfig, make_planner, shift
from imaginax.runtime.evaluation import run_episodes
from imaginax.types import ConfigError, Transition
from tests.planners.worlds import world

CONFIGS = {
    "random": ShootingConfig("random", horizon=10, population=500),
    "cem": ShootingConfig("cem", horizon=10, population=100, elites=10, iterations=5),
    "icem": ShootingConfig("icem", horizon=10, population=60, elites=10, iterations=5, noise_std=0.15),
    "mppi": ShootingConfig(
        "mppi", horizon=10, population=200, iterations=5, elites=1, noise_std=0.1, temperature=0.02
    ),
}
# The share of the way from doing nothing to the optimum that each method covers at least. Uniform plans
# over bounds this wide are worse than doing nothing, so random shooting has a test of its own below.
REACHED = {"cem": 0.95, "icem": 0.95, "mppi": 0.9}


@pytest.fixture(scope="module")
def lqr():
    return envs.make("diagnostic_lqr")


@pytest.fixture(scope="module")
def learned(lqr):
    """Ensemble dynamics of the task, trained on random steps."""
    config = EnsembleConfig(
        kind="DE", members=2, hidden=(32,), weight_decay=(0.0, 0.0), propagation="E", particles=1
    )
    key_o, key_a, key = jax.random.split(jax.random.key(0), 3)
    observation = jax.random.uniform(key_o, (1024, 2), minval=-2, maxval=2)
    action = jax.random.uniform(key_a, (1024, 1), minval=-6, maxval=6)
    step = lambda o, a: lqr.step(lqr.init(key)[0]._replace(inner=type(lqr.init(key)[0].inner)(o)), a, key)  # noqa: E731
    following = jax.vmap(step)(observation, action)[1].observation
    data = Transition(observation, action, jnp.zeros(1024), jnp.ones(1024), following)
    model = ensemble(lqr, config)
    optimiser, fit = make_fit(lqr, config, FitConfig(epochs=60, learning_rate=3e-3))
    params = model.init(key)
    learner, _ = jax.jit(fit)(EnsembleLearner(params, optimiser.init(params.network)), data, 1024, key)
    return model, learner.params


def share_of_optimum(env, model, params, config):
    """(return - that of doing nothing) / (optimum - that of doing nothing), the mean of 8 episodes."""
    planner = make_planner(env.spec, model, config)
    act = make_mpc(model, planner, params_of=lambda learner: learner)
    idle = lambda learner, carry, timestep, key: (carry, jnp.zeros((8, 1)), {})  # noqa: E731
    key = jax.random.key(1)
    run = lambda act, start: run_episodes(env, act, start, params, key, episodes=8).returns  # noqa: E731
    got = jax.jit(lambda: run(act, planner.init))()
    nothing = run(idle, lambda batch: ())
    # The same key starts the same episodes: their first observations give the optimum.
    first = training_environment(envs.make("diagnostic_lqr"), 8).init(jax.random.split(key)[0])[1].observation
    best = lqr_optimal_return(first)
    assert (got <= best + 1e-3).all()  # nothing beats the optimum
    return float(jnp.mean((got - nothing) / (best - nothing)))


@pytest.mark.parametrize("method", REACHED)
def test_plans_on_the_true_rules(lqr, method):
    share = share_of_optimum(privileged(lqr), rules(lqr), (), CONFIGS[method])
    assert share > REACHED[method], share


@pytest.mark.parametrize("method", REACHED)
def test_plans_on_a_learned_model(lqr, learned, method):
    model, params = learned
    share = share_of_optimum(lqr, model, params, CONFIGS[method])
    assert share > REACHED[method] - 0.05, share


def test_random_shooting_finds_the_best_of_one_step_and_trusts_a_learned_model(lqr, learned):
    bandit = envs.make("diagnostic_bandit")
    planner = make_planner(bandit.spec, rules(bandit), ShootingConfig("random", horizon=1, population=300))
    act = make_mpc(rules(bandit), planner, params_of=lambda learner: learner)
    got = run_episodes(privileged(bandit), act, planner.init, (), jax.random.key(0), episodes=8).returns
    np.testing.assert_allclose(got, 1.0, atol=2e-3)
    model, params = learned
    on_rules = share_of_optimum(privileged(lqr), rules(lqr), (), CONFIGS["random"])
    np.testing.assert_allclose(share_of_optimum(lqr, model, params, CONFIGS["random"]), on_rules, rtol=0.1)


def test_rewards_after_the_end_do_not_count():
    model = world(lambda step, action: jnp.ones(action.shape[0]))
    ends = model._replace(
        predict=lambda p, b, a, k: (
            b + 1,
            model.predict(p, b, a, k)[1]._replace(discount=(b < 2).astype(float)),
        )
    )
    returns = imagined_returns(ends, (), jnp.zeros(1, int), jnp.zeros((1, 3, 6, 2)), jax.random.key(0))
    np.testing.assert_array_equal(returns, np.full((1, 3), 3.0))  # steps 0, 1 and 2, which ends it


def test_shift_drops_the_first_action():
    np.testing.assert_array_equal(shift(jnp.arange(6.0).reshape(3, 2), 9.0), [[2, 3], [4, 5], [9, 9]])


def test_discrete_actions_are_refused():
    chain = envs.make("diagnostic_chain")
    with pytest.raises(ConfigError, match="continuous"):
        make_planner(chain.spec, rules(chain), CONFIGS["cem"])


@pytest.mark.parametrize(
    "change", [{"elites": 500}, {"horizon": 0}, {"alpha": 1.0}, {"temperature": 0.0}, {"decay": 0.5}]
)
def test_impossible_settings_are_refused_by_name(change):
    with pytest.raises(ConfigError, match=f"planner.{next(iter(change))}"):
        ShootingConfig(**change)
