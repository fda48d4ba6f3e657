"""Tiny tasks with a known optimal return, for testing that planners plan and learners learn.

bandit   one decision, continuous; the best action depends on what is seen
lqr      linear dynamics and quadratic cost over 20 steps, continuous; optimum by Riccati's recursion
chain    walk left or right along a line to one of two exits, discrete; the nearer exit pays less
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt8

from imaginax.envs import drawing
from imaginax.envs.physical import difference_features, restart, transition
from imaginax.numerics.gaussian import Gaussian
from imaginax.types import Box, Discrete, Environment, EnvSpec, TimeStep

LQR_STEPS = 20
LQR_TRANSITION = ((1.0, 0.2), (-0.1, 0.95))  # a discretised, damped spring
LQR_CONTROL = ((0.02,), (0.2,))
LQR_STATE_COST = ((1.0, 0.0), (0.0, 0.1))
LQR_ACTION_COST = 0.05
LQR_BOUND = 10.0  # the optimal controls stay below 6

CHAIN_LENGTH = 8
CHAIN_START = 2
CHAIN_NEAR_REWARD = 0.2  # of the exit beyond position 0
CHAIN_FAR_REWARD = 1.0  # of the exit beyond the last position
CHAIN_STEP_COST = 0.02


class BanditState(NamedTuple):
    """What is seen, and the last answer to it."""

    context: Float[Array, "1"]
    action: Float[Array, "1"]


class LqrState(NamedTuple):
    """The linear system's state (position, velocity)."""

    x: Float[Array, "2"]


class ChainState(NamedTuple):
    """Where the walker stands, from -1 (the near exit) to the length (the far one)."""

    position: Int[Array, ""]


# ------------------------------------------------------------------ bandit


def bandit() -> Environment:
    """One step: observe c uniform in [-1, 1], act a in [-1, 1], receive 1 - (a - c / 2)^2 and terminate."""
    spec = EnvSpec("diagnostic_bandit", Box((1,), -1.0, 1.0), Box((1,), -1.0, 1.0), max_steps=1)
    features = difference_features(lambda observation: observation)
    return Environment(spec, _bandit_init, _bandit_step, _bandit_draw, bandit_reward, features)


def bandit_optimal_return(observation: Float[Array, "*batch 1"]) -> Float[Array, "*batch"]:
    """1 for every context: the action c / 2 is always allowed."""
    return jnp.ones_like(observation[..., 0])


def bandit_reward(
    observation: Float[Array, "*#batch 1"],
    action: Float[Array, "*#batch 1"],
    next_observation: Float[Array, "*#batch 1"],
) -> Float[Array, "..."]:
    """1 - (a - c / 2)^2, with the action clipped to its bounds."""
    del next_observation
    return 1 - (jnp.clip(action[..., 0], -1.0, 1.0) - observation[..., 0] / 2) ** 2


def _bandit_init(key: Array) -> tuple[BanditState, TimeStep]:
    context = jax.random.uniform(key, (1,), minval=-1.0, maxval=1.0)
    return BanditState(context, jnp.zeros(1)), restart(context)


def _bandit_step(state: BanditState, action: Array, key: Array) -> tuple[BanditState, TimeStep]:
    del key
    reward = bandit_reward(state.context, action, state.context)
    timestep = transition(state.context, reward, terminal=jnp.ones((), bool))
    return BanditState(state.context, action), timestep


def _bandit_draw(state: BanditState) -> UInt8[Array, "48 160 3"]:
    return _point_on_a_line(state.action[0], goal=state.context[0] / 2, reach=1.0)


# --------------------------------------------------------------------- lqr


def lqr() -> Environment:
    """x' = A x + B u over 20 steps, reward -(x'Qx + R u^2) of the state before the step.

    Episodes start uniformly in [-1, 1]^2; the control [1] is bounded, too widely to matter.
    """
    spec = EnvSpec("diagnostic_lqr", Box((2,)), Box((1,), -LQR_BOUND, LQR_BOUND), max_steps=LQR_STEPS)
    features = difference_features(lambda observation: observation, angles=())
    return Environment(
        spec, _lqr_init, _lqr_step, _lqr_draw, lqr_reward, features, expected_reward=lqr_expected_reward
    )


def lqr_optimal_return(
    observation: Float[Array, "*batch 2"], *, steps: int = LQR_STEPS
) -> Float[Array, "*batch"]:
    """-x' P_0 x, the best undiscounted return of `steps` steps from here.

    P comes from the finite-horizon Riccati recursion, backwards from P = 0:

        P <- Q + A' P A - A' P B (R + B' P B)^-1 B' P A
    """
    a, b, q = jnp.array(LQR_TRANSITION), jnp.array(LQR_CONTROL), jnp.array(LQR_STATE_COST)
    cost_to_go = jnp.zeros_like(q)
    for _ in range(steps):
        gain = b.T @ cost_to_go @ a / (LQR_ACTION_COST + b.T @ cost_to_go @ b)
        cost_to_go = q + a.T @ cost_to_go @ (a - b @ gain)
    return -jnp.einsum("...i,ij,...j->...", observation, cost_to_go, observation)


def lqr_reward(
    observation: Float[Array, "*#batch 2"],
    action: Float[Array, "*#batch 1"],
    next_observation: Float[Array, "*#batch 2"],
) -> Float[Array, "..."]:
    """-(x'Qx + R u^2), with the control clipped to its bounds."""
    del next_observation
    control = jnp.clip(action[..., 0], -LQR_BOUND, LQR_BOUND)
    state_cost = jnp.einsum("...i,ij,...j->...", observation, jnp.array(LQR_STATE_COST), observation)
    return -(state_cost + LQR_ACTION_COST * control**2)


def lqr_expected_reward(
    before: Gaussian, action: Float[Array, "1"], after: Gaussian
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean and variance of the reward where the state before the step is normally distributed.

    E[x'Qx] = m'Qm + tr(QS),    Var[x'Qx] = 4 m'QSQm + 2 tr(QSQS)
    """
    cost = jnp.array(LQR_STATE_COST)
    weighted = cost @ before.covariance
    slope = cost @ before.mean
    mean = lqr_reward(before.mean, action, after.mean) - jnp.trace(weighted)
    return mean, 4 * slope @ before.covariance @ slope + 2 * jnp.trace(weighted @ weighted)


def _lqr_init(key: Array) -> tuple[LqrState, TimeStep]:
    x = jax.random.uniform(key, (2,), minval=-1.0, maxval=1.0)
    return LqrState(x), restart(x)


def _lqr_step(state: LqrState, action: Array, key: Array) -> tuple[LqrState, TimeStep]:
    del key
    control = jnp.clip(action, -LQR_BOUND, LQR_BOUND)
    x = jnp.array(LQR_TRANSITION) @ state.x + jnp.array(LQR_CONTROL) @ control
    return LqrState(x), transition(x, lqr_reward(state.x, action, x))


def _lqr_draw(state: LqrState) -> UInt8[Array, "48 160 3"]:
    return _point_on_a_line(state.x[0], goal=0.0, reach=1.5)


# ------------------------------------------------------------------- chain


def chain() -> Environment:
    """A walk on 8 positions from the third: action 0 steps left, 1 right, every step costs 0.02.

    Beyond either end the episode terminates: the left exit pays 0.2, the right one 1, so the nearer
    reward is the worse one. The observation [8] is one-hot (zeros beyond the ends).
    """
    observation = Box((CHAIN_LENGTH,), 0.0, 1.0)
    spec = EnvSpec("diagnostic_chain", observation, Discrete(2), max_steps=4 * CHAIN_LENGTH)
    return Environment(spec, _chain_init, _chain_step, _chain_draw)


def chain_optimal_return(observation: Float[Array, "*batch 8"]) -> Float[Array, "*batch"]:
    """The better of walking straight to either exit, undiscounted."""
    position = jnp.argmax(observation, axis=-1)
    near = CHAIN_NEAR_REWARD - CHAIN_STEP_COST * (position + 1)
    far = CHAIN_FAR_REWARD - CHAIN_STEP_COST * (CHAIN_LENGTH - position)
    return jnp.maximum(near, far)


def _chain_observe(position: Int[Array, ""]) -> Float[Array, "8"]:
    return jax.nn.one_hot(position, CHAIN_LENGTH)


def _chain_init(key: Array) -> tuple[ChainState, TimeStep]:
    del key  # every episode starts at the same place
    position = jnp.asarray(CHAIN_START, jnp.int32)
    return ChainState(position), restart(_chain_observe(position))


def _chain_step(state: ChainState, action: Array, key: Array) -> tuple[ChainState, TimeStep]:
    del key
    position = state.position + jnp.where(action == 1, 1, -1).astype(jnp.int32)
    near, far = position < 0, position >= CHAIN_LENGTH
    exit_reward = CHAIN_NEAR_REWARD * near + CHAIN_FAR_REWARD * far
    timestep = transition(_chain_observe(position), exit_reward - CHAIN_STEP_COST, terminal=near | far)
    return ChainState(position), timestep


def _chain_draw(state: ChainState) -> UInt8[Array, "48 240 3"]:
    page = drawing.canvas(
        48, 240, drawing.PAPER, centre=((CHAIN_LENGTH - 1) / 2, 0.0), extent=CHAIN_LENGTH + 2.6
    )
    for place in range(-1, CHAIN_LENGTH + 1):
        colour = {-1: drawing.ORANGE, CHAIN_LENGTH: drawing.GREEN}.get(place, drawing.SHADE)
        page = drawing.box(page, (place, 0.0), (0.42, 0.42), colour, corner=0.12)
    return drawing.pixels(drawing.disc(page, (1.0 * state.position, 0.0), 0.27, drawing.INK))


def _point_on_a_line(place: Array, *, goal: Array | float, reach: float) -> UInt8[Array, "48 160 3"]:
    unit = reach / 10
    page = drawing.canvas(48, 160, drawing.PAPER, extent=2.4 * reach)
    page = drawing.line(page, (-1.1 * reach, 0.0), (1.1 * reach, 0.0), 0.3 * unit, drawing.STEEL)
    page = drawing.ring(page, (goal, 0.0), 1.1 * unit, 0.3 * unit, drawing.GREEN)
    return drawing.pixels(drawing.disc(page, (place, 0.0), 0.7 * unit, drawing.ORANGE))
