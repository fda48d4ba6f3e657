"""Seconds of one search with LightZero's C++ tree (version 0.2.0; Niu et al. 2023), with PyTorch.

Answers each line of its input, a JSON object {"shape": [H, W, C], "actions", "batch", "simulations",
"network": {"channels", "blocks", "value_hidden"} or null, "threads"}, with a line {"seconds"} on its output.

The tree and the loop around it (select in C++, gather the latent states of the leaves, evaluate them as one
batch, expand and back up in C++) are those of its MuZero with batched trees. The network is AlphaZero's, with
the same sizes as ours, and sees the latent state, which is the position's planes: so the tree and the network
are measured, and no rules. Without a network, values and logits come from a table. It needs an environment of
its own; of the library only the compiled tree is used, so that its other dependencies can stay away:

    python3.11 -m venv .venv-lightzero
    .venv-lightzero/bin/pip install torch==2.13.0 "numpy<2.3"
    .venv-lightzero/bin/pip install --no-deps LightZero==0.2.0
    python benchmarks/search.py --peer .venv-lightzero/bin/python
"""

from __future__ import annotations

import functools
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

try:
    import torch
    from torch import nn
except ImportError as error:
    sys.exit(f"{error}. This measurement needs LightZero 0.2.0: {__file__} says how to install it.")

Evaluate = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def load_tree() -> Any:
    """The compiled tree alone; the package around it would import its environments."""
    package = importlib.util.find_spec("lzero")
    if package is None or package.origin is None:
        sys.exit(f"This measurement needs LightZero 0.2.0: {__file__} says how to install it.")
    library = next(Path(package.origin).parent.glob("mcts/ctree/ctree_muzero/mz_tree*.so"))
    spec = importlib.util.spec_from_file_location("mz_tree", library)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Block(nn.Module):
    """Convolution, batch normalisation, the sum with `skip` if there is one, rectifier."""

    def __init__(self, inputs: int, outputs: int, size: int = 3):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
        """Of a batch of boards."""
        x = self.norm(self.convolution(x))
        return torch.relu(x if skip is None else x + skip)


class Tower(nn.Module):
    """AlphaGo Zero's network."""

    def __init__(self, shape: list[int], actions: int, channels: int, blocks: int, value_hidden: int):
        super().__init__()
        height, width, planes = shape
        self.first = Block(planes, channels)
        self.blocks = nn.ModuleList(
            nn.ModuleList([Block(channels, channels), Block(channels, channels)]) for _ in range(blocks)
        )
        self.policy = nn.Sequential(
            Block(channels, 2, 1), nn.Flatten(), nn.Linear(2 * height * width, actions)
        )
        self.value = nn.Sequential(
            Block(channels, 1, 1),
            nn.Flatten(),
            nn.Linear(height * width, value_hidden),
            nn.ReLU(),
            nn.Linear(value_hidden, 1),
            nn.Tanh(),
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and values of a batch of boards."""
        x = self.first(x)
        for one, two in self.blocks:  # pyright: ignore[reportGeneralTypeIssues]
            x = two(one(x), x)
        return self.policy(x), self.value(x)[:, 0]


def search(tree: Any, task: dict[str, Any], evaluate: Evaluate, latents: np.ndarray) -> list[list[int]]:
    """Visits of the root's actions."""
    batch, actions = task["batch"], task["actions"]
    values, logits = evaluate(latents, 0)
    roots = tree.Roots(batch, [list(range(actions))] * batch)
    players = [1] * batch
    roots.prepare_no_noise([0.0] * batch, logits.tolist(), players)
    limits = tree.MinMaxStatsList(batch)
    limits.set_delta(0.01)
    pool = [latents]
    for simulation in range(1, task["simulations"] + 1):
        results = tree.ResultsWrapper(num=batch)
        steps, rows, _, movers = tree.batch_traverse(roots, 19652, 1.25, 1.0, limits, results, list(players))
        leaves = np.asarray([pool[step][row] for step, row in zip(steps, rows, strict=True)])
        values, logits = evaluate(leaves, simulation)
        pool.append(leaves)
        rewards = [0.0] * batch
        tree.batch_backpropagate(
            simulation, 1.0, rewards, values.tolist(), logits.tolist(), limits, results, movers
        )
    return roots.get_distributions()


def evaluator(task: dict[str, Any]) -> tuple[Evaluate, np.ndarray]:
    """What judges positions, and the latent states of the roots."""
    random, batch, (height, width, planes) = np.random.default_rng(0), task["batch"], task["shape"]
    if task["network"] is None:
        rows = task["simulations"] + 1
        values = random.uniform(-1, 1, (rows, batch))
        logits = random.normal(size=(rows, batch, task["actions"]))
        return lambda leaves, simulation: (values[simulation], logits[simulation]), np.zeros((batch, 1))
    torch.manual_seed(0)
    tower = Tower(task["shape"], task["actions"], **task["network"]).eval()

    def evaluate(leaves: np.ndarray, simulation: int) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            logits, values = tower(torch.from_numpy(leaves))
        return values.numpy(), logits.numpy()

    return evaluate, random.normal(size=(batch, planes, height, width)).astype(np.float32)


@functools.cache
def prepared(line: str) -> Callable[[], list[list[int]]]:
    """One search for a request, after one that does not count."""
    task = json.loads(line)
    torch.set_num_threads(task["threads"])
    evaluate, latents = evaluator(task)
    call = functools.partial(search, load_tree(), task, evaluate, latents)
    visits = np.asarray(call())
    assert (visits.sum(axis=1) == task["simulations"]).all()
    return call


def main() -> None:
    """Answers requests."""
    for line in sys.stdin:
        call = prepared(line)
        start = time.perf_counter()
        call()
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main()
