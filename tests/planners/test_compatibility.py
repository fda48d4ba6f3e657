"""What does not fit together is refused by the name of what is missing."""

import jax
import jax.numpy as jnp
import pytest

from imaginax import envs
from imaginax.envs.wrappers import privileged
from imaginax.learning.gp_trials import first_learner
from imaginax.models.ensemble.config import EnsembleConfig
from imaginax.models.ensemble.model import ensemble
from imaginax.models.gp.config import GPConfig
from imaginax.models.gp.dynamics import gp_dynamics
from imaginax.models.gp.gaussian_dynamics import dynamics, gaussian_task, world_model
from imaginax.models.latent.config import LatentModelConfig, ObjectiveConfig, RSSMConfig
from imaginax.models.latent.model import latent_model
from imaginax.models.rules import rules
from imaginax.planners import moment_matching
from imaginax.planners.compatibility import check_compatible
from imaginax.planners.config import MomentPlannerConfig
from imaginax.planners.shooting import planner as shooting
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.types import Capabilities, ConfigError, Environment, Planner, WorldModel


def planner(**needs):
    return Planner(Capabilities(**needs), lambda batch: (), lambda *_: ())


def test_what_fits_passes():
    lqr = envs.make("diagnostic_lqr")
    check_compatible(lqr, rules(lqr), planner(continuous=True, differentiable=True))


def test_a_missing_capability_is_named():
    lqr = envs.make("diagnostic_lqr")
    with pytest.raises(
        ConfigError, match="needs a world model with: value, policy; it offers: continuous, differentiable"
    ):
        check_compatible(lqr, rules(lqr), planner(continuous=True, value=True, policy=True))


def test_kinds_of_actions_must_agree():
    chain = envs.make("diagnostic_chain")
    with pytest.raises(ConfigError, match="discrete actions; the planner handles continuous"):
        check_compatible(chain, rules(chain), planner(continuous=True))
    lqr = envs.make("diagnostic_lqr")
    with pytest.raises(ConfigError, match="continuous actions; the world model handles discrete"):
        check_compatible(lqr, rules(chain), planner(continuous=True))


def gaussian(env: Environment, *, certain_beliefs: bool = False) -> WorldModel:
    def fresh(key):
        return dynamics(first_learner(gaussian_task(env), 10).posterior)

    return world_model(env, fresh, certain_beliefs=certain_beliefs)


def latent(env: Environment) -> WorldModel:
    config = LatentModelConfig(RSSMConfig(deterministic=4, stochastic=2, hidden=4), hidden=(4,))
    return latent_model(env.spec, config, ObjectiveConfig())


def moments(variant: str):
    config = MomentPlannerConfig(variant=variant, horizon=3, evaluations=2, starts=2)
    return lambda env, model: moment_matching.make_planner(gaussian_task(env), model, config)


def shoot(method: str):
    config = ShootingConfig(method=method, horizon=3, population=8, elites=2, iterations=2)
    return lambda env, model: shooting.make_planner(env.spec, model, config)


MODELS = {
    "rules": lambda env: rules(privileged(env)),
    "ensemble": lambda env: ensemble(env, EnsembleConfig(members=2, hidden=(4,), weight_decay=(0.0, 0.0))),
    "gp_dynamics": lambda env: gp_dynamics(env, GPConfig(capacity=10)),
    "sparse_gp_dynamics": lambda env: gp_dynamics(env, GPConfig(("linear",), capacity=10, inducing=5)),
    "gaussian_dynamics": gaussian,
    "certain_dynamics": lambda env: gaussian(env, certain_beliefs=True),
    "latent_model": latent,
}
PLANNERS = {variant: moments(variant) for variant in ("variance", "zero_variance")} | {
    method: shoot(method) for method in ("random", "cem", "planet_cem", "icem", "mppi")
}


@pytest.mark.parametrize("method", PLANNERS)
@pytest.mark.parametrize("name", MODELS)
def test_a_planner_that_is_accepted_plans(name, method):
    """Every model with every planner of continuous actions: it is refused, or a decision can be traced."""
    env = envs.make("diagnostic_lqr")
    model = MODELS[name](env)
    planner = PLANNERS[method](env, model)
    seen = privileged(env) if name == "rules" else env
    if planner.needs.gaussian_belief and name not in ("gaussian_dynamics", "certain_dynamics"):
        with pytest.raises(ConfigError, match="gaussian_belief"):
            check_compatible(env, model, planner)
        return
    check_compatible(env, model, planner)

    def decide(key):
        params = model.init(key)
        observation = jax.vmap(seen.init)(jax.random.split(key, 2))[1].observation
        return planner.plan(params, model.encode(params, observation, key), planner.init(2), key, None)[0]

    assert jax.eval_shape(decide, jax.random.key(0)).shape == (2, 1)


@pytest.mark.parametrize("name", MODELS)
def test_a_differentiable_model_has_derivatives_in_the_actions(name):
    env = envs.make("diagnostic_lqr")
    model, seen = MODELS[name](env), privileged(env) if name == "rules" else env
    assert model.can.differentiable

    def reward(action):
        key = jax.random.key(0)
        params = model.init(key)
        belief = model.encode(params, jax.vmap(seen.init)(key[None])[1].observation, key)
        return model.predict(params, belief, action[None], key)[1].reward[0]

    assert jax.eval_shape(jax.jacfwd(reward), jnp.zeros(1)).shape == (1,)


def test_games_have_no_derivatives():
    game = envs.make("tic_tac_toe")
    with pytest.raises(ConfigError, match="differentiable"):
        check_compatible(game, rules(privileged(game)), planner(discrete=True, differentiable=True))
