"""Rows of replay against slow, obvious Python: rewards are primes, so that sums tell which were added."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax import envs
from imaginax.data.self_play import SelfPlayExtras, SelfPlayStep
from imaginax.data.unrolls import (
    LOWEST_PRIORITY,
    SearchedStep,
    UnrollConfig,
    positions,
    searched_recorder,
    unpacked_legal,
    unroll_replay,
)
from imaginax.envs.wrappers import privileged
from imaginax.types import ConfigError

PRIMES = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97]
ACTIONS, LONGEST = 5, 6


def episodes(rng, length: int, players: int) -> list[dict]:
    """So many steps of episodes of random length, one after the other; every third is cut off."""
    steps, number = [], int(rng.integers(3))
    while len(steps) < length:
        size, cut = int(rng.integers(1, LONGEST + 1)), number % 3 == 2
        for ply in range(size):
            last = ply == size - 1
            steps.append(
                {
                    "reward": float(PRIMES[len(steps) % len(PRIMES)]),
                    "value": float(rng.normal()),
                    "player": ply % players,
                    "last": last,
                    "truncated": last and cut,
                    "action": int(rng.integers(ACTIONS)),
                    "at_random": bool(rng.random() < 0.1),
                }
            )
        number += 1
    return steps[:length]


def slow_value(steps, t, bootstrap, discount):
    """Return of whoever moves at t, walking ahead; None where a truncated end hides the rest."""
    total, sign_of = 0.0, lambda i: 1 if steps[i]["player"] == steps[t]["player"] else -1
    for n in range(10**6):
        if n != bootstrap and steps[t + n]["at_random"]:
            return None
        if n == bootstrap:
            return total + discount**n * sign_of(t + n) * steps[t + n]["value"]
        total += discount**n * sign_of(t + n) * steps[t + n]["reward"]
        if steps[t + n]["last"]:
            return None if steps[t + n]["truncated"] else total


def slow_row(steps, config):
    """(actions or None, rewards or None, values or None, alive) of a row; None: no target."""
    actions, rewards, values, alive = [], [], [], []
    ended = None  # how the episode ended, once it has
    for k in range(config.steps + 1):
        alive.append(ended is None)
        values.append(
            {None: slow_value, "over": lambda *_: 0.0, "cut": lambda *_: None}[ended](
                steps, k, config.bootstrap, config.discount
            )
        )
        if k < config.steps:
            actions.append(steps[k]["action"] if ended is None else None)
            rewards.append({None: steps[k]["reward"], "over": 0.0, "cut": None}[ended])
            if ended is None and steps[k]["last"]:
                ended = "cut" if steps[k]["truncated"] else "over"
    return actions, rewards, values, alive


def as_steps(rows) -> SearchedStep:
    kinds = {"reward": np.float32, "value": np.float32, "player": np.int8, "last": bool, "truncated": bool}
    fields = {
        name: jnp.asarray(np.array([[step[name] for step in row] for row in rows], kind))
        for name, kind in (kinds | {"action": np.int16}).items()
    }
    at_random = jnp.asarray([[step["at_random"] for step in row] for row in rows])
    return SearchedStep(SelfPlayStep((), actions=(), shares=(), episode=(), **fields), at_random, None)


@pytest.mark.parametrize("players", [1, 2])
@pytest.mark.parametrize("bootstrap", [1, 3, None])
def test_targets_are_those_of_plain_python(players, bootstrap):
    rng = np.random.default_rng(players)
    config = UnrollConfig(4, bootstrap, LONGEST, 0.9)
    rows = [episodes(rng, config.length, players) for _ in range(200)]
    find = jax.jit(lambda steps, key: positions(config, steps, key, num_actions=ACTIONS))
    found = jax.tree.map(np.asarray, find(as_steps(rows), jax.random.key(0)))
    past = []
    for i, row in enumerate(rows):
        actions, rewards, values, alive = slow_row(row, config)
        np.testing.assert_array_equal(found.alive[i], alive)
        for k, (action, reward) in enumerate(zip(actions, rewards, strict=True)):
            assert found.reward_weight[i, k] == (reward is not None)
            if reward is not None:
                assert found.reward[i, k] == reward
            past += [found.action[i, k]] if action is None else []
            assert action is None or found.action[i, k] == action
        for k, value in enumerate(values):
            assert found.value_weight[i, k] == (value is not None), (i, k)
            if value is not None:
                assert found.value[i, k] == pytest.approx(value, rel=1e-4, abs=1e-4)
    assert set(past) == set(range(ACTIONS)), "actions past the end are random"
    assert 0 < found.value_weight.mean() < 1 and 0 < found.alive.mean() < 1


def test_outcomes_are_for_whoever_moves():
    """Full games of tic-tac-toe at random: what a position is worth is what its mover gets in the end."""
    from tests.arena.noughts import LINES

    rng, config = np.random.default_rng(0), UnrollConfig(5, None, 9, 1.0)
    rows, wanted = [], []
    for _ in range(64):
        board, row, winner = [None] * 9, [], None
        for ply, cell in enumerate(rng.permutation(9)):
            board[cell] = ply % 2
            won = any(all(board[int(c)] == ply % 2 for c in line) for line in LINES)
            winner = ply % 2 if won else winner
            last = won or ply == 8
            row.append({"reward": float(won), "value": 0.0, "player": ply % 2, "last": last, "action": 0})
            row[-1] |= {"truncated": False, "at_random": False}
            if last:
                break
        outcome = [0.0 if winner is None else 1.0 if p % 2 == winner else -1.0 for p in range(len(row))]
        wanted.append((outcome + [0.0] * 6)[:6])
        filler = [row[-1] | {"reward": 1.0, "player": 0}] * config.length  # the games after it
        rows.append((row + filler)[: config.length])
    found = positions(config, as_steps(rows), jax.random.key(0), num_actions=9)
    np.testing.assert_array_equal(found.value, wanted)
    assert np.all(found.value_weight == 1)
    moved = np.asarray(found.alive)[:, :-1]
    last_mover = np.asarray([[step["reward"] for step in row[:5]] for row in rows])
    np.testing.assert_array_equal(found.reward, np.where(moved, last_mover, 0.0))


# ------------------------------------------------------------------ replay

LENGTH = 12


def filled(alpha: float, steps: int, config: UnrollConfig):
    """A replay of two places, and the steps that each was given."""
    env = envs.make("diagnostic_chain")
    made = unroll_replay(env, config, LENGTH, 2, batch=3000, alpha=alpha, beta=1.0)
    rng = np.random.default_rng(1)
    given = [episodes(rng, steps, 1) for _ in range(2)]
    record = searched_recorder(env)
    first = jax.vmap(env.init)(jax.random.split(jax.random.key(0), 2))[1]

    def item(t):
        at = {name: jnp.asarray([row[t][name] for row in given]) for name in given[0][0]}
        following = first._replace(reward=at["reward"], last=at["last"], truncated=at["truncated"])
        policy = jnp.full((2, 2), 0.5)
        zero = jnp.zeros(2, jnp.int32)
        return record(
            first,
            zero,
            following,
            SelfPlayExtras(policy, at["value"].astype(jnp.float32), policy, zero, at["at_random"]),
        )

    items = jax.tree.map(lambda *x: jnp.stack(x), *[item(t) for t in range(steps)])
    fill = jax.jit(
        lambda: jax.lax.scan(lambda s, x: (made.replay.add(s, x), None), made.replay.init(), items)[0]
    )
    return made.replay, fill(), given


@pytest.mark.parametrize("steps", [7, 12, 20])
def test_rows_are_drawn_by_the_error_of_the_search(steps):
    """P(i) = |nu - z| / sum, over all rows that are complete; weights are their inverses."""
    config = UnrollConfig(2, 2, LONGEST, 0.9)
    replay, state, given = filled(1.0, steps, config)
    priority = {}
    for place, row in enumerate(given):
        for t in range(max(0, steps - LENGTH), steps - config.length + 1):
            value = slow_value(row[t:], 0, 2, 0.9)
            error = 0.0 if value is None else abs(row[t]["value"] - value)
            priority[place * LENGTH + t % LENGTH] = max(error, LOWEST_PRIORITY)
    total = sum(priority.values())
    batch = replay.sample(state, jax.random.key(3))
    counts = np.bincount(np.asarray(batch.indices), minlength=2 * LENGTH)
    assert set(np.flatnonzero(counts)) <= set(priority)
    for index, one in priority.items():
        share = one / total
        assert counts[index] / 3000 == pytest.approx(share, abs=5 * np.sqrt(share / 3000) + 1e-6)
    raw = np.array([1 / priority[int(i)] for i in batch.indices])
    np.testing.assert_allclose(batch.weights, raw / raw.max(), rtol=1e-3)


def test_without_priorities_rows_are_uniform():
    config = UnrollConfig(2, 2, LONGEST, 0.9)
    replay, state, _ = filled(0.0, 20, config)
    batch = replay.sample(state, jax.random.key(0))
    values, counts = np.unique(batch.indices, return_counts=True)
    assert len(values) == 2 * (LENGTH - config.length + 1) and counts.min() > 0.7 * counts.mean()
    np.testing.assert_allclose(batch.weights, 1.0, rtol=1e-5)


def test_rows_longer_than_replay_are_refused():
    with pytest.raises(ConfigError, match="window .8. must hold the 10 steps"):
        filled_config = UnrollConfig(4, None, LONGEST, 1.0)
        unroll_replay(envs.make("diagnostic_chain"), filled_config, 8, 1, batch=1, alpha=0.0, beta=0.0)


def test_legal_actions_are_restored():
    env = privileged(envs.make("tic_tac_toe"))
    state, timestep = env.init(jax.random.key(0))
    _, timestep = env.step(state, jnp.int32(4), jax.random.key(0))
    batched = jax.tree.map(lambda x: jnp.asarray(x)[None], timestep)
    policy = jnp.full((1, 9), 1 / 9)
    extras = SelfPlayExtras(policy, jnp.zeros(1), policy, jnp.zeros(1, jnp.int32))
    step = searched_recorder(env)(batched, jnp.zeros(1, jnp.int32), batched, extras)
    legal = unpacked_legal(step.legal, 9)
    np.testing.assert_array_equal(legal[0], timestep.legal)
    assert not legal[0, 4] and legal.sum() == 8
