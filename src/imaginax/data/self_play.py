"""Episodes of a searching player: what replay keeps of them and what a network learns from them.

Replay holds the last L steps in each of N environments. Of a step it keeps what the network saw, what the
search found, the action and what came of it at once; the value's target needs later steps and is computed
when a step is sampled. Only steps of episodes that have ended are sampled, and only of the last ones: the
window of AlphaGo Zero and AlphaZero. Episodes have one player, or two who move in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float16, Int, PyTree

from imaginax.data.replay import Ring, ring_replay
from imaginax.objectives.n_step import n_step_return
from imaginax.types import ConfigError, Discrete, Environment, Replay, TimeStep


class SelfPlayExtras(NamedTuple):
    """What `acting.self_play` knows of N decisions besides the actions.

    Attributes:
        policy: target policy that the search found.
        value: value that the search found, for the player to move.
        q: values of the actions that the search found; -inf for actions without a visit.
        episode: episodes that were played in each environment before this one.
        at_random: whether the action was drawn at random instead of searched, as in a random opening.
    """

    policy: Float[Array, "N A"]
    value: Float[Array, "N"]
    q: Float[Array, "N A"]
    episode: Int[Array, "N"]
    at_random: Bool[Array, "N"] | bool = False


class SelfPlayStep(NamedTuple):
    """One decision and what came of it.

    Shares are float16, which halves their part of replay; their relative error of 0.0005 is far below that
    of the visits which they count.

    Attributes:
        observation: what the network saw, packed (`Packing`).
        action: action that was played.
        actions: actions with the largest shares in the target policy, K of them, the largest first.
        shares: shares of these actions.
        value: value that the search found, for the player who moved.
        reward: reward of the player who moved.
        last: whether the episode ended with this step.
        truncated: whether it was cut off rather than terminated.
        player: player who moved.
        episode: episodes that were played in this environment before.
    """

    observation: PyTree
    action: Int[Array, "*batch"]
    actions: Int[Array, "*batch K"]
    shares: Float16[Array, "*batch K"]
    value: Float[Array, "*batch"]
    reward: Float[Array, "*batch"]
    last: Bool[Array, "*batch"]
    truncated: Bool[Array, "*batch"]
    player: Int[Array, "*batch"]
    episode: Int[Array, "*batch"]


class PolicyValueBatch(NamedTuple):
    """What a policy and value network learns from.

    Attributes:
        observation: network inputs.
        actions: actions of the target policy, see `SelfPlayStep`.
        shares: target policy on these actions, which sums to 1.
        value: target of the value.
        valid: 1, or 0 for a row without a meaning, which occurs before the first episode has ended.
        has_value: 1, or 0 where the value has no target because the episode was truncated.
    """

    observation: PyTree
    actions: Int[Array, "B K"]
    shares: Float[Array, "B K"]
    value: Float[Array, "B"]
    valid: Float[Array, "B"]
    has_value: Float[Array, "B"]


class Packing(NamedTuple):
    """How replay stores what a network sees; functions of one observation.

    pack:   observation of a time step -> what is stored
    unpack: what is stored -> network input
    """

    pack: Callable[[PyTree], PyTree] = lambda observation: observation
    unpack: Callable[[PyTree], PyTree] = lambda stored: stored


def packing_of(env: Environment) -> Packing:
    """Planes of a `privileged` board game in few bytes; other observations as they are."""
    game = env.game
    if game is None:
        return Packing()
    return Packing(lambda state: game.pack(game.planes(state)), game.unpack)


def recorder(env: Environment, packing: Packing | None = None) -> Callable[..., SelfPlayStep]:
    """The `record` of a system whose `act` leaves `SelfPlayExtras`.

    Args:
        env: one environment with discrete actions, a board game in its `privileged` form unless there is a
            packing for its observations.
        packing: storage of observations; None for `packing_of`.

    Returns:
        (time step before the action, action, following time step, extras) -> steps [N].
    """
    pack = (packing or packing_of(env)).pack
    size = _num_actions(env)
    width = size if env.game is None else min(env.game.max_legal, size)
    numbers = jnp.int16 if size <= 2**15 else jnp.int32

    def record(
        timestep: TimeStep, action: Array, following: TimeStep, extras: SelfPlayExtras
    ) -> SelfPlayStep:
        shares, actions = jax.lax.top_k(extras.policy, width)
        return SelfPlayStep(
            observation=jax.vmap(pack)(timestep.observation),
            action=action.astype(numbers),
            actions=actions.astype(numbers),
            shares=shares.astype(jnp.float16),
            value=extras.value,
            reward=following.reward.astype(jnp.float32),
            last=following.last,
            truncated=following.truncated,
            player=jnp.broadcast_to(jnp.asarray(timestep.player, jnp.int8), action.shape),
            episode=extras.episode,
        )

    return record


def self_play_replay(env: Environment, length: int, num_envs: int, packing: Packing | None = None) -> Replay:
    """The last `length` steps in each of `num_envs` environments; `data` gives a `Ring` of `SelfPlayStep`.

    Args:
        env: see `recorder`.
        length: steps, at least two episodes' worth, so that ended ones can be sampled while the next goes on.
        num_envs: environments.
        packing: see `recorder`.

    Raises:
        ConfigError: for a length below that.
    """
    if length < 2 * env.spec.max_steps:
        raise ConfigError(
            f"window_plies must be at least {2 * env.spec.max_steps}, two games of {env.spec.name},"
            f" got {length}"
        )
    return ring_replay(empty_self_play_step(env, packing), length, num_envs)


def empty_self_play_step(env: Environment, packing: Packing | None = None) -> SelfPlayStep:
    """Shapes and types of one step, an example for replay; see `recorder`."""
    return jax.eval_shape(partial(_example, env, packing))


def _example(env: Environment, packing: Packing | None = None) -> SelfPlayStep:
    """One step, made where nothing is computed."""
    timestep = jax.tree.map(lambda x: jnp.asarray(x)[None], env.init(jax.random.key(0))[1])
    following = timestep._replace(reward=jnp.zeros(1, jnp.float32))
    policy, zero = jnp.zeros((1, _num_actions(env))), jnp.zeros(1, jnp.int32)
    extras = SelfPlayExtras(policy, jnp.zeros(1), policy, zero)
    return jax.tree.map(lambda x: x[0], recorder(env, packing)(timestep, zero, following, extras))


def _num_actions(env: Environment) -> int:
    assert isinstance(env.spec.action, Discrete), "a tree search has discrete actions"
    return env.spec.action.size


def sample(
    steps: Ring,
    unpack: Callable[[PyTree], PyTree],
    key: Array,
    *,
    each: int,
    longest: int,
    window: int,
    search_value: float = 0.0,
    discount: float = 1.0,
    bootstrap: int | None = None,
) -> PolicyValueBatch:
    """`each` steps of every environment, drawn uniformly from the last `window` episodes that ended there.

    Args:
        steps: what replay holds, of N environments.
        unpack: of the `Packing`.
        key: consumed.
        each: rows of the batch for every environment; B = N each.
        longest: maximum length of an episode.
        window: episodes.
        search_value: weight of what the search expected in the mixture with the return.
        discount: discount of a step in the return.
        bootstrap: steps after which the return goes on with what the search expected, below `longest`; None
            for the whole episode.
    """
    keys = jax.random.split(key, steps.items.last.shape[0])
    target = partial(n_step_return, discount=discount, steps=bootstrap)
    draw = partial(_sample_one, target, search_value, start=steps.start, count=steps.count)
    draw = jax.vmap(partial(draw, each=each, longest=longest, window=window))
    rows = jax.tree.map(lambda x: x.reshape(len(x) * each, *x.shape[2:]), draw(steps.items, keys))
    shares = rows.shares.astype(jnp.float32)
    return rows._replace(
        observation=jax.vmap(unpack)(rows.observation),
        actions=rows.actions.astype(jnp.int32),
        shares=shares / jnp.maximum(shares.sum(-1, keepdims=True), 1e-6),
    )


def _sample_one(
    target: Callable[..., tuple[Array, Array]],
    search_value: float,
    ring: SelfPlayStep,
    key: Array,
    *,
    start: Array,
    count: Array,
    each: int,
    longest: int,
    window: int,
) -> PolicyValueBatch:
    """Rows of one environment as they are stored.

    Along the ring the number of the episode never falls, so the steps of the window are one stretch of it.
    """
    length = ring.last.shape[0]
    newest = (start + count - 1) % length
    ended = ring.episode[newest] + ring.last[newest]  # episodes before this one have ended
    filled = (jnp.arange(length) - start) % length < count
    too_old = filled & (ring.episode < ended - window)
    wanted = filled & (ring.episode < ended) & ~too_old
    total = wanted.sum()
    drawn = start + jax.random.randint(key, (each,), 0, jnp.maximum(total, 1)) + too_old.sum()
    rows = jax.tree.map(lambda x: x[drawn % length], ring)
    ahead = (drawn[:, None] + jnp.arange(longest)) % length
    value, known = target(
        ring.reward[ahead], ring.value[ahead], ring.player[ahead], ring.last[ahead], ring.truncated[ahead]
    )
    valid = jnp.full(each, total > 0, jnp.float32)
    value = (1 - search_value) * value + search_value * rows.value
    return PolicyValueBatch(rows.observation, rows.actions, rows.shares, value, valid, valid * known)
