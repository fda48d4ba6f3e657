"""Self-play opens games at random where it is told to, and leaves the rest to the search."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.acting.self_play import make_self_play
from imaginax.envs.wrappers import privileged, training_environment
from imaginax.models.rules import guided_rules
from imaginax.planners.mcts.config import SearchConfig

GAMES, MOST, PLIES = 512, 3, 12
FAVOURITE = jnp.asarray([2, 0, 1, 3, 4, 5, 6, 7, 8])  # the order in which the network likes moves


@pytest.fixture(scope="module")
def played():
    """Moves [T, N] and whether each began a game, of a network that always wants the same."""
    env = privileged(envs.make("tic_tac_toe"))
    logits = jnp.zeros(9).at[FAVOURITE].set(-40.0 * jnp.arange(9))

    def judge(params, planes):
        return jnp.broadcast_to(logits, (len(planes), 9)), jnp.zeros(len(planes))

    search = SearchConfig("puct", simulations=2, dirichlet_fraction=0.0)
    model = guided_rules(env, lambda key: (), judge)
    self_play = make_self_play(model, search, env, sampled_plies=0, opening_plies=MOST)
    vector = training_environment(env, GAMES)

    def step(carry, key):
        state, timestep, memory = carry
        key_act, key_env = jax.random.split(key)
        memory, action, extras = self_play.act((), memory, timestep, key_act)
        before = timestep
        state, timestep = vector.step(state, action, key_env)
        return (state, timestep, memory), (action, before.legal, before.first, memory.opening)

    @jax.jit
    def run(key):
        key_env, key_steps = jax.random.split(key)
        carry = (*vector.init(key_env), self_play.init(GAMES))
        return jax.lax.scan(step, carry, jax.random.split(key_steps, PLIES))[1]

    return jax.tree.map(np.asarray, run(jax.random.key(0)))


def test_openings_are_random_and_the_rest_is_the_search(played):
    action, legal, first, opening = played
    assert first[0].all()
    ply = np.zeros(GAMES, int)
    strays = np.zeros(MOST + 1)
    for t in range(PLIES):
        ply = np.where(first[t], 0, ply)
        wanted = np.argmax(legal[t][:, np.asarray(FAVOURITE)], axis=1)
        wanted = np.asarray(FAVOURITE)[wanted]
        at_random = ply < opening[t]
        assert (action[t] == wanted)[~at_random].all()
        assert np.take_along_axis(legal[t], action[t][:, None], 1).all()
        if t == 0:
            strays = np.bincount(action[t][at_random], minlength=9)
        ply += 1
    # A chi-squared statistic with 8 degrees of freedom exceeds 26 once in a thousand times.
    expected = strays.sum() / 9
    assert ((strays - expected) ** 2 / expected).sum() < 26


def test_lengths_of_openings_are_uniform_and_new_for_every_game(played):
    _, _, first, opening = played
    counts = np.bincount(opening[first], minlength=MOST + 1)
    expected = counts.sum() / (MOST + 1)
    assert ((counts - expected) ** 2 / expected).sum() < 16  # 3 degrees of freedom, once in a thousand times
    assert (opening[1:] == opening[:-1])[~first[1:]].all()
