"""How an action enters the dynamics: as planes over the board, or as a one-hot vector.

Schrittwieser et al. 2020 (arXiv 1911.08265), appendix E, "Dynamics input": an action of Go is one plane with
the stone that is set, zeros for a pass, and one of Atari is spread over planes, one for each action. In games
whose moves are squares and kinds of move (`networks.action_planes`) the square is marked in the plane of the
kind; the paper describes moves of chess by 8 planes and of shogi by 11.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from imaginax.networks.action_planes import action_planes


class ActionEncoding(NamedTuple):
    """Actions as inputs of the dynamics.

    width: planes, or numbers of a vector
    encode: actions [B] -> [B H W width], or [B width]
    """

    width: int
    encode: Callable[[Array], Array]


def make_encoding(name: str, shape: tuple[int, ...], actions: int, *, players: int) -> ActionEncoding:
    """The encoding of an environment's actions.

    Args:
        name: name of the environment.
        shape: [H, W, C] of planes; any other for one-hot vectors.
        actions: number of actions.
        players: 2 for a board game.
    """
    if len(shape) != 3:
        return ActionEncoding(actions, lambda action: jax.nn.one_hot(action, actions))
    height, width = shape[:2]
    layout = action_planes(name)
    if layout is not None:
        return _squares((height, width, actions // (height * width)), jnp.asarray(layout))
    if players == 2 and actions in (height * width, height * width + 1):
        return _squares((height, width, 1), jnp.arange(actions))  # a pass or a swap is beyond the board
    if players == 2 and actions == width:
        return ActionEncoding(1, lambda action: _columns(action, height, width))
    return ActionEncoding(actions, lambda action: _everywhere(action, height, width, actions))


def _squares(shape: tuple[int, int, int], places: Array) -> ActionEncoding:
    """One square of one plane, at `places` [A] of the flat planes; nothing for a place beyond them."""

    def encode(action: Array) -> Array:
        return jax.nn.one_hot(places[action], math.prod(shape)).reshape(*action.shape, *shape)

    return ActionEncoding(shape[2], encode)


def _columns(action: Array, height: int, width: int) -> Array:
    """The whole column that is played, in one plane."""
    row = jax.nn.one_hot(action, width)[..., None, :, None]
    return jnp.broadcast_to(row, (*action.shape, height, width, 1))


def _everywhere(action: Array, height: int, width: int, actions: int) -> Array:
    """A plane of ones for the action, planes of zeros for the others."""
    one_hot = jax.nn.one_hot(action, actions)[..., None, None, :]
    return jnp.broadcast_to(one_hot, (*action.shape, height, width, actions))
