"""What Dreamer and DreamerV2 keep and count; how they learn is in tests/learning and tests/contract."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.envs.physical import restart, transition
from imaginax.runtime.loop import make_chunk
from imaginax.systems import dreamer, dreamerv2
from imaginax.systems.presets import dreamer as dreamer_presets
from imaginax.systems.presets import dreamerv2 as dreamerv2_presets
from imaginax.types import Box, ConfigError, Discrete, Environment, EnvSpec

EPISODE = 5


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
    with pytest.raises(ConfigError, match="preset laptop"):
        dreamer_presets.preset("paper", "pendulum")
    blind = dataclasses.replace(dreamer_presets.TINY, image=64)
    with pytest.raises(ConfigError, match="image"):
        dreamer.make(blind, echo(Box((1,), -1.0, 1.0)))
