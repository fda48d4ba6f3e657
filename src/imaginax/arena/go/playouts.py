"""Random games of Go to their very end, many at once: who owns each point of a position.

Both sides play at random, but not foolishly: nobody fills an own eye or lets a chain be captured for nothing,
captures and escapes come first, and answers are given nearby. So what is alive mostly lives, what is dead is
mostly captured, and in a seki nobody moves.

A chain is a label on all of its stones. With n, s and q its pseudo-liberties, the sum of their numbers and of
the squares, it is in atari if n q = s^2: all of them are then the same point, s / n.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

_OFF = 2  # the colour of points off the board
_CAPTURE, _ESCAPE, _NEARBY = 20.0, 5.0, 8.0  # how much likelier such moves are


class Ends(NamedTuple):
    """How play-outs end, as shares of them.

    Attributes:
        owner: of each point, from -1 (always White's) to 1 (always Black's).
        seki: how often the stone that is on a point at the end shares a liberty that nobody can take.
    """

    owner: Float[Array, "P"]
    seki: Float[Array, "P"]


class _Game(NamedTuple):
    """A play-out: stones (1 Black's, -1 White's, 0 none), chains, ko (-1 none), mover, last move, passes."""

    stones: Int[Array, "P"]
    label: Int[Array, "P"]
    ko: Int[Array, ""]
    mover: Int[Array, ""]
    last: Int[Array, ""]
    passes: Int[Array, ""]


class _Chains(NamedTuple):
    """Of each stone's chain: pseudo-liberties, sums of their numbers and squares, stones, squared degrees."""

    liberties: Int[Array, "*#D P"]
    sums: Int[Array, "*#D P"]
    squares: Int[Array, "*#D P"]
    stones: Int[Array, "*#D P"]
    degrees: Int[Array, "*#D P"]

    @property
    def one_liberty(self) -> Bool[Array, "*#D P"]:
        """Whether they have at most one (the product may overflow, and is compared modulo 2^32)."""
        return self.liberties * self.squares == self.sums * self.sums


@functools.partial(jax.jit, static_argnames=("size", "count"))
def play_out(stones: Int[Array, "P"], label: Int[Array, "P"], key: Array, *, size: int, count: int) -> Ends:
    """Plays `count` games on, half of them with each side to move.

    Args:
        stones: 1 Black's, -1 White's, 0 none.
        label: a number below P for every chain, the same on all its stones.
        key: of the moves.
        size: of the board.
        count: games.
    """
    many = lambda value: jnp.broadcast_to(value, (count, *jnp.shape(value)))  # noqa: E731
    movers = 1 - 2 * (jnp.arange(count) % 2)
    none = jnp.int32(-1)
    games = _Game(many(stones), many(label), many(none), movers, many(none), many(jnp.int32(0)))

    def ply(carry: tuple[_Game, Array]) -> tuple[_Game, Array]:
        games, number = carry
        keys = jax.random.split(jax.random.fold_in(key, number), count)
        return jax.vmap(functools.partial(_ply, size=size))(games, keys), number + 1

    def going(carry: tuple[_Game, Array]) -> Array:
        games, number = carry
        return (games.passes < 2).any() & (number < 3 * size * size)

    games, _ = jax.lax.while_loop(going, ply, (games, jnp.int32(0)))
    owner, seki = jax.vmap(functools.partial(_ended, size=size))(games.stones, games.label)
    return Ends(owner.mean(0), seki.mean(0))


def _ply(game: _Game, key: Array, *, size: int) -> _Game:
    """The game after a move at random; a pass where no sensible one is left."""
    own, points = game.stones * game.mover, jnp.arange(size * size)
    chains = _chains(own, game.label, size)
    atari = (own != 0) & chains.one_liberty
    allowed, weight = _moves(own, game, chains, atari, size)
    noise = jax.random.gumbel(key, points.shape)
    point = jnp.argmax(jnp.where(allowed, noise + jnp.log(weight), -jnp.inf))
    some = allowed[point]

    taken = atari & (own == -1) & (chains.sums == chains.liberties * point)
    near = beside(points, size, -1)[:, point]
    own_near = (near >= 0) & (own[near] == 1)
    joined = (own == 1) & (own_near[:, None] & (game.label == game.label[near][:, None])).any(0)
    here = points == point
    stones = jnp.where(taken, 0, jnp.where(here, game.mover, game.stones))
    ko = jnp.where((taken.sum() == 1) & ~own_near.any(), jnp.argmax(taken), -1)
    return _Game(
        jnp.where(some, stones, game.stones),
        jnp.where(some & (joined | here), point, game.label),
        jnp.where(some, ko, -1),
        -game.mover,
        jnp.where(some, point, -1),
        jnp.where(some, 0, game.passes + 1),
    )


def _chains(own: Int[Array, "P"], label: Int[Array, "P"], size: int) -> _Chains:
    """Totals over the chain of every stone."""
    near, number = beside(own, size, _OFF), beside(jnp.arange(own.size), size, 0)
    free, degree = near == 0, (near == own).sum(0)
    each = jnp.stack(
        [
            free.sum(0),
            (free * number).sum(0),
            (free * number**2).sum(0),
            jnp.ones_like(own),
            degree**2,
        ],
        axis=-1,
    )
    totals = jax.ops.segment_sum(jnp.where((own != 0)[:, None], each, 0), label, own.size)[label]
    return _Chains(*totals.T)


def _moves(
    own: Int[Array, "P"], game: _Game, chains: _Chains, atari: Bool[Array, "P"], size: int
) -> tuple[Bool[Array, "P"], Float[Array, "P"]]:
    """The sensible moves of the player to move, whose stones are 1 in `own`, and their weights."""
    points = jnp.arange(own.size)
    near, near_atari = beside(own, size, _OFF), beside(atari, size, False)
    captures = ((near == -1) & near_atari).any(0)
    after = _after(own, game.label, chains, near, size)
    legal = (own == 0) & (captures | (after.liberties > 0)) & (points != game.ko)
    corners = diagonal(own, size, _OFF)
    foreign = (corners == -1).sum(0) + (corners == _OFF).any(0)
    eye = ((near == 1) | (near == _OFF)).all(0) & (foreign <= 1)
    safe = captures | ~after.one_liberty
    escapes = ((near == 1) & near_atari).any(0) & safe
    apart = jnp.maximum(abs(points // size - game.last // size), abs(points % size - game.last % size))
    weight = (
        jnp.where(captures, _CAPTURE, 1.0)
        * jnp.where(escapes, _ESCAPE, 1.0)
        * jnp.where((game.last >= 0) & (apart <= 1), _NEARBY, 1.0)
    )
    return legal & ~eye & (safe | _sacrifice(after)), weight


def _after(
    own: Int[Array, "P"], label: Int[Array, "P"], chains: _Chains, near: Int[Array, "4 P"], size: int
) -> _Chains:
    """The chain that a stone on each point would belong to, before anything is captured."""
    points = jnp.arange(own.size)
    names = jnp.where(near == 1, beside(label, size, -1), -1)
    new = (near == 1) & jnp.stack([(names[:k] != names[k]).all(0) for k in range(4)])
    joined = _Chains(*((new * beside(total, size, 0)).sum(0) for total in chains))
    free, number = near == 0, beside(points, size, 0)
    own_near = (near == 1).sum(0)
    degree = beside((near == own).sum(0), size, 0)
    return _Chains(
        joined.liberties - own_near + free.sum(0),
        joined.sums - own_near * points + (free * number).sum(0),
        joined.squares - own_near * points**2 + (free * number**2).sum(0),
        joined.stones + 1,
        joined.degrees + ((near == 1) * (2 * degree + 1)).sum(0) + own_near**2,
    )


def _sacrifice(chain: _Chains) -> Bool[Array, "P"]:
    """Whether a chain may be given up: where it stood the other side could not make two eyes.

    These are all shapes of up to three stones, and of four to six the T, the square, the cross, the bulky
    five and the rabbity six, told by the sum of the squared degrees.
    """
    stones, degrees = chain.stones, chain.degrees
    return (
        (stones <= 3)
        | ((stones == 4) & (degrees >= 12))
        | ((stones == 5) & (degrees >= 20))
        | ((stones == 6) & (degrees == 30))
    )


def _ended(
    stones: Int[Array, "P"], label: Int[Array, "P"], size: int
) -> tuple[Int[Array, "P"], Bool[Array, "P"]]:
    """Owner of every point, and stones of chains that share a liberty, when nobody moves any more."""
    near = beside(stones, size, 0)
    black, white = (near == 1).any(0), (near == -1).any(0)
    owner = jnp.where(stones != 0, stones, black.astype(jnp.int32) - white)
    shared = (beside((stones == 0) & black & white, size, False)).any(0) & (stones != 0)
    seki = jax.ops.segment_max(shared.astype(jnp.int32), label, stones.size)[label]
    return owner, (stones != 0) & (seki > 0)


def beside(values: Shaped[Array, "P"], size: int, outside: int | bool) -> Shaped[Array, "4 P"]:
    """The values above, below, left and right of each point."""
    padded = jnp.pad(values.reshape(size, size), 1, constant_values=outside)
    parts = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
    return jnp.stack(parts).reshape(4, size * size)


def diagonal(values: Shaped[Array, "P"], size: int, outside: int | bool) -> Shaped[Array, "4 P"]:
    """The values diagonally beside each point."""
    padded = jnp.pad(values.reshape(size, size), 1, constant_values=outside)
    parts = padded[:-2, :-2], padded[:-2, 2:], padded[2:, :-2], padded[2:, 2:]
    return jnp.stack(parts).reshape(4, size * size)
