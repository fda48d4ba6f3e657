"""Positions a second of AlphaZero's whole training program, beside what its network alone would allow.

    python benchmarks/alphazero.py                        the laptop preset on Connect Four
    python benchmarks/alphazero.py --env go_9x9 --plies 4
    python benchmarks/alphazero.py --devices 2            a CPU's cores as devices
    python benchmarks/alphazero.py --profile              and what the chunk spends its time on

A chunk of training plays `plies` moves of every game, each with a search, and learns from `updates` batches.
Its network's work is simulations + 1 forward passes a move and three (forward, and two for the gradient) a
position of a batch. Beside the chunk are timed a large matrix product, which says what the machine can do,
and the network alone with the same batches: what the chunk takes longer is search, rules, replay and the
optimiser. Prints a table and writes results/benchmarks/alphazero.json, or alphazero_gpu.json on a GPU;
a game other than Connect Four and the number of several devices are added to the name.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from imaginax import envs
from imaginax.networks.residual import Network, make_network
from imaginax.numerics.sharding import AXIS
from imaginax.runtime import bench, distributed, profile
from imaginax.runtime.compilation import Compiled, compiled
from imaginax.runtime.driver import CompiledDriver
from imaginax.runtime.export import costs
from imaginax.runtime.run import lane_keys
from imaginax.runtime.run_directory import write_json
from imaginax.systems import alphazero
from imaginax.systems.presets import alphazero as alphazero_presets

RESULTS = Path(__file__).parents[1] / "results" / "benchmarks"
LEARNS = np.int32(0)  # index of a chunk that does
SCOPES = (  # of the source, which a profile tells apart
    *("learn", "act", "environment", "replay"),
    *("sample", "network", "optimiser", "simulate", "expand", "rules", "backward"),
)


class Work(NamedTuple):
    """One program: what is called, how often the chunk has its work, the network's share of it, its text."""

    name: str
    program: Compiled
    times: float
    flops: float
    text: str = ""


def network_alone(
    config: alphazero_presets.AlphaZeroConfig, network: Network, shape: tuple[int, ...], mesh: Mesh | None
) -> list[Work]:
    """The forward passes of one move of every game, and the gradients of two updates."""
    variables = jax.jit(network.init)(jax.random.key(0))
    one = costs.count(network.apply, variables, jnp.zeros((1, *shape))).flops
    passes = config.search.simulations + 1
    played, learned = (
        jax.random.normal(jax.random.key(1), (rows, *shape))
        for rows in (config.environments, config.batch_size)
    )
    if mesh:
        variables = jax.device_put(variables, distributed.replicated(mesh))
        played, learned = jax.device_put((played, learned), NamedSharding(mesh, PartitionSpec(AXIS)))
    judging = _bound(partial(judge, network, passes), variables, played)
    learning = _bound(partial(learn, network), variables, learned)
    return [
        Work("network, self-play", judging, config.chunk_plies, one * passes * config.environments),
        Work("network, learning", learning, config.updates / 2, 6 * one * config.batch_size),
    ]


def judge(network: Network, passes: int, variables: Any, planes: Array) -> Array:
    """Forward passes one after the other, each of which needs the one before."""

    def again(planes: Array, _: None) -> tuple[Array, None]:
        logits, value = network.apply(variables, planes)
        return planes + 1e-9 * (logits.mean() + value.mean()), None

    return jax.lax.scan(again, planes, length=passes)[0].mean()


def learn(network: Network, variables: Any, planes: Array) -> Any:
    """Two gradients in a loop, as in training."""

    def error(params: Any) -> Array:
        logits, value, _ = network.train(variables | {"params": params}, planes)
        return jnp.mean(logits**2) + jnp.mean(value**2)

    return jax.lax.map(lambda scale: jax.grad(error)(_scaled(variables["params"], scale)), jnp.ones(2))


def _scaled(params: Any, scale: Array) -> Any:
    return jax.tree.map(lambda leaf: scale * leaf, params)


def _bound(function: Callable[..., Any], *arguments: Any) -> Compiled:
    program = compiled(function, *arguments)
    return program._replace(call=lambda: program.call(*arguments))


def chunks(config: alphazero_presets.AlphaZeroConfig, works: list[Work], mesh: Mesh | None) -> list[Work]:
    """The whole chunk, and the same without learning, each called on its own results."""
    system, (play, learn) = alphazero.make(config), (work.times * work.flops for work in works)
    driver, stage = CompiledDriver(system, 1, mesh), system.schedule[-1]
    found = []
    for name, updates, flops in (("self-play", 0, play), ("chunk", stage.updates, play + learn)):
        state, _ = driver.start(lane_keys({"seed": 0, "seeds": 1})[0])
        program = driver.chunk(dataclasses.replace(stage, updates=updates), state)
        text = program.call.as_text()  # pyright: ignore[reportFunctionMemberAccess]
        found.append(Work(name, program._replace(call=_continued(program, state)), 1, flops, text))
    return found


def _continued(program: Compiled, state: Any) -> Callable[[], Any]:
    kept = [state]

    def call() -> Any:
        kept[0], output = program.call(kept[0], LEARNS)
        return output

    return call


def profiled(work: Work) -> dict[str, Any]:
    """One more call under the profiler: device time by scope, printed too."""
    costs = profile.profile(work.text, work.program.call, SCOPES)
    print(f"{'profile of the chunk':<30}{'seconds':>10}{'instructions':>14}")
    print(f"{'nothing to do':<30}{costs.idle:>10.3f}")
    for scope, seconds in costs.scopes.items():
        print(f"{scope or 'no scope':<30}{seconds:>10.3f}{costs.instructions[scope]:>14,}")
    for kind, (seconds, number) in costs.unplaced.items():
        print(f"  {kind:<28}{seconds:>10.3f}{number:>14,}")
    return costs._asdict()


def measure(works: list[Work], repeats: int) -> dict[str, dict[str, float]]:
    """Seconds of everything in turn, each after a matrix product; of a chunk's worth of it."""
    size = bench.matrix_size()
    product = bench.matrix_product(size)
    pairs: dict[str, list[tuple[float, float]]] = {work.name: [] for work in works}
    for repeat in range(repeats + 1):
        for work in works:
            rate = 2.0 * size**3 / _seconds(product)
            taken = _seconds(work.program.call)
            if repeat:  # the first call does not count
                pairs[work.name].append((taken, rate))
    return {
        work.name: {
            "seconds": work.times * statistics.median(taken for taken, _ in pairs[work.name]),
            "gflop": work.times * work.flops / 1e9,
            "of_matrix_rate": statistics.median(
                work.flops / taken / rate for taken, rate in pairs[work.name]
            ),
            "compile_s": work.program.seconds,
        }
        for work in works
    }


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - start


def configured(options: argparse.Namespace) -> alphazero_presets.AlphaZeroConfig:
    """The preset with a chunk of the wanted length."""
    config = alphazero_presets.preset(options.preset, options.env)
    changes = {"chunk_plies": options.plies, "updates": options.updates}
    return dataclasses.replace(config, **{name: value for name, value in changes.items() if value})


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", default="laptop")
    parser.add_argument("--env", default="connect_four")
    parser.add_argument("--plies", type=int, help="moves of every game in a chunk; default: the preset's")
    parser.add_argument("--updates", type=int, help="of the network in a chunk; default: the preset's")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--devices", type=int, default=1, help="a CPU is divided; default: 1")
    parser.add_argument("--profile", action="store_true", help="the chunk's device time by scope, too")
    options = parser.parse_args()
    distributed.initialise(options.devices)
    mesh = distributed.make_mesh(options.devices) if options.devices > 1 else None
    config = configured(options)
    spec = envs.make(config.env).spec
    shape, actions = spec.observation.shape, spec.action.size  # pyright: ignore[reportAttributeAccessIssue]
    works = network_alone(config, make_network(config.network, shape, actions), shape, mesh)
    works += chunks(config, works, mesh)
    rows = measure(works, options.repeats)
    alone = rows["network, self-play"]["seconds"] + rows["network, learning"]["seconds"]
    whole = rows["chunk"]["seconds"]
    print(f"{'a chunk of':<22}{'seconds':>10}{'of matrix rate':>16}")
    for name, row in rows.items():
        print(f"{name:<22}{row['seconds']:>10.3f}{row['of_matrix_rate']:>16.0%}")
    positions = config.environments * config.chunk_plies / whole
    print(f"{positions:,.0f} positions a second, {alone / whole:.0%} of what the network alone would allow")
    record = {
        "env": config.env,
        "preset": options.preset,
        "config": dataclasses.asdict(config),
        "repeats": options.repeats,
        "devices": options.devices,
        "programs": rows,
        "positions_per_s": positions,
        "simulations_per_s": positions * config.search.simulations,
        "of_network_alone": alone / whole,
    }
    if options.profile:
        record["profile"] = profiled(works[-1])
    RESULTS.mkdir(parents=True, exist_ok=True)
    game = "" if config.env == "connect_four" else f"_{config.env}"
    devices = "" if options.devices == 1 else f"_{options.devices}"
    write_json(RESULTS / bench.result_name(f"alphazero{game}{devices}"), bench.machine() | record)


if __name__ == "__main__":
    main()
