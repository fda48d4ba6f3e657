"""The host's driver against the compiled one, on two worlds with the same rules."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("gymnasium")

from imaginax import envs  # noqa: E402
from imaginax.data.replay import item_replay  # noqa: E402
from imaginax.envs.wrappers import training_environment  # noqa: E402
from imaginax.runtime.driver import CompiledDriver, Driver  # noqa: E402
from imaginax.runtime.host_driver import HostDriver  # noqa: E402
from imaginax.systems import mpc, pets  # noqa: E402
from imaginax.systems.presets import mpc as mpc_presets
from imaginax.systems.presets import pets as pets_presets
from imaginax.types import ConfigError, Environment, Episodes, Stage, System, SystemState, Transition  # noqa: E402
from tests.envs.host import worlds as host_worlds  # noqa: E402

LANES, N, CAPACITY = 2, 2, 200


@dataclasses.dataclass(frozen=True)
class Config:
    eval_episodes: int = 3


def wander(env: Environment, *, env_steps: int = 10, updates: int = 4, update_every: int = 2) -> System:
    """Random moves around what it has learned; it also remembers how many rows it learned from.

    Everything is a multiple of 1/64, so that sums are exact in whichever order a program makes them.
    """
    vector = training_environment(env, N)
    observation, action = jnp.zeros(env.spec.observation.shape), jnp.zeros(env.spec.action.shape)
    scalar = jnp.zeros(())
    replay = item_replay(Transition(observation, action, scalar, scalar, observation), CAPACITY, N)

    def init(key):
        key, key_env = jax.random.split(key)
        state, timestep = vector.init(key_env)
        learner = {"push": jnp.zeros(()), "rows": jnp.zeros(40, jnp.int32), "at": jnp.zeros((), jnp.int32)}
        zero = jnp.zeros((), jnp.int32)
        return SystemState(learner, replay.init(), state, timestep, jnp.zeros(N), key, zero)

    def act(push, carry, timestep, key):
        carry = jnp.where(timestep.first, 0.0, carry) + 1.0  # steps in the episode
        noise = jax.random.uniform(key, (N, *action.shape), minval=-0.6, maxval=1.2)
        return carry, jnp.clip(coarse(noise) + push, -1.0, 1.0), {"carry": carry}

    def learn(learner, memory, key):
        items, count = replay.data(memory)
        known = jnp.arange(CAPACITY) < count
        mean = jnp.sum(items.reward * known) / jnp.maximum(count, 1)
        push = coarse(0.5 * learner["push"] + 0.1 * mean + 0.1 * jax.random.normal(key))
        rows = learner["rows"].at[learner["at"]].set(count)
        return {"push": push, "rows": rows, "at": learner["at"] + 1}, {"push": push}

    def record(timestep, action, following, extras):
        last = (following.reward, following.discount, following.final_observation)
        return Transition(timestep.observation, action, *last)

    stages = (Stage("random", 1, env_steps), Stage("learn", 4, env_steps, updates, update_every))
    return System(
        name="wander",
        config=Config(),
        environment=vector,
        replay=replay,
        init=init,
        params_of=lambda learner: learner["push"],
        act=act,
        learn=learn,
        record=record,
        evaluate=lambda state, key: Episodes(jnp.zeros(1), ()),  # the host's is used
        schedule=stages,
    )


def coarse(x):
    return jnp.round(64 * x) / 64


@pytest.fixture(autouse=True)
def worlds():
    host_worlds.register()


def run(driver: Driver, system: System, state: Any = None, *, chunks: slice = slice(None)):
    """All chunks of all stages, or some; the state and what each chunk reported."""
    if state is None:
        state, _ = driver.start(jax.random.split(jax.random.key(3), LANES))
    outputs = []
    plan = [(stage, index) for stage in system.schedule for index in range(stage.chunks)]
    for stage, index in plan[chunks]:
        state, output = driver.chunk(stage, state).call(state, np.int32(index))
        outputs.append(jax.device_get(output))
    return state, outputs


def is_key(leaf):
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def plain(tree):
    """Keys as numbers, so that trees can be compared."""
    return jax.tree.map(lambda x: np.asarray(jax.random.key_data(x) if is_key(x) else x), tree)


def without_inner(state):
    """All of a state but the environments' own, which the two worlds write differently."""
    return state._replace(env=state.env._replace(inner=()))


def assert_same(a, b):
    jax.tree.map(np.testing.assert_array_equal, plain(a), plain(b))


def test_both_drivers_run_the_same_program():
    """Also the oracle of the episode boundaries: the JAX world resets itself by `wrappers.auto_reset`."""
    system, twin = wander(envs.make(f"gym:{host_worlds.ID}")), wander(host_worlds.walk())
    driver = HostDriver(system, LANES)
    state, outputs = run(driver, system)
    expected, truth = run(CompiledDriver(twin, LANES), twin)
    driver.close()
    assert_same(
        state._replace(env=state.env._replace(inner=())),
        expected._replace(env=expected.env._replace(inner=())),
    )
    assert_same([output._asdict() for output in outputs], [output._asdict() for output in truth])
    steps = np.concatenate([output.env_steps for output in outputs], axis=1)
    assert steps.tolist() == [[N] * 50] * LANES and state.updates.tolist() == [8, 8]
    assert sum(output.episodes for output in outputs).min() >= 10, "episodes have ended in every lane"
    discounts = plain(state.replay).experience.discount
    assert set(np.unique(discounts)) == {0.0, 1.0}, "some have terminated"
    shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), driver.shapes())
    assert shapes == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state)


def test_overlap_spreads_the_updates_over_the_steps_and_repeats_itself():
    system = wander(envs.make(f"gym:{host_worlds.SEEDED}"), updates=3, update_every=1)
    runs = []
    for _ in range(2):
        driver = HostDriver(system, LANES, overlap=True)
        runs.append(run(driver, system, chunks=slice(0, 3)))
        driver.close()
    (state, outputs), (again, _) = runs
    assert_same(state, again)
    # 10 steps of 2 environments a chunk: during steps 3, 6 and 9 those before them are stored
    rows = [20 + 2 * step for step in (3, 6, 9)] + [40 + 2 * step for step in (3, 6, 9)]
    assert state.learner["rows"][:, :6].tolist() == [rows, rows]
    assert outputs[0].metrics == {} and outputs[1].finite["push"].tolist() == [True, True]


def test_resuming_between_episodes_is_exact():
    env = envs.make("gym:Pendulum-v1", max_steps=5)  # every chunk of ten steps ends with an episode
    system = wander(env)
    driver = HostDriver(system, LANES)
    middle, _ = run(driver, system, chunks=slice(0, 2))
    saved = jax.tree.map(jnp.copy, middle)
    straight, _ = run(driver, system, middle, chunks=slice(2, 4))
    driver.close()
    other = HostDriver(system, LANES)
    resumed, _ = run(other, system, other.resume(saved), chunks=slice(2, 4))
    other.close()
    assert_same(resumed, straight)
    starts = plain(resumed.replay).experience.observation[:, 0, : 40 * N : 10]
    assert len(np.unique(starts[..., 0])) == starts[..., 0].size, "every episode begins somewhere else"


def test_resuming_inside_an_episode_begins_the_next_one():
    system = wander(envs.make(f"gym:{host_worlds.SEEDED}"), env_steps=3)
    driver = HostDriver(system, LANES)
    state, _ = run(driver, system, chunks=slice(0, 1))
    first, before = np.asarray(state.timestep.first), plain(state)
    assert first.any() and not first.all(), "some environments are between episodes, some are not"
    driver.close()
    after = plain(HostDriver(system, LANES).resume(state))
    np.testing.assert_array_equal(after.env.inner.episode, before.env.inner.episode + ~first)
    np.testing.assert_array_equal(after.env.running_length, before.env.running_length * first)
    assert after.timestep.first.all() and not after.timestep.last[~first].any()
    np.testing.assert_array_equal(after.timestep.observation[first], before.timestep.observation[first])
    moved = after.timestep.observation[~first] != before.timestep.observation[~first]
    assert moved.any(axis=-1).all()
    assert_same(after.replay, before.replay)


def test_evaluation_plays_fresh_episodes():
    system = wander(envs.make(f"gym:{host_worlds.SEEDED}"))
    driver = HostDriver(system, LANES)
    state, _ = driver.start(jax.random.split(jax.random.key(3), LANES))
    keys = jax.random.split(jax.random.key(5), LANES)
    before = plain(state)
    evaluation, again = driver.evaluate(state, keys, 1), driver.evaluate(state, keys, 5)
    driver.close()
    assert evaluation.returns.shape == (LANES, 4), "the config asks for three, which come in pairs"
    assert again.returns.shape == (LANES, 6) and len(np.unique(again.returns)) == again.returns.size
    np.testing.assert_array_equal(again.returns[:, :4], evaluation.returns)
    assert_same(state, before)
    frames = evaluation.frames
    assert frames.shape[1:] == (4, 6, 3) and 2 <= len(frames) <= host_worlds.STEPS


def test_evaluation_does_not_explore():
    def still(push, carry, timestep, key):
        return carry, jnp.zeros((N, 1)), {}

    system = dataclasses.replace(wander(envs.make(f"gym:{host_worlds.SEEDED}")), exploit=still)
    driver = HostDriver(system, LANES)
    state, _ = driver.start(jax.random.split(jax.random.key(3), LANES))
    evaluation = driver.evaluate(state, jax.random.split(jax.random.key(5), LANES), 1)
    driver.close()
    assert evaluation.returns.shape == (LANES, 4) and not evaluation.returns.any()


def test_what_needs_more_than_the_host_offers_is_refused():
    published = dataclasses.replace(pets_presets.TINY.model, reward="published")
    config = pets_presets.PetsConfig(env=f"gym:{host_worlds.ID}", model=published)
    with pytest.raises(ConfigError, match=f"env gym:{host_worlds.ID} publishes no reward on observations"):
        pets.make(config)
    system = mpc.make(mpc_presets.MpcConfig(env="gym:Pendulum-v1"))
    driver = HostDriver(system, 1)
    with pytest.raises(ConfigError, match="gym:Pendulum-v1 runs on the host"):
        run(driver, system)
    driver.close()
