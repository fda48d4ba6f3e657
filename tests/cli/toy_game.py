"""`imaginax` with a toy among its systems that plays games: here (`registered`), or as a program."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import jax.numpy as jnp

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from imaginax import cli, envs, registry
from imaginax.envs.wrappers import training_environment
from imaginax.registry import SystemEntry
from imaginax.types import Episodes, Player, Replay, SearchSummary, Stage, System, SystemState

COMMAND = [sys.executable, __file__]


@dataclasses.dataclass(frozen=True)
class Search:
    """As the search of real systems.

    Attributes:
        simulations: of a move.
    """

    simulations: int = 16


@dataclasses.dataclass(frozen=True)
class GameConfig:
    """The toy.

    Attributes:
        env: the game.
        search: only its number of simulations.
    """

    env: str = "tic_tac_toe"
    search: Search = Search()


def make(config: GameConfig) -> System:
    vector = training_environment(envs.make(config.env), 1)

    def init(key):
        state, timestep = vector.init(key)
        zero = jnp.zeros((), jnp.int32)
        return SystemState({"worth": jnp.float32(0.25)}, (), state, timestep, (), key, zero)

    def act(params, carry, timestep, key):
        return carry, timestep.legal.argmax(axis=-1).astype(jnp.int32), ()

    def evaluate(state, key):
        return Episodes(jnp.zeros(2), None)

    replay = Replay(lambda: (), lambda state, item: state, lambda state: state)
    return System(
        name="toy_game",
        config=config,
        environment=vector,
        replay=replay,
        init=init,
        params_of=lambda learner: learner,
        act=act,
        learn=lambda learner, memory, key: (learner, {}),
        record=lambda timestep, action, following, extras: (),
        evaluate=evaluate,
        schedule=(Stage("only", 1, 1),),
        player=last_legal,
    )


def last_legal(simulations: int | None) -> Player:
    """Expects its learner's worth, plus a hundredth for every simulation."""

    def move(params, memory, timestep, key):
        order = jnp.where(timestep.legal, jnp.arange(timestep.legal.shape[-1]) + 1.0, 0.0)
        action = order.argmax(axis=-1).astype(jnp.int32)
        value = jnp.full(action.shape, (simulations or 0) / 100) + params["worth"]
        return action, memory, SearchSummary(order / order.sum(-1, keepdims=True), value, action[:, None])

    return Player("last", lambda batch: (), move)


ENTRY = SystemEntry(
    name="toy_game",
    summary="The last legal move.",
    config=GameConfig,
    preset=lambda name, env: GameConfig(env or "tic_tac_toe"),
    presets=("tiny",),
    environments=("tic_tac_toe",),
    make=make,
    reaches=-1.0,
)


def registered(monkeypatch, tmp_path):
    """The toy is a registered system, and the working directory is empty."""
    monkeypatch.setitem(registry.SYSTEMS, "toy_game", lambda: ENTRY)
    monkeypatch.chdir(tmp_path)


if __name__ == "__main__":
    registry.SYSTEMS["toy_game"] = lambda: ENTRY
    sys.exit(cli.main(sys.argv[1:]))
