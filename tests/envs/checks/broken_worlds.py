"""A small world without faults, and one with each fault that the checks must find by its name."""

from __future__ import annotations

import dataclasses

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from imaginax.envs.physical import difference_features, restart, transition
from imaginax.types import Box, Environment, EnvSpec

STEPS = 6


def sound() -> Environment:
    """x' = x + a, ends beyond 1 on either side; reward -x'^2; six steps."""
    spec = EnvSpec("sound", Box((1,), -3.0, 3.0), Box((1,), -1.0, 1.0), STEPS)

    def init(key):
        x = jax.random.uniform(key, (1,), minval=-0.5, maxval=0.5)
        return x, restart(x)

    def step(x, action, key):
        after = x + action
        return after, transition(after, -jnp.sum(after**2), terminal=jnp.abs(after[0]) > 1)

    def draw(x):
        return jnp.zeros((8, 8, 3), jnp.uint8).at[:4].set(200)

    def reward(observation, action, following):
        return -jnp.sum(following**2, axis=-1)

    features = difference_features(lambda observation: observation)
    ends = lambda observation: jnp.abs(observation[..., 0]) > 1  # noqa: E731
    return Environment(spec, init, step, draw, reward, features, terminated=ends)


def changed(**fields) -> Environment:
    """The sound world whose steps show something else: fields of the time step as functions of it."""
    env = sound()

    def step(x, action, key):
        after, timestep = env.step(x, action, key)
        return after, timestep._replace(**{name: of(timestep) for name, of in fields.items()})

    return env._replace(step=step)


def _branching() -> Environment:
    env = sound()

    def step(x, action, key):
        return env.step(x if x[0] > 0 else -x, action, key)

    return env._replace(step=step)


def _drifting() -> Environment:
    env = sound()

    def step(x, action, key):
        return env.step(x + np.random.default_rng().uniform(), action, key)

    return env._replace(step=step)


def _printing() -> Environment:
    env = sound()

    def step(x, action, key):
        jax.debug.print("{}", x)
        return env.step(x, action, key)

    return env._replace(step=step)


def _widening() -> Environment:
    env = sound()

    def step(x, action, key):
        after, timestep = env.step(x, action, key)
        return jnp.round(after).astype(jnp.int32), timestep

    return env._replace(step=step)


def _batched() -> Environment:
    """Adds what the first of all environments shows: `axis_index` would, here a `custom_vmap` does."""
    env = sound()

    @jax.custom_batching.custom_vmap
    def leak(x):
        return x

    @leak.def_vmap
    def _(size, batched, x):
        return jnp.broadcast_to(x[:1], x.shape), True

    def step(x, action, key):
        return env.step(leak(x), action, key)

    return env._replace(step=step)


def _spec(**fields) -> Environment:
    env = sound()
    return env._replace(spec=dataclasses.replace(env.spec, **fields))


nan = lambda timestep: jnp.where(timestep.observation > 0.2, jnp.nan, timestep.observation)  # noqa: E731
yes = lambda timestep: jnp.ones((), bool)  # noqa: E731

# what is broken -> (the property that must be named, a word of what is told, the environment)
BROKEN = {
    "branches on a traced value": ("jit", "TracerBool", _branching),
    "observation of another shape": ("shapes", "observation of init", lambda: _spec(observation=Box((2,)))),
    "reward per dimension": ("shapes", "reward", lambda: changed(reward=lambda t: jnp.ones(1))),
    "flags that are numbers": ("dtypes", "last", lambda: changed(last=lambda t: t.last.astype(jnp.float32))),
    "state of another type": ("dtypes", "int32", _widening),
    "random numbers of numpy": ("determinism", "draw random numbers from its key", _drifting),
    "prints": ("determinism", "calls the host", _printing),
    "resets itself": ("auto-reset", "first True", lambda: changed(first=yes)),
    "one sees the other": ("vmap", "differs", _batched),
    "not a number": ("finite values", "observation is nan", lambda: changed(observation=nan)),
    "out of its space": ("bounds", "outside", lambda: _spec(observation=Box((1,), -0.1, 0.1))),
    "huge rewards": ("reward range", "scale them", lambda: changed(reward=lambda t: 1e9 * t.reward)),
    "ends without an end": ("termination", "neither", lambda: changed(discount=lambda t: jnp.ones(()))),
    "discount 0 in the middle": (
        "termination",
        "discount 0",
        lambda: changed(discount=lambda t: jnp.zeros(())),
    ),
    "a limit that terminates": (
        "termination",
        "no end of the task",
        lambda: changed(truncated=lambda t: t.last),
    ),
    "another reward": (
        "reward function",
        "differs",
        lambda: sound()._replace(reward=lambda o, a, f: f[..., 0]),
    ),
    "another end": ("end function", "differs", lambda: sound()._replace(terminated=lambda o: o[..., 0] > 0)),
    "no image": ("render", "should be uint8", lambda: sound()._replace(render=lambda x: jnp.zeros((8, 8)))),
}


class HostWorld(gymnasium.Env):
    """A world of the host; `fault` says what is wrong with it."""

    observation_space = gymnasium.spaces.Box(-10.0, 10.0, (1,), np.float32)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, fault: str = "", render_mode: str | None = None):
        self.fault, self.render_mode, self.x = fault, render_mode, np.zeros(1, np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        generator = np.random.default_rng() if self.fault == "seed" else self.np_random
        self.x = generator.uniform(-1, 1, 1).astype(np.float32)
        return self.x, {}

    def step(self, action):
        self.x = self.x + action
        if self.fault == "raises":
            raise RuntimeError("motor is off")
        shown = self.x * (100 if self.fault == "bounds" else 1)
        return (
            shown,
            -1e9 if self.fault == "reward" else -float(self.x[0] ** 2),
            bool(self.x[0] > 2),
            False,
            {},
        )


for fault in ("", "seed", "raises", "bounds", "reward"):
    name = f"imaginax_tests/Broken{fault.title()}-v0"
    if name not in gymnasium.registry:
        gymnasium.register(name, HostWorld, max_episode_steps=8, kwargs={"fault": fault})
