"""The registry of environments: names, limits, errors, and what every entry promises."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs import wrappers
from imaginax.envs.control.tasks import TASKS
from imaginax.envs.games import names
from imaginax.types import ConfigError, Discrete

ANALYTIC = [
    name
    for name in envs.names()
    if name.split("_")[-1] not in ("halfcheetah", "reacher", "pusher")
    and name not in TASKS
    and not names.is_game(name)
    and not name.startswith("brax:")
]


def test_unknown_name_is_one_line_with_at_most_three_near_matches():
    with pytest.raises(ConfigError) as error:
        envs.make("pets_cart_pole")
    message = str(error.value)
    assert "did you mean pets_cartpole" in message and "\n" not in message
    assert 1 <= sum(name in message.split("did you mean")[1] for name in envs.names()) <= 3
    with pytest.raises(ConfigError, match=r"unknown environment 'zzz'; imaginax list shows all of them"):
        envs.make("zzz")


def test_games_are_listed_and_their_errors_name_the_field():
    assert set(names.NAMES) <= set(envs.names())
    with pytest.raises(ConfigError, match="unknown game 'go_9'; did you mean go_9x9"):
        envs.make("go_9")
    with pytest.raises(ConfigError, match="did you mean connect_four"):
        envs.make("connect_for")
    assert envs.make("tic_tac_toe", max_steps=4).spec.max_steps == 4


def test_limit_and_repeat_reach_the_specification():
    env = envs.make("pendulum", max_steps=11, action_repeat=4)
    assert env.spec.max_steps == 3 and env.spec.step_seconds == pytest.approx(0.2)
    for bad in ({"max_steps": 0}, {"action_repeat": 0}):
        with pytest.raises(ConfigError):
            envs.make("pendulum", **bad)


def random_actions(space, leading):
    key = jax.random.key(0)
    if isinstance(space, Discrete):
        return jax.random.randint(key, leading, 0, space.size)
    return jax.random.uniform(key, (*leading, *space.shape), minval=space.low, maxval=space.high)


@pytest.mark.parametrize("name", ANALYTIC)
def test_every_analytic_environment_keeps_the_contract(name):
    """One scan over a whole episode and the start of the next: limits, rewards on observations, images."""
    env = envs.make(name)
    stack = wrappers.training_environment(env, 2)
    actions = random_actions(env.spec.action, (env.spec.max_steps + 1, 2))

    def step(carry, action):
        state, timestep = stack.step(carry[0], action, jax.random.key(1))
        return (state, timestep), (carry[1].observation, timestep)

    @jax.jit
    def episode(actions):
        (state, _), seen = jax.lax.scan(step, stack.init(jax.random.key(2)), actions)
        return seen, stack.render(state)

    (before, timesteps), frames = episode(actions)
    assert env.spec.name == name
    assert timesteps.observation.shape[2:] == env.spec.observation.shape
    assert np.isfinite(timesteps.final_observation).all() and (
        timesteps.observation.dtype == env.spec.observation.dtype
    )
    assert timesteps.last[: env.spec.max_steps].any() and (timesteps.last == timesteps.first).all()
    assert frames.dtype == jnp.uint8 and frames.ndim == 4 and frames.shape[-1] == 3
    assert len(np.unique(frames[0])) > 4
    if env.reward is not None:
        rewards = env.reward(before, actions, timesteps.final_observation)
        np.testing.assert_allclose(rewards, timesteps.reward, rtol=1e-5, atol=1e-5)
    if env.features is not None:
        target = env.features.target(before, timesteps.final_observation)
        restored = env.features.apply(before, target)
        np.testing.assert_allclose(restored, timesteps.final_observation, rtol=1e-5, atol=1e-5)
        assert env.features.inputs(before).shape[:2] == before.shape[:2]
