"""gymnasium environments and wrappers that run in the environments' own processes.

This module needs gymnasium; import it where it is used. From the inside: `Checked`, `ActionRepeat`, one of
the observations, `VectorAction` where actions are continuous, and `Held` where episodes begin in turn.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from imaginax.envs.host import pictures
from imaginax.envs.host.vector import HOLD, STEPS


class Checked(gymnasium.Wrapper):
    """Makes plain numbers of rewards and flags, or says why that cannot be; drops the infos."""

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        answer: Any = self.env.reset(seed=seed, options=options)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise TypeError(f"it must return (observation, info), got a {type(answer).__name__}")
        return answer[0], {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        observation, reward, terminated, truncated, _ = self.env.step(action)
        ends = bool(_number("terminated", terminated)), bool(_number("truncated", truncated))
        return observation, _number("reward", reward), *ends, {}


def _number(name: str, value: Any) -> float:
    number = np.asarray(value, np.float64)
    if number.size != 1 or not np.isfinite(number).all():
        raise ValueError(f"{name} must be one finite number, got {value}")
    return number.item()


class ActionRepeat(gymnasium.Wrapper):
    """Holds every action for `repeats` steps, sums their rewards and stops early at a last step.

    With `pooled` it shows the larger one of the last two of these steps in each pixel.
    """

    def __init__(self, env: gymnasium.Env, repeats: int, *, pooled: bool = False):
        super().__init__(env)
        self._repeats, self._pooled = repeats, pooled

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        total, steps, before, observation = 0.0, 0, None, None
        for steps in range(1, self._repeats + 1):  # noqa: B007
            before = observation
            observation, reward, terminated, truncated, _ = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        if self._pooled and before is not None:
            observation = np.maximum(before, observation)
        return observation, total, terminated, truncated, {STEPS: steps}


class Held(gymnasium.Wrapper):
    """After a reset with the option `HOLD`, the next step ignores its action and shows what the reset showed.

    Environments that go on side by side can thus begin an episode while the others make a step.
    """

    def __init__(self, env: gymnasium.Env):
        super().__init__(env)
        self._shown: tuple[Any] | None = None

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        rest = dict(options or {})
        hold = rest.pop(HOLD, False)
        observation, info = self.env.reset(seed=seed, options=rest or None)
        self._shown = (observation,) if hold else None
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if self._shown is None:
            return self.env.step(action)  # pyright: ignore[reportReturnType]
        (observation,), self._shown = self._shown, None
        return observation, 0.0, False, False, {}


# ------------------------------------------------------------ observations


class Vector(gymnasium.ObservationWrapper):
    """Shows all numbers of an observation in one vector, a `Discrete` one as one-hot."""

    def __init__(self, env: gymnasium.Env):
        super().__init__(env)
        flat: Any = spaces.flatten_space(env.observation_space)
        with np.errstate(over="ignore"):  # bounds that float32 does not have are none
            low, high = np.float32(np.ravel(flat.low)), np.float32(np.ravel(flat.high))
        self.observation_space = spaces.Box(low, high, dtype=np.float32)

    def observation(self, observation: Any) -> np.ndarray:
        inner = self.env.observation_space
        flat: Any = observation if isinstance(inner, spaces.Box) else spaces.flatten(inner, observation)
        vector = np.ravel(np.asarray(flat, np.float32))
        if vector.shape != self.observation_space.shape:
            wanted = self.observation_space.shape
            raise ValueError(f"the observation has shape {np.shape(flat)}, where its space has {wanted}")
        return vector


class Picture(gymnasium.ObservationWrapper):
    """Shows one entry of an observation, found by the keys of `path`, as an image [H W C]."""

    def __init__(self, env: gymnasium.Env, path: tuple[Any, ...] = (), size: tuple[int, int] | None = None):
        super().__init__(env)
        self._path, self._size = path, size
        shown = self.observation(_zeros(env.observation_space))
        self.observation_space = spaces.Box(0, 255, shown.shape, np.uint8)

    def observation(self, observation: Any) -> np.ndarray:
        for key in self._path:
            observation = observation[key]
        image = pictures.channels_last(np.asarray(observation, np.uint8))
        return pictures.resized(image, self._size) if self._size else image


def _zeros(space: Any) -> Any:
    """An observation of zeros, of nested images; other parts are None."""
    if isinstance(space, spaces.Dict):
        return {key: _zeros(part) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_zeros(part) for part in space.spaces)
    return np.zeros(space.shape, np.uint8) if isinstance(space, spaces.Box) else None


class Drawn(gymnasium.ObservationWrapper):
    """Shows what `render` draws, with `size` = (height, width) pixels."""

    def __init__(self, env: gymnasium.Env, size: tuple[int, int]):
        super().__init__(env)
        self._size = size
        self.observation_space = spaces.Box(0, 255, (*size, 3), np.uint8)

    def observation(self, observation: Any) -> np.ndarray:
        image = pictures.frame(self.env.render())
        if image is None:
            raise ValueError("render returned no image")
        return pictures.resized(image, self._size)


# ----------------------------------------------------------------- actions


class VectorAction(gymnasium.ActionWrapper):
    """Takes vectors between one pair of bounds, and gives actions of the environment's own shape and type.

    The bounds of each entry are reached at those of the vector; whole numbers are rounded.
    """

    def __init__(self, env: gymnasium.Env, low: float, high: float):
        super().__init__(env)
        flat: Any = spaces.flatten_space(env.action_space)
        self._low, self._high = np.float64(flat.low), np.float64(flat.high)
        self._given = low, high
        self._same = bool((self._low == low).all() and (self._high == high).all())
        parts = boxes(env.action_space) or []
        self._whole = np.concatenate([np.full(box.shape, box.dtype.kind in "iu").ravel() for box in parts])
        self.action_space = spaces.Box(np.float32(low), np.float32(high), flat.shape, np.float32)

    def action(self, action: Any) -> Any:
        low, high = self._given
        numbers = np.asarray(action, np.float64)
        if not self._same:
            numbers = self._low + (numbers - low) / (high - low) * (self._high - self._low)
        numbers = np.clip(np.where(self._whole, np.rint(numbers), numbers), self._low, self._high)
        return spaces.unflatten(self.env.action_space, numbers)


def boxes(space: Any) -> list[Any] | None:
    """The `Box` spaces of a nested space in the order of its flat vector; None if other parts are in it."""
    if isinstance(space, spaces.Box):
        return [space]
    if not isinstance(space, spaces.Dict | spaces.Tuple):
        return None
    parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
    found = [boxes(part) for part in parts]
    return None if None in found else [box for inner in found for box in inner or ()]


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
