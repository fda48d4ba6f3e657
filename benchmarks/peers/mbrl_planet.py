"""Seconds that mbrl-lib 0.2.0's PlaNet (PyTorch; Pineda et al. 2021) needs for an update and for a plan.

Answers each line of its input, a JSON object {"what": "update", "batch", "sequence", "threads"} or {"what":
"plan", "threads"}, with a line {"seconds"} on its output, on a GPU if PyTorch has one. The model, its loss,
the optimiser's step and CEM are the library's own, with the sizes of its configuration for dm_control, which
are the paper's; what it learns from is random. It encodes and decodes image by image along the sequence. To
install as in mbrl_lib.py.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

try:
    import torch
    from mbrl.models import PlaNetModel
    from mbrl.planning.trajectory_opt import CEMOptimizer
    from mbrl.types import TransitionBatch
except ImportError as error:
    sys.exit(f"{error}. This measurement needs mbrl-lib 0.2.0: mbrl_lib.py beside {__file__} says how.")

ENCODER = ((3, 32, 4, 2), (32, 64, 4, 2), (64, 128, 4, 2), (128, 256, 4, 2))
DECODER = ((1024, 1, 1), ((1024, 128, 5, 2), (128, 64, 5, 2), (64, 32, 6, 2), (32, 3, 6, 2)))
ACTIONS, HORIZON = 1, 12
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cuda":
    torch.set_float32_matmul_precision("high")  # TF32, which JAX takes there too


def make_model() -> PlaNetModel:
    """With the sizes of the paper."""
    return PlaNetModel(
        (3, 64, 64), 1024, ENCODER, DECODER, 30, ACTIONS, 200, 200, DEVICE, rng=torch.Generator(DEVICE)
    )


def make_batch(batch: int, sequence: int) -> TransitionBatch:
    """Random images, of which the library does not learn from the first."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (batch, sequence + 1, 3, 64, 64), dtype=np.uint8)
    actions = random.uniform(-1, 1, (batch, sequence + 1, ACTIONS)).astype(np.float32)
    zeros = np.zeros((batch, sequence + 1), np.float32)
    return TransitionBatch(images, actions, images, zeros, zeros > 0, zeros > 0)


def update(request: dict[str, Any]) -> Callable[[], Any]:
    """One step of Adam."""
    model, data = make_model(), make_batch(request["batch"], request["sequence"])
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-4)
    return lambda: model.update(data, optimiser)


def plan(request: dict[str, Any]) -> Callable[[], Any]:
    """One decision: 1000 candidates, 10 iterations, 12 steps ahead."""
    model = make_model()
    state = model.update_posterior(np.zeros((3, 64, 64), np.uint8))

    def value(plans: torch.Tensor) -> torch.Tensor:
        many = {name: part.repeat(len(plans), 1) for name, part in state.items()}
        total = torch.zeros(len(plans), device=DEVICE)
        for step in range(HORIZON):
            _, reward, _, many = model.sample(plans[:, step], many)
            total += reward[:, 0]
        return total

    limit = np.ones((HORIZON, ACTIONS))
    optimiser = CEMOptimizer(
        num_iterations=10,
        elite_ratio=0.1,
        population_size=1000,
        lower_bound=(-limit).tolist(),
        upper_bound=limit.tolist(),
        alpha=0.0,
        device=DEVICE,
        return_mean_elites=True,
        clipped_normal=True,
    )
    return lambda: optimiser.optimize(value, torch.zeros(HORIZON, ACTIONS, device=DEVICE))


def finished(call: Callable[[], Any]) -> None:
    """Calls, and waits for a GPU."""
    call()
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    """Makes what is asked for once, and times one call of it for each further equal line."""
    made: dict[str, Callable[[], Any]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        torch.set_num_threads(request["threads"])
        if line not in made:
            made[line] = {"update": update, "plan": plan}[request["what"]](request)
            finished(made[line])
        start = time.perf_counter()
        finished(made[line])
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main()
