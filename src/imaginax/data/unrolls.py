"""Stretches of searched episodes as MuZero learns from them (Schrittwieser et al. 2020, arXiv 1911.08265).

A row is a position and the K steps after it. Past the end of an episode, positions are absorbing: whatever is
done there, value and reward are 0, and the policy has no target. The value of a position is what whoever
moves there gains in the next n steps and is expected to gain after them, or in the whole episode.
Nothing is known past an end that is a truncation, and no value learns from a return of which an action was
drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree, UInt8

from imaginax.data.prioritised import PrioritisedReplay, prioritised_replay
from imaginax.data.self_play import SelfPlayExtras, SelfPlayStep, empty_self_play_step, recorder
from imaginax.objectives.n_step import n_step_return
from imaginax.types import ConfigError, Discrete, Environment, TimeStep

LOWEST_PRIORITY = 1e-3  # so that what is predicted well is drawn at times


class SearchedStep(NamedTuple):
    """A step, as a model that is unrolled learns from it.

    Attributes:
        step: what is kept of any searched step.
        at_random: whether its action was drawn at random, as in a random opening.
        legal: actions that were legal, eight to a byte; None where all are.
    """

    step: SelfPlayStep
    at_random: Bool[Array, "*batch"]
    legal: UInt8[Array, "*batch W"] | None


class UnrollConfig(NamedTuple):
    """The shape of a row, and what its values are.

    Attributes:
        steps: K, imagined steps.
        bootstrap: n, steps after which a return goes on with the search's value; None for whole episodes.
        longest: maximum length of an episode.
        discount: discount of a step.
    """

    steps: int
    bootstrap: int | None
    longest: int
    discount: float

    @property
    def window(self) -> int:
        """Steps that the value of a position depends on, its own step among them."""
        return self.longest if self.bootstrap is None else self.bootstrap + 1

    @property
    def length(self) -> int:
        """T, steps that a row is made of."""
        return self.steps + self.window


class Positions(NamedTuple):
    """K + 1 positions of B rows, each with its targets; weights are 0 where there is none.

    Attributes:
        action: actions, for K steps.
        reward: rewards of these steps, for whoever made them.
        reward_weight: 1 where the reward is known.
        value: returns from each position, for whoever moves there.
        value_weight: 1 where the return is known.
        alive: whether the episode still goes on there.
    """

    action: Int[Array, "B K"]
    reward: Float[Array, "B K"]
    reward_weight: Float[Array, "B K"]
    value: Float[Array, "B P"]
    value_weight: Float[Array, "B P"]
    alive: Bool[Array, "B P"]


def searched_recorder(env: Environment) -> Callable[..., SearchedStep]:
    """The `record` of a system whose `act` leaves `SelfPlayExtras`; see `data.self_play.recorder`."""
    record = recorder(env)

    def searched(
        timestep: TimeStep, action: Array, following: TimeStep, extras: SelfPlayExtras
    ) -> SearchedStep:
        legal = None if timestep.legal is None else jnp.packbits(timestep.legal, axis=-1)
        at_random = jnp.broadcast_to(extras.at_random, action.shape)
        return SearchedStep(record(timestep, action, following, extras), at_random, legal)

    return searched


def unroll_replay(
    env: Environment,
    config: UnrollConfig,
    length: int,
    num_envs: int,
    *,
    batch: int,
    alpha: float,
    beta: float,
) -> PrioritisedReplay:
    """The last `length` steps in each environment; `sample` draws `Prioritised` rows of T steps.

    The priority of a position is |nu - z|, the search's value against the return that came (appendix G). It
    is known when the T-th step of the row arrives, which is when the row can be drawn first, and stays.

    Args:
        env: one environment, a board game in its `privileged` form.
        config: what a row is.
        length: L, steps kept of each environment.
        num_envs: N, environments.
        batch: B, rows that `sample` draws.
        alpha: exponent of priorities; 0 is uniform.
        beta: exponent of importance weights.

    Raises:
        ConfigError: if a row is longer than what is kept.
    """
    if config.length > length:
        raise ConfigError(f"window ({length}) must hold the {config.length} steps that a row is made of")
    step = empty_self_play_step(env)
    legal = jax.eval_shape(env.init, jax.random.key(0))[1].legal
    packed = None if legal is None else jnp.zeros(-(-_num_actions(env) // 8), jnp.uint8)
    made = prioritised_replay(
        SearchedStep(step, jnp.zeros((), bool), packed),
        length,
        num_envs,
        batch=batch,
        sequence=config.length,
        alpha=alpha,
        beta=beta,
    )
    if alpha == 0:
        return made

    def add(state: Any, items: SearchedStep) -> PyTree:
        state = made.replay.add(state, items)
        kept = made.replay.data(state)
        first = (kept.start + kept.count - config.length) % length  # of the newest row
        row = (first + jnp.arange(config.length)) % length
        newest = jax.tree.map(lambda x: x[:, row], bare(kept.items))
        priority = jnp.where(kept.count >= config.length, priorities(config, newest), 0.0)
        return made.set_priorities(state, first + length * jnp.arange(num_envs), priority)

    return PrioritisedReplay(made.replay._replace(add=add), made.set_priorities)


def priorities(config: UnrollConfig, steps: SearchedStep) -> Float[Array, "B"]:
    """|nu - z| of the first positions of rows [B T], at least `LOWEST_PRIORITY`; that for an unknown z."""
    value, known = _returns(config, jax.tree.map(lambda x: x[:, : config.window], steps))
    return jnp.maximum(jnp.where(known, jnp.abs(steps.step.value[:, 0] - value), 0.0), LOWEST_PRIORITY)


def positions(config: UnrollConfig, row: SearchedStep, key: Array, *, num_actions: int) -> Positions:
    """The K + 1 positions of rows [B T]; actions past an end are random.

    Args:
        config: what a row is.
        row: consecutive steps of one environment in each row, `bare`.
        key: consumed.
        num_actions: number of actions.
    """
    steps, span = row.step, config.steps + 1
    passed = jnp.cumsum(steps.last[:, :span], axis=1)  # ends up to each step
    alive = jnp.concatenate([jnp.ones_like(steps.last[:, :1]), passed[:, :-1] == 0], axis=1)
    cut = jnp.take_along_axis(steps.truncated, jnp.argmax(steps.last[:, :span], axis=1)[:, None], axis=1)
    known = alive | ~cut
    value, has_value = jax.vmap(lambda k: _returns(config, _stretch(row, k, config.window)), out_axes=1)(
        jnp.arange(span)
    )
    anything = jax.random.randint(key, alive[:, 1:].shape, 0, num_actions)
    moved = alive[:, :-1]  # whether the step that leads to each later position was made
    return Positions(
        action=jnp.where(moved, steps.action[:, : config.steps].astype(jnp.int32), anything),
        reward=jnp.where(moved, steps.reward[:, : config.steps], 0.0),
        reward_weight=known[:, :-1].astype(jnp.float32),
        value=jnp.where(alive, value, 0.0),
        value_weight=jnp.where(alive, has_value, known).astype(jnp.float32),
        alive=alive,
    )


def unpacked_legal(legal: UInt8[Array, "*batch W"], num_actions: int) -> Bool[Array, "*batch A"]:
    """What `searched_recorder` packed."""
    return jnp.unpackbits(legal, axis=-1, count=num_actions).astype(bool)


def bare(row: SearchedStep) -> SearchedStep:
    """Steps without what only networks and policies need."""
    return SearchedStep(row.step._replace(observation=(), actions=(), shares=()), row.at_random, None)


def _stretch(row: SearchedStep, start: Array, length: int) -> SearchedStep:
    return jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, start, length, axis=1), row)


def _returns(config: UnrollConfig, row: SearchedStep) -> tuple[Float[Array, "B"], Bool[Array, "B"]]:
    """Returns of the first steps of rows, and whether each is known and of searched actions alone."""
    steps = row.step
    value, known = n_step_return(
        steps.reward,
        steps.value,
        steps.player,
        steps.last,
        steps.truncated,
        discount=config.discount,
        steps=config.bootstrap,
    )
    counted = row.at_random[:, : config.bootstrap or config.longest]
    ends = jnp.cumsum(steps.last, axis=1) - steps.last  # before each step
    return value, known & ~jnp.any(counted & (ends[:, : counted.shape[1]] == 0), axis=1)


def _num_actions(env: Environment) -> int:
    assert isinstance(env.spec.action, Discrete), "a tree search has discrete actions"
    return env.spec.action.size
