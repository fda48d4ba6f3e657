"""Speed of moment matching: a roll-out of 30 steps, 4 states and 1 control, its value and its gradient.

    python benchmarks/moment_matching.py                       writes results/benchmarks/moment_matching.json
    python benchmarks/moment_matching.py --points 100 200      other sizes

The dynamics are Gaussian processes of the cart-pole (6 inputs, sine and cosine of the angle among them, and 4
outputs) in float64. Beside each call runs a float64 matrix product, so that the time is known as a share of
what the machine does. `cpu_ms` is the processor time of a call, which other programs disturb less.

No peer runs here. For orientation only, from another, quiet machine with two cores: a GPflow-based PILCO took
53 ms at 100 points and 159 ms at 200.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from imaginax import envs
from imaginax.models.gp import exact as gp
from imaginax.models.gp import kernels
from imaginax.models.gp.gaussian_dynamics import gaussian_task, inputs, roll_out, variance_step
from imaginax.models.gp.moments import prepare
from imaginax.numerics.gaussian import Gaussian
from imaginax.runtime import bench
from imaginax.runtime.compilation import compiled

OUTPUT = Path(__file__).parents[1] / "results" / "benchmarks" / "moment_matching.json"
STEPS, REPEATS, SIZE = 30, 30, 512


def posterior(task, points: int) -> gp.Posterior:
    """Processes of random data; speed does not depend on what the data are."""
    draw = np.random.default_rng(0)
    states = jnp.array(draw.normal(size=(points, 4)) * [1.0, 2.0, 1.0, 3.0])
    controls = jnp.array(draw.uniform(-10, 10, (points, 1)))
    lengths = jnp.array(draw.uniform(1, 4, (4, 6))).at[:, 5].add(8.0)
    kernel = kernels.make_kernel((kernels.SquaredExponential,), jnp.log(lengths), jnp.zeros(4))
    data = gp.Data(inputs(task, states, controls), jnp.array(0.1 * draw.normal(size=(points, 4))), points)
    return gp.posterior(gp.Hyperparameters(kernel, jnp.full(4, np.log(1e-3))), data)


def cost(task, controls, dynamics):
    """Of a plan, from a belief with a standard deviation of 0.1."""
    start = Gaussian(jnp.zeros(4), 0.01 * jnp.eye(4))
    step = partial(variance_step, task)
    return roll_out(task, step, prepare(dynamics), start, controls).sum()


def measure(points: int) -> dict:
    """Times of one size."""
    task = gaussian_task(envs.make("gpmpc_cartpole"))
    arguments = (jnp.array(np.random.default_rng(1).uniform(-1, 1, (STEPS, 1))), posterior(task, points))
    program = compiled(jax.value_and_grad(partial(cost, task)), *arguments)
    square = jnp.array(np.random.default_rng(2).normal(size=(SIZE, SIZE)))
    product = compiled(jnp.matmul, square, square)
    rows = []
    for _ in range(REPEATS + 1):
        begin, used = time.perf_counter(), time.process_time()
        jax.block_until_ready(program.call(*arguments))
        middle, spent = time.perf_counter(), time.process_time()
        jax.block_until_ready(product.call(square, square))
        rows.append((middle - begin, spent - used, time.perf_counter() - middle))
    walls, cpus, products = zip(*rows[1:], strict=True)
    return {
        "points": points,
        "fastest_ms": 1e3 * min(walls),
        "median_ms": 1e3 * statistics.median(walls),
        "cpu_ms": 1e3 * min(cpus),
        "matrix_product_ms": 1e3 * min(products),
        "compile_s": program.seconds,
    }


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description="Speed of moment matching.")
    parser.add_argument("--points", type=int, nargs="+", default=[100, 200, 300])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    with jax.enable_x64(True):
        rows = [measure(points) for points in options.points]
    for row in rows:
        print({name: round(value, 1) for name, value in row.items()})
    orientation = {"what": "GPflow-based PILCO, another machine", "ms": {"100": 53, "200": 159}}
    record = bench.machine() | {"steps": STEPS, "rows": rows, "orientation": orientation}
    options.output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
