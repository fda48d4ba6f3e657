"""How long `agent.act` takes: what a control loop has to wait for.

    python benchmarks/act_latency.py
    python benchmarks/act_latency.py --calls 50 --only pets

Agents of several systems are made with fresh parameters, which take as long as trained ones. Prints a table:
the first call, which compiles (or finds the program in the cache), and median, 95th percentile and maximum of
further calls. Writes results/benchmarks/act_latency.json, or act_latency_gpu.json on a GPU.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from imaginax import registry
from imaginax.api.agent import Agent
from imaginax.runtime import bench
from imaginax.runtime.checkpoint import Restored
from imaginax.runtime.loop import first_state
from imaginax.runtime.playback import Trained
from imaginax.runtime.precision import precision
from imaginax.runtime.run_directory import RunDirectory, write_json

RESULTS = Path(__file__).parents[1] / "results" / "benchmarks"
CASES = (  # system, preset, environment, what it does in a decision
    ("pets", "laptop", "pets_cartpole", "plans: 100 candidates, 3 iterations, horizon 25, 5 particles"),
    ("pets", "tiny", "diagnostic_lqr", "plans: 100 candidates, 4 iterations, horizon 10, 2 particles"),
    ("pilco", "laptop", "gpmpc_cartpole", "a policy of radial basis functions"),
    ("planet", "laptop", "control_cartpole_swingup", "filters an image, plans in the latent space"),
    ("dreamer", "laptop", "control_cartpole_swingup", "filters an image, then a policy"),
    ("dreamer", "tiny", "diagnostic_lqr", "filters a vector, then a policy"),
)


def untrained(system: str, preset: str, env: str) -> Agent:
    """The agent of a run that has not begun."""
    entry = registry.entry(system)
    made = entry.make(entry.preset(preset, env))
    with precision(made):
        state = jax.jit(first_state(made))(jax.random.split(jax.random.key(0), 1))
    record = {"system": system, "env": env, "seeds": 1, "seed": 0}
    trained = Trained(RunDirectory(Path("nowhere")), record, made, Restored(0, state, {}, ()))
    return Agent(trained, None, lane=0, batch=None, seed=0)


def measure(agent: Agent, calls: int) -> dict[str, Any]:
    """Milliseconds of the first call and of the others."""
    space = agent.system.environment.spec.observation
    observation = np.zeros(space.shape, space.dtype)
    times = []
    for _ in range(calls + 1):
        start = time.perf_counter()
        agent.act(observation)
        times.append(1000 * (time.perf_counter() - start))
    rest = np.asarray(times[1:])
    return {
        "first_ms": round(times[0], 1),
        "median_ms": round(float(np.median(rest)), 3),
        "p95_ms": round(float(np.quantile(rest, 0.95)), 3),
        "max_ms": round(float(rest.max()), 3),
    }


def processor() -> str:
    """Its name as the operating system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if jax.default_backend() != "cpu":
        return jax.devices()[0].device_kind
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=200, help="timed calls after the first; default: 200")
    parser.add_argument("--only", default="", help="systems whose name contains this")
    options = parser.parse_args()
    rows = []
    for system, preset, env, work in CASES:
        if options.only in system:
            row = {"system": system, "preset": preset, "env": env, "work": work}
            rows.append(row | measure(untrained(system, preset, env), options.calls))
            found = rows[-1]
            print(f"{system:<9}{preset:<8}{env:<26}", end="")
            print("  ".join(f"{name} {found[name]}" for name in found if name.endswith("_ms")), flush=True)
    result = {**bench.machine(), "processor": processor(), "calls": options.calls, "rows": rows}
    print(f"processor: {result['processor']}")
    if not options.only:
        path = RESULTS / bench.result_name("act_latency")
        write_json(path, result)
        print(path)


if __name__ == "__main__":
    main()
