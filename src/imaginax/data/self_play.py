"""Games that a system plays against itself: what replay keeps of them and what a network learns from them.

Replay holds the last L plies of each of N games that go on side by side. Of a ply it keeps what the player
saw, what its search found and what came of it at once; the outcome, which is known only at the end of the
game, is looked up when a ply is sampled. Only plies of games that have ended are sampled, so that
every one of them has an outcome, and only of the last games: the window of AlphaGo Zero and AlphaZero.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float16, Int, PyTree

from imaginax.data.replay import Ring, ring_replay
from imaginax.types import ConfigError, Environment, Game, Replay, TimeStep


class Ply(NamedTuple):
    """One move.

    Attributes:
        planes: what the player to move saw, packed (`Game.pack`).
        actions: those with the largest shares in the policy that the search found, K of them.
        shares: their shares.
        value: of the position for that player, as the search found it.
        reward: of the player who moved.
        last: the game ended with this move.
        truncated: it was cut off rather than decided.
        player: who moved.
        game: how many games were played in this place before.
    """

    planes: PyTree
    actions: Int[Array, "*batch K"]
    shares: Float16[Array, "*batch K"]
    value: Float16[Array, "*batch"]
    reward: Float[Array, "*batch"]
    last: Bool[Array, "*batch"]
    truncated: Bool[Array, "*batch"]
    player: Int[Array, "*batch"]
    game: Int[Array, "*batch"]


class Batch(NamedTuple):
    """What a network learns from.

    Attributes:
        planes: what the player to move saw.
        actions: see `Ply`.
        shares: the target policy on them; they sum to 1.
        outcome: of the game for that player: 1, 0 or -1; or its mixture with what the search expected.
        valid: 1, or 0 for a row without meaning, which occurs before the first game has ended.
        decided: 1, or 0 where the outcome has no meaning because the game was cut off.
    """

    planes: Array
    actions: Int[Array, "B K"]
    shares: Float[Array, "B K"]
    outcome: Float[Array, "B"]
    valid: Float[Array, "B"]
    decided: Float[Array, "B"]


def record(game: Game, timestep: TimeStep, following: TimeStep, extras: dict[str, Array]) -> Ply:
    """The plies [N] of one step of all games.

    Args:
        game: the game.
        timestep: of the `privileged` environment, before the move.
        following: after it.
        extras: of `acting.self_play`: `policy` [N, A] and `value` [N] that the search found, and `played`
            [N], games that were played in each place before.
    """
    policy = extras["policy"]
    shares, actions = jax.lax.top_k(policy, min(game.max_legal, policy.shape[-1]))
    return Ply(
        planes=jax.vmap(lambda state: game.pack(game.planes(state)))(timestep.observation),
        actions=actions.astype(jnp.int16),
        shares=shares.astype(jnp.float16),
        value=extras["value"].astype(jnp.float16),
        reward=following.reward,
        last=following.last,
        truncated=following.truncated,
        player=jnp.asarray(timestep.player, jnp.int8),
        game=extras["played"],
    )


def recorder(env: Environment) -> Callable[..., Ply]:
    """The `record` of a system whose `act` leaves the extras of `acting.self_play`."""
    game = env.game
    assert game is not None, "only board games have plies"
    return lambda timestep, action, following, extras: record(game, timestep, following, extras)


def ply_replay(env: Environment, length: int, num_envs: int) -> Replay:
    """The last `length` plies in each of `num_envs` places; `data` gives a `Ring` of `Ply`.

    Args:
        env: the game; its state is what `record` gets.
        length: plies, at least two games' worth, so that ended ones can be sampled while the next goes on.
        num_envs: places.

    Raises:
        ConfigError: for a length below that.
    """
    if length < 2 * env.spec.max_steps:
        raise ConfigError(
            f"window_plies must be at least {2 * env.spec.max_steps}, two games of {env.spec.name},"
            f" got {length}"
        )
    return ring_replay(jax.eval_shape(partial(_example, env)), length, num_envs)


def _example(env: Environment) -> Ply:
    """One ply, made where nothing is computed."""
    state, timestep = env.init(jax.random.key(0))
    rows = jax.tree.map(lambda x: jnp.asarray(x)[None], timestep._replace(observation=state))
    policy = jnp.zeros((1, env.spec.action.size))  # pyright: ignore[reportAttributeAccessIssue]
    rewarded = rows._replace(reward=jnp.zeros(1, jnp.float32))
    extras = {"policy": policy, "value": jnp.zeros(1), "played": jnp.zeros(1, jnp.int32)}
    plies = record(env.game, rows, rewarded, extras)  # pyright: ignore
    return jax.tree.map(lambda x: x[0], plies)


def sample(
    plies: Ring,
    game: Game,
    key: Array,
    *,
    each: int,
    longest: int,
    window: int,
    search_value: float = 0.0,
) -> Batch:
    """`each` plies of every place, drawn uniformly from the last `window` games that ended there.

    Args:
        plies: what replay holds, of N places.
        game: the game.
        key: consumed.
        each: rows of the batch for every place; B = N each.
        longest: no game has more plies.
        window: games.
        search_value: weight of what the search expected in the mixture with the outcome.
    """
    keys = jax.random.split(key, plies.items.last.shape[0])
    draw = partial(
        _sample_place,
        start=plies.start,
        count=plies.count,
        each=each,
        longest=longest,
        window=window,
        search_value=search_value,
    )
    rows = jax.vmap(draw)(plies.items, keys)
    planes, actions, shares, outcome, valid, decided = jax.tree.map(
        lambda x: x.reshape(len(x) * each, *x.shape[2:]), tuple(rows)
    )
    shares = shares.astype(jnp.float32)
    shares = shares / jnp.maximum(shares.sum(-1, keepdims=True), 1e-6)
    return Batch(jax.vmap(game.unpack)(planes), actions.astype(jnp.int32), shares, outcome, valid, decided)


def _sample_place(
    ring: Ply, key: Array, *, start, count, each: int, longest: int, window: int, search_value: float
) -> Batch:
    """Rows of one place; its planes are still packed.

    Along the ring the number of the game never falls, so the plies of the window are one stretch of it.
    """
    length = ring.last.shape[0]
    newest = (start + count - 1) % length
    ended = ring.game[newest] + ring.last[newest]  # games before this one have ended
    filled = (jnp.arange(length) - start) % length < count
    too_old = filled & (ring.game < ended - window)
    wanted = filled & (ring.game < ended) & ~too_old
    plies = wanted.sum()
    drawn = jax.random.randint(key, (each,), 0, jnp.maximum(plies, 1)) + too_old.sum()
    rows = jax.tree.map(lambda x: x[(start + drawn) % length], ring)
    final = _final(ring, start + drawn, longest)
    sign = jnp.where(rows.player == ring.player[final], 1.0, -1.0)
    valid = jnp.full(each, plies > 0, jnp.float32)
    decided = valid * ~ring.truncated[final]
    outcome = (1 - search_value) * sign * ring.reward[final] + search_value * rows.value
    return Batch(rows.planes, rows.actions, rows.shares, outcome, valid, decided)


def _final(ring: Ply, places: Array, longest: int) -> Array:
    """Where in the ring the games end to which the plies at `places` belong."""
    ahead = (places[:, None] + jnp.arange(longest)) % ring.last.shape[0]
    return jnp.take_along_axis(ahead, jnp.argmax(ring.last[ahead], axis=1)[:, None], axis=1)[:, 0]
