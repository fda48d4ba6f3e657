"""Every planner on the true rules of an environment and on a model that was learned from it.

The task is linear-quadratic, so the best return is known from Riccati's recursion.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.acting.mpc import make_mpc
from imaginax.envs.diagnostics import lqr_optimal_return
from imaginax.envs.wrappers import privileged, training_environment
from imaginax.learning.config import EnsembleFitConfig
from imaginax.learning.ensemble import init_learner, make_fit
from imaginax.models.ensemble.config import EnsembleConfig
from imaginax.models.ensemble.model import ensemble
from imaginax.models.imagination import imagined_returns
from imaginax.models.rules import rules
from imaginax.planners.shooting import cem
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.planners.shooting.planner import make_planner
from imaginax.planners.shooting.plans import shift
from imaginax.runtime.evaluation import run_episodes
from imaginax.types import Box, ConfigError, EnvSpec, Prediction, Transition
from tests.planners.worlds import SPACE, world

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
    optimiser, fit = make_fit(lqr, config, EnsembleFitConfig(epochs=60, learning_rate=3e-3))
    params = model.init(key)
    learner, _ = jax.jit(fit)(init_learner(params, optimiser), data, 1024, key)
    return model, learner.params


def share_of_optimum(env, model, params, config):
    """(return - that of doing nothing) / (optimum - that of doing nothing), the mean of 8 episodes."""
    planner = make_planner(env.spec, model, config)
    act = make_mpc(model, planner)
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
    act = make_mpc(rules(bandit), planner)
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


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf, -jnp.inf])
def test_a_model_may_have_no_number_for_what_comes_after_the_end(bad):
    """Neither for the reward there nor for how the episode goes on."""

    def predict(params, belief, action, key):
        after = belief > 2
        reward, discount = jnp.where(after, bad, 1.0), jnp.where(after, bad, (belief < 2).astype(float))
        return belief + 1, Prediction(reward, discount)

    model = world(None)._replace(predict=predict)
    returns = imagined_returns(model, (), jnp.zeros(1, int), jnp.zeros((1, 3, 6, 2)), jax.random.key(0))
    np.testing.assert_array_equal(returns, np.full((1, 3), 3.0))


METHODS = ("random", "cem", "planet_cem", "icem", "mppi")


def breakable():
    """A model whose reward is the action, but parameters (top, bad) make it `bad` for actions above `top`."""

    def predict(params, belief, action, key):
        top, bad = params
        return belief, Prediction(jnp.where(action[:, 0] > top, bad, action[:, 0]), jnp.ones(len(action)))

    return world(None)._replace(predict=predict)


COLD = ShootingConfig("mppi", 1, 60, 4, elites=30, temperature=0.1)
WHOLE, MOST_OF_IT, HALF = SPACE.low - 1, SPACE.low + 1, 0.5


@pytest.mark.parametrize(
    "config",
    [
        *(dataclasses.replace(COLD, method=m) for m in METHODS if m != "cem"),
        dataclasses.replace(COLD, method="cem", epsilon=0.0),
        dataclasses.replace(COLD, temperature=1.0),
    ],
    ids=lambda c: f"{c.method} {c.temperature}",
)
def test_a_decision_is_finite_whatever_the_returns_are_and_the_next_one_recovers(config):
    """Most plans without a return, all, with an infinite one, and a memory that is NaN."""
    planner = make_planner(EnvSpec("made_up", Box((1,)), SPACE, max_steps=9), breakable(), config)
    decide = jax.jit(lambda params, memory, key: planner.plan(params, jnp.zeros(1), memory, key))
    keys, sound = jax.random.split(jax.random.key(0)), (9.0, 0.0)

    def finite(*trees):
        return all(np.isfinite(x).all() for x in jax.tree.leaves(trees))

    cases = [
        (WHOLE, jnp.nan),
        (WHOLE, -jnp.inf),
        (MOST_OF_IT, jnp.nan),
        (MOST_OF_IT, -jnp.inf),
        (HALF, jnp.inf),
    ]
    for top, bad in cases:
        action, memory, found = decide((top, bad), planner.init(1), keys[0])
        assert finite(action, memory, found.plan)
        if top == MOST_OF_IT:  # a fifth of the range, so less than the half that elites are
            assert finite(found.value) and (found.plan[..., 0] <= top).all()
        else:
            assert abs(found.value) == jnp.inf
        following, _, found = decide(sound, memory, keys[1])
        assert found.value > 1.0 and following[0, 0] > 0.5
    lost = jax.tree.map(lambda x: jnp.full_like(x, jnp.nan) if x.dtype == jnp.float32 else x, planner.init(1))
    after, memory, found = decide(sound, lost, keys[0])
    assert finite(after, memory) and found.value > 1.0


def test_a_plan_without_a_return_is_no_elite_even_where_there_are_too_few():
    """Three plans have one: mean and variance are theirs; where none has, both stay."""
    plans = jnp.arange(12.0).reshape(2, 6, 1, 1)
    returns = jnp.array([[1.0, -jnp.inf, 3.0, -jnp.inf, 2.0, -jnp.inf], [-jnp.inf] * 6])
    config = ShootingConfig(population=6, elites=5, alpha=0.25)
    old = jnp.full((2, 1, 1), 8.0)
    mean, variance, value = cem.refit(plans, returns, old, 2 * old, config)
    np.testing.assert_allclose(mean[:, 0, 0], [0.25 * 8 + 0.75 * 2, 8.0], rtol=1e-6)
    np.testing.assert_allclose(variance[:, 0, 0], [0.25 * 16 + 0.75 * np.var([0, 2, 4]), 16.0], rtol=1e-6)
    np.testing.assert_array_equal(value, [2.0, -np.inf])


def test_bounds_and_variances_with_which_nothing_is_searched_are_refused():
    model = world(None)
    make = lambda config, *bounds: make_planner(  # noqa: E731
        EnvSpec("made_up", Box((1,)), Box((1,), *bounds), max_steps=9), model, config
    )
    for method in METHODS:
        with pytest.raises(ConfigError, match=f"planner.method {method} needs actions with bounds"):
            make(ShootingConfig(method), -3.4e38, 3.4e38)  # their square is infinite in float32
        if method != "cem":
            make(ShootingConfig(method), -0.05, 0.05)
    with pytest.raises(ConfigError, match="planner.epsilon"):
        make(ShootingConfig("cem"), -0.05, 0.05)  # a variance of 0.000625
    make(ShootingConfig("cem", epsilon=6e-4), -0.05, 0.05)


@pytest.mark.parametrize("method", ["random", "mppi"])
def test_methods_without_elites_may_have_a_smaller_population(method):
    assert ShootingConfig(method, population=20).population == 20


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
