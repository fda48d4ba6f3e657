"""The environment that marks a reconstruction: its return is minus the RMSE of the missing frames."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.data import mocap
from imaginax.data.mocap import gaps
from imaginax.envs.missing_frames import missing_frames


@pytest.fixture(scope="module")
def walk():
    motion = mocap.walk(jax.random.key(0), mocap.WalkConfig(frames=40))
    prepared = mocap.prepare([motion], mocap.PreprocessingConfig())
    return prepared, prepared.values + prepared.mean


def play(env, answers):
    """The rewards and observations of one episode."""

    def step(carry, answer):
        state, timestep = env.step(carry[0], answer, jax.random.key(0))
        return (state, timestep), (carry[1].observation, timestep.reward, timestep.last)

    start = env.init(jax.random.key(0))
    return jax.jit(lambda a: jax.lax.scan(step, start, a))(jnp.asarray(answers, jnp.float32))


def test_the_return_is_minus_the_error_at_missing_frames(walk):
    prepared, truth = walk
    missing = gaps.gap(20, 5, 9)
    env = missing_frames(mocap.humanoid(), prepared, missing)
    answers = truth + np.random.default_rng(0).normal(size=truth.shape)
    answers[~missing] += 100.0  # which does not count
    _, (seen, rewards, last) = play(env, answers)
    np.testing.assert_allclose(rewards.sum(), -gaps.rmse(truth, answers, missing), rtol=1e-4)
    np.testing.assert_array_equal(last, np.arange(20) == 19)
    np.testing.assert_array_equal(seen, np.stack([np.arange(20), missing], 1))
    _, (_, rewards, _) = play(env, truth)
    np.testing.assert_allclose(rewards, 0.0, atol=1e-4)


def test_the_picture_shows_the_answer_on_the_truth(walk):
    prepared, truth = walk
    env = missing_frames(mocap.humanoid(), prepared, gaps.gap(20, 5, 9))
    draw = jax.jit(env.render)
    right = draw(play(env, truth)[0][0])
    wrong = draw(play(env, truth + 30.0)[0][0])
    assert right.shape == wrong.shape and right.dtype == jnp.uint8
    assert (np.asarray(right) != np.asarray(wrong)).any(-1).sum() > 100
