"""Missing frames: a GPDM's reconstruction of gaps in walks of the CMU archive, beside interpolation.

    python experiments/figures/gpdm_missing.py                          draws results/gpdm/missing.png
    python experiments/figures/gpdm_missing.py --motion DIR/07_01.amc   fits first; also docs/gpdm_missing.gif
    python experiments/figures/gpdm_missing.py --motion DIR/07_02.amc   the held-out walk
    python experiments/figures/gpdm_missing.py --motion FILE --models 'GPLVM, Z = 3'    fits only some

Settings were chosen on walk 07_01, on the same gaps; 07_02 is the walk that they were not chosen on. A motion
and its skeleton (the .asf file in the same folder) come from mocap.cs.cmu.edu. Every second of the
first 260 frames is kept, in 50 channels; RMSE is over all channels of the missing frames, in their units.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from imaginax.data import mocap
from imaginax.data.mocap import gaps
from imaginax.models.gpdm.config import GPDMConfig
from imaginax.runtime import plotting
from imaginax.runtime.animation import animate
from imaginax.runtime.precision import precision
from imaginax.runtime.run_directory import describe, read_json, write_json
from imaginax.systems import gpdm
from imaginax.systems.presets import gpdm as gpdm_presets
from imaginax.types import Stage

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "gpdm"
TUNED, HELD_OUT = "07_01", "07_02"
GIF = ROOT / "docs" / "gpdm_missing.gif"
GAPS = ((40, 60), (30, 80))
FILLS = {"mean": gaps.fill_mean, "linear": gaps.fill_linear, "cubic": gaps.fill_cubic}
STRAIGHT = {"pieces": 0, "sweeps": 100}  # missing positions begin on straight lines
PREDICTED = {"pieces": 50, "sweeps": 50}  # they begin at the mean prediction of the dynamics
MODELS: dict[str, dict[str, Any]] = {
    "B-GPDM, Z = 5": PREDICTED | {"model": GPDMConfig(latent=5, balanced=True)},
    "B-GPDM, Z = 3": PREDICTED | {"model": GPDMConfig(balanced=True)},
    "MAP, Z = 3, straight lines": STRAIGHT | {"model": GPDMConfig()},
    "MAP, Z = 3": PREDICTED | {"model": GPDMConfig()},
    "B-GPDM, Z = 3, straight lines": STRAIGHT | {"model": GPDMConfig(balanced=True)},
    "GPLVM, Z = 3": STRAIGHT | {"model": GPDMConfig(dynamics="none")},
    "two-stage, Z = 3": PREDICTED | {"model": GPDMConfig(), "method": "two_stage"},
    "two-stage, Z = 3, straight lines": STRAIGHT | {"model": GPDMConfig(), "method": "two_stage"},
}
SHOWN = ("lfemur.rx", "ltibia.rx", "rhumerus.rx", "root.ry")


def result(walk: str) -> Path:
    """The measurements of a walk."""
    return RESULTS / f"missing_{walk}.json"


def measure(motion: Path, models: Sequence[str]) -> None:
    """Fits models to every gap, and writes what came of it after each; other models' rows stay."""
    path = result(motion.stem)
    base = gpdm_presets.GPDMSystemConfig(motion=str(motion))
    skeleton, prepared = gpdm.prepared_motion(base)
    truth = prepared.values + prepared.mean
    columns = [prepared.names.index(name) for name in SHOWN]
    before = read_json(path)["gaps"] if path.exists() else {}
    found: dict[str, Any] = {"truth": dict(zip(SHOWN, truth[:, columns].T.round(3).tolist(), strict=True))}
    record = describe(gpdm.make(base), preset=None, seeds=1, seed=0)
    record["config"]["motion"] = motion.name
    record |= {"channels": SHOWN, "gaps": found}
    RESULTS.mkdir(parents=True, exist_ok=True)
    for gap in GAPS:
        missing = gaps.gap(len(truth), *gap)
        rows = {
            name: {"rmse": gaps.rmse(truth, fill(truth, missing), missing)} for name, fill in FILLS.items()
        }
        found[_name(gap)] = before.get(_name(gap), {}) | rows
    for name in models:
        for gap in GAPS:
            frames, numbers = _fit(dataclasses.replace(base, missing=gap, **MODELS[name]))
            numbers["shown"] = frames[slice(*gap)][:, columns].T.round(3).tolist()
            found[_name(gap)][name] = numbers
            print(gap, name, {key: number for key, number in numbers.items() if key != "shown"}, flush=True)
            write_json(path, record)
            if motion.stem == TUNED and gap == GAPS[-1] and name == next(iter(MODELS)):
                both = [mocap.restore(prepared, values - prepared.mean) for values in (frames, truth)]
                animate(GIF, skeleton, both[0], original=both[1])


def _fit(config: gpdm_presets.GPDMSystemConfig) -> tuple[np.ndarray, dict[str, Any]]:
    """All frames as the fitted model reconstructs them, and the numbers of the fit."""
    began = time.monotonic()
    system = gpdm.make(config)
    prepared = gpdm.prepared_motion(config)[1]
    truth = prepared.values + prepared.mean
    missing = gaps.gap(len(truth), *config.missing)
    after: dict[str, float] = {}
    energies: list[float] = []
    with precision(system):
        learner = jax.jit(system.init)(jax.random.key(0)).learner
        for stage in system.schedule:
            learner, metrics = jax.jit(lambda learner, stage=stage: _run(stage, learner))(learner)
            energies += np.asarray(metrics["energy"]).tolist()
            after[stage.name] = gaps.rmse(truth, np.asarray(learner.frames), missing)
        frames = np.asarray(learner.frames)
    numbers = {"rmse": after["whole"], "rmse_after": after, "rmse_seen": gaps.rmse(truth, frames, ~missing)}
    numbers |= {"commit": plotting.commit(), "jax": jax.__version__}
    return frames, numbers | {"energy": energies[-1], "wall_s": round(time.monotonic() - began, 1)}


def _run(stage: Stage, learner: gpdm.GPDMLearner):
    learn = stage.learn
    assert learn is not None
    key, none = jax.random.key(0), jnp.zeros((), jnp.int32)
    return jax.lax.scan(lambda model, _: learn(model, none, key), learner, length=stage.chunks)


def draw() -> Path:
    """The error of every way to fill the gaps of either walk, and four channels across the longer one."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(plotting.style()):
        figure = Figure(figsize=(11, 9), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=(1, 1.3))
        for axes, walk, role in zip(
            left.subplots(2, 1), (TUNED, HELD_OUT), ("settings chosen on it", "held out"), strict=True
        ):
            _bars(axes, read_json(result(walk))["gaps"])
            axes.set_title(f"walk {walk}: {role}", fontsize=9)
        left.axes[1].set_xlabel("RMSE of the missing frames, degrees")
        left.axes[0].legend(ncols=2, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.08))
        _channels(right.subplots(4, 1, sharex=True), read_json(result(HELD_OUT))["gaps"])
        path = RESULTS / "missing.png"
        figure.savefig(path)
    return path


def _bars(axes: Any, record: dict[str, Any]) -> None:
    """The error of each way to fill each gap."""
    names = [*FILLS, *(name for name in MODELS if any(name in record[_name(gap)] for gap in GAPS))]
    for number, gap in enumerate(GAPS):
        rows = record[_name(gap)]
        places = np.arange(len(names)) + 0.4 * (number - 0.5)
        values = [rows[name]["rmse"] if name in rows else np.nan for name in names]
        drawn = axes.barh(places, values, height=0.38, label=f"frames {gap[0]} to {gap[1] - 1}")
        axes.bar_label(drawn, fmt="%.2f", fontsize=8, padding=2)
    axes.set(yticks=np.arange(len(names)), yticklabels=names)
    axes.invert_yaxis()
    axes.margins(x=0.15)


def _channels(panels: Sequence[Any], record: dict[str, Any]) -> None:
    """Four channels across the longer gap, with the first of the models."""
    first, end = GAPS[1]
    model = next(iter(MODELS))
    for number, (axes, name) in enumerate(zip(panels, SHOWN, strict=True)):
        truth = np.array(record["truth"][name])
        axes.plot(truth, color="#888888", label="recorded")
        axes.plot((first - 1, end), truth[[first - 1, end]], ":", label="linear")
        axes.plot(np.arange(first, end), record[_name(GAPS[1])][model]["shown"][number], label=model)
        axes.axvspan(first - 0.5, end - 0.5, alpha=0.08, color="black", linewidth=0)
        axes.set(ylabel=name)
    panels[-1].set(xlabel="frame, 60 a second")
    panels[0].set_title(f"walk {HELD_OUT}", fontsize=9)
    panels[0].legend(ncols=3, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.1))


def _name(gap: tuple[int, int]) -> str:
    return f"{gap[0]}-{gap[1]}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--motion", type=Path, help="07_01.amc or 07_02.amc, with the .asf file beside it")
    parser.add_argument("--models", nargs="*", choices=MODELS, metavar="MODEL", help="default: all")
    options = parser.parse_args()
    if options.motion:
        measure(options.motion, options.models or list(MODELS))
    print(draw())
