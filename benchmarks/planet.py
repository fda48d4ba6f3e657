"""Speed of PlaNet at the published sizes, beside the machine's own limit and beside mbrl-lib's PlaNet.

    python benchmarks/planet.py                                    this library and the matrix rate
    python benchmarks/planet.py --peer .venv-mbrl/bin/python       and benchmarks/peers/mbrl_planet.py

`update`: one step of learning from sequences of 64x64 images, at two sizes of batch, inside a `lax.scan` as
training has it (on a CPU XLA takes other convolutions there than outside of one). `plan`: one decision.
`collect`: steps of the whole collection program on some tasks (physics, ray-casting, filtering, replay) with
the published search and without any (random actions). Every repeat times a large matrix product, then each
program, then the peer. Prints a table and writes results/benchmarks/planet.json, or planet_gpu.json on a GPU.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from side_by_side import Program, main, program

from imaginax import envs
from imaginax.acting import filtering
from imaginax.envs.pixels import pixels
from imaginax.envs.wrappers import unit_actions
from imaginax.learning.learner import gradient_step, init_learner
from imaginax.models.latent.model import latent_model
from imaginax.planners.shooting.planner import make_planner
from imaginax.runtime.loop import make_chunk
from imaginax.systems import planet
from imaginax.systems.presets import planet as planet_presets
from imaginax.types import Trajectory

BATCHES = ((50, 50), (8, 32))
TASKS = ("control_cartpole_swingup", "control_cheetah_run")
COLLECTED = 10  # decisions of a timed collection
UPDATES = 2  # of a timed scan


def _model(config: planet_presets.PlaNetConfig):
    env = pixels(unit_actions(envs.make(config.env, action_repeat=config.action_repeat)), config.image)
    return env, latent_model(env.spec, config.model, config.objective)


def update(config: planet_presets.PlaNetConfig, batch: int, sequence: int) -> Program:
    """One step of learning, from data that is there."""
    env, model = _model(config)
    optimiser = planet.make_optimiser(config)
    params = jax.jit(model.init)(jax.random.key(0))
    learner = init_learner(params, optimiser)
    shape = (batch, sequence, *env.spec.observation.shape)
    images = jax.random.randint(jax.random.key(1), shape, 0, 256).astype(jnp.uint8)
    ones = jnp.ones((batch, sequence))
    data = Trajectory(images, jnp.ones((batch, sequence, *env.spec.action.shape)), ones, ones, ones < 0)

    def update(learner, data, key):
        return gradient_step(model.loss, optimiser, learner, data, key)[:2]

    def learn(learner, data, key):
        return jax.lax.scan(lambda now, key: update(now, data, key), learner, jax.random.split(key, UPDATES))

    request = {"what": "update", "batch": batch, "sequence": sequence}
    return program(learn, learner, data, jax.random.key(2), units=UPDATES, request=request)


def plan(config: planet_presets.PlaNetConfig) -> Program:
    """One decision from one belief."""
    env, model = _model(config)
    planner = make_planner(env.spec, model, config.planner)
    params = jax.jit(model.init)(jax.random.key(0))
    belief = filtering.start(model, env.spec, filtering.by_planning(planner), params, 1).belief

    def decide(params, belief, key):
        return planner.plan(params, belief, planner.init(1), key, None)[0]

    return program(decide, params, belief, jax.random.key(1), request={"what": "plan"})


def collect(config: planet_presets.PlaNetConfig, stage: int) -> Program:
    """Some decisions of the collection program, without updates."""
    system = planet.make(config)
    part = dataclasses.replace(system.schedule[stage], env_steps=COLLECTED, updates=0)
    state = jax.jit(system.init)(jax.random.key(0))
    steps = COLLECTED * config.environments * config.action_repeat
    return program(make_chunk(system, part), state, jnp.int32(0), steps=steps)


def programs() -> dict[str, Program]:
    """All that is measured."""
    paper = planet_presets.PAPER
    made = {f"update {b}x{t}": update(paper[TASKS[0]], b, t) for b, t in BATCHES}
    made["plan"] = plan(paper[TASKS[0]])
    for task in TASKS:
        many = dataclasses.replace(paper[task], environments=8, seed_episodes=8, memory=200)
        made[f"collect {task}"] = collect(dataclasses.replace(paper[task], memory=200), 1)
        made[f"collect {task}, 8 at random"] = collect(many, 0)
    return made


if __name__ == "__main__":
    main(__doc__, "planet", ("mbrl-lib", "mbrl_planet.py"), programs)
