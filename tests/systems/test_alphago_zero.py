"""The gate, resignation and symmetries of AlphaGo Zero. That it learns is shown by tests/contract."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from imaginax import envs
from imaginax.acting import resignation
from imaginax.runtime.loop import make_chunk
from imaginax.systems import alphago_zero
from imaginax.systems.presets import alphago_zero as alphago_zero_presets
from imaginax.types import ConfigError, Player, SearchSummary

TINY = dataclasses.replace(
    alphago_zero_presets.TINY,
    environments=8,
    batch_size=16,
    warmup=1,
    chunks=1,
    chunk_plies=20,
    updates=3,
    window_plies=40,
    gate_games=8,
)


@pytest.fixture(scope="module", params=[0.0, 0.99])
def trained(request):
    """States after self-play and after learning, with a gate that lets nearly everything or nothing pass."""
    system = alphago_zero.make(dataclasses.replace(TINY, gate_share=request.param))
    state = jax.jit(system.init)(jax.random.key(0))
    states, outputs = [], []
    for stage in system.schedule:
        state, output = jax.jit(make_chunk(system, stage))(state, jnp.int32(0))
        states.append(state)
        outputs.append(output)
    return system, states, outputs, request.param


def test_the_gate_decides_who_plays(trained):
    """After the gate the best network is the one that learned, or the one from before, as the share says."""
    _, (before, after), (_, output), needed = trained
    champion, share = after.learner, float(output.metrics["gate_share"])
    promoted = share > needed
    assert promoted == (needed == 0.0), f"a share of {share} is no test"
    wanted = champion.learner.params if promoted else before.learner.best
    jax.tree.map(np.testing.assert_array_equal, champion.best, wanted)
    assert int(champion.promotions) == int(promoted)
    changed = jax.tree.map(lambda a, b: bool((a != b).any()), champion.learner.params, before.learner.best)
    assert any(jax.tree.leaves(changed)) and int(champion.learner.updates) == 3


def test_the_best_network_plays_and_not_the_newest(trained):
    system, (_, state), _, _ = trained
    act = jax.jit(system.act)
    key = jax.random.key(5)
    _, action, extras = act(system.params_of(state.learner), state.carry, state.timestep, key)
    noise = jax.tree.map(lambda x: x + 1.0 if x.dtype == jnp.float32 else x, state.learner.learner)
    newest = system.params_of(state.learner._replace(learner=noise))
    _, same, extras_same = act(newest, state.carry, state.timestep, key)
    np.testing.assert_array_equal(action, same)
    np.testing.assert_array_equal(extras.policy, extras_same.policy)


def test_a_hopeless_game_is_given_up(trained, monkeypatch):
    """With a threshold above every value each game but the held-out ones ends at once, lost by who moves."""
    system, (_, state), _, _ = trained
    monkeypatch.setattr(resignation, "threshold", lambda config, known: jnp.float32(2.0))
    carry, action, _ = jax.jit(lambda *arguments: system.act(*arguments))(
        system.params_of(state.learner), state.carry, state.timestep, jax.random.key(6)
    )
    held = np.asarray(carry.resignation.plays_on)
    assert np.array_equal(np.asarray(action) == 9, ~held) and (~held).any()
    _, timestep = jax.jit(system.environment.step)(state.env, action, jax.random.key(7))
    assert (np.asarray(timestep.last)[~held]).all() and (np.asarray(timestep.reward)[~held] == -1).all()


def test_resignation_is_measured_anew_for_every_network_that_plays(trained):
    system, (_, state), _, _ = trained
    full = state.carry.resignation._replace(count=jnp.full(8, 16), any=-jnp.ones((8, 16)))
    act = jax.jit(system.act)
    for promoted in (0, 1):
        champion = state.learner._replace(promotions=state.learner.promotions + promoted)
        carry = state.carry._replace(resignation=full)
        carry, action, _ = act(system.params_of(champion), carry, state.timestep, jax.random.key(8))
        known = carry.resignation
        assert (np.asarray(known.count) < 16).all() == bool(promoted)
        assert float(resignation.threshold(system.config.resignation, known)) == (-2.0 if promoted else -0.5)
        assert not promoted or (action < 9).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gate_games": 7}, "gate_games"),
        ({"gate_share": 1.0}, "gate_share"),
        ({"batch_size": 12}, "multiple of environments"),
        ({"env": "pendulum"}, "env must be a board game"),
    ],
)
def test_impossible_settings_are_refused_before_compilation(change, words):
    with pytest.raises(ConfigError, match=words):
        alphago_zero.make(dataclasses.replace(TINY, **change))


def test_published_settings_are_of_go():
    assert alphago_zero_presets.preset("paper", None).env == "go_19x19"
    with pytest.raises(ConfigError, match="preset paper has settings for go_19x19"):
        alphago_zero_presets.preset("paper", "chess")


class Side(NamedTuple):
    """What a gate reads of a learner."""

    params: Array


def first_or_last() -> Player:
    """The last legal move, or the first one where its parameter is not positive."""

    def move(params, memory, timestep, key):
        del key
        count = timestep.legal.shape[-1]
        action = jnp.where(
            params > 0,
            count - 1 - timestep.legal[:, ::-1].argmax(axis=-1),
            timestep.legal.argmax(axis=-1),
        )
        action = action.astype(jnp.int32)
        return (
            action,
            memory,
            SearchSummary(jnp.zeros(timestep.legal.shape), jnp.zeros(len(action)), action[:, None]),
        )

    return Player("first or last", lambda batch: (), move)


@pytest.mark.parametrize(("openings", "distinct"), [(None, 64), (1, 18), (0, 2)])
def test_the_games_of_a_gate_differ_between_players_that_draw_nothing(openings, distinct):
    """64 games differ with the openings drawn by default; after one ply there are 9 openings for 18."""
    chosen = {} if openings is None else {"gate_openings": openings}
    config = alphago_zero_presets.AlphaGoZeroConfig(env="tic_tac_toe", gate_games=64, **chosen)
    gate = alphago_zero._make_gate(config, envs.make("tic_tac_toe"), first_or_last())
    champion = alphago_zero.BestPlayer(Side(jnp.float32(1)), jnp.float32(0), jnp.int32(0))
    _, found = jax.jit(gate)(champion, jax.random.key(0))
    assert int(found["gate_distinct_games"]) == distinct


def test_on_a_board_without_symmetries_a_gate_needs_openings():
    """Gardner chess: the search of either network would make the same moves in every game."""
    with pytest.raises(ConfigError, match="gate_openings must be at least 1 on gardner_chess"):
        alphago_zero.make(dataclasses.replace(TINY, env="gardner_chess", gate_openings=0, window_plies=1024))


def test_gates_draw_openings_unless_the_published_settings_say_otherwise():
    openings = {name: config.gate_openings for name, config in alphago_zero_presets.PRESETS.items()}
    assert openings.pop("paper") == 0 and set(openings.values()) == {2}
