"""Latent walks: a GPDM, a balanced GPDM and a GPLVM of the same motion, in their three dimensions.

    python experiments/figures/gpdm_latent.py                          draws results/gpdm/latent.png
    python experiments/figures/gpdm_latent.py --run                    fits to the generated walk first
    python experiments/figures/gpdm_latent.py --motion DIR/07_01.amc   or to a walk of the CMU archive

Each is the published fit, 100 sweeps from principal components, with every frame seen. The MAP estimate also
gets trajectories by Hamiltonian Monte Carlo and a mean prediction, which gpdm_samples.py draws.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.models.gpdm import fit as gpdm_fit
from imaginax.models.gpdm import model, sampling
from imaginax.models.gpdm.config import GPDMConfig, GPDMFitConfig
from imaginax.models.gpdm.data import MotionData, motion_data
from imaginax.numerics.config import HMCConfig
from imaginax.runtime import plotting
from imaginax.runtime.run_directory import read_json, write_json
from imaginax.systems import gpdm
from imaginax.systems.presets import gpdm as gpdm_presets

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "gpdm" / "latent.json"
SAMPLES = RESULT.with_name("samples.json")
STEPS = (0.01, 0.003, 0.001, 0.0003)  # of the leapfrog: the published one, and smaller ones if it is rejected
ENOUGH = 0.5  # of the proposals have to be accepted
SWEEPS, KEPT = 100, 12  # KEPT: drawn of the published number of draws
SAMPLED = (
    "GPDM (MAP)"  # the step of the published draws is too long for the stiff dynamics of the balanced one
)
MODELS = {
    "GPLVM": GPDMConfig(dynamics="none"),
    "GPDM (MAP)": GPDMConfig(),
    "balanced GPDM": GPDMConfig(balanced=True),
}


def measure(motion: str) -> None:
    """Fits the three models, and samples from the MAP estimate."""
    config = gpdm_presets.GPDMSystemConfig(motion=motion)
    prepared = gpdm.prepared_motion(config)[1]
    record: dict[str, Any] = {
        "system": "gpdm",
        "motion": Path(motion).name or "generated walk",
        "sweeps": SWEEPS,
        "commit": plotting.commit(),
        "jax": jax.__version__,
        "models": {},
    }
    with jax.enable_x64(True):
        for name, kind in MODELS.items():
            data = motion_data(kind, prepared.values)
            params, energy = _fit(kind, data)
            steps = np.linalg.norm(np.diff(params.x, axis=0), axis=1)
            record["models"][name] = {
                "x": np.asarray(params.x).round(4).tolist(),
                "energy": float(energy),
                "alpha": np.exp(np.asarray(params.log.alpha)).tolist(),
                "beta": np.exp(np.asarray(params.log.beta)).tolist(),
                "longest_step_over_median": float(steps.max() / np.median(steps)),
                "rmse_seen": float(jnp.sqrt(jnp.mean((_decoded(params, data) - prepared.values) ** 2))),
            }
            print(name, {k: v for k, v in record["models"][name].items() if k != "x"}, flush=True)
            if name == SAMPLED:
                base = {key: record[key] for key in ("system", "motion", "sweeps", "commit", "jax")}
                write_json(SAMPLES, base | _samples(kind, params, data))
            RESULT.parent.mkdir(parents=True, exist_ok=True)
            write_json(RESULT, record)


def _fit(kind: GPDMConfig, data: MotionData) -> tuple[model.GPDMParams, jax.Array]:
    def sweep(params: model.GPDMParams, _: None):
        return gpdm_fit.sweep(kind, GPDMFitConfig(), params, data)

    run = jax.jit(lambda params: jax.lax.scan(sweep, params, length=SWEEPS))
    params, metrics = run(jax.jit(lambda: model.initialise(kind, data))())
    return params, metrics["energy"][-1]


_decoded = jax.jit(model.reconstruct)


def _samples(kind: GPDMConfig, params: model.GPDMParams, data: MotionData) -> dict[str, Any]:
    """A mean prediction from the end of the motion, and draws that begin at its start."""
    follow = jax.jit(lambda start: model.simulate(kind, params, data, start, steps=len(params.x)))
    mean = follow(params.x[-2:])
    begin = jnp.concatenate([params.x[:1], follow(params.x[:2])[:-1]])
    tried = {}
    for step in STEPS:
        hmc = HMCConfig(step=step)
        sample = jax.jit(lambda s, k, hmc=hmc: sampling.sample_paths(kind, params, data, s, hmc, k))
        chain = sample(begin, jax.random.key(0))
        tried[str(step)] = float(chain.acceptance)
        print("acceptance by step", tried, flush=True)
        if tried[str(step)] >= ENOUGH:
            break
    found = {"hmc": dataclasses.asdict(hmc), "acceptance_by_step": tried, "acceptance": tried[str(step)]}
    drawn = np.asarray(chain.draws)[:: hmc.draws // KEPT]
    path = np.asarray(params.x).round(4).tolist()
    return found | {
        "x": path,
        "mean": np.asarray(mean).round(4).tolist(),
        "draws": drawn.round(4).tolist(),
    }


def draw() -> Path:
    """Three paths in 3-D, beside each other."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    record = read_json(RESULT)
    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(12, 4.8), layout=None)
        figure.subplots_adjust(left=0.02, right=0.97, top=0.86, bottom=0.04, wspace=0.1)
        panels = figure.subplots(1, len(MODELS), subplot_kw={"projection": "3d"})
        for axes, (name, found) in zip(panels, record["models"].items(), strict=True):
            x = np.array(found["x"])
            axes.plot(*x.T, "-", linewidth=0.8, color=plotting.COLOURS[0])
            axes.scatter(*x.T, c=np.arange(len(x)), s=9, cmap="viridis", depthshade=False)
            axes.set_title(f"{name}\nlongest step {found['longest_step_over_median']:.1f} x median")
            axes.tick_params(labelsize=7)
        path = RESULT.with_suffix(".png")
        figure.savefig(path)
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--motion", default="", help="an .amc file, with its .asf file beside it")
    parser.add_argument("--run", action="store_true", help="fit to the generated walk")
    options = parser.parse_args()
    if options.run or options.motion:
        measure(options.motion)
    print(draw())
