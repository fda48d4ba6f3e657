"""Seconds that GPyTorch and GPJax need for the marginal likelihood of Gaussian processes and its gradient.

Prints one JSON object a line: {"what", "seconds", "fastest", "version"}, after a warm-up. The problem
is that of benchmarks/gp.py: float32, exact, squared exponential kernel with a length-scale for each input,
one process an output. Both libraries are used as their manuals say. They need an environment of their own:

    python3 -m venv .venv-gp
    .venv-gp/bin/pip install torch==2.13.0 gpytorch==1.15.2 gpjax==1.0.0 flax
    .venv-gp/bin/python benchmarks/peers/gp_libraries.py
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def make_data(rows: int, features: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """The inputs and targets of benchmarks/gp.py."""
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, features)).astype(np.float32)
    y = np.sin(x @ random.normal(size=(features, outputs))) + 0.1 * random.normal(size=(rows, outputs))
    return x, y.astype(np.float32)


def gpytorch_call(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    """All outputs as one batch; N = 500 is below GPyTorch's limit for Cholesky factors."""
    import gpytorch
    import torch

    inputs, targets = torch.tensor(x), torch.tensor(y.T.copy())
    batch = torch.Size([len(targets)])

    class Model(gpytorch.models.ExactGP):
        """Zero mean, scaled RBF kernel."""

        def __init__(self, likelihood):
            super().__init__(inputs.expand(*batch, *inputs.shape), targets, likelihood)
            self.mean = gpytorch.means.ZeroMean(batch_shape=batch)
            kernel = gpytorch.kernels.RBFKernel(ard_num_dims=x.shape[1], batch_shape=batch)
            self.kernel = gpytorch.kernels.ScaleKernel(kernel, batch_shape=batch)

        def forward(self, z):
            return gpytorch.distributions.MultivariateNormal(self.mean(z), self.kernel(z))

    likelihood = gpytorch.likelihoods.GaussianLikelihood(batch_shape=batch)
    model = Model(likelihood).train()
    likelihood.train()
    objective = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    data: Any = model.train_inputs

    def call() -> Any:
        model.zero_grad()
        value = -objective(model(*data), targets).sum()
        value.backward()
        return value

    return call


def gpjax_call(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    """The sum over outputs of the conjugate marginal likelihoods, compiled."""
    import gpjax
    import jax
    import jax.numpy as jnp
    from flax import nnx

    def posterior() -> Any:
        kernel = gpjax.kernels.RBF(lengthscale=jnp.ones(x.shape[1], jnp.float32))
        prior = gpjax.gps.Prior(mean_function=gpjax.mean_functions.Zero(), kernel=kernel)
        return prior * gpjax.likelihoods.Gaussian(obs_stddev=jnp.asarray(0.3, jnp.float32))

    data = [gpjax.Dataset(X=jnp.asarray(x), y=jnp.asarray(y[:, e : e + 1])) for e in range(y.shape[1])]
    split = [nnx.split(posterior()) for _ in data]
    graphs, states = [graph for graph, _ in split], [state for _, state in split]

    def loss(states: list[Any]) -> Any:
        models = [nnx.merge(graph, state) for graph, state in zip(graphs, states, strict=True)]
        return -sum(gpjax.objectives.conjugate_mll(m, d) for m, d in zip(models, data, strict=True))

    program = jax.jit(jax.value_and_grad(loss))
    return lambda: jax.block_until_ready(program(states))


CALLS = {"gpytorch": gpytorch_call, "gpjax": gpjax_call}


def main() -> None:
    """Measures each library, one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=CALLS, default=list(CALLS))
    parser.add_argument("--repeats", type=int, default=20)
    for name, size in (("rows", 500), ("features", 6), ("outputs", 4)):
        parser.add_argument(f"--{name}", type=int, default=size)
    options = parser.parse_args()
    x, y = make_data(options.rows, options.features, options.outputs)
    for name in options.only:
        try:
            call = CALLS[name](x, y)
            call()
        except ImportError as error:
            sys.exit(f"{error}. This measurement needs {name}: {__file__} says how to install it.")
        taken = []
        for _ in range(options.repeats):
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
        version = sys.modules[name].__version__
        row = {"what": name, "seconds": statistics.median(taken), "fastest": min(taken), "version": version}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
