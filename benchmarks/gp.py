"""Speed of the marginal likelihood and its gradient, beside the machine's limit and other libraries.

    OPENBLAS_NUM_THREADS=1 python benchmarks/gp.py
    OPENBLAS_NUM_THREADS=1 python benchmarks/gp.py --peer .venv-gp/bin/python   and peers/gp_libraries.py

N = 500 rows, 6 inputs, 4 outputs, float32, squared exponential kernel. The work that counts is what a
Cholesky factor and the inverse from it need for each output, N^3 / 3 + 2 N^3 / 3 operations, over the rate
of a large matrix product timed beside every repeat. Prints a table and writes results/benchmarks/gp.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from imaginax.models import gp
from imaginax.runtime import plotting
from imaginax.runtime.compilation import compiled
from imaginax.runtime.run_directory import write_json

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "results" / "benchmarks" / "gp.json"
ROWS, FEATURES, OUTPUTS = 500, 6, 4
SIZE = 4096  # of the matrix product that stands for the machine's limit


def seconds(call: Callable[[], Any]) -> float:
    """Of one call, its result waited for."""
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


def measure(repeats: int) -> dict[str, float]:
    """Times the value and gradient beside the matrix product."""
    key_x, key_y, key_a = jax.random.split(jax.random.key(0), 3)
    data = gp.Data(
        jax.random.normal(key_x, (ROWS, FEATURES)), jax.random.normal(key_y, (ROWS, OUTPUTS)), ROWS
    )
    start = gp.initial(("se",), OUTPUTS, FEATURES)
    program = compiled(jax.value_and_grad(lambda h: gp.log_likelihood(h, data).sum()), start)
    a, b = jax.random.normal(key_a, (2, SIZE, SIZE))
    product = jax.jit(jnp.matmul)
    taken, rates = [], []
    for _ in range(repeats + 1):
        rates.append(2.0 * SIZE**3 / seconds(lambda: product(a, b)))
        taken.append(statistics.median(seconds(lambda: program.call(start)) for _ in range(5)))
    taken, rates = taken[1:], rates[1:]
    flops = OUTPUTS * float(ROWS) ** 3
    fractions = [flops / second / rate for second, rate in zip(taken, rates, strict=True)]
    return {
        "seconds": statistics.median(taken),
        "fastest": min(taken),
        "gflop": flops / 1e9,
        "matrix_gflop_per_s": statistics.median(rates) / 1e9,
        "fraction_of_matrix_rate": statistics.median(fractions),
        "compile_s": program.seconds,
    }


def measure_peers(python: str) -> dict[str, dict[str, Any]]:
    """What benchmarks/peers/gp_libraries.py reports, run by an interpreter that has them."""
    script = Path(__file__).parent / "peers" / "gp_libraries.py"
    output = subprocess.run([python, str(script)], capture_output=True, text=True, check=True).stdout
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return {row["what"]: row for row in rows}


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer", help="a python that has GPyTorch and GPJax")
    options = parser.parse_args()
    peers = measure_peers(options.peer) if options.peer else {}
    row, load = measure(options.repeats), os.getloadavg()
    print(f"{'':<12}{'median ms':>11}{'fastest ms':>12}")
    for name, times in {"imaginax": row, **peers}.items():
        print(f"{name:<12}{1e3 * times['seconds']:>11.1f}{1e3 * times['fastest']:>12.1f}")
    print(f"of the matrix rate {row['fraction_of_matrix_rate']:.0%}; load average {load[0]:.1f}")
    device = jax.devices()[0]
    record = {
        "commit": plotting.commit(),
        "jax": jax.__version__,
        "device": {"platform": device.platform, "kind": device.device_kind, "cores": os.cpu_count()},
        "load_average": load[0],
        "openblas_num_threads": os.environ.get("OPENBLAS_NUM_THREADS"),
        "repeats": options.repeats,
        "likelihood_and_gradient": row,
        "peers": peers,
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_json(RESULT, record)


if __name__ == "__main__":
    main()
