"""Small environments as people write them, each odd in one way.

One by its name: `gym:tests.envs.host.foreign_worlds:Grid-v0`.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

STEPS = 6


class NoRender(gymnasium.Env):
    """Its constructor takes nothing, so that it cannot be drawn; its observations have 64 bits."""

    observation_space: Any = spaces.Box(-np.inf, np.inf, (3,), np.float64)
    action_space: Any = spaces.Box(-2, 2, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = self.np_random.normal(size=3)
        return self.look(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.x = 0.9 * self.x + 0.1 * float(np.sum(action))
        return self.look(), -float(self.x @ self.x), False, False, {}

    def look(self) -> Any:
        return self.x


class MatrixAction(NoRender):
    """Its actions are matrices. It says nothing of pictures, but does not mind being asked."""

    action_space = spaces.Box(-1, 1, (2, 3), np.float32)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode


class Grid(NoRender):
    """It observes a matrix of real numbers, which is no picture, beside a vector."""

    observation_space = spaces.Dict(
        map=spaces.Box(0, 1, (4, 4), np.float32), velocity=spaces.Box(-1, 1, (2,), np.float32)
    )

    def look(self):
        return {"map": np.full((4, 4), 0.5, np.float32), "velocity": np.clip(self.x[:2], -1, 1).astype("f")}


class Seen(NoRender):
    """It observes an image, and cannot be drawn."""

    observation_space = spaces.Box(0, 255, (32, 32, 3), np.uint8)

    def look(self):
        picture = np.zeros((32, 32, 3), np.uint8)
        picture[:, int(np.clip(16 + 5 * self.x[0], 0, 31))] = 255
        return picture


class Odd(NoRender):
    """Spaces, and what is returned, to choose: `returns` and `draws` are functions of the environment."""

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(
        self,
        observation=None,
        action=None,
        looks=None,
        resets=None,
        returns=None,
        draws=None,
        render_mode=None,
    ):
        self.observation_space = self.observation_space if observation is None else observation
        self.action_space = self.action_space if action is None else action
        self.looks, self.resets, self.returns, self.draws = looks, resets, returns, draws
        self.render_mode = render_mode
        self.taken = []

    def reset(self, *, seed=None, options=None):
        answer = super().reset(seed=seed)
        return self.resets(self) if self.resets else answer

    def step(self, action):
        self.taken.append(action)
        return self.returns(self) if self.returns else (self.look(), 1.0, False, False, {})

    def look(self):
        return self.looks(self) if self.looks else self.x

    def render(self):
        return self.draws(self) if self.draws else None


for env in (NoRender, MatrixAction, Grid, Seen):
    gymnasium.register(f"{env.__name__}-v0", entry_point=env, max_episode_steps=STEPS)
