"""Planning with the true rules comes close to the known optimum, from the command line's own entry."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.envs.diagnostics import lqr_optimal_return
from imaginax.runtime.loop import make_chunk
from imaginax.systems import mpc
from imaginax.systems.presets import mpc as mpc_presets
from imaginax.types import ConfigError


def test_a_trial_is_near_the_optimum():
    tiny = mpc_presets.preset("tiny", None)
    system = mpc.make(
        dataclasses.replace(tiny, planner=dataclasses.replace(tiny.planner, population=400, elites=40))
    )
    state = jax.jit(system.init)(jax.random.key(2))
    optimum = float(lqr_optimal_return(state.timestep.observation.inner.x)[0])
    _, output = jax.jit(make_chunk(system, system.schedule[0]))(state, jnp.int32(0))
    assert int(output.episodes) == 1
    np.testing.assert_allclose(output.episode_return, optimum, rtol=0.05)
    assert float(output.episode_return) <= optimum + 1e-4


@pytest.mark.parametrize("name", ["cem", "icem", "mppi", "random"])
def test_presets_are_what_their_names_say(name):
    assert mpc_presets.preset(name, "pendulum").planner.method == name
    assert mpc_presets.preset(name, "pendulum").env == "pendulum"


def test_discrete_actions_are_refused():
    with pytest.raises(ConfigError, match="continuous"):
        mpc.make(mpc_presets.preset("cem", "diagnostic_chain"))


def test_planets_search_holds_actions_as_long_as_planet_does():
    config = mpc_presets.preset("planet", "control_cheetah_run")
    assert (config.action_repeat, config.planner.method) == (4, "planet_cem")
    system = mpc.make(mpc_presets.preset("planet", None))
    assert system.environment.spec.max_steps == 125  # decisions in 1000 steps of the cart-pole
