"""GPDM as a system: its stages, what they leave alone, and the motions it reads."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.numerics.config import HMCConfig
from imaginax.runtime.loop import make_chunk
from imaginax.runtime.precision import precision
from imaginax.systems import gpdm
from imaginax.systems.presets import gpdm as gpdm_presets
from imaginax.types import ConfigError

SMALL = dataclasses.replace(
    gpdm_presets.TINY,
    method="two_stage",
    pieces=2,
    rounds=1,
    sweeps=1,
    hmc=HMCConfig(draws=2, burn_in=1, leapfrog=3, step=1e-3),
)


@pytest.fixture(scope="module")
def states():
    """The state before and after one chunk of each of the three stages."""
    system = gpdm.make(SMALL)
    with precision(system):
        found = [jax.jit(system.init)(jax.random.key(0))]
        for stage in system.schedule:
            state, output = jax.jit(make_chunk(system, stage))(found[-1], jnp.int32(0))
            found.append(state)
            assert float(output.episodes) == 1 and np.isfinite(output.episode_return)
    return system, found


def test_a_chunk_reports_minus_the_error_of_the_reconstruction(states):
    system, (_, *after) = states
    env, prepared = gpdm.environment(SMALL)
    truth = prepared.values + prepared.mean
    first, end = SMALL.missing
    for state in after:
        frames = np.asarray(state.learner.frames)
        rmse = np.sqrt(np.mean((frames - truth)[first:end] ** 2))
        np.testing.assert_allclose(state.env.finished_return, -rmse, rtol=1e-5)
    assert [stage.name for stage in system.schedule] == ["pieces", "hyperparameters", "whole"]


def test_it_computes_in_double_precision_and_never_sees_missing_frames(states, monkeypatch):
    """With NaN in the place of the missing frames it learns the same."""
    system, found = states
    skeleton, prepared = gpdm.prepared_motion(SMALL)
    spoilt = prepared.values.copy()
    spoilt[slice(*SMALL.missing)] = np.nan
    monkeypatch.setattr(gpdm, "_prepared", lambda *given: (skeleton, prepared._replace(values=spoilt)))
    blind = gpdm.make(SMALL)
    with precision(system):
        learn = jax.jit(lambda state: blind.schedule[0].learn(state.learner, state.replay, state.key))
        learner, _ = learn(found[0])
    assert learner.params.x.dtype == jnp.float64 and system.float64
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), learner, found[1].learner)


def test_the_last_of_two_stages_holds_hyperparameters(states):
    _, found = states
    before, after = found[-2].learner.params, found[-1].learner.params
    jax.tree.map(np.testing.assert_array_equal, (before.log, before.w), (after.log, after.w))
    assert np.abs(before.x - after.x).max() > 0
    assert np.abs(found[1].learner.params.log.beta - before.log.beta).max() > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"missing": (60, 40)}, "missing"),
        ({"missing": (40, 65)}, "missing"),
        ({"motion": "nowhere/07_01.amc"}, r"^motion 'nowhere/07_01\.amc': no such file$"),
        ({"motion": __file__, "skeleton": "no.asf"}, r"^skeleton 'no\.asf': no such file$"),
        ({"motion": __file__, "skeleton": "/"}, r"^/ cannot be read: Is a directory$"),
        ({"motion": __file__}, r"^skeleton must be given: 0 \.asf files"),
        ({"env": "pendulum"}, "env"),
        ({"sweeps": 0}, "sweeps"),
        ({"model": dataclasses.replace(gpdm_presets.TINY.model, dynamics="none")}, "pieces"),
    ],
)
def test_what_cannot_be_is_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        gpdm.make(dataclasses.replace(gpdm_presets.TINY, **changes))
