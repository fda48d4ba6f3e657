"""When to give up a game, so that hardly any game is given up that could have been held.

Silver et al. 2017 (Methods, "Self-play"): a player resigns when the values of its position and of its best
move are both below v_resign. In a tenth of the games nobody resigns; there one sees how often the rule
would have been wrong, and v_resign is set to keep that below 5%.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from imaginax.acting.config import ResignationConfig
from imaginax.types import TimeStep

NEVER = -2.0  # a threshold below every value


class Resignation(NamedTuple):
    """Values seen in N games under way, and in the held-out games before them.

    Attributes:
        plays_on: whether the game is held out: nobody resigns in it.
        mover: player who made the last move.
        lowest: minimum over the game's positions, for either player, of the greater of the position's and
            its best move's value.
        doubtful: minimum value of a player who did not lose, of the newest held-out games; 1 for no game.
        any: minimum value of either player, of the same games; 1 for no game.
        count: held-out games that ended in each environment.
    """

    plays_on: Bool[Array, "N"]
    mover: Int[Array, "N"]
    lowest: Float[Array, "N 2"]
    doubtful: Float[Array, "N M"]
    any: Float[Array, "N M"]
    count: Int[Array, "N"]


def start(config: ResignationConfig, games: int) -> Resignation:
    """Before the first games; they are not counted."""
    none = jnp.ones((games, config.memory))
    zeros = jnp.zeros(games, jnp.int32)
    return Resignation(jnp.zeros(games, bool), zeros, jnp.ones((games, 2)), none, none, zeros)


def forget(config: ResignationConfig, known: Resignation, another: Bool[Array, ""]) -> Resignation:
    """Starts again once `another` network plays, whose values have nothing to do with those of the last.

    Otherwise the threshold of a first network, whose values are near 0, would let the next one resign every
    game with komi against it, and learn from nothing but such games. Games under way are not counted.
    """
    fresh = start(config, known.count.shape[0])
    return jax.tree.map(lambda new, old: jnp.where(another, new, old), fresh, known)


def threshold(config: ResignationConfig, known: Resignation) -> Float[Array, ""]:
    """v_resign: the highest of a hundred values at which few enough resignations would have been wrong.

    A held-out game would have been given up at v if either player saw a value of v or less, and wrongly if
    that player did not lose. `NEVER` where too few games are known or every value is wrong too often.
    """
    values = jnp.linspace(-1.0, config.max_threshold, 100)
    given_up = jnp.sum(known.any.ravel() <= values[:, None], axis=1)
    wrongly = jnp.sum(known.doubtful.ravel() <= values[:, None], axis=1)
    fine = (wrongly <= config.wrong * given_up) & (given_up > 0)
    enough = jnp.minimum(known.count, config.memory).sum() >= config.min_games
    return jnp.where(enough, jnp.max(jnp.where(fine, values, NEVER)), NEVER)


def follow(config: ResignationConfig, known: Resignation, timestep: TimeStep, key: Array) -> Resignation:
    """Takes note of the games that have just ended, and draws which of those that begin are held out."""
    ended = timestep.first & known.plays_on
    mover = jnp.take_along_axis(known.lowest, known.mover[:, None], axis=1)[:, 0]
    other = jnp.take_along_axis(known.lowest, 1 - known.mover[:, None], axis=1)[:, 0]
    least = jnp.minimum(mover, other)
    kept = jnp.where(timestep.reward > 0, mover, jnp.where(timestep.reward < 0, other, least))
    place = known.count % config.memory
    held_out = jax.random.bernoulli(key, config.held_out, timestep.first.shape)
    return known._replace(
        plays_on=jnp.where(timestep.first, held_out, known.plays_on),
        lowest=jnp.where(timestep.first[:, None], 1.0, known.lowest),
        doubtful=_write(known.doubtful, place, kept, ended),
        any=_write(known.any, place, least, ended),
        count=known.count + ended,
    )


def decide(
    config: ResignationConfig, known: Resignation, player: Int[Array, "N"], value: Float[Array, "N"]
) -> tuple[Resignation, Bool[Array, "N"]]:
    """Who resigns.

    Args:
        config: how games are given up.
        known: after `follow`.
        player: who is to move.
        value: the greater of the values of the position and of the best move, for that player.
    """
    own = jax.nn.one_hot(player, 2, dtype=bool)
    lowest = jnp.where(own, jnp.minimum(known.lowest, value[:, None]), known.lowest)
    resigns = (value <= threshold(config, known)) & ~known.plays_on & config.enabled
    return known._replace(mover=jnp.asarray(player, jnp.int32), lowest=lowest), resigns


def _write(ring: Array, place: Array, value: Array, where: Array) -> Array:
    here = jax.nn.one_hot(place, ring.shape[1], dtype=bool) & where[:, None]
    return jnp.where(here, value[:, None], ring)
