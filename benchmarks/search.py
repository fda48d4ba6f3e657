"""Simulations a second of this library's tree search, beside LightZero's C++ tree.

    python benchmarks/search.py                                        this library alone
    python benchmarks/search.py --peer .venv-lightzero/bin/python      and benchmarks/peers/lightzero.py

For each game: `tree`, the search alone, with values and logits out of a table; `network`, in which the leaves
are judged by a residual network that sees their planes; and `rules`, AlphaZero's search: the network and the
rules of the game. LightZero's tree knows no rules, so it is beside the first two only. Both libraries take
turns in one run, on the same number of cores. Prints a table and writes results/benchmarks/search.json, or
search_alone.json without the peer.
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
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "benchmarks"
GAMES = ("connect_four", "go_9x9")
TABLE = 4096  # rows of values and logits that stand for a network


class Task(NamedTuple):
    """What is searched; `network` is None for the tree alone."""

    game: str
    kind: str
    shape: tuple[int, int, int]
    actions: int
    batch: int
    simulations: int
    network: dict[str, Any] | None

    def request(self, threads: int) -> str:
        """The line that asks benchmarks/peers/lightzero.py for the same."""
        asked = ("shape", "actions", "batch", "simulations", "network")
        return json.dumps({name: getattr(self, name) for name in asked} | {"threads": threads})


def tasks(batch: int, simulations: int, network: dict[str, Any]) -> list[Task]:
    """All that is measured."""
    from imaginax import envs

    found = []
    for game in GAMES:
        spec = envs.make(game).spec
        shape, actions = tuple(spec.observation.shape), spec.action.size  # pyright: ignore[reportAttributeAccessIssue]
        for kind in ("tree", "network", "rules"):
            judged = None if kind == "tree" else network
            found.append(Task(game, kind, shape, actions, batch, simulations, judged))  # pyright: ignore[reportArgumentType]
    return found


def make_model(task: Task) -> tuple[Any, Any, Any]:
    """The world model that is searched, its parameters and the beliefs at the roots."""
    import jax

    from imaginax import envs
    from imaginax.models.rules import guided_rules
    from imaginax.networks.config import NetworkConfig
    from imaginax.networks.residual import make_network

    key = jax.random.key(0)
    if task.network is None:
        return table_model(task), *table(task, key)
    network = make_network(NetworkConfig(**task.network), task.shape, task.actions)
    params = jax.jit(network.init)(key)
    if task.kind == "network":
        return still_model(network), params, jax.random.normal(key, (task.batch, *task.shape))
    env = envs.make(task.game)
    model = guided_rules(env, network.init, network.apply)
    states = jax.jit(jax.vmap(lambda key: env.init(key)[0]))(jax.random.split(key, task.batch))
    return model, params, jax.jit(model.encode)(params, states, key)


def table(task: Task, key: Any) -> tuple[Any, Any]:
    """Values and logits, and the rows at which the roots stand."""
    import jax
    import jax.numpy as jnp

    values = jax.random.uniform(key, (TABLE,), minval=-1.0)
    return (values, jax.random.normal(key, (TABLE, task.actions))), jnp.arange(task.batch)


def table_model(task: Task) -> Any:
    """A game whose positions are rows of a table; each action leads to another row."""
    from imaginax.types import Evaluation

    def evaluate(params: Any, belief: Any, key: Any) -> Evaluation:
        values, logits = params
        return Evaluation(values[belief], logits[belief])

    return _game(evaluate, lambda belief, action: (belief * task.actions + action + 1) % TABLE)


def still_model(network: Any) -> Any:
    """A game whose planes never change: all the work of a network, and no rules."""
    from imaginax.types import Evaluation

    def evaluate(params: Any, belief: Any, key: Any) -> Evaluation:
        logits, value = network.apply(params, belief)
        return Evaluation(value, logits)

    return _game(evaluate, lambda belief, action: belief)


def _game(evaluate: Callable[..., Any], move: Callable[[Any, Any], Any]) -> Any:
    import jax.numpy as jnp

    from imaginax.types import Capabilities, Prediction, WorldModel

    def predict(params: Any, belief: Any, action: Any, key: Any) -> tuple[Any, Prediction]:
        belief = move(belief, action)
        value, policy = evaluate(params, belief, key)
        return belief, Prediction(jnp.zeros_like(value), -jnp.ones_like(value), value, policy)

    def nothing(*arguments: Any) -> Any:
        raise NotImplementedError("the search alone is measured")

    can = Capabilities(discrete=True, value=True, policy=True)
    return WorldModel(
        nothing, lambda params, seen, key: seen, nothing, predict, nothing, nothing, can, evaluate
    )


def prepared(task: Task) -> Callable[[], Any]:
    """One search of this library, after one that does not count."""
    import jax

    from imaginax.planners.mcts.config import SearchConfig
    from imaginax.planners.mcts.planner import make_tree_search
    from imaginax.runtime.compilation import compiled

    model, params, belief = make_model(task)
    search = make_tree_search(model, SearchConfig("puct", simulations=task.simulations))

    def run(params: Any, belief: Any, key: Any) -> Any:
        found, _ = search.run(params, belief, search.init(task.batch), key, None, explore=False)
        return found.visits, found.value

    arguments = (params, belief, jax.random.key(1))
    program = compiled(run, *arguments)
    visits, _ = program.call(*arguments)
    assert (visits.sum(axis=1) == task.simulations).all()
    return lambda: jax.block_until_ready(program.call(*arguments))


def seconds(call: Callable[[], Any]) -> float:
    """Of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class Peer:
    """benchmarks/peers/lightzero.py as a running process."""

    def __init__(self, python: str):
        script = Path(__file__).parent / "peers" / "lightzero.py"
        self.process = subprocess.Popen(
            [python, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def seconds(self, request: str) -> float:
        """Of one search there."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(request, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("benchmarks/peers/lightzero.py ended; its message is above")
        return json.loads(answer)["seconds"]


def measure(task: Task, peer: Peer | None, threads: int, repeats: int) -> dict[str, Any]:
    """Times both libraries in turn."""
    call, pairs = prepared(task), []
    beside = peer if task.kind != "rules" else None
    for _ in range(repeats):
        pairs.append((seconds(call), beside.seconds(task.request(threads)) if beside else None))
    done = task.batch * task.simulations
    ours = [taken for taken, _ in pairs]
    row: dict[str, Any] = {
        "game": task.game,
        "kind": task.kind,
        "simulations_per_s": done / statistics.median(ours),
    }
    if beside:
        theirs = [taken for _, taken in pairs if taken is not None]
        row["lightzero_simulations_per_s"] = done / statistics.median(theirs)
        row["ratio"] = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    return row


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--simulations", type=int, default=32)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--peer", help="a python that has LightZero")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])  # before jax counts cores
    from imaginax.runtime.bench import machine
    from imaginax.runtime.run_directory import write_json

    network = {"channels": 64, "blocks": 4, "value_hidden": 64}
    peer = Peer(options.peer) if options.peer else None
    rows = []
    print(f"{'':<24}{'simulations/s':>15}{'LightZero':>12}{'ratio':>8}")
    for task in tasks(options.batch, options.simulations, network):
        row = measure(task, peer, options.threads, options.repeats)
        rows.append(row)
        compared = (
            f"{row['lightzero_simulations_per_s']:>12,.0f}{row['ratio']:>8.2f}" if "ratio" in row else ""
        )
        print(
            f"{row['game'] + ', ' + row['kind']:<24}{row['simulations_per_s']:>15,.0f}{compared}", flush=True
        )
    settings = {name: getattr(options, name) for name in ("batch", "simulations", "threads", "repeats")}
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_json(
        RESULTS / ("search.json" if peer else "search_alone.json"),
        machine() | settings | {"network": network, "rows": rows},
    )
    if peer:
        peer.process.stdin.close()  # pyright: ignore[reportOptionalMemberAccess]
        peer.process.wait()


if __name__ == "__main__":
    main()
