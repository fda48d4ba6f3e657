"""What it costs to spread a program over devices: a plan and a fit of PETS on 1 to 8 devices of one CPU.

    python benchmarks/scaling.py [--devices 1 2 4 8] [--repeats 3]

All devices are parts of the same cores, so the work of a call stays the same, and a perfect program takes as
long on eight devices as on one: what it takes longer is overhead, of collectives, of smaller products, and of
what every device repeats (all of the fit, whose batches of 32 are not worth splitting; `share` is the part
of one device's operations that each of several does). Each number of devices is a process of its own, and
they take turns. Prints a table and writes results/benchmarks/scaling.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "results" / "benchmarks" / "scaling.json"
CALLS = 5


def measure(devices: int, population: int) -> dict[str, Any]:
    """Seconds a call, operations of one device and collectives, in a process with `devices` devices."""
    import jax
    import numpy as np

    from imaginax.runtime import distributed
    from imaginax.runtime.compilation import enable_cache
    from imaginax.runtime.driver import CompiledDriver
    from imaginax.runtime.export import executable
    from imaginax.runtime.run import lane_keys
    from imaginax.systems import pets
    from imaginax.systems.presets import pets as pets_presets
    from imaginax.types import Stage

    distributed.initialise(devices)
    enable_cache()
    config = pets_presets.preset("laptop", None)
    planner = dataclasses.replace(config.planner, population=population)
    system = pets.make(dataclasses.replace(config, planner=planner))
    driver = CompiledDriver(system, 1, distributed.make_mesh(devices) if devices > 1 else None)
    state, _ = driver.start(lane_keys({"seed": 0, "seeds": 1})[0])
    random, _ = system.schedule
    state, _ = driver.chunk(random, state).call(state, np.int32(0))
    found = {}
    for stage in (Stage("plan", 1, env_steps=1), Stage("fit", 1, env_steps=0, updates=1)):
        program = driver.chunk(stage, state)
        state, _ = jax.block_until_ready(program.call(state, np.int32(0)))
        seconds = []
        for _ in range(CALLS):
            start = time.perf_counter()
            state, _ = jax.block_until_ready(program.call(state, np.int32(0)))
            seconds.append(time.perf_counter() - start)
        found[stage.name] = {
            "seconds": statistics.median(seconds),
            "compile_s": program.seconds,
            "flops_of_a_device": program.call.cost_analysis()["flops"],
            "collectives": {
                name: each._asdict() for name, each in executable.collectives(program.call.as_text()).items()
            },
        }
    return found


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--population", type=int, default=128, help="candidate plans")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.child, options.population)))
        return
    runs: dict[int, list[dict[str, Any]]] = {devices: [] for devices in options.devices}
    for _ in range(options.repeats):
        for devices in options.devices:
            command = [
                sys.executable,
                __file__,
                "--child",
                str(devices),
                "--population",
                str(options.population),
            ]
            child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            runs[devices].append(json.loads(child.stdout.splitlines()[-1]))
    write(
        options.population,
        {devices: summary(each, runs[options.devices[0]]) for devices, each in runs.items()},
    )


def summary(runs: list[dict[str, Any]], ones: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over repeats; overhead is measured against one device within each repeat."""
    found = {}
    for name, last in runs[-1].items():
        ratios = [run[name]["seconds"] / one[name]["seconds"] for run, one in zip(runs, ones, strict=True)]
        found[name] = last | {
            "seconds": statistics.median(run[name]["seconds"] for run in runs),
            "overhead": statistics.median(ratios) - 1,
            "share_of_a_device": last["flops_of_a_device"] / ones[-1][name]["flops_of_a_device"],
        }
    return found


def write(population: int, table: dict[int, dict[str, Any]]) -> None:
    """Prints the table and writes the file."""
    from imaginax.runtime import plotting
    from imaginax.runtime.run_directory import write_json

    print(f"{'devices':<9}{'program':<9}{'seconds':>9}{'overhead':>10}{'share':>8}  collectives a call")
    for devices, programs in table.items():
        for name, row in programs.items():
            kinds = ", ".join(
                f"{each['runs']} {kind} ({each['bytes_run'] / 1e3:.1f} kB)"
                for kind, each in row["collectives"].items()
            )
            print(
                f"{devices:<9}{name:<9}{row['seconds']:>9.4f}{row['overhead']:>10.1%}"
                f"{row['share_of_a_device']:>8.3f}  {kinds or 'none'}"
            )
    record = {
        "system": "pets",
        "preset": "laptop",
        "population": population,
        "programs": table,
        "commit": plotting.commit(),
        "jax": metadata.version("jax"),
        "device": {"platform": "cpu", "cores": os.cpu_count()},
    }
    write_json(RESULT, record)
    print(RESULT.relative_to(ROOT))


if __name__ == "__main__":
    main()
