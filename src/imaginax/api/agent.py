"""A trained agent that acts on one real observation after the other."""

from __future__ import annotations

from functools import partial
from os import PathLike, fspath
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Key, PyTree

from imaginax.api import worlds
from imaginax.api.units import Units, units_of
from imaginax.runtime import playback
from imaginax.runtime.compilation import Compiled, compiled
from imaginax.runtime.playback import Trained
from imaginax.runtime.precision import precision
from imaginax.types import ConfigError, Discrete, Environment, Params, System, TimeStep


class Carry(NamedTuple):
    """What an agent remembers between two steps of B episodes.

    Attributes:
        memory: of the system's `act`: its belief, its plan.
        observation: the last one, as the system sees it.
        key: of all that is drawn at random.
        first: where the next observation begins an episode.
    """

    memory: PyTree
    observation: PyTree
    key: Key[Array, ""]
    first: Bool[Array, "B"]


class Agent:
    """What `imaginax.load` gives: the agent of a run, without exploration.

    `act` keeps the memory (belief, plan) inside. `init` and `step` are the same as pure functions; `step` can
    be traced by `jax.jit` and `jax.lax.scan` where the environment is a JAX program.

    Attributes:
        name: of the system.
        env: name of the environment that it was trained on.
        system: `imaginax.types.System`.
        params: what the system acts with.
        step_seconds: how long each action is to be held, in the environment's time; 0 where time has no unit.
    """

    def __init__(
        self, trained: Trained, env: Environment | None, *, lane: int | None, batch: int | None, seed: int
    ):
        """An agent at the beginning of an episode; see `load`."""
        system = trained.system
        if system.name == "gpdm":
            raise ConfigError("system gpdm is fitted to a recording: it has no actions")
        if batch is not None and batch < 1:
            raise ConfigError(f"batch must be at least 1, got {batch}")
        self.name, self.env = system.name, system.environment.spec.name
        self.system: System = system
        self.params: Params = playback.params_of(trained, lane)
        self.step_seconds = system.environment.spec.step_seconds
        self._single, self._batch, self._seed = batch is None, batch or 1, seed
        self._lane = playback.lane_of(trained, lane)
        self._trained = trained
        self._units: Units = units_of(trained, env)
        self._like, self._start = _templates(trained, self._lane, self._batch)
        self._programs: dict[Any, Compiled] = {}
        self._check()
        self._carry = self.init()

    # ---------------------------------------------------------------- acting

    def act(self, observation: Any, *, legal: Any = None) -> Any:
        """The action for an observation, of the environment's own form; memory is kept inside.

        Args:
            observation: one, as the environment gives it; with `batch`, B of them.
            legal: [A] (or [B A]) which discrete actions are allowed; all by default.

        Raises:
            ConfigError: if the observation has not the shape that the agent was trained on.
        """
        self._carry, action = self.step(self._carry, observation, legal=legal)
        return self._emitted(action)

    def reset(self, where: Any = None) -> None:
        """Begins a new episode: belief and plan are forgotten.

        Args:
            where: [B] in which of a batch; in all by default.
        """
        first = np.ones(self._batch, bool) if where is None else np.asarray(where, bool)
        self._carry = self._carry._replace(first=jnp.asarray(self._carry.first) | first)

    def init(self, seed: int | None = None) -> Carry:
        """The memory before an episode; `seed` is that of `load` by default."""
        with precision(self.system):
            key = jax.random.key(self._seed if seed is None else seed)
            observation = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), self._like.observation)
            return Carry(self._start, observation, key, jnp.ones(self._batch, bool))

    def step(self, carry: Carry, observation: Any, *, legal: Any = None) -> tuple[Carry, Array]:
        """(memory, action) after an observation, without any state in the agent.

        Args:
            carry: memory before; used as it is, never changed.
            observation: as of `act`.
            legal: as of `act`.

        Returns:
            Memory after, and the action in the environment's units: [A] or a number; with `batch` [B ...].
        """
        given = (self._observed(observation), self._legal(legal))
        with precision(self.system):
            if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((carry, given))):
                carry, action = self._step(self.params, carry, *given)
            else:
                program = self._program(self._step, self.params, carry, *given)
                carry, action = program.call(self.params, carry, *given)
        return carry, action[0] if self._single else action

    def imagine(self, actions: Any) -> worlds.Imagined:
        """What the world model expects of a plan, from the newest observation that `act` was given.

        Args:
            actions: [H A], or [H] numbers, in the environment's units; with `batch` [B H ...].

        Raises:
            ConfigError: if the system has no world model, nothing was observed yet, or the shape is wrong.
        """
        if bool(np.any(self._carry.first)):
            raise ConfigError("imagine needs an observation: call act first")
        world = worlds.world_of(self._trained, self._lane)
        plan = self._planned(actions)
        with precision(self.system):
            carry = self._carry
            arguments = (self.params, carry.memory, carry.observation, plan, carry.key)
            found = self._program(partial(worlds.roll_out, world), *arguments).call(*arguments)
        found = jax.tree.map(np.asarray, found)
        return jax.tree.map(lambda leaf: leaf[0], found) if self._single else found

    # ---------------------------------------------------------------- inside

    def _step(self, params: Params, carry: Carry, observation: PyTree, legal: PyTree):
        key, key_act = jax.random.split(carry.key)
        no, like = jnp.zeros(self._batch, bool), self._like
        timestep = TimeStep(
            observation,
            jnp.zeros(self._batch, like.reward.dtype),
            jnp.ones(self._batch, like.discount.dtype),
            carry.first,
            no,
            no,
            legal,
            jnp.zeros(self._batch, jnp.int32),
            observation if like.final_observation is not None else None,
            jnp.ones(self._batch, jnp.int32),
        )
        decide = self.system.exploit or self.system.act
        memory, action, _ = decide(params, carry.memory, timestep, key_act)
        return Carry(memory, observation, key, no), self._units.scale(action)

    def _check(self) -> None:
        """Whether the system acts on so many observations at once, with one environment's memory each."""
        with precision(self.system):
            carry = jax.eval_shape(self.init)
            legal = None if self._like.legal is None else self._like.legal
            wanted = (self._batch, *self.system.environment.spec.action.shape)
            try:
                after, action = jax.eval_shape(self._step, self.params, carry, self._like.observation, legal)
                fits = action.shape == wanted and _shapes(after) == _shapes(carry)
            except (TypeError, ValueError, AssertionError):
                fits = False
        if not fits:
            raise ConfigError(f"system {self.name} cannot act on a batch of {self._batch} observations")

    def _program(self, fn: Any, *arguments: Any) -> Compiled:
        name = getattr(fn, "__name__", "imagine"), str(jax.tree.structure(arguments)), _shapes(arguments)
        if name not in self._programs:
            self._programs[name] = compiled(fn, *arguments)
        return self._programs[name]

    def _observed(self, observation: Any) -> PyTree:
        """Observations [B ...] of the types and shapes that the system sees."""
        if self._single:
            observation = jax.tree.map(lambda x: x[None], _arrays(self._units.observe(observation)))
        elif self._units.observe is not None and not isinstance(observation, jax.Array):
            leaves = jax.tree.leaves(self._like.observation)
            if len(leaves) == 1:
                observation = np.stack([self._units.observe(one) for one in observation])
        like, given = self._like.observation, observation
        if jax.tree.structure(given) != jax.tree.structure(like):
            raise ConfigError(f"observation of env {self.env} must be its state, as its `step` returns it")
        return jax.tree.map(self._typed, like, given)

    def _typed(self, like: Any, given: Any) -> Any:
        if given.shape != like.shape:
            wanted, got = (shape[1 if self._single else 0 :] for shape in (like.shape, given.shape))
            raise ConfigError(f"observation of env {self.env} must have shape {wanted}, got {got}")
        if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
            return given
        return given.astype(like.dtype)

    def _legal(self, legal: Any) -> Any:
        space = self.system.environment.spec.action
        if not isinstance(space, Discrete) or (legal is None and self._like.legal is None):
            return None
        wanted = (self._batch, space.size)
        allowed = np.ones(wanted, bool) if legal is None else np.asarray(legal, bool)
        if allowed.size != np.prod(wanted):
            raise ConfigError(f"legal must say of {space.size} actions whether they are allowed")
        return allowed.reshape(wanted)

    def _planned(self, actions: Any) -> np.ndarray:
        """Plans [B H ...] in the system's units."""
        space, own = self.system.environment.spec.action, self._units.action
        plan = np.asarray(actions, np.int32 if isinstance(space, Discrete) else float)
        plan = plan[None] if self._single else plan
        if plan.shape[0] != self._batch or plan.shape[2:] != space.shape or plan.shape[1] < 1:
            shape = ("H", *map(str, space.shape))
            raise ConfigError(f"actions must have shape ({', '.join(shape)}), got {np.shape(actions)}")
        if isinstance(space, Discrete) or isinstance(own, Discrete):
            return plan
        share = (plan - own.low) / (own.high - own.low)
        return (space.low + share * (space.high - space.low)).astype(np.float32)

    def _emitted(self, action: Array) -> Any:
        found = np.asarray(action)
        if self._single:
            return self._units.emit(found)
        made = [self._units.emit(one) for one in found]
        return np.stack(made) if isinstance(made[0], int | np.ndarray) else made


def _templates(trained: Trained, lane: int, batch: int) -> tuple[TimeStep, PyTree]:
    """Shapes of a time step [B ...], and a memory [B ...] that an episode's first step forgets."""
    system = trained.system
    with precision(system):
        timestep = jax.eval_shape(system.environment.init, jax.random.key(0))[1]
        count = timestep.last.shape[0]
        memory = jax.tree.map(lambda leaf: leaf[lane], trained.restored.state.carry)
        return jax.tree.map(partial(_shape, batch), timestep), jax.tree.map(
            partial(_rows, batch, count), memory
        )


def _shape(batch: int, leaf: Any) -> Any:
    return jax.ShapeDtypeStruct((batch, *leaf.shape[1:]), leaf.dtype) if getattr(leaf, "ndim", 0) else leaf


def _rows(batch: int, count: int, leaf: Array) -> Array:
    """The first of `count` rows, `batch` times; what has not so many rows is of all environments."""
    return jnp.broadcast_to(leaf[:1], (batch, *leaf.shape[1:])) if leaf.shape[:1] == (count,) else leaf


def _arrays(tree: Any) -> Any:
    """Leaves as arrays; lists and tuples of numbers are one array."""
    if isinstance(tree, list) or (isinstance(tree, tuple) and not hasattr(tree, "_fields")):
        return np.asarray(tree)
    return jax.tree.map(lambda leaf: leaf if isinstance(leaf, jax.Array) else np.asarray(leaf), tree)


def _shapes(tree: PyTree) -> tuple[Any, ...]:
    return tuple((leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(tree))


def load(
    run: str | PathLike[str],
    *,
    env: Environment | None = None,
    lane: int | None = None,
    batch: int | None = None,
    seed: int = 0,
) -> Any:
    """The agent of a run, ready to act: an `Agent`, or a `GameAgent` if it plays a board game.

    Args:
        run: a run directory, or `agents:NAME` for one that comes with the package.
        env: the environment, if the run was trained on one that was handed over as an object.
        lane: which of the run's seeds, from 0; the best by default.
        batch: B, for B observations at once; by default one, without a leading axis.
        seed: of what the agent draws at random.

    Raises:
        ConfigError: if there is no such run, or its system cannot act on observations.
        CheckpointError: if nothing of it can be loaded.
    """
    trained = playback.load(fspath(run), env)
    if trained.system.player is not None:
        from imaginax.api.games import GameAgent

        return GameAgent(trained, lane=lane, batch=batch, seed=seed)
    return Agent(trained, env, lane=lane, batch=batch, seed=seed)
