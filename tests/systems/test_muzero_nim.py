"""MuZero learns Nim from nothing but its moves: perfect play, and what each position is worth."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from imaginax.arena.config import EvaluationConfig
from imaginax.envs.wrappers import privileged
from imaginax.learning.config import DecayConfig
from imaginax.models.muzero.config import MuZeroModelConfig
from imaginax.models.muzero.model import make_networks, muzero_model
from imaginax.planners.mcts.config import SearchConfig
from imaginax.runtime.loop import make_chunk
from imaginax.systems import muzero
from imaginax.systems.presets.muzero import MuZeroConfig
from tests.systems.nim import MATCHES, MOST, NimState, nim, planes

CONFIG = MuZeroConfig(
    environments=64,
    chunks=60,
    chunk_steps=16,
    updates=40,
    batch_size=128,
    window=120,
    bootstrap=0,
    priority=0.0,
    correction=0.0,
    opening_steps=8,
    evaluation=EvaluationConfig("random", games=2),
    search=SearchConfig("gumbel", simulations=12, values="siblings", max_considered=3, c_scale=0.3),
    model=MuZeroModelConfig(blocks=1, latent=32, dense=True, hidden=32, bins=3, largest=1.0, transform=False),
    optimiser=DecayConfig("adam", 2e-3, decay_updates=5_000),
)


@pytest.mark.slow
def test_it_learns_to_play_perfectly():
    """Positions with a multiple of four are lost; of the others one move, to the next multiple, wins."""
    system = muzero.make(CONFIG, nim())
    state = jax.jit(system.init)(jax.random.key(0))
    for stage in system.schedule:
        chunk = jax.jit(make_chunk(system, stage), donate_argnums=0)
        for index in range(stage.chunks):
            state, _ = chunk(state, jnp.int32(index))
    left = jnp.arange(1, MATCHES + 1)
    states = NimState(left, jnp.zeros_like(left))
    timestep = state.timestep._replace(
        observation=states,
        legal=jnp.arange(MOST) < left[:, None],
        first=jnp.ones(MATCHES, bool),
    )
    assert planes(jax.tree.map(lambda x: x[0], states)).shape == (1, MATCHES + 1, 1)
    player = system.player(None)
    params = system.params_of(state.learner)
    action, _, _ = jax.jit(player.move)(params, player.init(MATCHES), timestep, jax.random.key(1))
    won = np.asarray(left % 4 != 0)
    np.testing.assert_array_equal((np.asarray(action) + 1)[won], np.asarray(left % 4)[won])
    model = muzero_model(privileged(nim()), make_networks(privileged(nim()), CONFIG.model))
    belief = model.encode(params.network, states, jax.random.key(0))
    value = np.asarray(model.evaluate(params.network, belief, jax.random.key(0)).value)
    assert value[won].min() > 0.5 and value[~won].max() < -0.5, value
