"""Cart-pole and double pendulum of PILCO (Deisenroth & Rasmussen 2011) and GP-MPC (arXiv 1706.06491).

Links are uniform thin rods. The GP-MPC paper states rods of 1 m, the published PILCO scenarios (on which
its settings rest) use 0.5 m; `length` chooses, and 0.5 m is the default. Masses 0.5 kg, g = 9.82 m/s^2,
controls held for 0.1 s, episodes of 3 s. The reward is minus the saturating cost

    1 - exp(-d^2 / (2 width^2))

of the distance d between the tip and its target, of the state that the control led to.

Observations list positions, then velocities; angles are not wrapped. PILCO's measurement noise (0.01)
is not part of these environments.

The tasks with state constraints (section 4.2, Fig. 3) end a trial that breaks one. The cart-pole has a wall
70 cm to the left of its start. The angle of the double pendulum's inner link has a range of 340 degrees; the
paper does not say where the other 20 are, here they are around the horizontal on one side, so that the
inner link must come up on the other.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8

from imaginax.envs import scenes
from imaginax.envs.integrators import Dynamics, Motion, rk4
from imaginax.envs.limits import Limit, stop_outside
from imaginax.envs.physical import (
    PhysicalState,
    Physics,
    difference_features,
    gaussian_motion,
    physical_environment,
    solve_symmetric,
)
from imaginax.numerics.gaussian import Gaussian, Joint, linear, trigonometric
from imaginax.objectives.saturating import saturating_moments
from imaginax.types import Box, Environment, EnvSpec

# UCL-SML/pilco-matlab, scenarios/{cartPole,doublePendulum}: settings and dynamics; SI units
GRAVITY = 9.82
MASS = 0.5  # of the cart and of every link
LENGTH = 0.5
FRICTION = 0.1  # between cart and rail, newtons per (m/s)
MAX_FORCE = 10.0
MAX_TORQUE = 2.0
CONTROL_PERIOD = 0.1
SUBSTEPS = 10  # Runge-Kutta steps a control
EPISODE_STEPS = 30
CARTPOLE_WIDTH, CARTPOLE_SUCCESS = 0.25, 0.08
DOUBLE_PENDULUM_WIDTH, DOUBLE_PENDULUM_SUCCESS = 0.5, 0.22
WALL = -0.7  # metres
INNER_RANGE = (math.radians(-80.0), math.radians(260.0))  # from upright; it hangs at 180 degrees
STOPPED_REWARD = -1.0  # after a violation: as if far from the target


def cartpole(length: float = LENGTH) -> Environment:
    """Swing-up: observation [x, theta, x', theta'], theta = 0 hanging; force [1] in [-10, 10] newtons.

    Episodes start hanging with a standard deviation of 0.1 in all four numbers.
    """
    spec = _spec("gpmpc_cartpole", Box((1,), -MAX_FORCE, MAX_FORCE))
    tip = functools.partial(cartpole_tip, length=length)
    start = functools.partial(
        gaussian_motion,
        mean=Motion(jnp.zeros(2), jnp.zeros(2)),
        deviation=Motion(jnp.full(2, 0.1), jnp.full(2, 0.1)),
    )

    def reward(observation: Array, action: Array, next_observation: Array) -> Array:
        del observation, action
        return -saturating_cost(tip(next_observation), (0.0, length), CARTPOLE_WIDTH)

    def draw(state: PhysicalState) -> UInt8[Array, "192 448 3"]:
        end = tip(_observe(state.motion))
        return scenes.cart_scene(
            state.motion.position[0],
            end,
            rail=4 * length,
            target=(0.0, length),
            push=state.action[0] / MAX_FORCE,
            thickness=0.1 * length,
            stops=False,
        )

    def expected_reward(before: Gaussian, action: Array, after: Gaussian) -> tuple[Array, Array]:
        del before, action
        seen = trigonometric(after, (1,))  # x, x', theta', sin, cos
        reach = jnp.array([[1.0, 0, 0, length, 0], [0, 0, 0, 0, -length]])
        return _expected_reward(seen, reach, (0.0, length), CARTPOLE_WIDTH)

    dynamics = functools.partial(cartpole_dynamics, length=length)
    advance = functools.partial(_advance, dynamics)
    physics = Physics(start, advance, _observe, reward, draw)
    features = difference_features(_cartpole_inputs, angles=(1,))
    return physical_environment(spec, physics, features)._replace(expected_reward=expected_reward)


def cartpole_wall() -> Environment:
    """The swing-up with a wall at x = -0.7 m, which ends the trial."""
    return _limited(cartpole(), "gpmpc_cartpole_wall", Limit(0, low=WALL))


def double_pendulum(length: float = LENGTH) -> Environment:
    """Swing-up of two links: observation [theta1, theta2, theta1', theta2'], both angles from upright.

    The action [2] in [-2, 2] newton metres acts on the two absolute angles, as in PILCO's equations (the
    outer motor does not push back on the inner link). Episodes start hanging, at (pi, pi), with standard
    deviations of 0.01 rad and 0.1 rad/s.
    """
    spec = _spec("gpmpc_double_pendulum", Box((2,), -MAX_TORQUE, MAX_TORQUE))
    tip = functools.partial(double_pendulum_tip, length=length)
    start = functools.partial(
        gaussian_motion,
        mean=Motion(jnp.full(2, math.pi), jnp.zeros(2)),
        deviation=Motion(jnp.full(2, 0.01), jnp.full(2, 0.1)),
    )

    def reward(observation: Array, action: Array, next_observation: Array) -> Array:
        del observation, action
        return -saturating_cost(tip(next_observation), (0.0, 2 * length), DOUBLE_PENDULUM_WIDTH)

    def draw(state: PhysicalState) -> UInt8[Array, "224 224 3"]:
        links = _links(state.motion.position, length)
        joints = jnp.stack([jnp.zeros(2), links[0], links[0] + links[1]])
        return scenes.link_scene(joints, target=(0.0, 2 * length), torques=state.action / MAX_TORQUE)

    def expected_reward(before: Gaussian, action: Array, after: Gaussian) -> tuple[Array, Array]:
        del before, action
        seen = trigonometric(after, (0, 1))  # theta1', theta2', sin, cos, sin, cos
        reach = length * jnp.array([[0.0, 0, -1, 0, -1, 0], [0, 0, 0, 1, 0, 1]])
        return _expected_reward(seen, reach, (0.0, 2 * length), DOUBLE_PENDULUM_WIDTH)

    dynamics = functools.partial(double_pendulum_dynamics, length=length)
    advance = functools.partial(_advance, dynamics)
    physics = Physics(start, advance, _observe, reward, draw)
    features = difference_features(_double_pendulum_inputs, angles=(0, 1))
    return physical_environment(spec, physics, features)._replace(expected_reward=expected_reward)


def double_pendulum_wall() -> Environment:
    """The swing-up with a range of 340 degrees for the inner link, whose end ends the trial."""
    return _limited(double_pendulum(), "gpmpc_double_pendulum_wall", Limit(0, *INNER_RANGE))


def cartpole_dynamics(
    motion: Motion, force: Float[Array, "1"], *, length: float = LENGTH, friction: float = FRICTION
) -> Motion:
    """Time derivative; the pole is a rod hinged to the cart, its positive angle towards +x."""
    theta, (speed, rate) = motion.position[1], motion.velocity
    arm = MASS * length / 2
    inertia = (2 * MASS, arm * jnp.cos(theta), MASS * length**2 / 3)
    on_cart = force[0] - friction * speed + arm * jnp.sin(theta) * rate**2
    on_pole = -arm * GRAVITY * jnp.sin(theta)
    return Motion(motion.velocity, solve_symmetric(inertia, (on_cart, on_pole)))


def double_pendulum_dynamics(motion: Motion, torque: Float[Array, "2"], *, length: float = LENGTH) -> Motion:
    """Time derivative of the absolute angles from upright; no friction."""
    (inner, outer), (inner_rate, outer_rate) = motion.position, motion.velocity
    coupling = MASS * length**2 / 2
    inertia = (MASS * length**2 * 4 / 3, coupling * jnp.cos(inner - outer), MASS * length**2 / 3)
    swing = coupling * jnp.sin(inner - outer)
    weight = MASS * GRAVITY * length / 2
    on_inner = torque[0] - swing * outer_rate**2 + 3 * weight * jnp.sin(inner)
    on_outer = torque[1] + swing * inner_rate**2 + weight * jnp.sin(outer)
    return Motion(motion.velocity, solve_symmetric(inertia, (on_inner, on_outer)))


def cartpole_tip(
    observation: Float[Array, "*batch 4"], *, length: float = LENGTH
) -> Float[Array, "*batch 2"]:
    """The pole's free end, in metres from the middle of the rail."""
    x, theta = observation[..., 0], observation[..., 1]
    return jnp.stack([x + length * jnp.sin(theta), -length * jnp.cos(theta)], axis=-1)


def double_pendulum_tip(
    observation: Float[Array, "*batch 4"], *, length: float = LENGTH
) -> Float[Array, "*batch 2"]:
    """The outer link's free end, in metres from the pivot."""
    return jnp.sum(_links(observation[..., :2], length), axis=-2)


def cartpole_success(
    observation: Float[Array, "*batch 4"], *, length: float = LENGTH
) -> Bool[Array, "*batch"]:
    """Whether the tip is within 8 cm of its target; the paper asks for ten consecutive steps of it."""
    tip = cartpole_tip(observation, length=length)
    return _squared_distance(tip, (0.0, length)) < CARTPOLE_SUCCESS**2


def double_pendulum_success(
    observation: Float[Array, "*batch 4"], *, length: float = LENGTH
) -> Bool[Array, "*batch"]:
    """Whether the tip is within 22 cm of its target; the paper asks for ten consecutive steps of it."""
    tip = double_pendulum_tip(observation, length=length)
    return _squared_distance(tip, (0.0, 2 * length)) < DOUBLE_PENDULUM_SUCCESS**2


def saturating_cost(
    tip: Float[Array, "*batch 2"], target: tuple[float, float], width: float
) -> Float[Array, "*batch"]:
    """1 - exp(-d^2 / (2 width^2)): 0 at the target, 1 far from it."""
    return 1 - jnp.exp(-_squared_distance(tip, target) / (2 * width**2))


def _expected_reward(
    seen: Joint, reach: Array, target: tuple[float, float], width: float
) -> tuple[Array, Array]:
    """Of the tip, which is linear in what `trigonometric` gives."""
    tip = linear(Gaussian(seen.mean, seen.covariance), reach)
    mean, variance = saturating_moments(tip.mean, tip.covariance, jnp.array(target), width)
    return -mean, variance


def _limited(env: Environment, name: str, limit: Limit) -> Environment:
    env = env._replace(spec=dataclasses.replace(env.spec, name=name))
    return stop_outside(env, (limit,), observe=lambda state: _observe(state.motion), reward=STOPPED_REWARD)


def _spec(name: str, action: Box) -> EnvSpec:
    return EnvSpec(
        name, observation=Box((4,)), action=action, max_steps=EPISODE_STEPS, step_seconds=CONTROL_PERIOD
    )


def _advance(dynamics: Dynamics, motion: Motion, control: Array) -> Motion:
    return rk4(dynamics, motion, control, CONTROL_PERIOD / SUBSTEPS, SUBSTEPS)


def _observe(motion: Motion) -> Float[Array, "4"]:
    return jnp.concatenate([motion.position, motion.velocity])


def _links(angles: Float[Array, "*batch 2"], length: float) -> Float[Array, "*batch 2 2"]:
    """Vectors along the two links."""
    return length * jnp.stack([-jnp.sin(angles), jnp.cos(angles)], axis=-1)


def _squared_distance(tip: Float[Array, "*batch 2"], target: tuple[float, float]) -> Float[Array, "*batch"]:
    return jnp.sum((tip - jnp.asarray(target)) ** 2, axis=-1)


def _cartpole_inputs(observation: Float[Array, "*batch 4"]) -> Float[Array, "*batch 5"]:
    """[x, x', theta', sin theta, cos theta], PILCO's order."""
    x, theta, speed, rate = jnp.moveaxis(observation, -1, 0)
    return jnp.stack([x, speed, rate, jnp.sin(theta), jnp.cos(theta)], axis=-1)


def _double_pendulum_inputs(observation: Float[Array, "*batch 4"]) -> Float[Array, "*batch 6"]:
    """[theta1', theta2', sin theta1, cos theta1, sin theta2, cos theta2], PILCO's order."""
    inner, outer, inner_rate, outer_rate = jnp.moveaxis(observation, -1, 0)
    angles = [jnp.sin(inner), jnp.cos(inner), jnp.sin(outer), jnp.cos(outer)]
    return jnp.stack([inner_rate, outer_rate, *angles], axis=-1)
