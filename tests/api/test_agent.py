"""An agent acts as the evaluation of its system does, step by step, whatever it sees and does."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import imaginax
from imaginax import envs
from imaginax.runtime.precision import precision
from imaginax.types import Box, Discrete

STEPS = 4
SMALL = {  # system -> fields of the shortest run on a task of its kind
    "pets": {"trials": 1, "eval_episodes": 2},
    "planet": {"episodes": 16, "updates": 2, "env": "pendulum", "episode_steps": 30},
    "dreamer": {"chunks": 2, "updates": 1, "env": "pendulum"},
    "dreamerv2": {"chunks": 2, "updates": 1},
    "muzero": {"chunks": 1, "updates": 1},
    "gp_mpc": {"trials": 1},
    "pilco": {"trials": 1},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """name of a system -> its shortest run, made once."""
    made = {}

    def run(name):
        if name not in made:
            fields = dict(SMALL[name])
            made[name] = imaginax.train(
                name,
                preset="tiny",
                env=fields.pop("env", None),
                logdir=tmp_path_factory.mktemp("runs") / name,
                quiet=True,
                **fields,
            )
        return made[name]

    return run


def stretched(env, action):
    """The system's action in the units of the environment by its own name."""
    own = envs.raw(env.spec.name).spec.action
    if isinstance(own, Discrete) or (own.low, own.high) == (env.spec.action.low, env.spec.action.high):
        return action
    middle, half = (own.high + own.low) / 2, (own.high - own.low) / 2
    return middle + half * action


@pytest.mark.slow
@pytest.mark.parametrize(("name", "batch"), [*((name, None) for name in SMALL), ("pets", 3), ("planet", 3)])
def test_act_is_what_evaluation_does_step_by_step(trained, name, batch):
    """The same keys, observations and beginning; the environment of the run goes on with what was chosen."""
    agent = trained(name).agent(batch=batch, seed=5)
    system, copies = agent.system, batch or 1
    act = system.exploit or system.act
    with precision(system):
        single = system.environment  # N copies of it
        state, timestep = jax.jit(single.init)(jax.random.key(1))
        N = timestep.last.shape[0]
        rows = np.arange(copies) % N
        carry = jax.tree.map(
            lambda leaf: leaf[rows] if leaf.shape[:1] == (N,) else leaf,
            jax.jit(system.init)(jax.random.key(3)).carry,
        )
        key = jax.random.key(5)
        for index in range(STEPS):
            seen = jax.tree.map(lambda leaf: leaf[rows], timestep._replace(player=jnp.zeros(N, jnp.int32)))
            seen = seen._replace(first=jnp.full(copies, index == 0))
            key, key_act = jax.random.split(key)
            carry, wanted, _ = jax.jit(act)(agent.params, carry, seen, key_act)
            observation = np.asarray(seen.observation)
            found = agent.act(observation if batch else observation[0])
            expected = np.asarray(stretched(system.environment, wanted))
            np.testing.assert_allclose(found, expected if batch else expected[0], rtol=2e-4, atol=2e-5)
            action = jnp.zeros((N, *single.spec.action.shape), wanted.dtype).at[rows].set(wanted)
            state, timestep = jax.jit(single.step)(state, action, jax.random.key(10 + index))


@pytest.mark.slow
def test_the_pure_form_is_act_and_can_be_compiled(trained):
    agent = trained("dreamer").agent(seed=2)
    observations = np.random.default_rng(0).normal(size=(STEPS, 3)).astype(np.float32)
    acted = [agent.act(observation) for observation in observations]
    carry, stepped = agent.init(), []
    for observation in observations:
        carry, action = agent.step(carry, observation)
        stepped.append(np.asarray(action))
    np.testing.assert_array_equal(acted, stepped)
    _, scanned = jax.jit(lambda carry, seen: jax.lax.scan(agent.step, carry, seen))(
        agent.init(), jnp.asarray(observations)
    )
    np.testing.assert_allclose(scanned, acted, rtol=1e-4, atol=1e-5)
    agent.reset()
    agent._carry = agent._carry._replace(key=agent.init().key)
    np.testing.assert_array_equal(agent.act(observations[0]), acted[0]), "the episode is forgotten"


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_imagine_follows_a_plan_in_the_learned_model(trained, name):
    agent = trained(name).agent()
    spec, horizon = agent.system.environment.spec, 3
    space = agent.system.environment.spec.action
    plan = np.zeros((horizon, *space.shape), int if isinstance(space, Discrete) else float)
    with pytest.raises(imaginax.ConfigError, match="call act first"):
        agent.imagine(plan)
    agent.act(np.zeros(spec.observation.shape, spec.observation.dtype))
    found = agent.imagine(plan)
    assert found.reward.shape == found.goes_on.shape == (horizon,)
    shown = name != "muzero"  # whose beliefs do not hold what is seen
    assert (found.observation is not None) == shown
    assert not shown or found.observation.shape == (horizon, *spec.observation.shape)
    assert np.isfinite(found.reward).all() and (found.goes_on <= 1).all()
    with pytest.raises(imaginax.ConfigError, match="actions must have shape"):
        agent.imagine(np.zeros((2, 7, 7)))


@pytest.mark.slow
def test_wrong_observations_are_named_in_one_line(trained):
    agent = trained("pets").agent()
    with pytest.raises(imaginax.ConfigError, match=r"diagnostic_lqr must have shape \(\d,\), got \(9,\)"):
        agent.act(np.zeros(9))
    with pytest.raises(imaginax.ConfigError, match="batch must be at least 1, got 0"):
        trained("pets").agent(batch=0)
    assert agent.act([0.0] * agent.system.environment.spec.observation.shape[0]).dtype == np.float32


@pytest.mark.slow
def test_images_of_another_size_are_fitted(tmp_path):
    run = imaginax.train(
        "planet",
        preset="laptop",
        env="pendulum",
        logdir=tmp_path / "run",
        quiet=True,
        episodes=1,
        seed_episodes=1,
        updates=1,
        episode_steps=30,
        memory=0,
        planner={"iterations": 1, "population": 10, "elites": 2, "horizon": 3},
    )
    agent = run.agent()
    assert agent.system.environment.spec.observation.shape[:2] == (32, 32)
    own = envs.raw("pendulum").spec.action
    for size in (32, 64):
        action = agent.act(np.full((size, size, 3), 90, np.uint8))
        assert action.shape == own.shape and (np.abs(action) <= own.high).all()
    assert agent.imagine(np.zeros((2, *own.shape))).observation.dtype == np.uint8
    with pytest.raises(imaginax.ConfigError, match="observation must be an image"):
        agent.act(np.zeros((64, 64), np.uint8))


def cart():
    """The pendulum under a name that no registry knows."""
    env = envs.raw("pendulum")
    return env._replace(spec=dataclasses.replace(env.spec, name="mine", max_steps=20))


@pytest.mark.slow
def test_an_environment_that_was_handed_over_is_handed_over_again(tmp_path):
    reports = []
    run = imaginax.train(
        "dreamer",
        preset="tiny",
        env=cart(),
        logdir=tmp_path / "run",
        quiet=True,
        on_chunk=reports.append,
        chunks=2,
        updates=1,
    )
    assert run.summary["env"] == "mine" and [report.stage for report in reports][-2:] == ["imagination"] * 2
    assert "loss" in reports[-1].metrics
    action = run.agent().act(np.zeros(3))
    assert action.shape == (1,)
    with pytest.raises(imaginax.ConfigError, match="must be given"):
        imaginax.load(run)
    assert run.evaluate(3).returns.shape[1] >= 3


@pytest.mark.slow
def test_an_environment_of_gymnasium_gets_its_own_actions_back(tmp_path):
    gymnasium = pytest.importorskip("gymnasium")
    run = imaginax.train(
        "planet",
        preset="tiny",
        env="gym:Pendulum-v1",
        logdir=tmp_path / "run",
        quiet=True,
        episodes=8,
        seed_episodes=8,
        updates=1,
        episode_steps=30,
    )
    env = gymnasium.make("Pendulum-v1")
    observation, _ = env.reset(seed=0)
    agent = run.agent(batch=2)
    single = run.agent()
    actions = agent.act(np.stack([observation, observation]))
    assert actions.shape == (2, 1) and env.action_space.contains(np.float32(single.act(observation)))
    assert isinstance(agent.system.environment.spec.action, Box)


@pytest.mark.slow
def test_a_player_moves_in_a_game_and_says_what_it_cannot(tmp_path):
    run = imaginax.train("alphazero", preset="tiny", chunks=1, logdir=tmp_path / "run", quiet=True)
    agent = run.agent()
    moves = []
    while len(moves) < 5:
        move = agent.act(moves)
        assert agent.legal(moves)[move]
        moves.append(move)
    agent.reset()
    assert agent.act() in range(9)
    with pytest.raises(imaginax.ConfigError, match="illegal move 4"):
        agent.act([4, 4])
    for call in (agent.init, agent.imagine, lambda: run.agent(batch=2)):
        with pytest.raises(imaginax.ConfigError):
            call()
    score = imaginax.match(run, "random", games=20)
    assert score["games"] == 20 and {"wins", "draws", "losses"} <= set(score)


def test_no_agent_of_what_only_fits(tmp_path):
    with pytest.raises(imaginax.ConfigError, match="is not a run directory"):
        imaginax.load(tmp_path)
