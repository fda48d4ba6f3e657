"""Control steps a second of GP-MPC on the cart-pole, trial by trial: the fit, then 30 plans.

    python benchmarks/gp_mpc.py     one seed of preset `laptop`; writes results/benchmarks/gp_mpc.json

A control step of the task takes 0.1 s: ten a second are real time.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from imaginax.runtime import bench
from imaginax.runtime.run import train
from imaginax.runtime.run_directory import write_json
from imaginax.systems import gp_mpc
from imaginax.systems.presets import gp_mpc as gp_mpc_presets

OUTPUT = Path(__file__).parents[1] / "results" / "benchmarks" / "gp_mpc.json"


def measure(folder: Path) -> list[dict]:
    """One row a trial after the random one; the first is left out, because it compiles."""
    config = gp_mpc_presets.preset("laptop", None)
    train(gp_mpc.make(config), logdir=folder)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [
        {
            "points": before["env_steps"],
            "steps_per_s": (after["env_steps"] - before["env_steps"]) / (after["wall_s"] - before["wall_s"]),
            "return": after["episode_return"],
        }
        for before, after in zip(lines[1:], lines[2:], strict=False)
    ]


def main() -> None:
    """Measures and writes."""
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder) / "run")
    for row in rows:
        speed = f"{row['steps_per_s']:5.2f} control steps/s"
        print(f"{row['points']:4d} points  {speed}  return {row['return']:.1f}")
    write_json(OUTPUT, bench.machine() | {"rows": rows})
    print(f"written to {OUTPUT}")


if __name__ == "__main__":
    main()
