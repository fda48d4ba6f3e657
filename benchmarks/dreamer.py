"""Speed of an update of Dreamer and DreamerV2 at the published sizes, beside a port of Dreamer to PyTorch.

    python benchmarks/dreamer.py                                   this library and the matrix rate
    python benchmarks/dreamer.py --peer .venv-torch/bin/python     and benchmarks/peers/dreamer_torch.py

An update is one step of the model, of the actor and of the critic, from sequences of 64x64 images, inside a
`lax.scan` as training has it. `model alone` leaves actor and critic out. Every repeat times a large matrix
product, then each program, then the peer, which has Dreamer alone. Prints a table and writes
results/benchmarks/dreamer.json, or dreamer_gpu.json on a GPU.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
from side_by_side import Program, main, program

from imaginax.learning.actor_critic import adam
from imaginax.learning.learner import gradient_step
from imaginax.systems import dreamer, dreamerv2
from imaginax.systems.imagination import ImaginationLearner, make_parts
from imaginax.systems.presets import dreamer as v1
from imaginax.systems.presets import dreamerv2 as v2
from imaginax.systems.presets.imagination import ImaginationConfig
from imaginax.types import System

BATCHES = ((50, 50), (8, 32))
UPDATES = 2  # of a timed scan


def update(make: Callable[..., System], config: ImaginationConfig, *, peer: bool = False) -> Program:
    """One update, from replay that holds just what it needs."""
    system = make(config)
    state = jax.jit(system.init)(jax.random.key(0))
    return _scanned(
        lambda learner, key: system.learn(learner, state.replay, key)[0], state.learner, config, peer
    )


def model_alone(config: ImaginationConfig) -> Program:
    """One update of the world model."""
    parts, optimiser = make_parts(config, None), adam(config.model_optimiser)
    state = jax.jit(dreamer.make(config).init)(jax.random.key(0))  # pyright: ignore

    def step(learner: ImaginationLearner, key):
        key_data, key_model = jax.random.split(key)
        data = parts.replay.sample(state.replay, key_data)
        return learner._replace(
            model=gradient_step(parts.model.loss, optimiser, learner.model, data, key_model)[0]
        )

    return _scanned(step, state.learner, config, False)


def _scanned(step: Callable, learner: Any, config: ImaginationConfig, peer: bool) -> Program:
    def learn(learner, key):
        keys = jax.random.split(key, UPDATES)
        return jax.lax.scan(lambda now, key: (step(now, key), None), learner, keys)[0]

    request = {"what": "update", "batch": config.batch_size, "sequence": config.sequence}
    return program(learn, learner, jax.random.key(2), units=UPDATES, request=request if peer else None)


def programs() -> dict[str, Program]:
    """All that is measured."""
    made = {}
    for batch, sequence in BATCHES:
        sizes = {"batch_size": batch, "sequence": sequence, "prefill_steps": 64, "memory": 64, "chunks": 1}
        size = f"{batch}x{sequence}"
        first, second = (dataclasses.replace(preset, **sizes) for preset in (v1.PAPER, v2.PAPER))
        made[f"Dreamer {size}"] = update(dreamer.make, first, peer=True)
        made[f"Dreamer {size}, model alone"] = model_alone(first)
        made[f"DreamerV2 {size}"] = update(dreamerv2.make, second)
    return made


if __name__ == "__main__":
    main(__doc__, "dreamer", ("PyTorch", "dreamer_torch.py"), programs)
