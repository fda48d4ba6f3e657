"""MinAtar (Young & Tian 2019, arXiv 1903.03176): five Atari games on 10 x 10 cells, by pgx.

What is seen is one plane of 10 x 10 cells for each kind of object, as MinAtar has it. With probability 0.1
the previous action is repeated instead of the chosen one (sticky actions), the speed of Asterix, Seaquest and
Space Invaders rises during a game, and every game has the actions that do something in it.

The rewards are those of the games: 1 for a brick, an enemy, a crossing. There is no limit of time in the
original; games here are cut off after 5,000 steps, Freeway ends by itself after 2,500.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, UInt8

from imaginax.types import Box, Discrete, Environment, EnvSpec, State, TimeStep

MAX_STEPS = 5_000
CELL = 20  # pixels of a cell in a picture

# Colours of the planes; a cell shows the last of its planes that is set.
_COLOURS = (
    (0.212, 0.420, 0.737),
    (0.918, 0.467, 0.157),
    (0.545, 0.588, 0.663),
    (0.835, 0.243, 0.243),
    (0.200, 0.627, 0.420),
    (0.580, 0.404, 0.741),
    (0.890, 0.467, 0.761),
    (0.737, 0.741, 0.133),
    (0.090, 0.745, 0.812),
    (0.965, 0.968, 0.976),
)


def asterix() -> Environment:
    """Collect treasure, avoid enemies: 4 planes, 5 actions."""
    return _minatar("asterix")


def breakout() -> Environment:
    """Bounce a ball at bricks: 4 planes, 3 actions."""
    return _minatar("breakout")


def freeway() -> Environment:
    """Cross a road: 7 planes, 3 actions."""
    return _minatar("freeway")


def seaquest() -> Environment:
    """Rescue divers, shoot, and surface for air: 10 planes, 6 actions."""
    return _minatar("seaquest")


def space_invaders() -> Environment:
    """Shoot aliens before they land: 6 planes, 4 actions."""
    return _minatar("space_invaders")


def _minatar(game: str) -> Environment:
    from pgx import make

    pgx = make(f"minatar-{game}")  # pyright: ignore[reportArgumentType]
    spec = EnvSpec(
        name=f"minatar_{game}",
        observation=Box(pgx.observation_shape, 0.0, 1.0, jnp.bool_),
        action=Discrete(pgx.num_actions),
        max_steps=MAX_STEPS,
    )

    def init(key: Array) -> tuple[State, TimeStep]:
        state = pgx.init(key)
        return state, _timestep(state, first=True)

    def step(state: State, action: Array, key: Array) -> tuple[State, TimeStep]:
        state = pgx.step(state, action, key)
        return state, _timestep(state, first=False)

    return Environment(spec, init, step, render=lambda state: draw(state.observation))


def _timestep(state: State, *, first: bool) -> TimeStep:
    return TimeStep(
        observation=state.observation,
        reward=state.rewards[0],
        discount=jnp.where(state.terminated, 0.0, 1.0),
        first=jnp.array(first),
        last=state.terminated,
        truncated=jnp.array(False),
    )


def draw(planes: Array) -> UInt8[Array, "200 200 3"]:
    """The planes [10 10 C] in colours, 20 pixels a cell; probabilities of cells are as opaque as likely."""
    colours = jnp.array(_COLOURS[: planes.shape[-1]])
    image = jnp.full((*planes.shape[:2], 3), 0.08)
    for plane, colour in enumerate(colours):
        image = image + planes[..., plane, None] * (colour - image)
    image = (255 * image).round().astype(jnp.uint8)
    return jnp.repeat(jnp.repeat(image, CELL, axis=0), CELL, axis=1)
