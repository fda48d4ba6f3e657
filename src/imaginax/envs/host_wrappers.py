"""gymnasium environments and wrappers that run in the environments' own processes.

This module needs gymnasium; import it where it is used.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np


class ActionRepeat(gymnasium.Wrapper):
    """Holds every action for `repeats` steps, sums their rewards and stops early at a last step."""

    def __init__(self, env: gymnasium.Env, repeats: int):
        super().__init__(env)
        self._repeats = repeats

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        total = 0.0
        for _ in range(self._repeats):
            observation, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        return observation, total, terminated, truncated, info


class Entry(gymnasium.ObservationWrapper):
    """Shows one entry of a dictionary of observations."""

    def __init__(self, env: gymnasium.Env, name: str):
        super().__init__(env)
        self._name = name
        parts: Any = env.observation_space
        self.observation_space = parts[name]

    def observation(self, observation: dict[str, Any]) -> Any:
        return observation[self._name]


class DmControl(gymnasium.Env):
    """A task of the dm_control suite; its observations are one vector, in the suite's order.

    An episode that ends with discount 0 has terminated; at the time limit it is truncated.
    """

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(self, domain: str, task: str, render_mode: str | None = None):
        from dm_control import suite  # pyright: ignore[reportMissingImports]

        self.render_mode = render_mode
        self._env = suite.load(domain, task)
        action = self._env.action_spec()
        size = sum(int(np.prod(part.shape)) for part in self._env.observation_spec().values())
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = gymnasium.spaces.Box(
            action.minimum.astype(np.float32), action.maximum.astype(np.float32), dtype=np.float32
        )
        self.dt = self._env.control_timestep()
        self.max_steps = self._env._step_limit  # public nowhere; infinite for a task without a limit

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        if seed is not None:
            self._env.task.random.seed(seed)
        return _flat(self._env.reset().observation), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        moment = self._env.step(action)
        terminated = bool(moment.last() and moment.discount == 0)
        return _flat(moment.observation), moment.reward, terminated, moment.last() and not terminated, {}

    def render(self) -> np.ndarray:
        return self._env.physics.render(240, 320, camera_id=0)

    def close(self) -> None:
        self._env.close()


def _flat(observation: dict[str, Any]) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in observation.values()]).astype(np.float32)
