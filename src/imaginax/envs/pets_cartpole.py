"""PETS's cart-pole swing-up (Chua et al. 2018, arXiv 1805.12114), in closed form.

The published task is a MuJoCo model. Its two bodies are capsules of density 1000 kg/m^3, so masses and
inertias follow from the geometry; the joints are a slider with soft stops and a free hinge. With
q = (x, theta) and phi = theta - tilt the angle of the pole's centre of mass from hanging,

    (m_c + m_p) x''          - m_p l cos(phi) theta''  =  f - d x' - m_p l sin(phi) theta'^2 + stop
    -m_p l cos(phi) x''      + (I + m_p l^2) theta''   =  -d theta' - m_p g l sin(phi)

which one Runge-Kutta step of 0.02 s integrates, two to a control, as the simulator does. The sign of the
coupling is MuJoCo's: theta turns about +y (x to the right, z up), so a positive angle moves the tip to -x.

The pole's axis runs to (0.001, 0, -0.6): it leans by 1.7 mrad. Leaving that out departs from the simulator
by 3 mrad within 50 random controls, and keeping it costs one subtraction.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from imaginax.envs import scenes
from imaginax.envs.integrators import Motion, rk4
from imaginax.envs.physical import (
    PhysicalState,
    Physics,
    difference_features,
    gaussian_motion,
    physical_environment,
    solve_symmetric,
)
from imaginax.types import Box, Environment, EnvSpec

# The published model (handful-of-trials, cartpole.xml and cartpole.py); SI units.
GRAVITY = 9.81
TIMESTEP = 0.02
FRAME_SKIP = 2
GEAR = 100.0  # newtons on the slider per unit of control
MAX_CONTROL = 3.0
DAMPING = 1.0  # of both joints
RAIL = 2.5  # the slider's stops at +-RAIL
POLE_END = (0.001, -0.6)
TIP_LENGTH = 0.6  # of the reward's tip, which ignores the lean
START_DEVIATION = 0.1
ACTION_COST = 0.01

DENSITY = 1000.0  # MuJoCo's default


def capsule_mass_and_inertia(radius: float, length: float) -> tuple[float, float]:
    """Mass in kg, and inertia in kg m^2 about an axis through the centre across a capsule.

    `length` is the cylinder's; a hemisphere of that radius closes each end.
    """
    cylinder = DENSITY * math.pi * radius**2 * length
    sphere = DENSITY * math.pi * radius**3 * 4 / 3
    inertia = cylinder * (3 * radius**2 + length**2) / 12
    inertia += sphere * (2 * radius**2 / 5 + length**2 / 4 + 3 * length * radius / 8)
    return cylinder + sphere, inertia


CART_MASS, _ = capsule_mass_and_inertia(radius=0.1, length=0.2)
POLE_MASS, _POLE_INERTIA = capsule_mass_and_inertia(radius=0.049, length=math.hypot(*POLE_END))
POLE_CENTRE = math.hypot(*POLE_END) / 2  # from the hinge to the centre of mass
POLE_TILT = math.atan2(POLE_END[0], -POLE_END[1])
HINGE_INERTIA = _POLE_INERTIA + POLE_MASS * POLE_CENTRE**2
TOTAL_MASS = CART_MASS + POLE_MASS

# MuJoCo's default soft constraint (solreflimit 0.02 1, solimplimit 0.9 0.95 0.001 0.5 2). Its time constant
# is raised to two time steps, as the simulator does to remain stable.
_IMPEDANCE_MIN, _IMPEDANCE_MAX, _IMPEDANCE_WIDTH = 0.9, 0.95, 0.001
_TIME_CONSTANT = max(0.02, 2 * TIMESTEP)
_STOP_DAMPING = 2 / (_IMPEDANCE_MAX * _TIME_CONSTANT)
_STOP_STIFFNESS = 1 / (_IMPEDANCE_MAX * _TIME_CONSTANT) ** 2
_COUPLING_HANGING = POLE_MASS * POLE_CENTRE * math.cos(POLE_TILT)
_MOBILITY_HANGING = HINGE_INERTIA / (TOTAL_MASS * HINGE_INERTIA - _COUPLING_HANGING**2)


def cartpole() -> Environment:
    """PETS's cart-pole: observation [x, theta, x', theta'], 200 steps of 0.04 s.

    The angle is 0 hanging and not wrapped. The action [1] in [-3, 3] is the motor's control.
    Episodes start hanging, all four numbers N(0, 0.1^2).
    """
    spec = EnvSpec(
        name="pets_cartpole",
        observation=Box((4,)),
        action=Box((1,), -MAX_CONTROL, MAX_CONTROL),
        max_steps=200,
        step_seconds=TIMESTEP * FRAME_SKIP,
    )
    physics = Physics(start, advance, observe, reward, draw)
    return physical_environment(spec, physics, difference_features(network_inputs))


def start(key: Array) -> Motion:
    """Hanging at the middle of the rail, disturbed by N(0, 0.1^2)."""
    deviation = jnp.full(2, START_DEVIATION)
    return gaussian_motion(key, Motion(jnp.zeros(2), jnp.zeros(2)), Motion(deviation, deviation))


def advance(motion: Motion, control: Float[Array, "1"]) -> Motion:
    """One control period: two Runge-Kutta steps."""
    return rk4(dynamics, motion, control, TIMESTEP, FRAME_SKIP)


def dynamics(motion: Motion, control: Float[Array, "1"], *, damping: float = DAMPING) -> Motion:
    """Time derivative of (x, theta) and of their velocities, by the equations in the module's text."""
    (x, theta), (speed, rate) = motion.position, motion.velocity
    phi = theta - POLE_TILT
    coupling = -POLE_MASS * POLE_CENTRE * jnp.cos(phi)
    inertia = (TOTAL_MASS, coupling, HINGE_INERTIA)
    centrifugal = POLE_MASS * POLE_CENTRE * jnp.sin(phi) * rate**2
    on_slider = GEAR * control[0] - damping * speed - centrifugal
    on_hinge = -damping * rate - POLE_MASS * GRAVITY * POLE_CENTRE * jnp.sin(phi)
    free = solve_symmetric(inertia, (on_slider, on_hinge))
    mobility = HINGE_INERTIA / (TOTAL_MASS * HINGE_INERTIA - coupling**2)
    on_slider = on_slider + stop_force(x, speed, free[0], mobility)
    return Motion(motion.velocity, solve_symmetric(inertia, (on_slider, on_hinge)))


def stop_force(
    x: Float[Array, ""], speed: Float[Array, ""], acceleration: Float[Array, ""], mobility: Float[Array, ""]
) -> Float[Array, ""]:
    """MuJoCo's joint-limit force on the slider in newtons; zero inside the rail.

    A soft constraint asks the penetration r < 0 for the acceleration a* = -b r' - k d(r) r, and d(r), which
    rises from 0.9 to 0.95 within a millimetre, weighs that wish against the free acceleration. With one
    constraint the simulator's optimisation has a closed form, f = max(0, (a* - a) / (A + R)), where A is the
    slider's mobility (inverse effective mass) and R = (1 - d) / d times its value at the model's rest pose.

    Args:
        x: position of the cart.
        speed: its velocity.
        acceleration: what it would be without the stop.
        mobility: acceleration per newton on the slider in this pose.
    """
    side = jnp.sign(x)
    distance = RAIL - jnp.abs(x)
    depth = jnp.clip(-distance / _IMPEDANCE_WIDTH, 0.0, 1.0)
    blend = jnp.where(depth < 0.5, 2 * depth**2, 1 - 2 * (1 - depth) ** 2)
    impedance = _IMPEDANCE_MIN + blend * (_IMPEDANCE_MAX - _IMPEDANCE_MIN)
    wanted = _STOP_DAMPING * side * speed - _STOP_STIFFNESS * impedance * distance
    softness = (1 - impedance) / impedance * _MOBILITY_HANGING
    force = jnp.maximum(0.0, (wanted + side * acceleration) / (mobility + softness))
    return jnp.where(distance < 0, -side * force, 0.0)


def observe(motion: Motion) -> Float[Array, "4"]:
    """[x, theta, x', theta']; the angle is not wrapped."""
    return jnp.concatenate([motion.position, motion.velocity])


def tip(observation: Float[Array, "*batch 4"]) -> Float[Array, "*batch 2"]:
    """Horizontal and vertical position of the pole's end in metres."""
    x, theta = observation[..., 0], observation[..., 1]
    return jnp.stack([x - TIP_LENGTH * jnp.sin(theta), -TIP_LENGTH * jnp.cos(theta)], axis=-1)


def reward(
    observation: Float[Array, "*#batch 4"],
    action: Float[Array, "*#batch 1"],
    next_observation: Float[Array, "*#batch 4"],
) -> Float[Array, "..."]:
    """exp(-|tip - (0, 0.6)|^2 / 0.36) - 0.01 |u|^2, of the state that the action led to; at most 1."""
    del observation
    distance = tip(next_observation) - jnp.array([0.0, TIP_LENGTH])
    bonus = jnp.exp(-jnp.sum(distance**2, axis=-1) / TIP_LENGTH**2)
    return bonus - ACTION_COST * jnp.sum(action**2, axis=-1)


def network_inputs(observation: Float[Array, "*batch 4"]) -> Float[Array, "*batch 5"]:
    """[sin theta, cos theta, x, x', theta'], PETS's order."""
    theta = observation[..., 1:2]
    rest = (observation[..., :1], observation[..., 2:])
    return jnp.concatenate([jnp.sin(theta), jnp.cos(theta), *rest], axis=-1)


def draw(state: PhysicalState) -> UInt8[Array, "192 448 3"]:
    """Rail with stops, cart, pole, the target of the tip and the motor's force as an arrow."""
    x, theta = state.motion.position
    end = (x - TIP_LENGTH * jnp.sin(theta), -TIP_LENGTH * jnp.cos(theta))
    push = state.action[0] / MAX_CONTROL
    return scenes.cart_scene(x, end, rail=RAIL, target=(0.0, TIP_LENGTH), push=push, thickness=0.098)
