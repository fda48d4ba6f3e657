"""Opponents of known strength, by name: compiled players that need no parameters.

random            any legal move
greedy            wins where a move wins, else any legal move: minimax:1
minimax:D         looks D plies ahead; on Connect Four it judges open lines at the horizon
minimax:D:plain   the same, where every position at the horizon counts 0
mcts:N            tree search with N random roll-outs a move and weight of exploration 1
mcts:N:C          the same with weight C
perfect           never gives away half a point; tic_tac_toe only
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array

from imaginax.arena.batches import draw, legal_of, shares
from imaginax.types import ConfigError, Environment, Player, SearchSummary, TimeStep

FORMS = "random, greedy, minimax:D, minimax:D:plain, mcts:N, mcts:N:C, perfect"
_EVALUATED = ("connect_four",)  # games whose minimax judges positions at the horizon


def make_opponent(text: str, env: Environment) -> Player:
    """The opponent that `text` names; its params are `()`.

    Args:
        text: one of the forms above.
        env: the game, as `envs.make` gives it.

    Raises:
        ConfigError: for a text of no such form, or a world that is no game of two players.
    """
    if env.spec.players != 2 or env.game is None:
        raise ConfigError(f"{env.spec.name} is no board game, so it has no opponents")
    name, *options = text.split(":")
    makers = {
        "random": _random,
        "greedy": _greedy,
        "minimax": _minimax,
        "mcts": _mcts,
        "perfect": _perfect,
    }
    if name not in makers:
        raise ConfigError(f"unknown opponent {text!r}; known: {FORMS}")
    return makers[name](text, options, env)


def _random(text: str, options: list[str], env: Environment) -> Player:
    _no_options(text, options)

    def move(params, memory, timestep: TimeStep, key: Array):
        del params
        legal = legal_of(timestep)
        action = draw(legal, key)
        return action, memory, SearchSummary(shares(legal), jnp.zeros(action.shape), action[:, None])

    return Player(text, lambda batch: (), move)


def _greedy(text: str, options: list[str], env: Environment) -> Player:
    from imaginax.arena.minimax import make_minimax

    _no_options(text, options)
    return make_minimax(env, 1, name=text)


def _minimax(text: str, options: list[str], env: Environment) -> Player:
    from imaginax.arena.minimax import MAX_DEPTH, make_minimax, open_lines

    plain = options[1:] == ["plain"]
    if len(options) not in (1, 2) or len(options) == 2 and not plain:
        raise ConfigError(f"opponent {text!r} must be minimax:D or minimax:D:plain")
    depth = _whole(text, options[0], 1, MAX_DEPTH)
    judged = env.spec.name in _EVALUATED and not plain
    return make_minimax(env, depth, open_lines(env) if judged else None, name=text)


def _mcts(text: str, options: list[str], env: Environment) -> Player:
    from imaginax.arena.rollouts import make_rollout_mcts

    if len(options) not in (1, 2):
        raise ConfigError(f"opponent {text!r} must be mcts:N or mcts:N:C")
    c = _positive(text, options[1]) if len(options) == 2 else 1.0
    return make_rollout_mcts(env, _whole(text, options[0], 1, 10**6), c=c, name=text)


def _perfect(text: str, options: list[str], env: Environment) -> Player:
    from imaginax.arena.solved import make_perfect

    _no_options(text, options)
    return make_perfect(env)


def _no_options(text: str, options: list[str]) -> None:
    if options:
        raise ConfigError(f"opponent {text!r} takes no options; known: {FORMS}")


def _whole(text: str, option: str, low: int, high: int) -> int:
    if not option.isascii() or not option.isdigit() or not low <= int(option[:9]) <= high or len(option) > 8:
        raise ConfigError(f"opponent {text!r} needs a whole number from {low} to {high}, got {option!r}")
    return int(option)


def _positive(text: str, option: str) -> float:
    try:
        value = float(option)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ConfigError(f"opponent {text!r} needs a positive number, got {option!r}")
    return value
