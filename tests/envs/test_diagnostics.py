"""Each documented optimum against brute force."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.envs import diagnostics as task


def episode_returns(env, state, plans):
    """Undiscounted returns [C] of action sequences [C, H] from one state; nothing counts after the end."""

    def step(carry, action):
        state, running = carry
        state, timestep = env.step(state, action, jax.random.key(0))
        return (state, running * timestep.discount), running * timestep.reward

    @jax.jit
    @jax.vmap
    def run(plan):
        return jnp.sum(jax.lax.scan(step, (state, jnp.ones(())), plan)[1])

    return run(plans)


def test_bandit_optimum_is_the_best_on_a_grid():
    env = task.bandit()
    for seed in range(3):
        state, timestep = env.init(jax.random.key(seed))
        returns = episode_returns(env, state, jnp.linspace(-1, 1, 2001)[:, None, None])
        np.testing.assert_allclose(returns.max(), task.bandit_optimal_return(timestep.observation), atol=1e-6)
        assert returns.min() < 0.8
    _, timestep = env.step(state, jnp.zeros(1), jax.random.key(0))
    assert timestep.last and timestep.discount == 0 and not timestep.truncated


def test_lqr_optimum_is_the_least_squares_solution():
    """States are linear in the controls, so the best plan solves one least-squares problem."""
    env = task.lqr()
    state, timestep = env.init(jax.random.key(1))
    a, b, q = (np.array(m) for m in (task.LQR_TRANSITION, task.LQR_CONTROL, task.LQR_STATE_COST))
    steps, root = env.spec.max_steps, np.linalg.cholesky(q).T
    states, influence = [], []
    free, effect = np.array(timestep.observation, np.float64), np.zeros((2, steps))
    for t in range(steps):
        states.append(root @ free)
        influence.append(root @ effect)
        free, effect = a @ free, a @ effect
        effect[:, t] += b[:, 0]
    matrix = np.vstack([*influence, np.sqrt(task.LQR_ACTION_COST) * np.eye(steps)])
    right = -np.concatenate([*states, np.zeros(steps)])
    plan, (cost,) = np.linalg.lstsq(matrix, right, rcond=None)[:2]
    optimum = task.lqr_optimal_return(timestep.observation)
    np.testing.assert_allclose(optimum, -cost, rtol=1e-4)
    returned = episode_returns(env, state, jnp.array(plan, jnp.float32)[None, :, None])
    np.testing.assert_allclose(returned, optimum, rtol=1e-4)
    idle = episode_returns(env, state, jnp.zeros((1, steps, 1)))
    assert idle < 1.5 * optimum


@jax.jit
def value_of_first_control(x, control):
    after = jnp.array(task.LQR_TRANSITION) @ x + jnp.array(task.LQR_CONTROL)[:, 0] * control
    return task.lqr_reward(x, control[None], after) + task.lqr_optimal_return(after, steps=task.LQR_STEPS - 1)


def test_lqr_bounds_do_not_matter_to_the_optimal_controller():
    """The first control is the largest, and linear in the start: the corners of the starts bound it."""
    steepest = 0.0
    for corner in itertools.product((-1.0, 1.0), repeat=2):
        x = jnp.array(corner)
        low, middle, high = (float(value_of_first_control(x, u)) for u in (-1.0, 0.0, 1.0))
        # a parabola in the control: its top from three points
        steepest = max(steepest, abs((high - low) / (2 * (high - 2 * middle + low))))
    assert 5 < steepest < 0.6 * task.LQR_BOUND


def test_chain_optimum_is_the_best_of_all_plans():
    env = task.chain()
    plans = jnp.array(list(itertools.product((0, 1), repeat=9)))
    for position in range(task.CHAIN_LENGTH):
        state = task.ChainState(jnp.asarray(position, jnp.int32))
        best = episode_returns(env, state, plans).max()
        optimum = task.chain_optimal_return(jax.nn.one_hot(position, task.CHAIN_LENGTH))
        np.testing.assert_allclose(best, optimum, atol=1e-6)
    near = episode_returns(env, env.init(jax.random.key(0))[0], jnp.zeros((1, 9), jnp.int32))
    np.testing.assert_allclose(near, 0.2 - 3 * 0.02, atol=1e-6)
