"""Negamax to a fixed depth over the rules of any game, with alpha-beta pruning, for a batch of positions.

Each position has its own stack of frames, one a ply, and all positions take one step of their search at a
time: a move is played, or a frame whose moves are done returns its value to the frame below.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from imaginax.arena.batches import legal_of
from imaginax.envs.wrappers import strip_weak_types
from imaginax.types import Environment, Player, SearchSummary, State, TimeStep

MAX_DEPTH = 10
_LOWEST = 1 - 0.01 * MAX_DEPTH  # what the slowest win within reach is worth

Evaluate = Callable[[State], Array]


class _Stack(NamedTuple):
    """The search of one position: D frames, of which number `depth` is at work; -1: the search is done."""

    state: State  # [D, ...]
    todo: Array  # [D, A] legal moves yet to be tried, in the order of `order`
    alpha: Array  # [D] what the player to move has in hand elsewhere
    beta: Array  # [D] what the other player has
    best: Array  # [D] the best value so far
    reward: Array  # [D] of the move into the frame
    action: Array  # [D] the move into the frame
    depth: Array
    choice: Array  # the best move of frame 0


def make_minimax(env: Environment, depth: int, evaluate: Evaluate | None = None, *, name: str = "") -> Player:
    """A player that looks `depth` plies ahead and takes the best move, at random among equals.

    A win in n plies is worth 1 - n / 100, so that of two wins the quicker is taken and of two losses the
    slower; a draw and, without `evaluate`, a position at the horizon are worth 0.

    Args:
        env: the game.
        depth: plies, 1 to `MAX_DEPTH`: with 1 the player wins where a move wins, with 2 it also sees threats.
        evaluate: state -> value for the player to move, between -0.9 and 0.9 so that a win is always better.
        name: of the player; default `minimax:<depth>`.
    """

    def move(params, memory, timestep: TimeStep, key: Array):
        del params
        action, value = search(env, depth, evaluate, timestep.observation, legal_of(timestep), key)
        policy = jax.nn.one_hot(action, env.spec.action.size)  # type: ignore[union-attr]
        return action, memory, SearchSummary(policy, value, action[:, None])

    return Player(name or f"minimax:{depth}", lambda batch: (), move)


def search(
    env: Environment,
    depth: int,
    evaluate: Evaluate | None,
    states: State,
    legal: Bool[Array, "B A"],
    key: Array,
) -> tuple[Int[Array, "B"], Float[Array, "B"]]:
    """A best move of each position, uniformly drawn among equals, and its value for who makes it.

    Moves are tried in random order and only a strictly better one replaces the best so far, which makes the
    draw uniform although pruning hides the values of the others.
    """
    order = jax.random.permutation(
        key, jnp.arange(legal.shape[1])[None].repeat(len(legal), 0), 1, independent=True
    )
    start = jax.vmap(functools.partial(_start, depth))(states, legal, order)
    advance = jax.vmap(functools.partial(_advance, env, depth, evaluate))
    end = jax.lax.while_loop(
        lambda carry: (carry.depth >= 0).any(),
        lambda carry: strip_weak_types(advance(carry, order)),
        strip_weak_types(start),
    )
    return end.choice, end.best[:, 0]


def _start(depth: int, state: State, legal: Array, order: Array) -> _Stack:
    low, zero = jnp.full(depth, -jnp.inf), jnp.zeros(depth, jnp.int32)
    return _Stack(
        state=jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (depth, *jnp.shape(leaf))), state),
        todo=jnp.broadcast_to(legal[order], (depth, *legal.shape)),
        alpha=low,
        beta=-low,
        best=low,
        reward=jnp.zeros(depth),
        action=zero,
        depth=jnp.int32(0),
        choice=order[legal[order].argmax()].astype(jnp.int32),
    )


def _advance(env: Environment, depth: int, evaluate: Evaluate | None, stack: _Stack, order: Array) -> _Stack:
    """One step of the search: a move is played, or a frame that is done returns to the one below."""
    top = jnp.maximum(stack.depth, 0)
    at_work = stack.depth >= 0
    done = ~stack.todo[top].any() | (stack.best[top] >= stack.beta[top])
    index = stack.todo[top].argmax()
    action = order[index].astype(jnp.int32)
    state = jax.tree.map(lambda leaf: leaf[top], stack.state)
    after, timestep = env.step(state, action, jax.random.key(0))
    leaf = timestep.last | (top == depth - 1)
    outcome = timestep.reward * (1 - 0.01 * (top + 1.0))
    horizon = evaluate(after) if evaluate else jnp.zeros(())
    value = jnp.where(timestep.last, outcome, timestep.reward - horizon)

    # A move that was searched to its end is credited to the frame that made it.
    target = jnp.maximum(jnp.where(done, top - 1, top), 0)
    credit = jnp.where(done, stack.reward[top] - stack.best[top], value)
    credit = jnp.where(at_work & jnp.where(done, top > 0, leaf), credit, -jnp.inf)
    better = credit > stack.best[target]
    credited = jnp.where(done, stack.action[top], action)
    choice = jnp.where(better & (target == 0), credited, stack.choice)
    todo = stack.todo.at[top, index].set(stack.todo[top, index] & done)
    push = at_work & ~done & ~leaf
    new = jnp.where(push, top + 1, depth)  # no frame has that number: nothing is written
    moved = stack.depth + push - (done & at_work)
    stack = stack._replace(todo=todo, best=stack.best.at[target].max(credit), choice=choice, depth=moved)
    return _push(stack, top, new, after, timestep, action, order)


def _push(stack: _Stack, top, new: Array, after: State, timestep: TimeStep, action: Array, order) -> _Stack:
    """The stack with frame `new` for the position after a move, in the mover's window turned round."""
    floor = jnp.maximum(stack.alpha[top], stack.best[top])
    return stack._replace(
        state=jax.tree.map(lambda leaves, leaf: leaves.at[new].set(leaf, mode="drop"), stack.state, after),
        todo=stack.todo.at[new].set(legal_of(timestep)[order], mode="drop"),
        alpha=stack.alpha.at[new].set(timestep.reward - stack.beta[top], mode="drop"),
        beta=stack.beta.at[new].set(timestep.reward - floor, mode="drop"),
        best=stack.best.at[new].set(-jnp.inf, mode="drop"),
        reward=stack.reward.at[new].set(timestep.reward, mode="drop"),
        action=stack.action.at[new].set(action, mode="drop"),
    )


def open_lines(env: Environment) -> Evaluate:
    """The evaluation of AlphaZero.jl's minimax baseline on Connect Four (games/connect-four/game.jl).

    Every line of four that holds no stone of the other side counts 0.1^(3 - stones on it); the value is
    one's own sum minus the other's. A tanh brings it below that of a win and keeps the order of moves.
    """
    rows, columns = env.spec.observation.shape[:2]
    member = np.zeros((rows * columns, len(four_in_line(rows, columns))), np.float32)
    for number, line in enumerate(four_in_line(rows, columns)):
        member[line, number] = 1

    def evaluate(state: State) -> Array:
        planes = env.game.planes(state)  # type: ignore[union-attr]
        stones = planes.reshape(-1, 2).astype(jnp.float32).T @ member  # [2, lines]
        counts = jnp.where(stones[::-1] == 0, 0.1 ** (3 - stones), 0.0).sum(axis=1)
        return 0.99 * _LOWEST * jnp.tanh((counts[0] - counts[1]) / 8)

    return evaluate


def four_in_line(rows: int, columns: int) -> list[list[int]]:
    """The cells (row * columns + column) of every line of four on a board."""
    return [
        [(row + i * down) * columns + column + i * right for i in range(4)]
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1))
        for row in range(rows)
        for column in range(columns)
        if row + 3 * down < rows and 0 <= column + 3 * right < columns
    ]
