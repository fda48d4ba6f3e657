"""PETS Fig. 1, the toy: what D, P, DE and PE know of a noisy function, and know that they do not.

    python experiments/figures/pets_uncertainty.py          draws results/pets/uncertainty.png
    python experiments/figures/pets_uncertainty.py --run    trains the four models again (a minute) first

The function is sin(1.5 x) on two separate stretches, with noise that grows with |x|. A probabilistic network
shows the noise (aleatoric uncertainty) but is sure of itself in the gap; an ensemble disagrees there
(epistemic uncertainty) but has no word for the noise; only the probabilistic ensemble shows both.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.learning.config import EnsembleFitConfig
from imaginax.learning.ensemble import init_learner, make_fit
from imaginax.models.ensemble.config import EnsembleConfig
from imaginax.models.ensemble.model import ensemble, make_network, member_predictions
from imaginax.runtime import plotting
from imaginax.runtime.compilation import enable_cache
from imaginax.runtime.run_directory import read_json, write_json
from imaginax.types import Box, Environment, EnvSpec, Features, Transition

RESULT = Path(__file__).parents[2] / "results" / "pets" / "uncertainty.json"
KINDS = {
    "D": "deterministic network",
    "P": "probabilistic network",
    "DE": "deterministic ensemble",
    "PE": "probabilistic ensemble",
}
ROWS, EPOCHS = 200, 800


def noise(x):
    """Standard deviation of the noise around sin(1.5 x)."""
    return 0.04 * jnp.abs(x)


def regression() -> Environment:
    """x -> y as an environment: the observation is x, the regression target y, the action does nothing."""
    spec = EnvSpec("toy", Box((1,)), Box((1,), -1.0, 1.0), max_steps=1)
    features = Features(lambda x: x, lambda x, y: y, lambda x, y: y)
    return Environment(spec, None, None, reward=lambda x, a, y: y[..., 0], features=features)


def data(key) -> Transition:
    """Noisy points on [-4.5, -2] and [2, 4.5]."""
    key_side, key_x, key_noise = jax.random.split(key, 3)
    place = jax.random.uniform(key_x, (ROWS, 1))
    x = jnp.where(jax.random.bernoulli(key_side, 0.5, (ROWS, 1)), -4.5 + 2.5 * place, 2 + 2.5 * place)
    y = jnp.sin(1.5 * x) + noise(x) * jax.random.normal(key_noise, x.shape)
    return Transition(x, jnp.zeros_like(x), jnp.zeros(ROWS), jnp.ones(ROWS), y)


def predictions(kind: str, points: Transition, grid: np.ndarray) -> dict[str, list[float]]:
    """Mean, aleatoric and epistemic standard deviation of one kind of model on a grid."""
    env = regression()
    propagation = "E" if kind in ("D", "P") else "TSinf"
    model = EnsembleConfig(
        kind=kind, hidden=(64, 64), weight_decay=(0.0,) * 3, propagation=propagation, particles=5
    )
    optimiser, fit = make_fit(env, model, EnsembleFitConfig(epochs=EPOCHS, learning_rate=3e-3))
    params = ensemble(env, model).init(jax.random.key(1))
    learner = init_learner(params, optimiser)
    learner, _ = jax.jit(fit)(learner, points, ROWS, jax.random.key(2))
    x = jnp.stack([jnp.asarray(grid), jnp.zeros(len(grid))], axis=-1)
    inputs = jnp.broadcast_to(x, (model.networks, *x.shape))
    mean, variance = member_predictions(make_network(env, model), learner.params, inputs)
    aleatoric = jnp.zeros_like(mean[0]) if variance is None else jnp.sqrt(variance.mean(0))
    columns = {"mean": mean.mean(0), "aleatoric": aleatoric, "epistemic": mean.std(0)}
    return {name: np.asarray(column)[:, 0].round(5).tolist() for name, column in columns.items()}


def run() -> None:
    """Trains the four models on the same points and writes the result."""
    enable_cache()
    points, grid = data(jax.random.key(0)), np.linspace(-6, 6, 241)
    record = {
        "system": "pets",
        "env": "toy regression",
        "commit": plotting.commit(),
        "jax": jax.__version__,
        "rows": ROWS,
        "epochs": EPOCHS,
        "x": np.asarray(points.observation)[:, 0].round(4).tolist(),
        "y": np.asarray(points.next_observation)[:, 0].round(4).tolist(),
        "grid": grid.round(4).tolist(),
        "models": {kind: predictions(kind, points, grid) for kind in KINDS},
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_json(RESULT, record)


def draw() -> Path:
    """Four panels: data, mean, noise band (two deviations) and disagreement band around it."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    record = read_json(RESULT)
    grid = np.asarray(record["grid"])
    blue, orange = plotting.COLOURS[:2]
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(10, 6), layout="constrained")
        panels = figure.subplots(2, 2, sharex=True, sharey=True).flat
        for axes, (kind, name) in zip(panels, KINDS.items(), strict=True):
            mean, aleatoric, epistemic = (np.asarray(x) for x in record["models"][kind].values())
            total = np.sqrt(aleatoric**2 + epistemic**2)
            axes.fill_between(grid, mean - 2 * total, mean + 2 * total, color=orange, alpha=0.35, lw=0,
                              label="epistemic + aleatoric")  # fmt: skip
            axes.fill_between(grid, mean - 2 * aleatoric, mean + 2 * aleatoric, color=blue, alpha=0.35, lw=0,
                              label="aleatoric")  # fmt: skip
            axes.plot(record["x"], record["y"], ".", color="#555555", markersize=2, label="data")
            axes.plot(grid, np.sin(1.5 * grid), "--", color="#222222", linewidth=1, label="true mean")
            axes.plot(grid, mean, color=blue, label="predicted mean")
            axes.set(title=f"{kind}: {name}", ylim=(-3, 3), xlim=(-6, 6))
        figure.axes[0].legend(loc="upper left", ncols=2, fontsize=8)
        path = RESULT.with_suffix(".png")
        figure.savefig(path)
    return path


if __name__ == "__main__":
    if "--run" in sys.argv[1:]:
        run()
    print(draw())
