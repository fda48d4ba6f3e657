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

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from imaginax import envs
from imaginax.acting import filtering
from imaginax.envs.pixels import pixels
from imaginax.envs.wrappers import unit_actions
from imaginax.learning.learner import gradient_step, init_learner
from imaginax.models.latent.model import latent_model
from imaginax.planners.shooting.planner import make_planner
from imaginax.runtime import bench
from imaginax.runtime.compilation import compiled
from imaginax.runtime.export import costs
from imaginax.runtime.loop import make_chunk
from imaginax.runtime.run_directory import write_json
from imaginax.systems import planet
from imaginax.systems.presets import planet as planet_presets
from imaginax.types import Trajectory

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "benchmarks"
BATCHES = ((50, 50), (8, 32))
TASKS = ("control_cartpole_swingup", "control_cheetah_run")
COLLECTED = 10  # decisions of a timed collection
UPDATES = 2  # of a timed scan


class Program(NamedTuple):
    """What is timed.

    Attributes:
        call: of some units of work.
        units: how many.
        flops: floating-point operations of one.
        steps: environment steps in it.
        request: what asks the peer for the same, if it can do it.
        compile_s: seconds.
    """

    call: Callable[[], Any]
    units: int
    flops: float
    steps: int
    request: dict[str, Any] | None
    compile_s: float


def _program(
    function, *arguments, units: int = 1, steps: int = 0, request: dict[str, Any] | None = None
) -> Program:
    built = compiled(function, *arguments)
    flops = costs.count(function, *arguments).flops / units
    return Program(lambda: built.call(*arguments), units, flops, steps, request, built.seconds)


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
    return _program(learn, learner, data, jax.random.key(2), units=UPDATES, request=request)


def plan(config: planet_presets.PlaNetConfig) -> Program:
    """One decision from one belief."""
    env, model = _model(config)
    planner = make_planner(env.spec, model, config.planner)
    params = jax.jit(model.init)(jax.random.key(0))
    belief = filtering.start(model, env.spec, filtering.by_planning(planner), params, 1).belief

    def decide(params, belief, key):
        return planner.plan(params, belief, planner.init(1), key, None)[0]

    return _program(decide, params, belief, jax.random.key(1), request={"what": "plan"})


def collect(config: planet_presets.PlaNetConfig, stage: int) -> Program:
    """Some decisions of the collection program, without updates."""
    system = planet.make(config)
    part = dataclasses.replace(system.schedule[stage], env_steps=COLLECTED, updates=0)
    state = jax.jit(system.init)(jax.random.key(0))
    steps = COLLECTED * config.environments * config.action_repeat
    return _program(make_chunk(system, part), state, jnp.int32(0), steps=steps)


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


class Peer:
    """mbrl-lib in a process of its own."""

    def __init__(self, python: str):
        script = Path(__file__).parent / "peers" / "mbrl_planet.py"
        self._process = subprocess.Popen(
            [python, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def seconds(self, request: dict[str, Any]) -> float:
        """Of one call there."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request | {"threads": os.cpu_count()}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())["seconds"]

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def measure(repeats: int, peer: Peer | None) -> dict[str, dict[str, Any]]:
    """Times everything in turn."""
    size = bench.matrix_size()
    product, timed = bench.matrix_product(size), programs()
    for program in timed.values():
        bench.seconds(program.call)
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in timed}
    for _ in range(repeats):
        for name, program in timed.items():
            rate = 2.0 * size**3 / bench.seconds(product)
            taken = bench.seconds(program.call) / program.units
            other = peer.seconds(program.request) if peer and program.request else 0.0
            rows[name].append((taken, rate, other))
    return {name: _row(timed[name], found) for name, found in rows.items()}


def _row(program: Program, found: list[tuple[float, float, float]]) -> dict[str, Any]:
    taken = statistics.median(row[0] for row in found)
    other = statistics.median(row[2] for row in found)
    return {
        "seconds": taken,
        "gflop": program.flops / 1e9,
        "matrix_gflop_per_s": statistics.median(row[1] for row in found) / 1e9,
        "fraction_of_matrix_rate": statistics.median(program.flops / row[0] / row[1] for row in found),
        "env_steps_per_s": program.steps / taken,
        "peer_seconds": other or None,
        "peer_over_ours": statistics.median(row[2] / row[0] for row in found) or None,
        "compile_s": program.compile_s,
    }


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", help="a python that has mbrl-lib")
    options = parser.parse_args()
    peer = Peer(options.peer) if options.peer else None
    rows = measure(options.repeats, peer)
    print(f"{'':<42}{'seconds':>9}{'of matrix rate':>16}{'steps/s':>9}{'mbrl-lib':>10}{'ratio':>7}")
    for name, row in rows.items():
        steps = f"{row['env_steps_per_s']:>9,.0f}" if row["env_steps_per_s"] else " " * 9
        beside = f"{row['peer_seconds']:>10.3f}{row['peer_over_ours']:>7.1f}" if row["peer_seconds"] else ""
        print(f"{name:<42}{row['seconds']:>9.3f}{row['fraction_of_matrix_rate']:>16.0%}{steps}{beside}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_json(
        RESULTS / bench.result_name("planet"),
        bench.machine() | {"repeats": options.repeats, "programs": rows},
    )
    if peer:
        peer.close()


if __name__ == "__main__":
    main()
