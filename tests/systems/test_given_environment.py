"""A system on an environment that no registry knows, from Python."""

from __future__ import annotations

import dataclasses
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.envs.wrappers import action_repeat, time_limit
from imaginax.runtime import playback
from imaginax.runtime.run import train
from imaginax.systems import gpdm, pets
from imaginax.systems.presets import gpdm as gpdm_presets
from imaginax.systems.presets import pets as pets_presets
from imaginax.types import Box, ConfigError, Environment, EnvSpec, TimeStep

STEPS = 8


def cart(low: float = -1.0) -> Environment:
    """A cart on a line that is paid for standing at zero: x' = x + a / 2."""

    def told(x, reward, first):
        no = jnp.zeros((), bool)
        return TimeStep(x, reward, jnp.ones(()), jnp.asarray(first), no, no)

    def init(key):
        x = jax.random.uniform(key, (1,), minval=0.5, maxval=1.0)
        return x, told(x, jnp.zeros(()), True)

    def step(x, action, key):
        following = x + action / 2
        return following, told(following, reward(x, action, following), False)

    def reward(before, action, after):
        return -jnp.sum(after**2, axis=-1)

    spec = EnvSpec("unheard_of", Box((1,)), Box((1,), low, 1.0), STEPS)
    return Environment(spec, init, step, reward=reward)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of PETS on the cart: its directory and its summary."""
    logdir = tmp_path_factory.mktemp("run")
    system = pets.make(dataclasses.replace(pets_presets.TINY, trials=2, trial_steps=0), cart())
    return logdir, train(system, logdir=logdir, stream=io.StringIO())


def test_a_system_trains_on_it_and_learns(trained):
    """Standing still costs at least 8 * 0.25 = 2, and the best that can be done at most 0.25."""
    _, summary = trained
    assert summary["env"] == "unheard_of" and summary["env_steps"] == 3 * STEPS
    assert summary["eval_return"] > -1.5


def test_its_run_is_loaded_with_it_and_not_without(trained):
    logdir, summary = trained
    found = playback.evaluate(playback.load(logdir, cart()), episodes=1)
    np.testing.assert_array_equal(found.returns.mean(1), summary["eval_return_per_seed"])
    with pytest.raises(ConfigError, match="trained on env unheard_of, which must be given"):
        playback.load(logdir)


def test_it_is_held_to_the_settings_as_a_registered_one_is():
    """The same wrappers around the same environment: a limit of 5, actions held for 2."""
    got = envs.resolve(cart(), "pendulum", max_steps=5, action_repeat=2)
    wanted = action_repeat(time_limit(cart(), 5), 2)
    assert got.spec == wanted.spec and got.spec.name == "unheard_of"
    outcomes = []
    for env in (got, wanted):
        state, _ = env.init(jax.random.key(0))
        for index in range(3):
            state, timestep = env.step(state, jnp.full(1, 0.3), jax.random.key(index))
        outcomes.append(timestep)
    jax.tree.map(np.testing.assert_array_equal, *outcomes)
    assert outcomes[0].truncated and envs.resolve(None, "pendulum").spec.name == "pendulum"


def test_settings_that_it_cannot_take_are_refused():
    hosted = cart()._replace(host=lambda n, seed: None)
    assert envs.resolve(hosted, "pendulum", max_steps=STEPS) is hosted
    for settings in ({"max_steps": 5}, {"action_repeat": 2}):
        with pytest.raises(ConfigError, match="unheard_of, given as an object"):
            envs.resolve(hosted, "pendulum", **settings)
    with pytest.raises(ConfigError, match="must have finite bounds"):
        pets.make(pets_presets.TINY, cart(low=-np.inf))
    with pytest.raises(ConfigError, match="gpdm makes its environment"):
        gpdm.make(gpdm_presets.TINY, cart())
