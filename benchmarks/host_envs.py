"""What it brings to learn while environments of the host step: steps a second with and without overlap.

    python benchmarks/host_envs.py [--milliseconds 5] [--steps 100] [--repeats 5]

The environment does nothing but take its time; the learner makes one update a step, of matrix products that
take about as long. Without overlap a step costs the sum of both, with overlap the longer of the two. The
ways take turns. Prints a table and writes results/benchmarks/host_envs.json.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from imaginax import envs
from imaginax.data.replay import item_replay
from imaginax.envs.wrappers import training_environment
from imaginax.runtime.compilation import enable_cache
from imaginax.runtime.host_driver import HostDriver
from imaginax.runtime.plotting import commit
from imaginax.runtime.run_directory import write_json
from imaginax.types import Episodes, Stage, System, SystemState

RESULT = Path(__file__).parents[1] / "results" / "benchmarks" / "host_envs.json"
WIDTH = 256  # of the matrices


class Slow(gymnasium.Env):
    """Sleeps for the length of a step, as a simulator in another process or on other hardware would."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (4,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, seconds: float):
        self.seconds = seconds

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action: np.ndarray):
        time.sleep(self.seconds)
        return np.zeros(4, np.float32), 0.0, False, False, {}


def make_system(seconds: float, products: int, stage: Stage) -> System:
    """Acts at random, in an environment of `seconds` a step; an update is `products` matrix products."""
    name = f"imaginax/Slow{round(1e6 * seconds)}-v0"
    if name not in gymnasium.registry:
        gymnasium.register(name, entry_point=Slow, max_episode_steps=1000, kwargs={"seconds": seconds})
    vector = training_environment(envs.make(f"gym:{name}"), 1)
    replay = item_replay(jnp.zeros(4), 1000, num_envs=1)

    def init(key) -> SystemState:
        state, timestep = vector.init(key)
        zero = jnp.zeros((), jnp.int32)
        return SystemState(jnp.eye(WIDTH), replay.init(), state, timestep, (), key, zero)

    def act(params, carry, timestep, key):
        return carry, jax.random.uniform(key, (1, 1)) + 1e-9 * params[0, 0], {}

    def learn(learner, memory, key):
        learner = jax.lax.fori_loop(0, products, lambda _, w: jnp.tanh(w @ w), learner)
        return learner, {"norm": jnp.linalg.norm(learner)}

    def record(timestep, action, following, extras):
        return following.observation

    return System(
        name="bench",
        config=None,
        environment=vector,
        replay=replay,
        init=init,
        params_of=lambda learner: learner,
        act=act,
        learn=learn,
        record=record,
        evaluate=lambda state, key: Episodes(jnp.zeros(1), ()),
        schedule=(stage,),
    )


def chunk_seconds(system: System, *, overlap: bool) -> float:
    """Of the second chunk; the first warms up."""
    driver = HostDriver(system, 1, overlap=overlap)
    (stage,) = system.schedule
    state, _ = driver.start(jax.random.split(jax.random.key(0), 1))
    call, _ = driver.chunk(stage, state)
    for _ in range(2):
        start = time.perf_counter()
        state, _ = jax.block_until_ready(call(state, np.int32(0)))
        seconds = time.perf_counter() - start
    driver.close()
    return seconds


def products_in(seconds: float) -> int:
    """How many matrix products of an update take so long."""
    trial = 200
    stage = Stage("learn", 1, env_steps=1, updates=10)
    once = chunk_seconds(make_system(0.0, trial, stage), overlap=False) / stage.updates
    return max(1, round(seconds / once * trial))


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--milliseconds", type=float, default=5.0, help="of a step of the environment")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5, help="the fastest counts")
    options = parser.parse_args()
    enable_cache()
    seconds, steps = options.milliseconds / 1000, options.steps
    products = products_in(seconds)
    acting, learning = Stage("act", 1, steps), Stage("learn", 1, steps, updates=steps)
    ways = {
        "environment alone": (make_system(seconds, products, acting), False),
        "learner alone": (make_system(0.0, products, learning), False),
        "in turn": (make_system(seconds, products, learning), False),
        "overlap": (make_system(seconds, products, learning), True),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(options.repeats):
        for way, (system, overlap) in ways.items():
            times[way].append(chunk_seconds(system, overlap=overlap) / steps)
    write(options, products, {way: min(each) for way, each in times.items()})


def write(options: argparse.Namespace, products: int, seconds: dict[str, float]) -> None:
    """Prints the table and writes the file."""
    for way, each in seconds.items():
        print(f"{way:<20}{1e3 * each:8.2f} ms a step{1 / each:9.1f} steps/s")
    speedup = seconds["in turn"] / seconds["overlap"]
    print(f"overlap is {speedup:.2f} times as fast")
    record: dict[str, Any] = vars(options) | {"products": products, "width": WIDTH, "speedup": speedup}
    rates = {way: 1 / each for way, each in seconds.items()}
    record |= {"seconds_a_step": seconds, "steps_per_s": rates, "commit": commit()}
    place = jax.devices()[0]
    device = {"platform": place.platform, "kind": place.device_kind, "cores": os.cpu_count()}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_json(RESULT, record | {"jax": jax.__version__, "device": device})
    print(RESULT)


if __name__ == "__main__":
    main()
