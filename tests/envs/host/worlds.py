"""A world of the host whose every number can be foretold, and one of JAX with the same rules."""

from __future__ import annotations

from typing import Any

import gymnasium
import jax.numpy as jnp
import numpy as np

from imaginax.envs import wrappers
from imaginax.envs.physical import restart, transition
from imaginax.types import Box, Environment, EnvSpec

STEPS = 5
LINE = 2.0
ID = "imaginax_tests/Walk-v0"
SEEDED = "imaginax_tests/SeededWalk-v0"


class Walk(gymnasium.Env):
    """A walk that ends beyond a line, and is cut off after five steps; the reward is the step's length.

    It observes [where it is, where it began]. A seeded one begins at a random place.
    """

    metadata = {"render_modes": ["rgb_array"]}
    observation_space = gymnasium.spaces.Box(-100.0, 100.0, (2,), np.float64)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, seeded: bool = False, render_mode: str | None = None):
        self.seeded, self.render_mode = seeded, render_mode
        self.begin = self.place = np.float32(0)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.begin = np.float32(self.np_random.uniform(-1, 1) if self.seeded else 0)
        self.place = self.begin
        return self._look(), {}

    def step(self, action):
        assert action.dtype == np.float32 and self.action_space.contains(action)
        self.place = self.place + action[0]
        return self._look(), float(action[0]), bool(self.place > LINE), False, {}

    def render(self):
        return np.full((4, 6, 3), 10 * round(abs(float(self.place))), np.uint8)

    def _look(self):
        return np.array([self.place, self.begin], np.float64)


def register() -> None:
    for name, seeded in ((ID, False), (SEEDED, True)):
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point=Walk, max_episode_steps=STEPS, kwargs={"seeded": seeded})


def walk() -> Environment:
    """The unseeded walk as a JAX program."""
    spec = EnvSpec(f"gym:{ID}", Box((2,), -100.0, 100.0), Box((1,), -1.0, 1.0), STEPS)

    def look(place):
        return jnp.stack([place, jnp.zeros(())])

    def step(place, action, key):
        move = jnp.clip(action[0], -1, 1)
        return place + move, transition(look(place + move), move, place + move > LINE)

    env = Environment(spec, lambda key: (jnp.zeros(()), restart(look(jnp.zeros(())))), step)
    return wrappers.time_limit(env)


def plain_episodes(env: gymnasium.Env, actions: np.ndarray, seeds: Any) -> list[tuple]:
    """The oracle: the transitions of one environment in the textbook's loop, one for each action."""
    episodes, transitions = 0, []
    observation, _ = env.reset(seed=seeds(0))
    for action in actions:
        following, reward, terminated, truncated, _ = env.step(action)
        row = (observation, action, reward, 0.0 if terminated else 1.0, following)
        transitions.append((*row, truncated and not terminated))
        observation = following
        if terminated or truncated:
            episodes += 1
            observation, _ = env.reset(seed=seeds(episodes))
    return transitions
