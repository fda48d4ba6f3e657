"""PlaNet as a system: what it stores, forgets and explores. That it learns is shown by tests/contract."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.learning.learner import gradient_step, init_learner
from imaginax.runtime.loop import make_chunk
from imaginax.systems import planet
from imaginax.systems.presets import planet as planet_presets
from imaginax.types import ConfigError

SMALL = dataclasses.replace(
    planet_presets.TINY,
    environments=2,
    seed_episodes=4,
    episodes=2,
    updates=2,
    batch_size=4,
    exploration=0.3,
    planner=dataclasses.replace(planet_presets.TINY.planner, population=20, elites=5, iterations=2),
)
STEPS = 21  # of an episode, its reset counted


@pytest.fixture(scope="module")
def run():
    """Two rounds of random episodes and one that is planned: the system, and the state after each chunk."""
    system = planet.make(SMALL)
    states = [jax.jit(system.init)(jax.random.key(0))]
    for stage in system.schedule:
        chunk = jax.jit(make_chunk(system, stage))
        for index in range(stage.chunks):
            states.append(chunk(states[-1], jnp.int32(index))[0])
    return system, states


def test_replay_holds_the_action_that_led_to_each_observation(run):
    """Every step but an episode's first is what the linear system makes of the one before."""
    system, states = run
    ring = system.replay.data(states[-1].replay)
    assert int(ring.count) == 3 * STEPS
    items = jax.tree.map(lambda leaf: np.asarray(leaf)[:, : 3 * STEPS], ring.items)
    x, action = items.observation, 10.0 * items.action
    follows = ~items.first[:, 1:]
    expected = x[:, :-1] @ np.array([[1.0, 0.2], [-0.1, 0.95]]).T + action[:, 1:] @ np.array([[0.02, 0.2]])
    np.testing.assert_allclose(x[:, 1:][follows], expected[follows], atol=1e-4)
    cost = x[:, :-1, 0] ** 2 + 0.1 * x[:, :-1, 1] ** 2 + 0.05 * action[:, 1:, 0] ** 2
    np.testing.assert_allclose(items.reward[:, 1:][follows], -cost[follows], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(items.first.nonzero()[1] % STEPS, STEPS - 1)


def test_the_first_episodes_are_random_and_teach_nothing(run):
    system, states = run
    actions = np.asarray(system.replay.data(states[2].replay).items.action)[:, : 2 * STEPS]
    assert np.abs(actions).max() <= 1.0
    np.testing.assert_allclose([actions.mean(), actions.std()], [0.0, 3**-0.5], atol=0.15)
    jax.tree.map(np.testing.assert_array_equal, states[0].learner, states[2].learner)
    assert int(states[2].updates) == 0 and int(states[3].updates) == 2


def test_all_is_forgotten_where_an_episode_begins(run):
    system, states = run
    state, act = states[-1], jax.jit(system.act)
    assert np.abs(np.asarray(state.carry.belief.deterministic)).max() > 0
    fresh = jax.tree.map(jnp.zeros_like, state.carry)
    begins = state.timestep._replace(first=jnp.ones(2, bool))
    goes_on = state.timestep._replace(first=jnp.zeros(2, bool))
    key = jax.random.key(0)
    used = act(state.learner.params, state.carry, begins, key)[1]
    np.testing.assert_array_equal(used, act(state.learner.params, fresh, begins, key)[1])
    assert not np.array_equal(used, act(state.learner.params, state.carry, goes_on, key)[1])


@pytest.mark.parametrize("method", ["mppi", "icem"])
def test_a_planner_with_a_memory_forgets_it_where_an_episode_begins(method):
    system = planet.make(
        dataclasses.replace(SMALL, planner=dataclasses.replace(SMALL.planner, method=method))
    )
    state, act = jax.jit(system.init)(jax.random.key(0)), jax.jit(system.act)
    used = state.carry._replace(decision=jax.tree.map(jnp.ones_like, state.carry.decision))
    for first in (True, False):
        timestep = state.timestep._replace(first=jnp.full(2, first))
        actions = [
            act(state.learner.params, carry, timestep, jax.random.key(1))[1] for carry in (state.carry, used)
        ]
        assert np.array_equal(*actions) == first


def test_held_actions_count_every_step_of_the_environment():
    """An episode of 20 steps in decisions of eight: 8 + 8 + 4 in both environments; the reset is none."""
    system = planet.make(dataclasses.replace(SMALL, action_repeat=8, sequence=4))
    stage = system.schedule[0]
    assert stage.env_steps == 4
    chunk = jax.jit(make_chunk(system, stage))
    output = chunk(jax.jit(system.init)(jax.random.key(0)), jnp.int32(0))[1]
    np.testing.assert_array_equal(output.env_steps, [16, 16, 8, 0])


def test_images_are_seen_and_kept_in_bytes():
    pytest.importorskip("mujoco")
    system = planet.make(planet_presets.preset("laptop", "control_cartpole_balance"))
    state = jax.eval_shape(system.init, jax.random.key(0))
    assert state.timestep.observation.shape == (1, 32, 32, 3)
    assert state.replay.experience.observation.dtype == jnp.uint8
    assert system.schedule[1].env_steps == 1001  # that task has no published action repeat


def test_the_learning_rate_falls_to_zero_in_the_last_updates():
    """Steps of Adam on a slope that stays the same are all of the learning rate's size."""
    config = dataclasses.replace(SMALL, episodes=10, updates=2, environments=2, lr_decay=0.4)  # 10 updates
    optimiser = planet.make_optimiser(config)
    loss = lambda params: (3.0 * params, {}, None)  # noqa: E731
    learner, went = init_learner(jnp.float32(0.0), optimiser), [0.0]
    for _ in range(10):
        learner, _, _ = gradient_step(loss, optimiser, learner)
        went.append(float(learner.params))
    expected = np.array([1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    np.testing.assert_allclose(-np.diff(went), config.learning_rate * expected, rtol=1e-3)


def test_presets_hold_actions_as_published():
    assert planet_presets.preset("paper", "control_walker_walk").action_repeat == 2
    assert planet_presets.preset("laptop", "control_cheetah_run").action_repeat == 4
    assert planet_presets.preset("laptop", None).action_repeat == 8
    with pytest.raises(ConfigError, match="preset paper has settings for"):
        planet_presets.preset("paper", "control_hopper_hop")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"episodes": 3}, "episodes .3. must be a multiple of environments"),
        ({"sequence": 2 * STEPS + 1}, "sequence .43. must not be longer"),
        ({"memory": 20}, "sequence .21. must not be longer"),
        ({"exploration": -0.1}, "exploration must lie"),
        ({"lr_decay": 1.5}, "lr_decay must lie"),
        ({"env": "diagnostic_chain"}, "continuous actions"),
    ],
)
def test_what_cannot_work_is_refused(changes, name):
    with pytest.raises(ConfigError, match=name):
        planet.make(dataclasses.replace(SMALL, **changes))
