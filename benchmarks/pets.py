"""Speed of PETS at the published sizes, beside the machine's own limit and beside mbrl-lib.

    python benchmarks/pets.py                                    this library and the matrix rate
    python benchmarks/pets.py --peer .venv-mbrl/bin/python       and benchmarks/peers/mbrl_lib.py

Every repeat times a large matrix product, then each program; the fraction of the machine's limit is the
median over repeats of (operations of the networks' matrix products / seconds) / (rate of that product).
Prints a table and writes results/benchmarks/pets.json.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from peers import reported

from imaginax import envs
from imaginax.learning.ensemble import make_fit
from imaginax.models.targets import input_size
from imaginax.runtime import bench
from imaginax.runtime.compilation import compiled
from imaginax.runtime.run_directory import write_json
from imaginax.systems import pets
from imaginax.systems.presets import pets as pets_presets
from imaginax.types import Transition

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "results" / "benchmarks" / "pets.json"
SIZE = 4096  # of the matrix product that stands for the machine's limit
TRAINING_ROWS = 1600  # 50 batches an epoch


class Program(NamedTuple):
    """What is timed: a call, how many units of work it does, and floating-point operations of a unit."""

    call: Callable[[], Any]
    units: int
    flops: float
    compile_s: float


def network_flops(config: pets_presets.PetsConfig) -> float:
    """Operations of the matrix products of one forward pass of one network on one row."""
    env = envs.make(config.env)
    widths = (input_size(env), *config.model.hidden, 2 * env.spec.observation.shape[0])
    return 2.0 * sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True))


def plan(config: pets_presets.PetsConfig) -> Program:
    """One decision: every candidate, particle, step and iteration."""
    system = pets.make(config)
    state = jax.jit(system.init)(jax.random.key(0))
    arguments = (system.params_of(state.learner), state.carry, state.timestep, state.key)
    program = compiled(system.act, *arguments)
    planner = config.planner
    passes = planner.population * config.model.particles * planner.horizon * planner.iterations
    return Program(lambda: program.call(*arguments), 1, passes * network_flops(config), program.seconds)


def training(config: pets_presets.PetsConfig) -> Program:
    """Steps of Adam on batches of 32 a member: forward, and twice that for the gradient."""
    env = envs.make(config.env)
    _, fit = make_fit(env, config.model, config.fit)
    state = jax.jit(pets.make(config).init)(jax.random.key(0))
    observation, following = jax.random.normal(
        jax.random.key(1), (2, TRAINING_ROWS, *env.spec.observation.shape)
    )
    action = jnp.ones((TRAINING_ROWS, *env.spec.action.shape))
    reward = jnp.zeros(TRAINING_ROWS)
    data = Transition(observation, action, reward, reward, following)
    arguments = (state.learner, data, jnp.int32(TRAINING_ROWS), jax.random.key(2))
    program = compiled(fit, *arguments)
    steps = config.fit.epochs * TRAINING_ROWS // config.fit.batch_size
    flops = 3 * config.model.members * config.fit.batch_size * network_flops(config)
    return Program(lambda: program.call(*arguments), steps, flops, program.seconds)


def programs() -> dict[str, Program]:
    """The published cart-pole and half-cheetah, and the laptop preset's decision."""
    cartpole, cheetah = pets_presets.PAPER["pets_cartpole"], pets_presets.PAPER["pets_halfcheetah"]
    return {
        "plan_cartpole": plan(cartpole),
        "plan_halfcheetah": plan(cheetah),
        "train_cartpole": training(cartpole),
        "train_halfcheetah": training(cheetah),
        "plan_laptop": plan(pets_presets.preset("laptop", None)),
    }


def measure(repeats: int) -> dict[str, dict[str, float]]:
    """Times every program beside the matrix product."""
    product, timed = bench.matrix_product(SIZE), programs()
    for program in timed.values():
        bench.seconds(program.call)
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in timed}
    for _ in range(repeats):
        for name, program in timed.items():
            rate = 2.0 * SIZE**3 / bench.seconds(product)
            rows[name].append((bench.seconds(program.call) / program.units, rate))
    return {name: _row(timed[name], pairs) for name, pairs in rows.items()}


def _row(program: Program, pairs: list[tuple[float, float]]) -> dict[str, float]:
    fractions = [program.flops / taken / rate for taken, rate in pairs]
    return {
        "seconds": statistics.median(taken for taken, _ in pairs),
        "fastest": min(taken for taken, _ in pairs),
        "gflop": program.flops / 1e9,
        "matrix_gflop_per_s": statistics.median(rate for _, rate in pairs) / 1e9,
        "fraction_of_matrix_rate": statistics.median(fractions),
        "compile_s": program.compile_s,
    }


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer", help="a python that has mbrl-lib")
    options = parser.parse_args()
    peer = reported.rows(options.peer, "mbrl_lib.py") if options.peer else {}
    rows = measure(options.repeats)
    print(f"{'':<20}{'seconds':>10}{'of matrix rate':>16}{'mbrl-lib':>10}{'ratio':>8}")
    for name, row in rows.items():
        other = peer.get(name, {}).get("seconds")
        compared = f"{other:>10.4f}{other / row['seconds']:>8.1f}" if other else ""
        print(f"{name:<20}{row['seconds']:>10.4f}{row['fraction_of_matrix_rate']:>16.0%}{compared}")
    record = bench.machine() | {
        "repeats": options.repeats,
        "programs": rows,
        "mbrl_lib": peer,
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_json(RESULT, record)


if __name__ == "__main__":
    main()
