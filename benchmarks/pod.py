"""How far one decision of PETS spreads over a TPU pod, predicted from what the TPU's own compiler made.

    pip install -e ".[tpu-aot]" && python benchmarks/pod.py

Compiles the published cart-pole controller for 1 to 256 chips of TPU v5e, without a TPU; it has 1024 instead
of 400 candidates, so that 256 chips can share them. The prediction is a roofline: a decision takes at least
the longer of a chip's operations at the peak rate and its memory traffic at the peak bandwidth, and then
the bytes that cross the network at its bandwidth and EXCHANGE_S for each exchange, the one number that is
assumed. Nothing is run, so these are bounds: the plan for a measurement, not its result. Prints a table
and writes results/benchmarks/pod.json.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from imaginax.runtime import distributed, plotting
from imaginax.runtime.driver import CompiledDriver
from imaginax.runtime.export import aot
from imaginax.runtime.export.executable import Collective
from imaginax.runtime.loop import make_chunk
from imaginax.runtime.run_directory import write_json
from imaginax.systems import pets
from imaginax.systems.presets import pets as pets_presets
from imaginax.types import Stage, System

RESULT = Path(__file__).parents[1] / "results" / "benchmarks" / "pod.json"
TARGETS = ("v5e:2x2", "v5e:4x4", "v5e:8x8", "v5e:16x16")
POPULATION, ITERATIONS = 1024, 5

# Of one TPU v5e chip, as published (cloud.google.com/tpu/docs/v5e): bfloat16 operations a second, which is
# how jax multiplies float32 matrices there by default; bytes a second of its memory and of all its links.
PEAK_FLOPS, MEMORY_BANDWIDTH, LINK_BANDWIDTH = 197e12, 819e9, 200e9
EXCHANGE_S = 10e-6

_COLUMNS = "{:>5}{:>9}{:>11}{:>8}{:>9}{:>10}{:>12}  {}"


def planner() -> System:
    """The published controller, as a system."""
    config = pets_presets.preset("paper", "pets_cartpole")
    shooting = dataclasses.replace(config.planner, population=POPULATION, iterations=ITERATIONS)
    return pets.make(dataclasses.replace(config, planner=shooting))


def decision(system: System, target: aot.Target, devices: int) -> aot.Report:
    """One environment step of the compiled program, on the first chip or on all."""
    mesh = distributed.make_mesh(target.devices[:devices])
    shapes = CompiledDriver(system, 1, mesh).shapes()
    chunk = jax.vmap(make_chunk(system, Stage("plan", 1, env_steps=1)), in_axes=(0, None))
    index = jax.ShapeDtypeStruct((), jnp.int32)
    return aot.compile_for(target, "plan", chunk, (shapes, index), mesh=mesh)


def predict(report: aot.Report, alone: aot.Report) -> dict[str, Any]:
    """Seconds of a decision, and what limits it."""
    share = (report.device_flops or 0.0) / (alone.device_flops or 1.0)
    kinds = report.collectives.values()
    exchanged = sum(each.bytes_run * _rounds(each) for each in kinds)
    exchanges = sum(each.runs * _rounds(each) for each in kinds)
    seconds = {
        "operations": report.costs.flops * share / PEAK_FLOPS,
        "memory": report.costs.bytes * share / MEMORY_BANDWIDTH,
        "network": exchanged / LINK_BANDWIDTH + exchanges * EXCHANGE_S,
    }
    total = max(seconds["operations"], seconds["memory"]) + seconds["network"]
    return {
        "chips": report.devices,
        "share": share,
        "exchanges": exchanges,
        "bytes_exchanged": exchanged,
        "memory_of_a_chip": report.memory and report.memory.total,
        "compile_s": report.seconds,
        "seconds": seconds,
        "predicted_s": total,
        "limit": max(seconds, key=lambda name: seconds[name]),
    }


def _rounds(each: Collective) -> int:
    """How often CEM's loop, the only one around exchanges, runs at most: the compiler does not know."""
    return ITERATIONS if each.open_loops else 1


def _show(row: dict[str, Any], alone: dict[str, Any]) -> None:
    row["speed_up"] = alone["predicted_s"] / row["predicted_s"]
    cells = [
        row["chips"],
        f"{row['share']:.4f}",
        row["exchanges"],
        f"{row['bytes_exchanged'] / 1e3:.1f}",
        f"{row['predicted_s'] * 1e3:.3f}",
        f"{row['speed_up']:.1f}",
        f"{row['speed_up'] / row['chips']:.0%}",
        row["limit"],
    ]
    print(_COLUMNS.format(*cells), flush=True)


def main() -> None:
    """Compiles, predicts and writes."""
    if importlib.util.find_spec("libtpu") is None:
        print("the TPU's compiler is not installed: pip install -e '.[tpu-aot]'")
        return
    aot.prepare()
    system, target = planner(), aot.open_target(TARGETS[0])
    print(_COLUMNS.format("chips", "share", "exchanges", "kB", "ms", "speed-up", "efficiency", "limit"))
    alone = decision(system, target, 1)
    rows = [predict(alone, alone)]
    _show(rows[0], rows[0])
    for target in map(aot.open_target, TARGETS):
        rows.append(predict(decision(system, target, len(target.devices)), alone))
        _show(rows[-1], rows[0])
    about = {"system": "pets", "preset": "paper", "population": POPULATION, "target": "TPU v5e"}
    assumed = {
        "peak_flops": PEAK_FLOPS,
        "memory_bandwidth": MEMORY_BANDWIDTH,
        "link_bandwidth": LINK_BANDWIDTH,
    }
    assumed["exchange_s"] = EXCHANGE_S
    record = about | {"commit": plotting.commit(), "jax": jax.__version__, "assumed": assumed}
    write_json(RESULT, record | {"programs": rows})
    print(RESULT.relative_to(RESULT.parents[2]))


if __name__ == "__main__":
    main()
