"""The control suite on MJX: how close to dm_control its physics stays, and how fast it runs.

    python benchmarks/control.py [--only control_walker_walk ...] [--worlds 8 64] [--steps 200]

For each task: the greatest and the 90th percentile of the error that one control step makes from the states
which benchmarks/peers/dm_control_suite.py recorded, and of roll-outs of 10 and 40 steps; control steps a
second of many worlds in one scan, bare and with resets inside (`training_environment`); seconds to compile;
and whether a step lowers for TPU and CUDA. Prints a table and writes results/benchmarks/control.json.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from imaginax.envs import wrappers
from imaginax.envs.control import suite
from imaginax.envs.control.tasks import TASKS
from imaginax.runtime.plotting import commit
from imaginax.runtime.run_directory import write_json
from imaginax.types import Environment

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "tests" / "envs" / "control" / "reference"
RESULT = ROOT / "results" / "benchmarks" / "control.json"
HORIZONS = (10, 40)


def placed(env: Environment, q: Any, qd: Any, target: Any) -> Any:
    """A state of `env` with its joints and its target there."""
    state, _ = env.init(jax.random.key(0))
    body = state.body._replace(q=q, qd=qd, warmstart=jnp.zeros_like(q))
    return state._replace(body=body, target=target if target.size else None)


def step_from(env: Environment, q: Any, qd: Any, target: Any, action: Any) -> Any:
    """What one step leads to."""
    return env.step(placed(env, q, qd, target), action, jax.random.key(0))


def roll_out(env: Environment, q: Any, qd: Any, target: Any, actions: Any) -> Any:
    """What each of some steps leads to."""
    return jax.lax.scan(partial(env.step, key=jax.random.key(0)), placed(env, q, qd, target), actions)[1]


def errors(env: Environment, name: str) -> dict[str, Any]:
    """Greatest errors, of positions, velocities, observations and rewards."""
    with np.load(REFERENCE / f"{name}.npz") as file:
        rows = {key: file[key] for key in ("q", "qd", "action", "observation", "reward", "target")}
    targets = np.repeat(rows["target"][:, None], rows["action"].shape[1], axis=1)
    one = jax.jit(jax.vmap(jax.vmap(partial(step_from, env))))
    state, timestep = one(rows["q"][:, :-1], rows["qd"][:, :-1], targets, rows["action"])
    off = {
        "q": state.body.q - rows["q"][:, 1:],
        "qd": state.body.qd - rows["qd"][:, 1:],
        "observation": timestep.observation - rows["observation"],
        "reward": (timestep.reward - rows["reward"])[..., None],
    }
    found: dict[str, Any] = {}
    for what, error in off.items():
        error = np.abs(error).max(axis=-1)
        found[what] = {"max": float(error.max()), "p90": float(np.percentile(error, 90))}
    many = jax.jit(jax.vmap(partial(roll_out, env)))
    timestep = many(rows["q"][:, 0], rows["qd"][:, 0], rows["target"], rows["action"])
    drift = np.abs(timestep.observation - rows["observation"]).max(axis=-1)
    return {"step": found, "roll_out": {str(length): drift[:, length - 1].tolist() for length in HORIZONS}}


def speed(env: Environment, worlds: int, steps: int) -> dict[str, float]:
    """Control steps a second of all worlds together, in one scan, and seconds to compile it."""

    def act(carry, key):
        key_act, key_step = jax.random.split(key)
        action = jax.random.uniform(key_act, (worlds, *env.spec.action.shape), minval=-1.0, maxval=1.0)
        state, timestep = env.step(carry, action, key_step)
        return wrappers.strip_weak_types(state), timestep.reward

    keys = jax.random.split(jax.random.key(1), steps)
    state, _ = jax.jit(env.init)(jax.random.key(0))
    start = time.perf_counter()
    run = jax.jit(partial(jax.lax.scan, act)).lower(state, keys).compile()
    compile_s = time.perf_counter() - start
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        state, rewards = jax.block_until_ready(run(state, keys))
        seconds.append(time.perf_counter() - start)
    assert np.isfinite(rewards).all()
    return {"compile_s": compile_s, "steps_per_s": worlds * steps / min(seconds)}


def lowering(env: Environment) -> dict[str, float]:
    """Seconds to lower a step for each kind of accelerator."""
    state, _ = jax.eval_shape(env.init, jax.random.key(0))
    action = jax.ShapeDtypeStruct(env.spec.action.shape, jnp.float32)
    seconds = {}
    for platform in ("tpu", "cuda"):
        start = time.perf_counter()
        export.export(jax.jit(env.step), platforms=[platform])(state, action, jax.random.key(0))
        seconds[platform] = time.perf_counter() - start
    return seconds


def measure(name: str, worlds: list[int], steps: int) -> dict[str, Any]:
    """Everything about one task."""
    start = time.perf_counter()
    env = suite.make(name)
    found: dict[str, Any] = {"make_s": time.perf_counter() - start, "errors": errors(env, name)}
    found[f"bare_{worlds[0]}"] = speed(wrappers.vectorise(env, worlds[0]), worlds[0], steps)
    for count in worlds:
        stack = wrappers.training_environment(wrappers.time_limit(env), count)
        found[f"resetting_{count}"] = speed(stack, count, steps)
    return found | {"lower_s": lowering(env)}


def show(name: str, found: dict[str, Any]) -> None:
    """One task's rows of the table."""
    step, drift = found["errors"]["step"], found["errors"]["roll_out"]
    print(name)
    for what, error in step.items():
        print(f"  one step, {what:<12} max {error['max']:.1e}   90% {error['p90']:.1e}")
    for length, each in drift.items():
        print(f"  {length:>3} steps, observation  {'  '.join(f'{error:.1e}' for error in each)}")
    for key, value in found.items():
        if isinstance(value, dict) and "steps_per_s" in value:
            print(f"  {key:<14}{value['steps_per_s']:10.0f} steps/s   compiled in {value['compile_s']:.1f} s")
    lower = ", ".join(f"{platform} {seconds:.1f} s" for platform, seconds in found["lower_s"].items())
    print(f"  made in {found['make_s']:.1f} s; lowered for {lower}", flush=True)


def write(tasks: dict[str, Any], steps: int) -> None:
    """Writes what is there so far; other tasks keep what was measured of them."""
    place = jax.devices()[0]
    device = {"platform": place.platform, "kind": place.device_kind, "cores": os.cpu_count()}
    load = os.getloadavg()[0]  # the machine's, in the last minute: other programs' work is in the times
    made = {"commit": commit(), "jax": jax.__version__, "device": device, "load": load, "steps": steps}
    kept = json.loads(RESULT.read_text())["tasks"] if RESULT.exists() else {}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_json(RESULT, {"tasks": kept | {name: made | found for name, found in tasks.items()}})


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--worlds", nargs="+", type=int, default=[8, 64])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    for name in options.only:
        found = measure(name, options.worlds, options.steps)
        show(name, found)
        if not options.dry:
            write({name: found}, options.steps)


if __name__ == "__main__":
    main()
