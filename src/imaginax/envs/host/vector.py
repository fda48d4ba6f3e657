"""Environments outside of JAX, stepped together, with the time steps of `wrappers.auto_reset`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Int, PyTree, UInt8, UInt32

from imaginax.envs.host import pictures
from imaginax.envs.loading import failure
from imaginax.types import ConfigError, Discrete, EnvSpec, TimeStep

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv

STEPS = "imaginax_steps"  # what a step's info tells: how many steps an action was held for
HOLD = "imaginax_hold"  # option of a reset: the next step ignores its action and shows the first observation


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

    `in_turn` gives the time steps of `wrappers.reset_in_turn`, and otherwise they are those of `auto_reset`:
    after a last step `observation` is the first one of the next episode, `first` is True and
    `final_observation` is what the action led to, whichever way the vector environment resets:
    with `AutoresetMode.DISABLED` and `NEXT_STEP` the environments that ended are reset at once, by
    gymnasium's `reset_mask` and with `episode_seed`, so the idle step of NEXT_STEP never happens; one with
    `SAME_STEP` resets itself, and only its first episode has a seed. For episodes in turn the environments
    need `host_wrappers.Held`, and must not reset themselves.

    reset:   (seeds [N], numbers of the episodes that begin [N]) -> TimeStep
    resume:  (the last TimeStep of an interrupted run, seeds, numbers) -> the TimeStep to go on with; every
             environment that was inside of an episode begins the next one
    send:    actions [N, ...] -> None; worker processes, if there are any, step from now on
    receive: () -> TimeStep; the answer to `send`
    render:  () -> frame [H, W, 3] of environment 0, or None if it cannot be drawn
    close:   () -> None

    What goes wrong in the code of an environment is a `ConfigError` that names the environment, what it was
    asked for and the line that failed.
    """

    def __init__(self, vector: VectorEnv, spec: EnvSpec, *, in_turn: bool = False):
        """Wraps `vector`, whose observations and actions `spec` describes.

        Raises:
            ConfigError: if it does not say how it resets itself, or does so where episodes begin in turn.
        """
        from gymnasium.vector import AsyncVectorEnv, AutoresetMode

        mode = vector.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise ConfigError(f"env {spec.name}: the vector environment's metadata has no autoreset_mode")
        if in_turn and mode is not AutoresetMode.DISABLED:
            raise ConfigError(
                f"env {spec.name}: episodes in turn need the autoreset_mode DISABLED, not {mode}"
            )
        self._vector: Any = vector
        self._spec = spec
        self._in_turn = in_turn
        self._resets_itself = mode is AutoresetMode.SAME_STEP
        self._has_workers = isinstance(vector, AsyncVectorEnv)
        self._actions: np.ndarray | None = None
        self._seeds = np.zeros(vector.num_envs, np.uint32)
        self._episodes = np.zeros(vector.num_envs, np.int64)
        self._begins = np.zeros(vector.num_envs, bool)  # in turn: with the next step
        self._shown: np.ndarray | None = None
        self._draws = vector.render_mode == "rgb_array"

    def reset(self, seeds: UInt32[np.ndarray, "N"], episodes: Int[np.ndarray, "N"]) -> TimeStep:
        self._seeds, self._episodes = seeds.astype(np.int64), episodes.astype(np.int64)
        with self._explained("reset"):
            observation, _ = self._vector.reset(seed=self._episode_seeds())
            observation = self._observation(observation)
        count = len(observation)
        no, zero = np.zeros(count, bool), np.zeros(count, np.float32)
        self._begins = no
        return self._timestep(
            observation=observation,
            reward=zero,
            discount=zero + 1,
            first=~no,
            last=no,
            truncated=no,
            final_observation=observation,
            steps=np.zeros(count, np.int32),
        )

    def resume(
        self, timestep: TimeStep, seeds: UInt32[np.ndarray, "N"], episodes: Int[np.ndarray, "N"]
    ) -> TimeStep:
        begun, between = self.reset(seeds, episodes), np.asarray(timestep.first)
        if not self._in_turn:
            kept = jax.tree.map(lambda old, new: _where(between, old, new), timestep, begun)
            return kept._replace(observation=begun.observation)
        if not between.all():
            self._begins = ~between
            self._restart(np.asarray(begun.observation), ~between)
        return timestep

    def send(self, actions: PyTree) -> None:
        self._actions = self._legal(np.asarray(actions))
        if self._has_workers:
            self._vector.step_async(self._actions)

    def receive(self) -> TimeStep:
        with self._explained("step"):
            answer = self._vector.step_wait() if self._has_workers else self._vector.step(self._actions)
            observation, reward, terminated, truncated, infos = answer
            final = observation = self._observation(observation)
        last, began = terminated | truncated, self._begins
        if last.any():
            self._episodes += last
            if self._resets_itself:
                final = self._final(observation, infos, last)
            else:
                begun = self._restart(observation, last)
                observation = observation if self._in_turn else begun
        self._begins = last & self._in_turn
        return self._timestep(
            observation=observation,
            reward=np.asarray(reward, np.float32),
            discount=np.where(terminated, np.float32(0), np.float32(1)),
            first=began if self._in_turn else last,
            last=last,
            truncated=truncated & ~terminated,
            final_observation=final,
            steps=np.asarray(infos.get(STEPS, ~began), np.int32),
        )

    def render(self) -> UInt8[np.ndarray, "H W 3"] | None:
        frame = self._drawn() if self._draws else None
        self._draws = frame is not None
        if frame is None and self._shown is not None and self._shown.dtype == np.uint8:
            return pictures.frame(self._shown[0])
        return frame

    def close(self) -> None:
        self._vector.close()

    def _drawn(self) -> UInt8[np.ndarray, "H W 3"] | None:
        envs = getattr(self._vector, "envs", None)
        try:
            return pictures.frame(envs[0].render() if envs else self._vector.render()[0])
        except Exception:  # a simulator without a display fails in its own way; a picture is a convenience
            return None

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise ConfigError(failure(f"env {self._spec.name} failed in {what}", error)) from error

    def _timestep(self, **fields: Any) -> TimeStep:
        """A time step of numpy arrays, in an environment of one player."""
        self._shown = fields["observation"]
        final = None if self._in_turn else fields.pop("final_observation")
        player = np.zeros(len(fields["last"]), np.int32)
        return TimeStep(**(fields | {"player": player, "final_observation": final}))

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
        options = {"reset_mask": last.copy()} | ({HOLD: True} if self._in_turn else {})
        with self._explained("reset"):
            observation, _ = self._vector.reset(seed=self._episode_seeds(), options=options)
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


def _where(condition: Bool[np.ndarray, "N"], chosen: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """A choice for every environment between arrays [N, ...]."""
    return np.where(condition.reshape(-1, *[1] * (chosen.ndim - 1)), chosen, otherwise)
