"""Environments outside of JAX, stepped together, with the time steps of `wrappers.auto_reset`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Int, PyTree, UInt8, UInt32

from imaginax.types import ConfigError, Discrete, EnvSpec, TimeStep

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv


class HostState(NamedTuple):
    """All that the device knows of an environment on the host: it fixes the seed of every episode.

    Attributes:
        seed: of the environment.
        episode: number of the episode under way, from 0.
    """

    seed: UInt32[Array, "*#N"]
    episode: Int[Array, "*#N"]


def episode_seed(seed: int, episode: int) -> int:
    """A seed of 31 bits for one episode of one environment."""
    return int(np.random.SeedSequence((seed, episode)).generate_state(1)[0] >> 1)


class HostVector:
    """N environments of gymnasium's vector API; numpy in, fresh numpy arrays out.

    After a last step `observation` is the first one of the next episode, `first` is True and
    `final_observation` is what the action led to, whichever way the vector environment resets:
    with `AutoresetMode.DISABLED` and `NEXT_STEP` the environments that ended are reset at once, by
    gymnasium's `reset_mask` and with `episode_seed`, so the idle step of NEXT_STEP never happens; one with
    `SAME_STEP` resets itself, and only its first episode has a seed.

    reset:   (seeds [N], numbers of the episodes that begin [N]) -> TimeStep
    send:    actions [N, ...] -> None; worker processes, if there are any, step from now on
    receive: () -> TimeStep; the answer to `send`
    render:  () -> frame [H, W, 3] of environment 0, or None if it cannot be drawn
    close:   () -> None
    """

    def __init__(self, vector: VectorEnv, spec: EnvSpec):
        """Wraps `vector`, whose observations and actions `spec` describes.

        Raises:
            ConfigError: if it does not say how it resets itself.
        """
        from gymnasium.vector import AsyncVectorEnv, AutoresetMode

        mode = vector.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise ConfigError(f"env {spec.name}: the vector environment's metadata has no autoreset_mode")
        self._vector: Any = vector
        self._spec = spec
        self._resets_itself = mode is AutoresetMode.SAME_STEP
        self._has_workers = isinstance(vector, AsyncVectorEnv)
        self._actions: np.ndarray | None = None
        self._seeds = np.zeros(vector.num_envs, np.uint32)
        self._episodes = np.zeros(vector.num_envs, np.int64)
        self._draws = vector.render_mode == "rgb_array"

    def reset(self, seeds: UInt32[np.ndarray, "N"], episodes: Int[np.ndarray, "N"]) -> TimeStep:
        self._seeds, self._episodes = seeds.astype(np.int64), episodes.astype(np.int64)
        observation, _ = self._vector.reset(seed=self._episode_seeds())
        observation = self._observation(observation)
        count = len(observation)
        no, zero = np.zeros(count, bool), np.zeros(count, np.float32)
        return _timestep(
            observation=observation,
            reward=zero,
            discount=zero + 1,
            first=~no,
            last=no,
            truncated=no,
            final_observation=observation,
        )

    def send(self, actions: PyTree) -> None:
        self._actions = self._legal(np.asarray(actions))
        if self._has_workers:
            self._vector.step_async(self._actions)

    def receive(self) -> TimeStep:
        answer = self._vector.step_wait() if self._has_workers else self._vector.step(self._actions)
        observation, reward, terminated, truncated, infos = answer
        final = observation = self._observation(observation)
        last = terminated | truncated
        if last.any():
            self._episodes += last
            if self._resets_itself:
                final = self._final(observation, infos, last)
            else:
                observation = self._restart(observation, last)
        return _timestep(
            observation=observation,
            reward=np.asarray(reward, np.float32),
            discount=np.where(terminated, np.float32(0), np.float32(1)),
            first=last,
            last=last,
            truncated=truncated & ~terminated,
            final_observation=final,
        )

    def render(self) -> UInt8[np.ndarray, "H W 3"] | None:
        if not self._draws:
            return None
        envs = getattr(self._vector, "envs", None)
        try:
            return np.asarray(envs[0].render() if envs else self._vector.render()[0])
        except Exception:  # a simulator without a display fails in its own way; a picture is a convenience
            self._draws = False
            return None

    def close(self) -> None:
        self._vector.close()

    def _episode_seeds(self) -> list[int]:
        pairs = zip(self._seeds.tolist(), self._episodes.tolist(), strict=True)
        return [episode_seed(seed, episode) for seed, episode in pairs]

    def _observation(self, observation: np.ndarray) -> np.ndarray:
        """A copy, for vector environments may fill the same buffer again."""
        return np.array(observation, self._spec.observation.dtype)

    def _legal(self, actions: np.ndarray) -> np.ndarray:
        """Actions as the environments want them: within bounds, of their type, counted from their start."""
        space = self._vector.single_action_space
        if isinstance(self._spec.action, Discrete):
            return actions.astype(space.dtype) + space.start
        return np.clip(actions, self._spec.action.low, self._spec.action.high).astype(space.dtype)

    def _restart(self, final: np.ndarray, last: Bool[np.ndarray, "N"]) -> np.ndarray:
        """Starts new episodes where one ended.

        Raises:
            ConfigError: if the vector environment resets the others too.
        """
        seeds = self._episode_seeds()
        observation, _ = self._vector.reset(seed=seeds, options={"reset_mask": last.copy()})
        observation = self._observation(observation)
        if not np.array_equal(observation[~last], final[~last], equal_nan=final.dtype.kind == "f"):
            raise ConfigError(f"env {self._spec.name}: the vector environment ignores reset_mask")
        return observation

    def _final(self, observation: np.ndarray, infos: dict, last: Bool[np.ndarray, "N"]) -> np.ndarray:
        """What the actions led to, where the environments have reset themselves already."""
        final = observation.copy()
        for index in np.flatnonzero(last):
            final[index] = infos["final_obs"][index]
        return final


def _timestep(**fields: Any) -> TimeStep:
    """A time step of numpy arrays, in an environment of one player."""
    fields["player"] = np.zeros(len(fields["last"]), np.int32)
    return TimeStep(**fields)
