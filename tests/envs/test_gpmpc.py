"""Equations of motion against the Euler-Lagrange equation by automatic differentiation, and energy."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.envs import gpmpc
from imaginax.envs.integrators import Motion, rk4
from imaginax.numerics.gaussian import Gaussian

POINTS = np.linspace(0.0, 1.0, 101)  # along a rod, for Simpson's rule
WEIGHTS = np.array([1, *[4, 2] * 49, 4, 1]) / 300


def rod_energies(base, base_velocity, along, along_velocity, mass):
    """Kinetic and potential energy of a uniform rod, summed over its points."""
    place = base + POINTS[:, None] * along
    velocity = base_velocity + POINTS[:, None] * along_velocity
    kinetic = mass / 2 * jnp.sum(WEIGHTS * jnp.sum(velocity**2, axis=-1))
    return kinetic, mass * gpmpc.GRAVITY * jnp.sum(WEIGHTS * place[:, 1])


def cartpole_energies(position, velocity, length):
    def pole(q):
        return length * jnp.stack([jnp.sin(q[1]), -jnp.cos(q[1])])

    def cart(q):
        return jnp.stack([q[0], 0.0 * q[0]])

    (base, base_velocity), (along, along_velocity) = (
        jax.jvp(f, (position,), (velocity,)) for f in (cart, pole)
    )
    kinetic, potential = rod_energies(base, base_velocity, along, along_velocity, gpmpc.MASS)
    return kinetic + gpmpc.MASS * velocity[0] ** 2 / 2, potential


def double_pendulum_energies(position, velocity, length):
    def link(q):
        return length * jnp.stack([-jnp.sin(q), jnp.cos(q)])

    inner, outer = (jax.jvp(link, (position[i],), (velocity[i],)) for i in (0, 1))
    first = rod_energies(jnp.zeros(2), jnp.zeros(2), *inner, gpmpc.MASS)
    second = rod_energies(*inner, *outer, gpmpc.MASS)
    return first[0] + second[0], first[1] + second[1]


@functools.partial(jax.jit, static_argnums=(0, 1))
def euler_lagrange(energies, length, motion, force):
    """Accelerations from d/dt dL/dq' - dL/dq = Q with L = T - V, all derivatives by autodiff."""

    def lagrangian(q, v):
        kinetic, potential = energies(q, v, length)
        return kinetic - potential

    q, v = motion
    mass = jax.hessian(lagrangian, argnums=1)(q, v)
    momentum_change = jax.jacobian(jax.grad(lagrangian, argnums=1), argnums=0)(q, v) @ v
    return jnp.linalg.solve(mass, force + jax.grad(lagrangian)(q, v) - momentum_change)


@pytest.mark.parametrize("length", [0.5, 1.0])
def test_cartpole_obeys_euler_lagrange(length):
    with jax.enable_x64(True):
        for row in np.random.default_rng(0).normal(0, 2, (4, 5)):
            motion, force = Motion(jnp.array(row[:2]), jnp.array(row[2:4])), jnp.array(row[4:])
            found = gpmpc.cartpole_dynamics(motion, force, length=length)
            friction = gpmpc.FRICTION * row[2]
            expected = euler_lagrange(cartpole_energies, length, motion, jnp.array([row[4] - friction, 0.0]))
            np.testing.assert_allclose(found.velocity, expected, rtol=1e-9)
            np.testing.assert_array_equal(found.position, motion.velocity)


@pytest.mark.parametrize("length", [0.5, 1.0])
def test_double_pendulum_obeys_euler_lagrange(length):
    with jax.enable_x64(True):
        for row in np.random.default_rng(1).normal(0, 2, (4, 6)):
            motion, torque = Motion(jnp.array(row[:2]), jnp.array(row[2:4])), jnp.array(row[4:])
            found = gpmpc.double_pendulum_dynamics(motion, torque, length=length)
            expected = euler_lagrange(double_pendulum_energies, length, motion, torque)
            np.testing.assert_allclose(found.velocity, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("dynamics", "energies", "controls"),
    [
        (functools.partial(gpmpc.cartpole_dynamics, friction=0.0), cartpole_energies, 1),
        (gpmpc.double_pendulum_dynamics, double_pendulum_energies, 2),
    ],
)
def test_energy_is_conserved_without_friction(dynamics, energies, controls):
    def total(motion):
        return float(sum(energies(*motion, length=gpmpc.LENGTH)))

    with jax.enable_x64(True):
        start = Motion(jnp.array([0.4, 2.0]), jnp.array([0.5, -3.0]))
        drift = [
            abs(total(rk4(dynamics, start, jnp.zeros(controls), 0.5 / steps, steps)) - total(start))
            for steps in (25, 50)
        ]
    assert np.log2(drift[0] / drift[1]) > 3.8
    assert drift[1] < 1e-4


@pytest.mark.parametrize("make", [gpmpc.cartpole, gpmpc.double_pendulum])
def test_a_control_period_is_integrated_exactly_enough(make):
    """Ten Runge-Kutta steps in float32 against two hundred in float64."""
    env = make()
    state, timestep = env.init(jax.random.key(2))
    dynamics = {1: gpmpc.cartpole_dynamics, 2: gpmpc.double_pendulum_dynamics}[env.spec.action.shape[0]]
    action = np.full(env.spec.action.shape, 1.7)
    with jax.enable_x64(True):
        start = jnp.array(timestep.observation, float)
        end = rk4(dynamics, Motion(start[:2], start[2:]), jnp.array(action), 0.1 / 200, 200)
        expected = np.concatenate([end.position, end.velocity])
    _, timestep = env.step(state, jnp.array(action, jnp.float32), jax.random.key(0))
    np.testing.assert_allclose(timestep.observation, expected, atol=1e-5)


def upright(env):
    return {1: [0.0, np.pi, 0.0, 0.0], 2: [0.0, 0.0, 0.0, 0.0]}[env.spec.action.shape[0]]


@pytest.mark.parametrize(
    ("make", "success", "reach", "width"),
    [
        (gpmpc.cartpole, gpmpc.cartpole_success, 0.08, 0.25),
        (gpmpc.double_pendulum, gpmpc.double_pendulum_success, 0.22, 0.5),
    ],
)
def test_reward_and_success_at_known_tip_distances(make, success, reach, width):
    env = make()
    top = np.array(upright(env), np.float32)
    # turning a rod of length l by an angle moves its tip by 2 l sin(angle / 2)
    rod = 0.5 if env.spec.action.shape[0] == 1 else 1.0
    turned = np.array([0.0, 1.0, 0, 0]) if rod == 0.5 else np.array([1.0, 1.0, 0, 0])
    for distance in (0.0, 0.99 * reach, 1.01 * reach, 0.5):
        angle = 2 * np.arcsin(distance / (2 * rod))
        seen = jnp.array(top + angle * turned, jnp.float32)
        reward = env.reward(seen, jnp.zeros(env.spec.action.shape), seen)
        np.testing.assert_allclose(reward, np.exp(-(distance**2) / (2 * width**2)) - 1, atol=1e-5)
        assert bool(success(seen)) == (distance < reach)


@pytest.mark.parametrize("make", [gpmpc.cartpole, gpmpc.double_pendulum])
def test_reward_is_differentiable_at_the_target(make):
    env = make()
    seen = jnp.array(upright(env), jnp.float32)
    action = jnp.zeros(env.spec.action.shape)
    slope = jax.grad(lambda x: env.reward(x, action, x))(seen)
    np.testing.assert_allclose(slope, 0.0, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "mean", "deviation"),
    [
        (gpmpc.cartpole, [0, 0, 0, 0], [0.1, 0.1, 0.1, 0.1]),
        (gpmpc.double_pendulum, [np.pi, np.pi, 0, 0], [0.01, 0.01, 0.1, 0.1]),
    ],
)
def test_start_has_the_published_distribution(make, mean, deviation):
    keys = jax.random.split(jax.random.key(0), 4096)
    observations = np.array(jax.jit(jax.vmap(make().init))(keys)[1].observation)
    np.testing.assert_allclose(observations.mean(axis=0), mean, atol=0.008)
    np.testing.assert_allclose(observations.std(axis=0), deviation, rtol=0.05)


def test_network_inputs_are_pilcos():
    seen = jnp.array([0.5, 2.0, -1.0, 3.0])
    sin, cos = np.sin, np.cos
    cart, double = (make().features.inputs(seen) for make in (gpmpc.cartpole, gpmpc.double_pendulum))
    np.testing.assert_allclose(cart, [0.5, -1.0, 3.0, sin(2.0), cos(2.0)], rtol=1e-6)
    np.testing.assert_allclose(double, [-1.0, 3.0, sin(0.5), cos(0.5), sin(2.0), cos(2.0)], rtol=1e-6)


@pytest.mark.parametrize("make", [gpmpc.cartpole, gpmpc.double_pendulum])
def test_expected_reward_of_a_belief_is_that_of_samples(make):
    """Up to what a normal distribution of sine and cosine leaves out, which vanishes with the variance."""
    env, draw = make(), np.random.default_rng(0)
    mean = np.array(upright(env)) + [0.1, 0.15, 0.5, -0.5]
    root = 0.02 * draw.normal(size=(4, 4))
    samples = jnp.array(mean + draw.normal(size=(100_000, 4)) @ root.T, jnp.float32)
    action = jnp.zeros(env.spec.action.shape)
    rewards = np.asarray(env.reward(samples, action, samples), float)
    belief = Gaussian(jnp.array(mean, jnp.float32), jnp.array(root @ root.T, jnp.float32))
    expected, variance = env.expected_reward(belief, action, belief)
    np.testing.assert_allclose(expected, rewards.mean(), rtol=0.02)
    np.testing.assert_allclose(variance, rewards.var(), rtol=0.15)
