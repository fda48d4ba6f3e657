"""Speed of the marginal likelihood and its gradient, beside the machine's limit and other libraries.

    OPENBLAS_NUM_THREADS=1 python benchmarks/gp.py
    OPENBLAS_NUM_THREADS=1 python benchmarks/gp.py --peer .venv-gp/bin/python   and peers/gp_libraries.py

N = 500 rows, 6 inputs, 4 outputs, float32, squared exponential kernel. The work that counts is what a
Cholesky factor and the inverse from it need for each output, N^3 / 3 + 2 N^3 / 3 operations, over the rate
of a large matrix product timed beside every repeat. Prints a table and writes results/benchmarks/gp.json.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

import jax
from peers import reported

from imaginax.models.gp import exact as gp
from imaginax.runtime import bench
from imaginax.runtime.compilation import compiled
from imaginax.runtime.run_directory import write_json

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "results" / "benchmarks" / "gp.json"
ROWS, FEATURES, OUTPUTS = 500, 6, 4
SIZE = 4096  # of the matrix product that stands for the machine's limit


def measure(repeats: int) -> dict[str, float]:
    """Times the value and gradient beside the matrix product."""
    key_x, key_y = jax.random.split(jax.random.key(0))
    data = gp.Data(
        jax.random.normal(key_x, (ROWS, FEATURES)), jax.random.normal(key_y, (ROWS, OUTPUTS)), ROWS
    )
    start = gp.initial(("se",), OUTPUTS, FEATURES)
    program = compiled(jax.value_and_grad(lambda h: gp.log_likelihood(h, data).sum()), start)
    product = bench.matrix_product(SIZE)
    taken, rates = [], []
    for _ in range(repeats + 1):
        rates.append(2.0 * SIZE**3 / bench.seconds(product))
        taken.append(statistics.median(bench.seconds(lambda: program.call(start)) for _ in range(5)))
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


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer", help="a python that has GPyTorch and GPJax")
    options = parser.parse_args()
    peers = reported.rows(options.peer, "gp_libraries.py") if options.peer else {}
    row, load = measure(options.repeats), os.getloadavg()
    print(f"{'':<12}{'median ms':>11}{'fastest ms':>12}")
    for name, times in {"imaginax": row, **peers}.items():
        print(f"{name:<12}{1e3 * times['seconds']:>11.1f}{1e3 * times['fastest']:>12.1f}")
    print(f"of the matrix rate {row['fraction_of_matrix_rate']:.0%}; load average {load[0]:.1f}")
    record = bench.machine() | {
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
