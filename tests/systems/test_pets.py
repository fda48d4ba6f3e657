"""PETS as a system: its schedule and what it stores. That it learns is shown by tests/contract."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.learning.config import EnsembleFitConfig
from imaginax.models.ensemble.config import EnsembleConfig
from imaginax.planners.shooting.config import ShootingConfig
from imaginax.runtime import config as configs
from imaginax.runtime.loop import make_chunk
from imaginax.systems import pets
from imaginax.systems.presets import pets as pets_presets
from imaginax.types import ConfigError

TINY = pets_presets.PetsConfig(
    env="diagnostic_lqr",
    trials=4,
    model=EnsembleConfig(members=2, particles=2, hidden=(32,), weight_decay=(0.0, 0.0)),
    fit=EnsembleFitConfig(epochs=5),
    planner=ShootingConfig(horizon=10, population=100, elites=10, iterations=4),
)


@pytest.fixture(scope="module")
def trained():
    """A whole run: its state before and after each chunk, and what the chunks report."""
    system = pets.make(TINY)
    state = jax.jit(system.init)(jax.random.key(0))
    states, outputs = [state], []
    for stage in system.schedule:
        chunk = jax.jit(make_chunk(system, stage))
        for index in range(stage.chunks):
            state, output = chunk(state, jnp.int32(index))
            states.append(state)
            outputs.append(output)
    return system, states, outputs


def test_each_trial_is_one_episode(trained):
    assert [int(output.episodes) for output in trained[2]] == [1] * 5


def test_replay_holds_every_transition_in_order(trained):
    """Consecutive rows of an episode join, and each is what the linear system really did."""
    system, states, _ = trained
    items, count = system.replay.data(states[-1].replay)
    assert int(count) == 100 == sum(int(output.env_steps.sum()) for output in trained[2])
    o, a, following = (np.asarray(x) for x in (items.observation, items.action, items.next_observation))
    expected = o @ np.array([[1.0, 0.2], [-0.1, 0.95]]).T + a @ np.array([[0.02, 0.2]])
    np.testing.assert_allclose(following, expected, atol=1e-5)
    inner = np.arange(100) % 20 != 19
    np.testing.assert_array_equal(following[:-1][inner[:-1]], o[1:][inner[:-1]])
    assert not np.allclose(following[19], o[20])  # a reset lies between


def test_the_first_trial_is_uniform_and_trains_nothing(trained):
    system, states, _ = trained
    actions = np.asarray(system.replay.data(states[1].replay)[0].action)[:20]
    assert np.abs(actions).max() > 7 and np.abs(actions).max() <= 10 and abs(actions.mean()) < 4
    jax.tree.map(np.testing.assert_array_equal, states[0].learner, states[1].learner)
    assert int(states[1].updates) == 0 and int(states[-1].updates) == 4


def test_the_plan_is_forgotten_between_trials(trained):
    """After the last step of a trial the warm start is still there; the first decision must not use it."""
    system, states, _ = trained
    state = states[-1]
    assert bool(state.timestep.first[0]) and np.abs(np.asarray(state.carry)).max() > 0
    act = jax.jit(system.act)
    used = act(state.learner.params, state.carry, state.timestep, jax.random.key(0))[1]
    fresh = act(state.learner.params, jnp.zeros_like(state.carry), state.timestep, jax.random.key(0))[1]
    np.testing.assert_array_equal(used, fresh)
    later = state.timestep._replace(first=jnp.zeros(1, bool))
    assert not np.array_equal(act(state.learner.params, state.carry, later, jax.random.key(0))[1], fresh)


def test_chunks_within_a_trial_change_nothing_but_the_reports():
    """One chunk of 20 steps, and four of 5: the same transitions."""
    small = dataclasses.replace(TINY, trials=1, fit=EnsembleFitConfig(epochs=2))
    got = []
    for steps in (0, 5):
        system = pets.make(dataclasses.replace(small, chunk_steps=steps))
        state = jax.jit(system.init)(jax.random.key(3))
        for stage in system.schedule:
            chunk = jax.jit(make_chunk(system, stage))
            for index in range(stage.chunks):
                state, _ = chunk(state, jnp.int32(index))
        assert int(state.updates) == 1
        got.append(system.replay.data(state.replay)[0].action)
    np.testing.assert_allclose(got[0], got[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("env", pets_presets.PAPER)
@pytest.mark.parametrize("name", ["gpu", "paper"])
def test_presets_divide_their_trials(env, name):
    config = pets_presets.preset(name, env)
    steps = {"pets_cartpole": 200, "pets_reacher": 150, "pets_pusher": 150, "pets_halfcheetah": 1000}[env]
    assert steps % config.chunk_steps == 0
    assert config.env == env and config.model.propagation == "TSinf" and config.model.kind == "PE"


def test_impossible_settings_are_refused_before_compilation():
    with pytest.raises(ConfigError, match="chunk_steps"):
        pets.make(dataclasses.replace(TINY, chunk_steps=7))
    with pytest.raises(ConfigError, match="trials"):
        dataclasses.replace(TINY, trials=0)
    with pytest.raises(ConfigError, match="preset paper"):
        pets_presets.preset("paper", "pendulum")
    with pytest.raises(ConfigError, match="continuous"):
        pets.make(dataclasses.replace(TINY, env="diagnostic_chain"))


def control(config, key):
    """Returns of the evaluation after a whole run."""
    system = pets.make(config)
    state = jax.jit(system.init)(key)
    for stage in system.schedule:
        chunk = jax.jit(make_chunk(system, stage))
        for index in range(stage.chunks):
            state, _ = chunk(state, jnp.int32(index))
    return jax.jit(system.evaluate)(state, jax.random.key(9)).returns


@pytest.mark.slow
def test_learns_with_a_reward_that_it_has_to_learn():
    """Rewards from -0.1 to -400; the optimum is -1.65 on average, doing nothing gets -8.4."""
    model = dataclasses.replace(
        TINY.model, hidden=(64, 64), weight_decay=(0.0,) * 3, reward="learned", end="never"
    )
    fit = dataclasses.replace(TINY.fit, epochs=200)
    config = dataclasses.replace(TINY, trials=20, model=model, fit=fit)
    assert control(config, jax.random.key(0)).mean() > -5.0


@pytest.mark.slow
def test_learns_with_gaussian_processes():
    """The optimum of the linear task is -1.65 on average, doing nothing gets -8.4."""
    config = pets_presets.with_gaussian_processes(pets_presets.TINY)
    model = dataclasses.replace(config.model, capacity=60, inducing=0)
    config = dataclasses.replace(config, model=model, trials=3, eval_episodes=16)
    assert control(config, jax.random.key(0)).mean() > -4.0


def test_every_shooting_planner_plans_in_every_model():
    """Traced alone: what they need of each other is there."""
    for base in (TINY, pets_presets.with_gaussian_processes(TINY)):
        for method in ("random", "cem", "planet_cem", "icem", "mppi"):
            planner = dataclasses.replace(base.planner, method=method)
            system = pets.make(dataclasses.replace(base, planner=planner))
            state = jax.eval_shape(system.init, jax.random.key(0))
            args = (system.params_of(state.learner), state.carry, state.timestep, state.key)
            assert jax.eval_shape(system.act, *args)[1].shape == (1, 1)


def test_training_must_suit_the_model():
    with pytest.raises(ConfigError, match="fit of EnsembleFitConfig does not train a model of GPConfig"):
        dataclasses.replace(TINY, model=pets_presets.GPConfig())


def test_the_kind_of_model_is_chosen_on_the_command_line(capsys):
    """And survives the run directory's JSON."""
    read = lambda *words: configs.parse(pets_presets.ENTRY, "tiny", None, words)  # noqa: E731
    assert read() == read("--model", "ensemble") == pets_presets.TINY
    for words in (["--model", "gp"], ["--model=gp"], ["--model", "ensemble", "--model", "gp"]):
        config = read(
            *words, "--model.capacity", "70", "--model.inducing", "20", "--fit.steps", "9", "--trials", "3"
        )
        expected = pets_presets.with_gaussian_processes(pets_presets.TINY).model
        assert config.model == dataclasses.replace(expected, capacity=70, inducing=20)
        assert config.fit.steps == 9 and config.trials == 3 and config.env == "diagnostic_lqr"
        assert configs.from_json(type(config), json.loads(json.dumps(configs.to_json(config)))) == config
    for words, named in (
        (["--model", "gpx"], "--model must be one of ensemble, gp, got 'gpx'"),
        (["--model"], "--model must be one of ensemble, gp, got ''"),
        (["--model.capacity", "70"], "unknown field --model.capacity"),
        (["--model", "gp", "--model.hidden", "7"], "unknown field --model.hidden"),
    ):
        with pytest.raises(ConfigError, match=named):
            read(*words)
    for words, field in ((["--help"], "--model.hidden"), (["--model", "gp", "--help"], "--model.capacity")):
        with pytest.raises(SystemExit):
            read(*words)
        text = capsys.readouterr().out
        assert "--model {ensemble,gp}" in text and field in text
