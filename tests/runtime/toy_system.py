"""A system that compiles in a second: it learns the slope of a line while it walks.

Its one weight w follows y = 3 x by gradient steps on what replay holds; an episode is five steps of
reward -|w - 3|, so the return rises to 0 as w approaches 3, and everything has a closed form.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp

from imaginax.envs.wrappers import StatisticsState, training_environment
from imaginax.registry import SystemEntry
from imaginax.types import (
    Box,
    ConfigError,
    Environment,
    EnvSpec,
    Episodes,
    Replay,
    Stage,
    System,
    SystemState,
    TimeStep,
)

EPISODE = 5


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """How the weight is fitted.

    Attributes:
        rate: of the gradient steps.
        kind: which loss.
    """

    rate: float = 0.1
    kind: Literal["squared", "absolute"] = "squared"

    def __post_init__(self):
        if self.rate <= 0:
            raise ConfigError(f"fit.rate must be positive, got {self.rate}")


@dataclasses.dataclass(frozen=True)
class ToyConfig:
    """The toy.

    Attributes:
        chunks: of the second stage.
        width: length of an array that only takes room.
        broken_at: number of updates after which the loss is NaN; never if negative.
        slow_s: only so that a test can tell fields apart.
        sizes: any numbers.
        fit: the learner.
    """

    lengths: ClassVar[tuple[str, ...]] = ("chunks",)

    chunks: int = 4
    width: int = 3
    broken_at: int = -1
    slow_s: float | None = None
    sizes: tuple[int, ...] = (2, 3)
    fit: FitConfig = FitConfig()


class Walk(NamedTuple):
    """State of the environment."""

    steps: jax.Array
    x: jax.Array


class Learner(NamedTuple):
    """State of the learner, with the odd leaves that a checkpoint has to keep."""

    w: jax.Array
    room: jax.Array
    key: jax.Array
    nothing: None = None


def walk() -> Environment:
    spec = EnvSpec("toy_walk", Box((1,)), Box((1,), -10.0, 10.0), EPISODE, step_seconds=0.1)

    def init(key):
        x = jax.random.uniform(key, (), minval=0.5, maxval=1.5)
        return Walk(jnp.zeros((), jnp.int32), x), _timestep(x, 0.0, False, first=True)

    def step(state, action, key):
        x = jax.random.uniform(key, (), minval=0.5, maxval=1.5)
        steps = state.steps + 1
        return Walk(steps, x), _timestep(x, -jnp.abs(action[0] - 3.0), steps == EPISODE)

    def render(state):
        return jnp.full((8, 12, 3), (state.steps * 40).astype(jnp.uint8))

    return Environment(spec, init, step, render)


def _timestep(x, reward, last, *, first=False):
    reward, last = jnp.asarray(reward, jnp.float32), jnp.asarray(last)
    return TimeStep(x[None], reward, jnp.float32(1), jnp.asarray(first), last, last)


def _replay() -> Replay:
    def add(state, item):
        total, count = state
        return total + item.sum(), count + 1

    return Replay(lambda: (jnp.zeros(()), jnp.zeros((), jnp.int32)), add, lambda state: state)


def make(config: ToyConfig) -> System:
    env = walk()
    vector = training_environment(env, 1)
    replay = _replay()

    def init(key):
        key, key_env, key_learner = jax.random.split(key, 3)
        state, timestep = vector.init(key_env)
        learner = Learner(jnp.zeros(()), jnp.ones((config.width, 0, 2)), key_learner)
        zero = jnp.zeros((), jnp.int32)
        return SystemState(learner, replay.init(), state, timestep, {}, key, zero)

    def act(weight, carry, timestep, key):
        return carry, jnp.full((1, 1), weight), {}

    def learn(learner, memory, key):
        key_own, key_noise = jax.random.split(learner.key)
        total, count = memory
        x = total / jnp.maximum(count, 1) * (1 + 0.01 * jax.random.normal(key_noise))
        error = (learner.w - 3.0) * x
        w = learner.w - config.fit.rate * error * x
        loss = jnp.where(count == config.broken_at, jnp.nan, error**2)
        return learner._replace(w=w, key=key_own), {"loss": loss, "weight": w}

    def evaluate(state, key):
        shift = 0.01 * jax.random.uniform(key, (2,))
        returns = -EPISODE * jnp.abs(state.learner.w - 3.0) - shift
        steps = jnp.arange(EPISODE, dtype=jnp.int32)
        zeros = jnp.zeros(EPISODE)
        states = StatisticsState(Walk(steps, zeros), zeros, steps, zeros, steps, 0 * steps)
        return Episodes(returns, states)

    schedule = (
        Stage("random", chunks=1, env_steps=EPISODE),
        Stage("learn", config.chunks, EPISODE, updates=2, update_every=1),
    )
    return System(
        name="toy",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        params_of=lambda learner: learner.w,
        act=act,
        learn=learn,
        record=_record,
        evaluate=evaluate,
        schedule=schedule,
    )


def _record(timestep, action, following, extras):
    return timestep.observation


def preset(name: str, env: str | None) -> ToyConfig:
    if env not in (None, "toy_walk"):
        raise ConfigError(f"unknown environment {env!r}")
    return ToyConfig(chunks={"tiny": 4, "long": 400}[name])


ENTRY = SystemEntry(
    "toy",
    "A line's slope.",
    ToyConfig,
    preset,
    ("tiny", "long"),
    ("toy_walk",),
    make,
    reaches=-10.0,  # -15 before it learns, 0 at best
)
