"""What Dreamer and DreamerV2 keep and count; how they learn is in tests/learning and tests/contract."""

from __future__ import annotations

import dataclasses
import io
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from imaginax.envs.physical import restart, transition
from imaginax.envs.wrappers import time_limit
from imaginax.learning.config import AdamConfig
from imaginax.learning.learner import gradient_step, init_learner
from imaginax.models.latent.model import latent_model
from imaginax.models.latent.open_loop import open_loop
from imaginax.runtime.loop import make_chunk
from imaginax.runtime.metrics import read_metrics
from imaginax.runtime.run import reload, train
from imaginax.runtime.run_directory import read_run
from imaginax.systems import dreamer, dreamerv2
from imaginax.systems.presets import dreamer as dreamer_presets
from imaginax.systems.presets import dreamerv2 as dreamerv2_presets
from imaginax.types import Box, ConfigError, Discrete, Environment, EnvSpec

EPISODE, UPDATES = 5, 400


def echo(space) -> Environment:
    """What is seen is the action before; reward and end tell the step."""
    size = 1 if isinstance(space, Box) else space.size
    spec = EnvSpec("echo", Box((size + 1,)), space, max_steps=50)

    def init(key):
        return jnp.zeros((), jnp.int32), restart(jnp.zeros(size + 1))

    def step(count, action, key):
        shown = action if isinstance(space, Box) else jax.nn.one_hot(action, size)
        count = count + 1
        seen = jnp.append(shown, count.astype(jnp.float32))
        return count, transition(seen, count.astype(jnp.float32), terminal=count == EPISODE)

    return Environment(spec, init, step)


SYSTEMS = {
    "dreamer": (dreamer.make, dreamer_presets.TINY, Box((1,), -1.0, 1.0)),
    "dreamerv2": (dreamerv2.make, dreamerv2_presets.TINY, Discrete(3)),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_step_is_kept_with_the_action_that_led_to_it(name):
    """Random acting: action, reward and end belong to what was seen then; a first step has none of them."""
    make, config, space = SYSTEMS[name]
    config = dataclasses.replace(config, environments=2, prefill_steps=40, chunk_steps=20)
    system = make(config, echo(space))
    state = jax.jit(system.init)(jax.random.key(0))
    stage = system.schedule[0]
    chunk = jax.jit(make_chunk(system, stage))
    for index in range(stage.chunks):
        state, output = chunk(state, jnp.int32(index))
    ring = system.replay.data(state.replay)
    items = jax.tree.map(lambda x: np.asarray(x)[:, : int(ring.count)], ring.items)
    later = ~items.first
    shown = items.action if isinstance(space, Box) else np.asarray(jax.nn.one_hot(items.action, 3))
    assert later.sum() > 50 and items.first.sum() > 8
    np.testing.assert_allclose(items.observation[later][:, :-1], shown[later])
    np.testing.assert_array_equal(items.reward[later], items.observation[later][:, -1])
    np.testing.assert_array_equal(items.discount[later] == 0, items.reward[later] == EPISODE)
    assert not items.reward[items.first].any() and (items.discount[items.first] == 1).all()
    decisions = later[:, -stage.env_steps :].sum()
    assert int(np.sum(output.env_steps)) == decisions


def test_settings_that_cannot_work_are_named():
    for changes, match in (
        ({"sequence": 99}, "sequence .99. must not be longer than what replay holds"),
        ({"exploration": -1.0}, "exploration must lie in"),
        ({"critic_hidden": ()}, "critic_hidden must be numbers of units"),
    ):
        with pytest.raises(ConfigError, match=match):
            dataclasses.replace(dreamer_presets.TINY, **changes)
    for presets in (dreamer_presets, dreamerv2_presets):
        with pytest.raises(ConfigError, match="preset laptop"):
            presets.preset("paper", "pendulum")
    blind = dataclasses.replace(dreamer_presets.TINY, image=64)
    with pytest.raises(ConfigError, match="image"):
        dreamer.make(blind, echo(Box((1,), -1.0, 1.0)))


def prefilled(name, env, **changes):
    """The system, and its state after random acting."""
    make, config, _ = SYSTEMS[name]
    system = make(dataclasses.replace(config, **changes), env)
    state, stage = jax.jit(system.init)(jax.random.key(0)), system.schedule[0]
    chunk = jax.jit(make_chunk(system, stage))
    for index in range(stage.chunks):
        state, _ = chunk(state, jnp.int32(index))
    return system, state


def fitted(name, system, replay, env):
    """Parameters of the world model after training on what replay holds."""
    config = SYSTEMS[name][1]
    model = latent_model(env.spec, config.model, config.objective)
    optimiser = optax.adam(3e-3)

    def update(learner, key):
        data = system.replay.sample(replay, key)
        return gradient_step(model.loss, optimiser, learner, data, key)[0], None

    learner = init_learner(model.init(jax.random.key(0)), optimiser)
    return model, jax.lax.scan(update, learner, jax.random.split(jax.random.key(1), UPDATES))[0].params


def prediction_error(name, system, env, learned_from, tested_on) -> float:
    """Mean square of imagined less true action one step ahead, in units of its variance."""
    model, params = fitted(name, system, learned_from, env)
    items, space = system.replay.data(tested_on).items, env.spec.action
    data = jax.tree.map(lambda x: x[:, : EPISODE - 1], items)  # the first episode, whose reset is not kept
    data = jax.tree.map(lambda x: jnp.concatenate([0 * x[:, :1], x], axis=1), data)
    imagined = open_loop(model, params, data, jax.random.key(2), context=EPISODE - 1)[:, -1, :-1]
    action = data.action[:, -1]
    shown = action if isinstance(space, Box) else jax.nn.one_hot(action, space.size)
    return jnp.mean((imagined - shown) ** 2) / jnp.mean(jnp.var(shown, axis=0))


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_an_action_shows_is_predicted_and_only_with_its_own_action(name):
    """An action is paired with what it led to: the model knows the next observation, that very action.

    With pairs that are one step off the prediction knows nothing.
    """
    env = echo(SYSTEMS[name][2])
    system, state = prefilled(name, env, environments=32)
    steps = state.replay.experience
    off = state.replay.replace(experience=steps._replace(action=jnp.roll(steps.action, 1, axis=1)))
    error = jax.jit(partial(prediction_error, name, system, env))
    assert error(state.replay, state.replay) < 0.1
    assert error(off, state.replay) > 0.5


def tireless(space, limit: int) -> Environment:
    """A reward of 1 at every step, and nothing else; time alone is short."""
    spec = EnvSpec("tireless", Box((2,)), space, max_steps=limit)

    def init(key):
        return (), restart(jnp.ones(2))

    def step(state, action, key):
        return (), transition(jnp.ones(2), jnp.ones(()))

    return time_limit(Environment(spec, init, step))


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_time_limit_is_no_end(name):
    """A reward of 1 for ever is worth 1 / (1 - 0.8), however short the episodes that were seen."""
    fast = AdamConfig(1e-2)
    behaviour = dataclasses.replace(SYSTEMS[name][1].behaviour, discount=0.8, horizon=3)
    system, state = prefilled(
        name,
        tireless(SYSTEMS[name][2], 3),
        environments=4,
        batch_size=4,
        sequence=6,
        behaviour=behaviour,
        model_optimiser=fast,
        critic_optimiser=fast,
    )
    items = system.replay.data(state.replay).items
    kept = int(system.replay.data(state.replay).count)
    assert items.first[:, :kept].sum() > 5 and (items.discount[:, :kept] == 1).all()

    def update(learner, key):
        learner, metrics = system.learn(learner, state.replay, key)
        return learner, metrics["value"]

    keys = jax.random.split(jax.random.key(1), 400)
    values = jax.jit(lambda learner: jax.lax.scan(update, learner, keys)[1])(state.learner)
    assert float(values[-20:].mean()) == pytest.approx(5.0, rel=0.1)


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_model_learns_nothing_from_actor_and_critic(name):
    """Its step is the same, bit for bit, whatever their parameters; theirs depend on each other's."""
    system, state = prefilled(name, echo(SYSTEMS[name][2]))
    learner, learn = state.learner, jax.jit(system.learn)
    moved = lambda params: jax.tree.map(lambda x: x + 0.1, params)  # noqa: E731
    behaviour = learner.behaviour
    other_actor = behaviour._replace(actor=behaviour.actor._replace(params=moved(behaviour.actor.params)))
    other_value = behaviour._replace(target=moved(behaviour.target))
    after = [
        learn(learner._replace(behaviour=one), state.replay, jax.random.key(0))[0]
        for one in (behaviour, other_actor, other_value)
    ]
    same = lambda *given: all(jax.tree.leaves(jax.tree.map(np.array_equal, *given)))  # noqa: E731
    for other in after[1:]:
        assert same(after[0].model, other.model)
        assert not same(after[0].behaviour.actor.params, other.behaviour.actor.params)
        assert not same(after[0].behaviour.critic.params, other.behaviour.critic.params)
    for part in ("model", "behaviour"):
        assert not same(getattr(learner, part), getattr(after[0], part))


@pytest.mark.parametrize("name", SYSTEMS)
def test_steps_decisions_and_updates_are_counted_once(name, tmp_path):
    """Every step of the environment pays 1, and two are one decision: all counts against what was paid."""
    make, config, space = SYSTEMS[name]
    config = dataclasses.replace(
        config,
        action_repeat=2,
        environments=2,
        prefill_steps=30,
        chunk_steps=10,
        chunks=3,
        updates=2,
        eval_episodes=2,
    )
    system = make(config, tireless(space, 7))  # three decisions of two steps and one of one
    summary = train(system, logdir=tmp_path, preset="tiny", stream=io.StringIO())
    rows = read_metrics(tmp_path / "metrics.jsonl")
    state = reload(system, *read_run(tmp_path)).state
    ring = system.replay.data(jax.tree.map(lambda x: x[0], state.replay))
    paid = np.asarray(ring.items.reward)
    assert int(ring.count) == 60 and summary["env_steps"] == rows[-1]["env_steps"] == paid.sum()
    assert sorted(np.unique(paid)) == [0, 1, 2] and (paid[np.asarray(ring.items.first)] == 0).all()
    assert state.updates.item() == state.learner.model.updates.item() == 2 * 3
    assert summary["eval_return"] == 7


def test_games_of_atari_are_seen_frame_by_frame_in_grey():
    """A bare name stands for the options of its preset; those that are given are taken as they are."""
    name = "atari:Breakout?frameskip=1&obs_type=grayscale"
    laptop = dreamerv2_presets.preset("laptop", "atari:Breakout")
    assert laptop.env == name and laptop.action_repeat == 4 and laptop.rewards == "tanh"
    paper = dreamerv2_presets.preset("paper", "atari:Breakout")
    assert paper.env == f"{name}&full_action_space=True" and paper.image == 64
    own = dreamerv2_presets.preset("paper", "atari:Breakout?frameskip=1&mode=12")
    assert own == dataclasses.replace(paper, env="atari:Breakout?frameskip=1&mode=12")


@pytest.mark.slow
def test_atari_is_learned_from(tmp_path):
    """A few decisions of two games side by side, on images, through the loop of the host."""
    pytest.importorskip("ale_py")
    config = dataclasses.replace(
        dreamerv2_presets.TINY,
        env=dreamerv2_presets.preset("laptop", "atari:Boxing").env,
        action_repeat=4,
        episode_steps=200,
        image=32,
        environments=2,
        prefill_steps=60,
        chunk_steps=30,
        chunks=2,
        updates=2,
        batch_size=2,
        memory=80,
        prioritize_ends=True,
        rewards="tanh",
        eval_episodes=1,
        model=dataclasses.replace(dreamerv2_presets.TINY.model, depth=2),
    )
    system = dreamerv2.make(config)
    summary = train(system, logdir=tmp_path, preset="tiny", stream=io.StringIO())
    state = reload(system, *read_run(tmp_path)).state
    items = jax.tree.map(lambda x: np.asarray(x)[0], system.replay.data(state.replay).items)
    assert items.observation.shape == (2, 80, 32, 32, 1) and items.observation.dtype == np.uint8
    resets = 2 * (120 // 51)  # 50 decisions of four frames and a reset
    assert summary["env_steps"] == 4 * (2 * 120 - resets)
    assert items.first.any() and (items.discount == 1).all(), "time is up, nobody dies"
